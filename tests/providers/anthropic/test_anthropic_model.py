"""Anthropic's models over a connection: what is asked, what comes back; `test_http.py` has the rest."""

from dataclasses import dataclass
from typing import Any

import pytest

from millstream import AIMessageChunk, Anthropic, ChatAnthropic, HumanMessage, ToolMessage
from millstream.testing import Reply, Request, ScriptedServer
from tests.conftest import Colour
from tests.providers.anthropic.anthropic_wire import (
    CALL,
    MIXED,
    MIXED_CONTENT,
    TEXT,
    delta,
    end,
    opened,
    start,
    stopped,
)


def chat(server: ScriptedServer, **options: Any) -> ChatAnthropic:
    return ChatAnthropic("m", base_url=server.url, api_key="k", max_retries=0, **options)


def whole(*content: Any, **more: Any) -> Reply:
    usage = {"input_tokens": 3, "output_tokens": 2}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "usage": usage}
    return Reply.json({**message, "content": list(content), "stop_reason": "end_turn", **more})


def key_in(request: Request) -> str:
    """The key, in either of the headers that versions of the SDK have it in."""
    return request.headers["x-api-key"] or request.headers["authorization"].removeprefix("Bearer ")


def summed(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


@pytest.mark.parametrize("text", [TEXT])
def test_a_recorded_text(text: bytes, colour: Colour) -> None:
    with ScriptedServer([Reply.sse(text)]) as server:
        message = summed(colour.stream(chat(server), "hi"))
    assert message.text == "Hé → 日本 \U0001f600"
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.usage_metadata is not None


def test_thoughts_and_calls_go_back_as_they_came(colour: Colour) -> None:
    with ScriptedServer([Reply.sse(MIXED), whole({"type": "text", "text": "a"})]) as server:
        model = chat(server)
        message = summed(colour.stream(model, "hi"))
        answers = [ToolMessage("fine", tool_call_id=call.id or "") for call in message.tool_calls]
        colour.invoke(model, [HumanMessage("hi"), message, *answers])
        first, second = (request.json() for request in server.requests)
    assert first["messages"][0]["role"] == "user"
    sent = second["messages"][1]["content"]
    assert [block["type"] for block in sent] == [block["type"] for block in MIXED_CONTENT]
    thinking = next(block for block in sent if block["type"] == "thinking")
    assert thinking["signature"]
    assert second["messages"][2]["content"][0]["tool_use_id"] == CALL["id"]


def test_what_the_body_and_the_head_hold(colour: Colour) -> None:
    def weather(city: str) -> str:
        """What it is like there."""
        return city

    with ScriptedServer([whole({"type": "text", "text": "a"})]) as server:
        model = chat(
            server,
            max_tokens_to_sample=7,
            betas=["one", "two"],
            thinking={"type": "enabled", "budget_tokens": 2000},
            model_kwargs={"speed": "fast"},
        )  # type: ignore[call-arg]
        bound = model.bind_tools([weather], tool_choice="weather", parallel_tool_calls=False, strict=True)
        colour.invoke(
            bound, [("system", "Be brief."), ("human", "hi")], stop=["x"], cache_control={"type": "ephemeral"}
        )
        [request] = server.requests
    body = request.json()
    assert request.headers["anthropic-beta"] == "one,two"
    assert key_in(request) == "k"
    assert (body["max_tokens"], body["system"], body["speed"]) == (7, "Be brief.", "fast")
    assert body["stop_sequences"] == ["x"]
    assert body["tools"][0]["strict"] is True
    assert body["tools"][0]["input_schema"]["additionalProperties"] is False
    assert body["tool_choice"] == {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
    assert body["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "betas" not in body


@dataclass
class Weather:
    """The weather somewhere."""

    city: str
    degrees: int = 0


def test_a_typed_answer_by_a_tool_fills_while_it_comes(colour: Colour) -> None:
    said = (
        start()
        + opened(0, "tool_use", id="toolu_1", name="Weather", input={})
        + b"".join(
            delta(0, "input_json_delta", partial_json=part)
            for part in ('{"city": "Os', 'lo", "degr', 'ees": 7}')
        )
        + stopped(0)
        + end("tool_use")
    )
    with ScriptedServer([Reply.sse(said)]) as server:
        values = colour.stream(chat(server).with_structured_output(Weather), "hi")
        body = server.requests[0].json()
    assert values[-1] == Weather("Oslo", 7)
    assert len(values) > 2
    assert body["tool_choice"]["name"] == "Weather"


def test_a_typed_answer_by_schema(colour: Colour) -> None:
    with ScriptedServer([whole({"type": "text", "text": '{"city": "Oslo"}'})]) as server:
        typed = chat(server).with_structured_output(Weather, method="json_schema")
        assert colour.invoke(typed, "hi") == Weather("Oslo")
        assert server.requests[0].json()["output_config"]["format"]["type"] == "json_schema"


def test_a_whole_answer_that_may_be_long_is_asked_for_as_a_stream(colour: Colour) -> None:
    with ScriptedServer([Reply.sse(TEXT)]) as server:
        assert colour.invoke(chat(server), "hi", max_tokens=32000).text == "Hé → 日本 \U0001f600"
        llm = Anthropic("m", base_url=server.url, api_key="k", max_retries=0, max_tokens=64000)
        assert colour.invoke(llm, "hi") == "Hé → 日本 \U0001f600"
        assert [request.json()["stream"] for request in server.requests] == [True, True]


def test_texts_to_texts(colour: Colour) -> None:
    with ScriptedServer([Reply.sse(TEXT), whole({"type": "text", "text": "Hello"})]) as server:
        llm = Anthropic("m", base_url=server.url, api_key="k", max_retries=0, temperature=0)
        assert "".join(colour.stream(llm, "hi")) == "Hé → 日本 \U0001f600"
        assert colour.invoke(llm, "hi") == "Hello"
        result = llm.generate(["hi"])
        assert server.requests[0].json()["messages"] == [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]}
        ]
    assert result.llm_output is not None
    assert result.llm_output["token_usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert result.generations[0][0].generation_info is not None
    assert result.generations[0][0].generation_info["finish_reason"] == "stop"


def test_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer([whole({"type": "text", "text": "a"})]) as server:
        monkeypatch.setenv("ANTHROPIC_API_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "from-the-environment")
        assert ChatAnthropic("m").invoke("hi").text == "a"
        assert key_in(server.requests[0]) == "from-the-environment"


def test_a_gateway_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with ScriptedServer([whole({"type": "text", "text": "a"})]) as server:
        ChatAnthropic("m", base_url=server.url, auth_token="token").invoke("hi")
        assert server.requests[0].headers["authorization"] == "Bearer token"
