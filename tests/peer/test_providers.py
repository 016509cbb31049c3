"""Models of the same provider, ours and LangChain's, on the same bytes from the same server."""

import asyncio
from typing import Any

import langchain_anthropic
import langchain_core.callbacks
import langchain_openai
import pytest

import millstream
from millstream.testing import Reply, ScriptedServer
from tests.providers.anthropic import anthropic_wire
from tests.providers.openai import openai_wires

# LangChain's clients keep their connections, also beyond their event loop.
pytestmark = [
    pytest.mark.leaks,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WIRES = {
    **{f"openai {name}": openai_wires.ALL[name] for name in ("openai", "tools", "groq", "azure", "vllm")},
    "anthropic text": anthropic_wire.TEXT,
    "anthropic mixed": anthropic_wire.MIXED,
}
wires = pytest.mark.parametrize("name", WIRES)


def both(name: str, url: str, **options: Any) -> tuple[Any, Any]:
    """LangChain's model and ours."""
    if name.startswith("openai"):
        theirs: Any = langchain_openai.ChatOpenAI
        ours: Any = millstream.ChatOpenAI
        # Without it a server of one's own is not asked for usage there.
        return (
            theirs(model="m", base_url=url + "/v1", api_key="k", stream_usage=True, **options),
            ours("m", base_url=url + "/v1", api_key="k", **options),
        )
    return (
        langchain_anthropic.ChatAnthropic(model="m", base_url=url, api_key="k", **options),
        millstream.ChatAnthropic("m", base_url=url, api_key="k", **options),
    )


def streamed(model: Any, is_async: bool) -> list[Any]:
    async def run() -> list[Any]:
        return [chunk async for chunk in model.astream("hi")]

    return asyncio.run(run()) if is_async else list(model.stream("hi"))


def fragments(chunks: list[Any]) -> list[tuple[Any, ...]]:
    """The pieces of tool calls that say anything."""
    found = [each for chunk in chunks for each in chunk.tool_call_chunks]
    return [(f["name"], f["args"], f["id"], f["index"]) for f in found if f["name"] or f["args"]]


@wires
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_streams_say_the_same(name: str, is_async: bool) -> None:
    with ScriptedServer([Reply.sse(WIRES[name])]) as server:
        theirs, ours = (streamed(model, is_async) for model in both(name, server.url))
    assert [chunk.text for chunk in theirs if chunk.text] == [chunk.text for chunk in ours if chunk.text]
    assert fragments(theirs) == fragments(ours)
    left, right = theirs[0], ours[0]
    for chunk in theirs[1:]:
        left += chunk
    for chunk in ours[1:]:
        right += chunk
    assert [(c["name"], c["args"], c["id"]) for c in left.tool_calls] == [
        (c["name"], c["args"], c["id"]) for c in right.tool_calls
    ]
    # Groq tells it elsewhere, vLLM again and again as it grows: not read there. Azure's has none.
    if name not in ("openai groq", "openai vllm", "openai azure"):
        # Of the input, theirs tells nothing where Anthropic tells of it at the start alone.
        assert left.usage_metadata["output_tokens"] == right.usage_metadata["output_tokens"]
    for key in ("finish_reason", "stop_reason", "model_name", "model_provider"):
        if left.response_metadata.get(key) is not None:
            assert left.response_metadata[key] == right.response_metadata[key]
    assert ours[-1].chunk_position == theirs[-1].chunk_position == "last"


@wires
def test_events_say_the_same(name: str) -> None:
    async def told(model: Any) -> list[tuple[str, str]]:
        events = [event async for event in model.astream_events("hi", version="v2")]
        # A chunk without anything is told there, and not here.
        return [
            (event["event"], event["data"]["chunk"].text if "chunk" in event["data"] else "")
            for event in events
            if event["event"] != "on_chat_model_stream" or event["data"]["chunk"].text
        ]

    with ScriptedServer([Reply.sse(WIRES[name])]) as server:
        theirs, ours = (asyncio.run(told(model)) for model in both(name, server.url))
    assert theirs == ours


@pytest.mark.parametrize("name", ["openai openai", "anthropic text"])
def test_handlers_are_told_the_same(name: str) -> None:
    class Theirs(langchain_core.callbacks.BaseCallbackHandler):
        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            told.append(token)

        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            told.append(("end", response.generations[0][0].text))

    class Ours(millstream.BaseCallbackHandler):
        on_llm_new_token = Theirs.on_llm_new_token
        on_llm_end = Theirs.on_llm_end

    ends: list[list[Any]] = []
    with ScriptedServer([Reply.sse(WIRES[name])]) as server:
        for model, handler in zip(both(name, server.url, streaming=True), (Theirs(), Ours()), strict=True):
            told: list[Any] = []
            model.invoke("hi", config={"callbacks": [handler]})
            ends.append([each for each in told if each])
    assert ends[0] == ends[1]


def test_requests_ask_for_the_same() -> None:
    def weather(city: str) -> str:
        """What it is like there."""
        return city

    for name in ("openai openai", "anthropic text"):
        with ScriptedServer([Reply.sse(WIRES[name])]) as server:
            options = {"temperature": 0.5, "max_tokens": 9}
            for model in both(name, server.url, **options):
                bound = model.bind_tools([weather], tool_choice="any")
                list(bound.stream([("system", "Be brief."), ("human", "hi")], stop=["x"]))
            theirs, ours = (request.json() for request in server.requests)
        # The two names of one field: see `Dialect`.
        for body in (theirs, ours):
            body["max_tokens"] = body.pop("max_completion_tokens", None) or body["max_tokens"]
        for key in ("model", "temperature", "max_tokens", "stream", "tool_choice", "system"):
            assert theirs.get(key) == ours.get(key)
        stops = [body.get("stop") or body.get("stop_sequences") for body in (theirs, ours)]
        assert stops[0] == stops[1]
