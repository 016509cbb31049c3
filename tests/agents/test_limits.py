"""What bounds a run: steps, tokens, seconds; and how many tools run at once."""

import asyncio
import threading
import time
from typing import Any

import pytest

from millstream import (
    AgentLimitError,
    AIMessageChunk,
    BaseTool,
    MillstreamError,
    ToolMessage,
    create_agent,
    tool,
)
from millstream.kernel.clock import Clock, set_clock
from millstream.testing import FakeChatModel, run_virtual
from tests.agents.scripts import Recorded, Stuck, call, plain, weather
from tests.conftest import Colour

ASKS = call("weather", '{"city": "Rome"}')
# Seconds: less than a tool that waits would take, and more than a test may.
SOON, LATE = 0.05, 30.0


def failed(run: Any) -> AgentLimitError:
    with pytest.raises(AgentLimitError) as caught:
        run()
    assert isinstance(caught.value, MillstreamError)
    return caught.value


def test_steps_are_bounded_and_the_conversation_is_kept(colour: Colour) -> None:
    model = Recorded(ASKS)
    agent = create_agent(model, [weather], max_steps=2)
    error = failed(lambda: colour.invoke(agent, "Go."))
    assert (error.limit, len(model.asked)) == ("max_steps", 2)
    assert "2 steps" in str(error)
    assert [each.type for each in error.messages] == ["human", "ai", "tool", "ai", "tool"]
    assert failed(lambda: colour.stream(agent, "Go.")).limit == "max_steps"


def test_an_answer_at_the_last_step_is_the_answer(colour: Colour) -> None:
    agent = create_agent(Recorded(ASKS, ["Warm."]), [weather], max_steps=2)
    assert colour.invoke(agent, "Go.")["messages"][-1].text == "Warm."


def test_it_goes_on_from_where_it_was_stopped(colour: Colour) -> None:
    model = Recorded(ASKS, ["Warm."])
    error = failed(lambda: colour.invoke(create_agent(model, [weather], max_steps=1), "Go."))
    state = colour.invoke(create_agent(model, [weather]), {"messages": error.messages})
    assert [each.type for each in state["messages"]] == ["human", "ai", "tool", "ai"]


def spending(tokens: int, *items: Any) -> list[Any]:
    usage = {"input_tokens": tokens - 1, "output_tokens": 1, "total_tokens": tokens}
    return [*items, AIMessageChunk("", usage_metadata=usage)]


def test_tokens_are_bounded(colour: Colour) -> None:
    model = Recorded(spending(40, *ASKS))
    error = failed(lambda: colour.invoke(create_agent(model, [weather], max_tokens=100), "Go."))
    assert (error.limit, len(model.asked)) == ("max_tokens", 3)
    assert "120 tokens" in str(error)
    assert error.messages[-1].type == "tool"


def test_an_answer_beyond_the_tokens_is_the_answer(colour: Colour) -> None:
    model = Recorded(spending(200, "Warm."))
    state = colour.invoke(create_agent(model, [weather], max_tokens=100), "Go.")
    assert state["messages"][-1].text == "Warm."


def test_no_limits(colour: Colour) -> None:
    model = Recorded(*[ASKS] * 40, ["Warm."])
    state = colour.invoke(create_agent(model, [weather], max_steps=None), "Go.")
    assert state["messages"][-1].text == "Warm."
    assert failed(lambda: colour.invoke(create_agent(Recorded(ASKS), [weather]), "Go.")).limit == "max_steps"


# --- time --------------------------------------------------------------------------------------------------


class Held(Clock):
    """A clock on which each sleep lasts until `up` is set."""

    def __init__(self, up: threading.Event) -> None:
        self.up = up

    def __enter__(self) -> None:
        self.before = set_clock(self)

    def __exit__(self, *_: object) -> None:
        set_clock(self.before)

    def sleep(self, seconds: float, woken: threading.Event) -> None:
        while not self.up.wait(0.001) and not woken.is_set():
            pass

    async def asleep(self, seconds: float) -> None:
        while not self.up.is_set():
            await asyncio.sleep(0.001)


def test_a_run_in_time_is_as_without_a_timeout(colour: Colour) -> None:
    model = Recorded(["Well, ", *ASKS], ["Warm."])
    free, timed = create_agent(model, [weather]), create_agent(model, [weather], timeout=LATE)
    assert plain(colour.invoke(timed, "Go.")["messages"]) == plain(colour.invoke(free, "Go.")["messages"])
    assert len(colour.stream(timed, "Go.")) == len(colour.stream(free, "Go."))


def test_a_timeout_ends_a_model_that_says_nothing(colour: Colour) -> None:
    for verb in (colour.invoke, colour.stream):
        model = Stuck()
        agent = create_agent(model, [weather], timeout=SOON)
        with Held(model.started):
            error = failed(lambda verb=verb, agent=agent: verb(agent, "Go."))
        assert error.limit == "timeout"
        assert "0.05 seconds" in str(error)
        assert [each.text for each in error.messages] == ["Go."]
        assert model.closed.is_set()


def endless() -> tuple[BaseTool, threading.Event, threading.Event]:
    """A tool that never ends by itself, and when it has begun and ended."""
    began, ended = threading.Event(), threading.Event()

    @tool
    async def forever(city: str) -> str:
        """Never ends."""
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            ended.set()
        return city

    return forever, began, ended


def test_a_timeout_ends_a_tool_and_keeps_what_others_answered(colour: Colour) -> None:
    forever, began, ended = endless()

    both = [*call("weather", '{"city": "Oslo"}'), *call("forever", '{"city": "Rome"}', id="2", index=1)]
    agent = create_agent(Recorded(both), [weather, forever], timeout=SOON, parallel=False)
    with Held(began):
        error = failed(lambda: colour.invoke(agent, "Go."))
    assert ended.is_set()
    whole, cut = error.messages[2:]
    assert isinstance(cut, ToolMessage)
    assert (cut.tool_call_id, cut.status) == ("2", "error")
    assert "cut short" in cut.text
    assert (whole.tool_call_id, whole.content) == ("1", "20 C in Oslo")


def test_a_tool_cannot_hide_a_timeout(colour: Colour) -> None:
    # What it makes of the cancel is no failure to tell the model: there is no next step.
    began = threading.Event()

    @tool
    async def stubborn(city: str) -> str:
        """Turns a cancel into a failure."""
        try:
            began.set()
            await asyncio.Event().wait()
        except BaseException:
            raise ValueError("no") from None
        return city

    model = Recorded(call("stubborn", '{"city": "Rome"}'), ["Sorry."])
    with Held(began):
        agent = create_agent(model, [stubborn], timeout=SOON)
        assert failed(lambda: colour.invoke(agent, "Go.")).limit == "timeout"
    assert len(model.asked) == 1


def test_the_time_is_that_of_the_whole_run() -> None:
    # Each answer takes 4 seconds, and 10 are there. (The clock does not wait for the thread of a `def` tool.)
    @tool("weather")
    async def quick(city: str) -> str:
        """How warm it is."""
        return f"20 C in {city}"

    model = FakeChatModel([["Well, ", *ASKS]], delay=2.0)
    agent = create_agent(model, [quick], timeout=10)

    async def run() -> AgentLimitError:
        with pytest.raises(AgentLimitError) as caught:
            await agent.ainvoke("Go.")
        return caught.value

    error, seconds = run_virtual(run())
    assert seconds == 10
    assert [each.type for each in error.messages] == ["human", "ai", "tool", "ai", "tool"]


def test_the_timeout_of_an_agent_inside_is_no_timeout_of_the_outer_one(colour: Colour) -> None:
    inner = create_agent(Stuck(), timeout=SOON)

    @tool
    def ask(question: str) -> str:
        """Ask the expert."""
        return str(inner.invoke(question))

    asks = call("ask", '{"question": "How?"}')
    told = colour.invoke(create_agent(Recorded(asks, ["Sorry."]), [ask], timeout=LATE), "Go.")
    assert "AgentLimitError" in told["messages"][2].text
    raising = create_agent(Recorded(asks, ["Sorry."]), [ask], timeout=LATE, on_tool_error="raise")
    error = failed(lambda: colour.invoke(raising, "Go."))
    assert [each.text for each in error.messages] == ["How?"]


# --- at once -----------------------------------------------------------------------------------------------


class Meter:
    """A tool that knows how many of it run at once, and in which order they began."""

    def __init__(self, together: int = 1) -> None:
        self.lock, self.running, self.most = threading.Lock(), 0, 0
        self.order: list[int] = []
        self.barrier = threading.Barrier(together)

    def run(self, number: int) -> int:
        """Count."""
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.order.append(number)
        self.barrier.wait(10)  # only together do they come on
        time.sleep(0.005 * (4 - number))  # the first ends last
        with self.lock:
            self.running -= 1
        return number


def numbers(count: int) -> list[Any]:
    return [chunk for n in range(count) for chunk in call("run", f'{{"number": {n}}}', id=str(n), index=n)]


def test_tools_run_at_once_and_answer_in_the_order_of_the_calls(colour: Colour) -> None:
    meter = Meter(together=4)
    state = colour.invoke(create_agent(Recorded(numbers(4), ["Done."]), [meter.run]), "Go.")
    assert [each.content for each in state["messages"][2:-1]] == ["0", "1", "2", "3"]
    assert meter.most == 4


def test_max_concurrency_bounds_them(colour: Colour) -> None:
    meter = Meter(together=2)
    agent = create_agent(Recorded(numbers(4), ["Done."]), [meter.run])
    state = colour.invoke(agent, "Go.", {"max_concurrency": 2})
    assert [each.content for each in state["messages"][2:-1]] == ["0", "1", "2", "3"]
    assert meter.most == 2


def test_one_after_the_other(colour: Colour) -> None:
    meter = Meter()
    model = Recorded(numbers(4), ["Done."])
    state = colour.invoke(create_agent(model, [meter.run], parallel=False), "Go.")
    assert [each.content for each in state["messages"][2:-1]] == ["0", "1", "2", "3"]
    assert (meter.most, meter.order) == (1, [0, 1, 2, 3])
    assert all(kwargs["parallel_tool_calls"] is False for _, kwargs in model.asked)


def test_a_raised_failure_ends_the_other_tools(colour: Colour) -> None:
    forever, began, ended = endless()

    @tool
    def broken(city: str) -> str:
        """Fails."""
        assert began.wait(10)
        raise RuntimeError("no wire")

    asks = [*call("forever", '{"city": "Rome"}'), *call("broken", '{"city": "Rome"}', id="2", index=1)]
    agent = create_agent(Recorded(asks), [forever, broken], on_tool_error="raise")
    with pytest.raises(RuntimeError, match="no wire"):
        colour.invoke(agent, "Go.")
    assert ended.is_set()
