"""What stands on spans: the attributes of the GenAI conventions, and what has no name there."""

from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as conventions
from opentelemetry.trace import SpanKind, StatusCode

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseChatModel,
    BaseLLM,
    BaseRetriever,
    ChatMessage,
    Document,
    GenerationChunk,
    HumanMessage,
    HumanMessageChunk,
    JsonOutputParser,
    OutputParserException,
    RunnableLambda,
    SystemMessage,
    SystemMessageChunk,
    ToolCall,
    ToolException,
    ToolMessage,
    UsageMetadata,
    dispatch_custom_event,
    tool,
)
from millstream.testing import FakeChatModel, FakeLLM
from tests.conftest import Colour
from tests.otel.conftest import Traces

KNOWN = {value for name, value in vars(conventions).items() if name.startswith("GEN_AI_")}

LAST = AIMessageChunk(
    "",
    id="msg-1",
    response_metadata={"finish_reason": "stop", "model_name": "m1-0613"},
    usage_metadata=UsageMetadata(
        7, 5, input_token_details={"cache_read": 3}, output_token_details={"reasoning": 2}
    ),
    chunk_position="last",
)


class Chat(FakeChatModel):
    provider_name = "acme"
    model = "m1"


def chat(*items: Any, **kwargs: Any) -> Chat:
    return Chat([items or ("ri", "ver", LAST)], **kwargs)


@tool
def length(river: str) -> str:
    """How long a river is."""
    return f"{river}: 1233 km"


class Docs(BaseRetriever):
    def _get_relevant_documents(self, query: str) -> list[Document]:
        return [Document("Rivers bend.", id="d1"), Document("Mills turn.")]


def without(said: dict[str, Any], *prefixes: str) -> dict[str, Any]:
    return {key: value for key, value in said.items() if not key.startswith(prefixes)}


def test_a_chat_model(traces: Traces, colour: Colour) -> None:
    colour.invoke(chat(), "Why?", traces.config())
    span = traces.named("chat m1")
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert without(traces.said("chat m1"), "millstream.run.") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "m1",
        "gen_ai.response.model": "m1-0613",
        "gen_ai.response.id": "msg-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }


def test_a_stream_tells_the_time_to_its_first_token(traces: Traces, colour: Colour) -> None:
    colour.stream(chat(), "Why?", traces.config())
    span, said = traces.named("chat m1"), traces.said("chat m1")
    assert said["gen_ai.request.stream"] is True
    [event] = span.events
    assert event.name == "millstream.first_token"
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= event.timestamp <= span.end_time
    waited = said["gen_ai.response.time_to_first_chunk"]
    assert 0 < waited <= (span.end_time - span.start_time) / 1e9


def test_an_empty_stream_has_no_first_token(traces: Traces) -> None:
    class Silent(BaseLLM):
        def _stream(self, prompt, **kwargs):
            yield from ()

    list(Silent().stream("x", traces.config()))
    assert traces.named("text_completion Silent").events == ()
    assert "gen_ai.request.stream" not in traces.said("text_completion Silent")


def test_a_text_model(traces: Traces, colour: Colour) -> None:
    class Text(BaseLLM):
        model_name = "t1"

        def _stream(self, prompt, **kwargs):
            yield "ri"
            usage = {"input_tokens": 2, "output_tokens": 3}
            yield GenerationChunk(
                "", {"finish_reason": "length", "model_name": "t1b", "usage_metadata": usage}
            )

    colour.invoke(Text(), "Why?", traces.config())
    assert without(traces.said("text_completion t1"), "millstream.run.") == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "millstream",
        "gen_ai.request.model": "t1",
        "gen_ai.response.model": "t1b",
        "gen_ai.response.finish_reasons": ("length",),
        "gen_ai.usage.input_tokens": 2,
        "gen_ai.usage.output_tokens": 3,
    }


def test_a_model_without_a_name_goes_by_its_run(traces: Traces) -> None:
    FakeLLM(["x"]).invoke("a", traces.config())
    said = traces.said("text_completion FakeLLM")
    assert "gen_ai.request.model" not in said
    assert said["millstream.usage.estimated"] is True


def test_an_id_of_ours_is_no_response_id(traces: Traces) -> None:
    FakeChatModel(["x"]).invoke("a", traces.config())
    assert "gen_ai.response.id" not in traces.said("chat FakeChatModel")


def test_a_tool(traces: Traces, colour: Colour) -> None:
    colour.invoke(length, ToolCall("length", {"river": "Rhine"}, "call-1"), traces.config())
    assert traces.named("execute_tool length").kind is SpanKind.INTERNAL
    assert without(traces.said("execute_tool length"), "millstream.run.") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "length",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "How long a river is.",
        "gen_ai.tool.call.id": "call-1",
    }


def test_a_retriever(traces: Traces, colour: Colour) -> None:
    colour.invoke(Docs(), "rivers", traces.config())
    assert traces.named("retrieval Docs").kind is SpanKind.CLIENT
    assert without(traces.said("retrieval Docs"), "millstream.run.") == {"gen_ai.operation.name": "retrieval"}


def test_other_steps_go_by_their_runs(traces: Traces, colour: Colour) -> None:
    step = RunnableLambda(str.upper).with_config(
        run_name="shout",
        run_id="0192",
        tags=["loud"],
        metadata={
            "user": "u1",
            "ids": [1, 2],
            "mixed": [1, "a"],
            "bools": [True, 1],
            "empty": [],
            "odd": object(),
        },
    )
    colour.invoke(step, "a", traces.config())
    assert traces.named("shout").kind is SpanKind.INTERNAL
    assert traces.said("shout") == {
        "millstream.run.id": "0192",
        "millstream.run.name": "shout",
        "millstream.run.type": "chain",
        "millstream.tags": ("loud",),
        "millstream.metadata.user": "u1",
        "millstream.metadata.ids": (1, 2),
    }


def test_every_name_is_one_of_the_conventions(traces: Traces) -> None:
    config = traces.config(capture_content=True)
    list(chat().stream("a", config))
    length.invoke(ToolCall("length", {"river": "Rhine"}, "call-1"), config)
    Docs().invoke("a", config)
    names = {name for span in traces.spans for name in span.attributes or ()}
    ours = {name for name in names if name.startswith("gen_ai.")}
    assert len(ours) > 15
    assert ours - KNOWN == set()


# --- errors -------------------------------------------------------------------------------------------


class Flooded(Exception):
    pass


def test_an_error(traces: Traces, colour: Colour) -> None:
    with pytest.raises(Flooded):
        colour.stream(chat("ri", Flooded("too wet")), "a", traces.config())
    span, said = traces.named("chat m1"), traces.said("chat m1")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "too wet"
    assert said["error.type"] == f"{__name__}.Flooded"
    assert "millstream.cancelled" not in said
    assert [event.name for event in span.events] == ["millstream.first_token", "exception"]
    assert (span.events[1].attributes or {})["exception.message"] == "too wet"
    # What was paid until then.
    assert said["gen_ai.usage.output_tokens"] == 1
    assert said["millstream.usage.estimated"] is True


def test_an_error_of_pythons_own_has_no_module(traces: Traces) -> None:
    with pytest.raises(ToolException):
        RunnableLambda(raising(ToolException("x"))).invoke(1, traces.config())
    with pytest.raises(ValueError):
        RunnableLambda(raising(ValueError("x"))).with_config(run_name="plain").invoke(1, traces.config())
    assert traces.said("raises")["error.type"] == "millstream.errors.ToolException"
    assert traces.said("plain")["error.type"] == "ValueError"


def raising(error: Exception) -> Any:
    def raises(value: Any) -> Any:
        raise error

    return raises


def test_an_error_whose_text_fails_is_raised_all_the_same(traces: Traces, colour: Colour) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with pytest.raises(Mute):
        colour.invoke(RunnableLambda(raising(Mute())), 1, traces.config())
    assert traces.named("raises").status.status_code is StatusCode.ERROR


def test_an_error_that_quotes_an_answer_is_not_shown_unless_asked(traces: Traces) -> None:
    parser = JsonOutputParser()
    with pytest.raises(OutputParserException):
        parser.invoke("secret words", traces.config())
    span = traces.named("JsonOutputParser")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    [event] = span.events
    assert event.attributes == {"exception.type": "millstream.errors.OutputParserException"}
    with pytest.raises(OutputParserException):
        parser.with_config(run_name="again").invoke("secret words", traces.config(capture_content=True))
    assert traces.named("again").status.description


def test_an_error_because_of_one_that_quotes_is_not_shown_either(traces: Traces, colour: Colour) -> None:
    def parse(value: Any) -> Any:
        raise OutputParserException(f"No date: {value}")

    def because(value: Any) -> Any:
        try:
            parse(value)
        except OutputParserException as error:
            raise ValueError("no answer") from error

    def meanwhile(value: Any) -> Any:
        try:
            parse(value)
        except OutputParserException:
            return {}["answer"]

    def group(value: Any) -> Any:
        raise ExceptionGroup("answers", [ValueError(), OutputParserException(value)])

    def apart(value: Any) -> Any:
        try:
            parse(value)
        except OutputParserException:
            raise ValueError("no answer") from None

    def refuse(value: Any) -> Any:
        raise ToolException(f"There is no {value}.")

    for step in (because, meanwhile, group, apart, refuse):
        with pytest.raises((ValueError, KeyError, ExceptionGroup, ToolException)):
            colour.invoke(RunnableLambda(step), "secret", traces.config())
    assert [span.name for span in traces.spans if "secret" in span.to_json()] == []
    assert [span.name for span in traces.spans if span.status.description] == ["apart"]


def test_an_error_that_is_its_own_cause(traces: Traces) -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    with pytest.raises(ValueError, match="one"):
        RunnableLambda(raising(one)).invoke(1, traces.config())
    assert traces.named("raises").status.description == "one"


def test_retries_are_told(traces: Traces, colour: Colour) -> None:
    model = Chat([[Flooded("wet")], ["dry"]])
    step = model.with_retry(wait_exponential_jitter=False).with_config(run_name="tries")
    colour.invoke(step, "a", traces.config())
    [event] = traces.named("tries").events
    assert event.name == "millstream.retry"
    assert event.attributes == {"millstream.retry.attempt": 1, "error.type": f"{__name__}.Flooded"}
    first, second = (span for span in traces.spans if span.name == "chat m1")
    assert first.status.status_code is StatusCode.ERROR
    assert second.status.status_code is StatusCode.UNSET
    assert traces.above(first) == traces.above(second) == "tries"


def test_custom_events_are_told_and_their_data_only_on_request(traces: Traces, colour: Colour) -> None:
    def work(value: Any) -> Any:
        dispatch_custom_event("half", {"done": 0.5, "of": {1}})
        return value

    colour.invoke(RunnableLambda(work), 1, traces.config())
    [event] = traces.named("work").events
    assert (event.name, dict(event.attributes or {})) == ("half", {})
    step = RunnableLambda(work).with_config(run_name="again")
    colour.invoke(step, 1, traces.config(capture_content=True))
    [event] = traces.named("again").events
    assert dict(event.attributes or {}) == {"millstream.event.data": '{"done":0.5,"of":[1]}'}


# --- contents -----------------------------------------------------------------------------------------


def test_nothing_that_was_said_is_on_a_span_unless_asked(traces: Traces, colour: Colour) -> None:
    config = traces.config()
    colour.stream(chat("se", "cret"), "secret", config)
    colour.invoke(FakeLLM(["secret"]), "secret", config)
    colour.invoke(length, {"river": "secret"}, config)
    colour.invoke(Docs(), "secret", config)
    for span in traces.spans:
        assert "secret" not in str(span.attributes)
        assert not any(name.endswith((".messages", ".result", ".text")) for name in span.attributes or ())


def test_messages(traces: Traces, colour: Colour) -> None:
    call = ToolCall("length", {"river": "Rhine"}, "c1")
    history = [
        SystemMessage("Be brief."),
        HumanMessage(["How long?", {"type": "text", "text": "In km."}, {"type": "image", "base64": "AAAA"}]),
        AIMessage("", tool_calls=[call]),
        ToolMessage("1233 km", tool_call_id="c1"),
    ]
    answer = AIMessage(
        [{"type": "reasoning", "reasoning": "hm"}, "Long."],
        tool_calls=[call],
        response_metadata={"stop_reason": "tool_use"},
    )

    class Model(BaseChatModel):
        def _generate(self, messages, **kwargs):
            return answer

    colour.invoke(Model(), history, traces.config(capture_content=True))
    asked = {"type": "tool_call", "id": "c1", "name": "length", "arguments": {"river": "Rhine"}}
    assert traces.read("chat Model", "gen_ai.input.messages") == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "How long?"},
                {"type": "text", "content": "In km."},
                {"type": "image"},
            ],
        },
        {"role": "assistant", "parts": [asked]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "1233 km"}]},
    ]
    parts = [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "Long."}, asked]
    assert traces.read("chat Model", "gen_ai.output.messages") == [
        {"role": "assistant", "parts": parts, "finish_reason": "tool_use"}
    ]


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (HumanMessageChunk("x"), "user"),
        (AIMessageChunk("x"), "assistant"),
        (SystemMessageChunk("x"), "system"),
        (ChatMessage("x", role="critic"), "critic"),
    ],
)
def test_roles(traces: Traces, message: Any, role: str) -> None:
    chat().invoke([message], traces.config(capture_content=True))
    [shown] = traces.read("chat m1", "gen_ai.input.messages")
    assert shown == {"role": role, "parts": [{"type": "text", "content": "x"}]}


def test_streamed_answers(traces: Traces, colour: Colour) -> None:
    colour.stream(chat(), "Why?", traces.config(capture_content=True))
    assert traces.read("chat m1", "gen_ai.output.messages") == [
        {"role": "assistant", "parts": [{"type": "text", "content": "river"}], "finish_reason": "stop"}
    ]


def test_texts(traces: Traces, colour: Colour) -> None:
    colour.stream(FakeLLM([["a", "b"]]), "Why?", traces.config(capture_content=True))
    name = "text_completion FakeLLM"
    assert traces.read(name, "gen_ai.input.messages") == [
        {"role": "user", "parts": [{"type": "text", "content": "Why?"}]}
    ]
    [answer] = traces.read(name, "gen_ai.output.messages")
    assert answer["parts"] == [{"type": "text", "content": "ab"}]


def test_what_tools_and_retrievers_get_and_give(traces: Traces, colour: Colour) -> None:
    config = traces.config(capture_content=True)
    colour.invoke(length, ToolCall("length", {"river": "Rhine"}, "c1"), config)
    said = traces.said("execute_tool length")
    assert said["gen_ai.tool.call.arguments"] == '{"river":"Rhine"}'
    assert said["gen_ai.tool.call.result"] == "Rhine: 1233 km"
    colour.invoke(Docs(), "rivers", config)
    assert traces.said("retrieval Docs")["gen_ai.retrieval.query.text"] == "rivers"
    assert traces.read("retrieval Docs", "gen_ai.retrieval.documents") == [
        {"id": "d1", "content": "Rivers bend."},
        {"id": None, "content": "Mills turn."},
    ]


def test_what_cannot_be_shown_disturbs_nothing(traces: Traces, colour: Colour) -> None:
    class Odd(BaseRetriever):
        def _get_relevant_documents(self, query: str) -> Any:
            return [object()]

    config = traces.config(capture_content=True)
    colour.invoke(Odd(), object(), config)
    assert "gen_ai.retrieval.documents" not in traces.said("retrieval Odd")
    with pytest.raises(TypeError):
        colour.invoke(chat(), 5, config)
    assert "gen_ai.input.messages" not in traces.said("chat m1")
    colour.invoke(length, {"river": "\ud800"}, config)
    assert "km" in traces.said("execute_tool length")["gen_ai.tool.call.result"]


def test_what_cannot_say_what_it_is_disturbs_nothing(traces: Traces, colour: Colour) -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    class Unnamed(FakeChatModel):
        @property
        def model_name(self) -> str:
            raise RuntimeError("not loaded")

    def work(value: Any) -> Any:
        dispatch_custom_event("half", Mute())
        return value

    assert colour.invoke(RunnableLambda(work), 1, traces.config(capture_content=True)) == 1
    [event] = traces.named("work").events
    assert dict(event.attributes or {}) == {"millstream.event.data": "<Mute>"}
    assert colour.invoke(Unnamed(["a"]), "q", traces.config()).text == "a"
    assert traces.named("chat Unnamed")
