"""The spans of the local models: true usage, why they ended, and what they are called."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from millstream import ChatLocal, ChatPromptTemplate, LocalLLM, StrOutputParser
from tests.conftest import Colour
from tests.otel.conftest import Traces

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("engine")]


def test_a_chain_with_the_local_model(colour: Colour) -> None:
    traces = Traces()
    model = ChatLocal(context=2048, temperature=0.0, max_tokens=6)
    chain = ChatPromptTemplate.from_template("Say {word}.") | model | StrOutputParser()
    colour.stream(chain, {"word": "hello"}, traces.config())
    assert traces.parent("chat smollm2") == "RunnableSequence"
    span, said = traces.named("chat smollm2"), traces.said("chat smollm2")
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert said["gen_ai.provider.name"] == "llama.cpp"
    assert said["gen_ai.request.model"] == said["gen_ai.response.model"] == "smollm2"
    assert said["gen_ai.response.finish_reasons"] in (("stop",), ("length",))
    assert said["gen_ai.usage.input_tokens"] > 10
    assert 0 < said["gen_ai.usage.output_tokens"] <= 6
    assert "millstream.usage.estimated" not in said
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 < said["gen_ai.response.time_to_first_chunk"] < (span.end_time - span.start_time) / 1e9
    assert traces.open.count == 0


def test_the_text_model_cut_short() -> None:
    traces = Traces()
    stream = LocalLLM(context=2048, max_tokens=50).stream("One, two, three,", traces.config())
    next(stream)
    stream.close()
    said = traces.said("text_completion smollm2")
    assert said["millstream.cancelled"] is True
    assert said["millstream.usage.estimated"] is True
    assert traces.open.count == 0
