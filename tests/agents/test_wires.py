"""Agents on the wires of both providers: several calls at once, in pieces, and their answers going back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from millstream import AIMessage, RunStarted, TextDelta, ToolMessage, create_agent
from millstream.testing import Hold, Reply, ScriptedServer
from tests.conftest import Colour
from tests.providers.anthropic import anthropic_wire as anthropic
from tests.providers.openai import openai_wires as openai
from tests.providers.wires import ANTHROPIC, OPENAI, Wire

CALLS = [("a", "weather", ['{"city": ', '"Oslo"}']), ("b", "weather", ['{"city": "Bern"}'])]


def openai_calls() -> bytes:
    pieces = [
        openai.piece(
            {"tool_calls": [{"index": index, "id": id_, "function": {"name": name, "arguments": part}}]}
        )
        for index, (id_, name, parts) in enumerate(CALLS)
        for part in parts
    ]
    return openai.wire(*pieces, openai.piece(finish="tool_calls"))


def anthropic_calls() -> bytes:
    blocks = [
        anthropic.opened(index, "tool_use", id=id_, name=name, input={})
        + b"".join(anthropic.delta(index, "input_json_delta", partial_json=part) for part in parts)
        + anthropic.stopped(index)
        for index, (id_, name, parts) in enumerate(CALLS)
    ]
    return anthropic.start() + b"".join(blocks) + anthropic.end("tool_use")


ASKED: dict[str, Callable[[], bytes]] = {"openai": openai_calls, "anthropic": anthropic_calls}
wires = pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC], ids=repr)


def weather(city: str) -> str:
    """What it is like there."""
    return f"{city}: rain"


@wires
def test_parallel_calls_are_answered_together(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply.sse(ASKED[wire.name]()), wire.says("Rain ", "in both.")]) as server:
        agent = create_agent(wire.on(server.url, streaming=True), [weather], tool_choice="any")
        messages = colour.invoke(agent, "The weather in Oslo and Bern?")["messages"]
        first, second = (request.json() for request in server.requests)
    _, called, *answers, last = messages
    assert [call.args["city"] for call in called.tool_calls] == ["Oslo", "Bern"]
    assert [(each.tool_call_id, each.text) for each in answers] == [("a", "Oslo: rain"), ("b", "Bern: rain")]
    assert all(isinstance(each, ToolMessage) for each in answers)
    assert (type(last), last.text) == (AIMessage, "Rain in both.")
    assert "tool_choice" in first
    assert "tool_choice" not in second
    # In the second request stand the calls, and their answers, as each of the wires has it.
    sent = json.dumps(second["messages"])
    assert sent.index("Oslo: rain") < sent.index("Bern: rain")
    roles = [each["role"] for each in second["messages"]]
    assert (
        roles
        == {
            "openai": ["user", "assistant", "tool", "tool"],
            "anthropic": ["user", "assistant", "user"],
        }[wire.name]
    )


@wires
def test_one_run_tells_text_arguments_and_results(wire: Wire) -> None:
    replies = [Reply.sse(ASKED[wire.name]()), wire.says("Rain ", "in both.")]
    with (
        ScriptedServer(replies) as server,
        create_agent(wire.on(server.url), [weather]).start("The weather?") as run,
    ):
        events = list(run.events)
    kinds = [type(event).__name__ for event in events]
    assert kinds[0] == RunStarted.__name__
    assert kinds.count("ToolCallStarted") == kinds.count("ToolCallReady") == kinds.count("ToolResult") == 2
    assert kinds.count("ToolCallDelta") >= 3
    assert [event.text for event in events if isinstance(event, TextDelta) and event.is_answer] == [
        "Rain ",
        "in both.",
    ]
    assert kinds[-1] == "RunDone"


@wires
def test_a_cancel_in_the_second_answer_ends_its_request(wire: Wire) -> None:
    hold = Hold()
    cut: list[Any] = [*wire.parts(["Rain "], ended=False), hold]
    with ScriptedServer([Reply.sse(ASKED[wire.name]()), Reply.sse(*cut)]) as server:
        for piece in create_agent(wire.on(server.url), [weather]).stream("The weather?"):
            if any("Rain" in message.text for message in piece["messages"]):
                break
        # The first answer's connection was used again.
        assert server.connections == 1
        server.wait_closed(timeout=1)
