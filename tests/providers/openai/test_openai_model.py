"""OpenAI's models over a connection: what is asked, what of it comes back; `test_http.py` has the rest."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from millstream import (
    ChatOpenAI,
    ConfigError,
    EmbeddingError,
    HumanMessage,
    InputError,
    OpenAI,
    OpenAIEmbeddings,
    ProviderError,
    StreamTruncated,
    ToolMessage,
)
from millstream.testing import Reply, Request, ScriptedServer
from tests.conftest import Colour
from tests.providers.openai.openai_wires import ALL, TOOLS, cost, piece, wire


def chat(server: ScriptedServer, **options: Any) -> ChatOpenAI:
    return ChatOpenAI("m", base_url=server.url + "/v1", api_key="k", max_retries=0, **options)


def llm(server: ScriptedServer, **options: Any) -> OpenAI:
    return OpenAI("m", base_url=server.url + "/v1", api_key="k", max_retries=0, **options)


def body_of(ask: Callable[[ScriptedServer], Any], reply: Reply) -> dict[str, Any]:
    with ScriptedServer([reply]) as server:
        ask(server)
        body: dict[str, Any] = server.requests[0].json()
        return body


WHOLE = Reply.json({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]})


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"broken off", "truncated"}))
def test_recorded_wires_are_read_over_a_connection(name: str, colour: Colour) -> None:
    from millstream.providers.openai.stream import ChatStream

    stream = ChatStream()
    expected = [*stream.feed(ALL[name]), *stream.finish()]
    with ScriptedServer([Reply.sse(ALL[name])]) as server:
        chunks = colour.stream(chat(server), "hi")
    assert [(c.content, c.tool_call_chunks) for c in chunks] == [
        (c.content, c.tool_call_chunks) for c in expected
    ]


def test_tools_are_bound_called_and_answered(colour: Colour) -> None:
    def weather(city: str) -> str:
        """What it is like there."""
        return city

    with ScriptedServer([Reply.sse(TOOLS), WHOLE]) as server:
        model = chat(server)
        bound = model.bind_tools([weather], tool_choice="any", parallel_tool_calls=True)
        chunks = colour.stream(bound, "hi")
        message = chunks[0]
        for chunk in chunks[1:]:
            message += chunk
        assert len(message.tool_calls) == 2
        history = [HumanMessage("hi"), message]
        history += [ToolMessage("fine", tool_call_id=call.id or "") for call in message.tool_calls]
        colour.invoke(bound, history)
        first, second = (request.json() for request in server.requests)
    assert first["tools"][0]["function"]["name"] == "weather"
    assert (first["tool_choice"], first["parallel_tool_calls"]) == ("required", True)
    roles = [each["role"] for each in second["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]
    asked = second["messages"][1]["tool_calls"]
    assert [each["id"] for each in asked] == [each["tool_call_id"] for each in second["messages"][2:]]


@dataclass
class Weather:
    """The weather somewhere."""

    city: str
    degrees: int = 0


def test_a_typed_answer_by_schema_fills_while_it_comes(colour: Colour) -> None:
    pieces = ['{"city": "Os', 'lo", "deg', 'rees": 7}']
    said = wire(*(piece({"content": text}) for text in pieces), piece(finish="stop"))
    with ScriptedServer([Reply.sse(said)]) as server:
        values = colour.stream(chat(server).with_structured_output(Weather, strict=True), "hi")
        body = server.requests[0].json()
    assert values[-1] == Weather("Oslo", 7)
    assert len(values) > 2
    schema = body["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("Weather", True)


def test_a_typed_answer_by_a_tool(colour: Colour) -> None:
    def call(**function: Any) -> dict[str, Any]:
        return piece({"tool_calls": [{"index": 0, "id": "c1", "function": function}]})

    said = wire(
        call(name="Weather", arguments=""),
        call(arguments='{"city": "Oslo", '),
        call(arguments='"degrees": 7}'),
        piece(finish="tool_calls"),
    )
    with ScriptedServer([Reply.sse(said)]) as server:
        typed = chat(server).with_structured_output(Weather, method="function_calling")
        assert colour.stream(typed, "hi")[-1] == Weather("Oslo", 7)
        body = server.requests[0].json()
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Weather"}}


def test_json_mode(colour: Colour) -> None:
    reply = Reply.json({"choices": [{"message": {"content": '{"city": "Oslo"}'}, "finish_reason": "stop"}]})
    with ScriptedServer([reply]) as server:
        typed = chat(server).with_structured_output(Weather, method="json_mode")
        assert colour.invoke(typed, "hi") == Weather("Oslo")
        assert server.requests[0].json()["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("streaming", [True, False])
def test_generate_has_all_answers(streaming: bool) -> None:
    choices = [{"index": i, "message": {"content": f"a{i}"}, "finish_reason": "stop"} for i in range(3)]
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    whole = Reply.json({"choices": choices, "usage": usage})
    pieces = [piece({"content": f"a{i}"}, index=i) for i in (1, 0, 2)]
    ends = [piece(finish="stop", index=i) for i in range(3)]
    streamed = Reply.sse(wire(*pieces, *ends, cost(2, 3)))
    with ScriptedServer([streamed if streaming else whole]) as server:
        model = chat(server, n=3, streaming=streaming, logprobs=True)
        result = model.generate([[HumanMessage("hi")]])
        again = asyncio.run(model.agenerate([[HumanMessage("hi")]]))
        body = server.requests[0].json()
    assert [each.text for each in result.generations[0]] == ["a0", "a1", "a2"]
    assert [each.text for each in again.generations[0]] == ["a0", "a1", "a2"]
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["total_tokens"] == 5
    assert (body["n"], body["logprobs"]) == (3, True)


def test_the_first_of_several_answers_is_streamed_alone(colour: Colour) -> None:
    pieces = [piece({"content": f"{i}{text}"}, index=i) for text in "ab" for i in (1, 0)]
    ends = [piece(finish="stop", index=i) for i in range(2)]
    with ScriptedServer([Reply.sse(wire(*pieces, *ends))]) as server:
        chunks = colour.stream(chat(server, n=2), "hi")
    assert [chunk.content for chunk in chunks] == ["0a", "0b", ""]


def test_what_had_arrived_is_of_the_first_answer(colour: Colour) -> None:
    pieces = [piece({"content": f"{i}{text}"}, index=i) for text in "ab" for i in (1, 0)]
    texts = [{"choices": [{"index": i, "text": f"{i}{text}"}]} for text in "ab" for i in (1, 0)]
    with ScriptedServer(
        [Reply.sse(wire(*pieces, done=False)), Reply.sse(wire(*texts, done=False))]
    ) as server:
        with pytest.raises(StreamTruncated) as caught:
            colour.stream(chat(server, n=2), "hi")
        assert caught.value.partial.text == "0a0b"
        with pytest.raises(StreamTruncated) as caught:
            colour.stream(llm(server, n=2), "hi")
        assert caught.value.partial == "0a0b"


def test_a_typed_answer_that_is_not_valid_is_asked_for_again(colour: Colour) -> None:
    def says(text: str) -> Reply:
        return Reply.json({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    with ScriptedServer([says("none"), says('{"city": "Oslo"}')]) as server:
        typed = chat(server).with_retry(wait_exponential_jitter=False).with_structured_output(Weather)
        assert colour.invoke(typed, "hi") == Weather("Oslo")
        assert len(server.requests) == 2


def test_handlers_are_told_of_all_answers(colour: Colour) -> None:
    from millstream import BaseCallbackHandler

    class Handler(BaseCallbackHandler):
        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            told.append([each.text for each in response.generations[0]])

    told: list[list[str]] = []
    choices = [{"index": i, "message": {"content": f"a{i}"}, "finish_reason": "stop"} for i in range(2)]
    with ScriptedServer([Reply.json({"choices": choices})]) as server:
        colour.invoke(chat(server, n=2), "hi", config={"callbacks": [Handler()]})
    assert told == [["a0", "a1"]]


def test_completions(colour: Colour) -> None:
    said = wire(
        {"choices": [{"index": 0, "text": "riv"}]},
        {"choices": [{"index": 0, "text": "ers", "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}},
    )
    whole = {"choices": [{"index": i, "text": f"a{i}", "finish_reason": "stop"} for i in range(2)]}
    with ScriptedServer([Reply.sse(said), Reply.json(whole)]) as server:
        model = llm(server, max_tokens=5, temperature=0)
        assert colour.stream(model, "The ") == ["riv", "ers"]
        assert colour.invoke(model, "The ") == "a0"
        first, second = (request.json() for request in server.requests)
        result = model.generate(["The "], n=2)
        assert [each.text for each in result.generations[0]] == ["a0", "a1"]
    assert (first["prompt"], first["max_tokens"], first["stream"]) == ("The ", 5, True)
    assert "stream" not in second


def test_several_completions_in_a_stream() -> None:
    said = wire(
        *({"choices": [{"index": i, "text": f"{i}{text}"}]} for text in "ab" for i in (1, 0)),
        *({"choices": [{"index": i, "text": "", "finish_reason": "stop"}]} for i in (0, 1)),
    )
    with ScriptedServer([Reply.sse(said)]) as server:
        result = llm(server, n=2, streaming=True).generate(["The "])
    assert [each.text for each in result.generations[0]] == ["0a0b", "1a1b"]


# Options


def test_max_tokens_goes_by_the_name_that_the_server_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    body = body_of(lambda server: chat(server, max_tokens=5).invoke("hi"), WHOLE)
    assert body["max_tokens"] == 5
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    with ScriptedServer([WHOLE]) as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url)
        ChatOpenAI("m", preset="azure", max_tokens=5).invoke("hi")
        [request] = server.requests
    assert request.path == "/openai/v1/chat/completions"
    assert request.json()["max_completion_tokens"] == 5


def test_a_server_that_refuses_the_question_for_usage(colour: Colour) -> None:
    said = Reply.sse(wire(piece({"content": "a"}), piece(finish="stop")))
    with ScriptedServer([said]) as server:
        [*_, last] = colour.stream(chat(server, stream_usage=False), "hi")
        assert "stream_options" not in server.requests[0].json()
    assert last.usage_metadata.estimated


def test_langchains_names_of_options(monkeypatch: pytest.MonkeyPatch) -> None:
    class Secret:
        def get_secret_value(self) -> str:
            return "hidden"

    with ScriptedServer([WHOLE]) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.url + "/v1")
        model = ChatOpenAI(
            model_name="m",
            openai_api_key=Secret(),
            openai_organization="org",
            request_timeout=5,
            stop_sequences=["x"],
            model_kwargs={"top_k": 3},
        )  # type: ignore[call-arg]
        model.invoke("hi")
        [request] = server.requests
    assert request.headers["authorization"] == "Bearer hidden"
    assert request.headers["openai-organization"] == "org"
    assert (request.json()["stop"], request.json()["top_k"]) == (["x"], 3)
    assert model.model_name == "m"
    with pytest.raises(ConfigError, match="another name"):
        ChatOpenAI("m", model_name="n")  # type: ignore[call-arg]


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ScriptedServer([WHOLE]) as server:
        assert ChatOpenAI("m", base_url=server.url + "/v1").invoke("hi").text == "a"


# Embeddings


def embeddings(server: ScriptedServer, **options: Any) -> OpenAIEmbeddings:
    return OpenAIEmbeddings("e", base_url=server.url + "/v1", api_key="k", max_retries=0, **options)


def vectors(request: Request) -> Reply:
    texts = request.json()["input"]
    data = [{"index": i, "embedding": [float(len(text)), 1.0]} for i, text in enumerate(texts)]
    return Reply.json({"data": data[::-1]})


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_texts_are_embedded_in_their_order_and_in_parts(is_async: bool) -> None:
    with ScriptedServer(vectors) as server:
        model = embeddings(server, chunk_size=2, dimensions=2)
        texts = ["a", "bb", "ccc"]
        got = asyncio.run(model.aembed_documents(texts)) if is_async else model.embed_documents(texts)
        one = asyncio.run(model.aembed_query("dddd")) if is_async else model.embed_query("dddd")
        first, second, _ = (request.json() for request in server.requests)
    assert got == [[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]
    assert one == [4.0, 1.0]
    assert (first["input"], second["input"], first["dimensions"]) == (["a", "bb"], ["ccc"], 2)


def test_embeddings_that_are_none() -> None:
    with ScriptedServer([Reply.json({"data": []}), Reply.json({"nothing": 1})]) as server:
        model = embeddings(server)
        with pytest.raises(EmbeddingError, match="0 vectors for 1 texts"):
            model.embed_query("a")
        with pytest.raises(ProviderError, match="cannot be read"):
            model.embed_query("a")
        with pytest.raises(InputError):
            model.embed_documents("a")  # type: ignore[arg-type]
        assert model.embed_documents([]) == []
