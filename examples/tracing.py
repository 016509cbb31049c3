"""A request's trace: the application's own span, below it a chain's, and below that each step's."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from millstream import AIMessageChunk, ChatPromptTemplate, OpenTelemetryTracer, StrOutputParser, chain, tool
from millstream.testing import FakeChatModel

# In an application: an exporter of your backend's, in a BatchSpanProcessor.
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

LAST = AIMessageChunk("", response_metadata={"finish_reason": "stop"}, chunk_position="last")
answers = ChatPromptTemplate.from_template("{question} {fact}") | FakeChatModel([["1233 ", "km.", LAST]])


@tool
def length(river: str) -> str:
    """How long a river is."""
    # Whatever is instrumented, an HTTP client say, finds the tool's span as the current one.
    with trace.get_tracer("example").start_as_current_span("GET /rivers"):
        return "1233 km"


@chain
def answer(question: str):
    fact = length.invoke({"river": "Rhine"})
    return (answers | StrOutputParser()).invoke({"question": question, "fact": fact})


with trace.get_tracer("example").start_as_current_span("POST /ask"):
    print(answer.invoke("How long is the Rhine?", {"callbacks": [OpenTelemetryTracer()]}))

children: dict[int | None, list] = {}
for span in exporter.get_finished_spans():
    children.setdefault(span.parent.span_id if span.parent else None, []).append(span)


def show(parent: int | None, indent: str = "") -> None:
    """The spans below one, as they began."""
    for span in sorted(children.get(parent, ()), key=lambda span: span.start_time):
        reasons = span.attributes.get("gen_ai.response.finish_reasons", ())
        print(indent + span.name, *reasons)
        show(span.context.span_id, indent + "  ")


show(None)
