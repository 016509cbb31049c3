"""Cut anywhere, in the model, in a tool or between, an agent leaves nothing running (the fixture looks)."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from millstream import Cancelled, create_agent, tool
from millstream.testing import FakeChatModel, run_virtual
from tests.agents.scripts import Recorded, Stuck, call, weather
from tests.conftest import Colour

SECOND = 1.0


class Opened:
    """Counts what was opened and what was closed."""

    def __init__(self) -> None:
        self.opened = self.closed = 0

    def __enter__(self) -> None:
        self.opened += 1

    def __exit__(self, *_: object) -> None:
        self.closed += 1


class Slow(Recorded):
    """Says a word a second."""

    def __init__(self, opened: Opened, *answers: list[Any]) -> None:
        super().__init__(*answers)
        self.opened = opened

    async def _stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        with self.opened:
            for item in super()._stream(messages, **kwargs):
                await asyncio.sleep(SECOND)
                yield item


def slow_agent(opened: Opened, **settings: Any) -> Any:
    """An agent that takes 10 seconds: the model is asked twice, and two tools run at once, of either kind."""

    @tool
    async def measure(city: str) -> str:
        """Takes two seconds."""
        with opened:
            await asyncio.sleep(2 * SECOND)
        return city

    @tool
    async def survey(city: str) -> AsyncIterator[str]:
        """Takes three seconds, and says so."""
        with opened:
            for word in ("one ", "two ", "three"):
                await asyncio.sleep(SECOND)
                yield word

    asks = ["Well, ", *call("measure", '{"ci', 'ty": "Rome"}')]
    asks += call("survey", '{"city": "Oslo"}', id="2", index=1)
    return create_agent(Slow(opened, asks, ["It ", "is ", "warm."]), [measure, survey], **settings)


PIECES = 11
SETTINGS: list[dict[str, Any]] = [{}, {"parallel": False}, {"timeout": 100}]


def test_the_pieces_are_so_many() -> None:
    async def run() -> int:
        return len([piece async for piece in slow_agent(Opened()).astream("Go.")])

    assert run_virtual(run()) == (PIECES, 10 * SECOND)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("read", range(PIECES + 1))
def test_left_after_any_piece(read: int, settings: dict[str, Any]) -> None:
    opened = Opened()

    async def run() -> None:
        async with aclosing(slow_agent(opened, **settings).astream("Go.")) as stream:
            for _ in range(read):
                await anext(stream)
        assert opened.opened == opened.closed

    run_virtual(run())


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("verb", ["ainvoke", "astream", "astream_events", "astart"])
@pytest.mark.parametrize("second", range(10))
def test_cancelled_at_any_moment(second: int, verb: str, settings: dict[str, Any]) -> None:
    opened = Opened()

    async def use(agent: Any) -> None:
        if verb == "ainvoke":
            await agent.ainvoke("Go.")
        elif verb == "astart":
            async with agent.astart("Go.") as live:
                await live.output
        else:
            async with getattr(agent, verb)("Go.") as stream:
                async for _ in stream:
                    pass

    async def run() -> None:
        task = asyncio.create_task(use(slow_agent(opened, **settings)))
        await asyncio.sleep((second + 0.5) * SECOND)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert opened.opened == opened.closed

    run_virtual(run())


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_break_in_an_async_for(settings: dict[str, Any]) -> None:
    opened = Opened()

    async def run() -> None:
        async for piece in slow_agent(opened, **settings).astream("Go."):
            if len(piece["messages"]) == 1 and piece["messages"][0].text == "Well, ":
                break
        gc.collect()
        await asyncio.sleep(SECOND)
        assert (opened.opened, opened.closed) == (1, 1)

    run_virtual(run())


# --- sync --------------------------------------------------------------------------------------------------


def quick_agent(opened: Opened, **settings: Any) -> Any:
    @tool
    def measure(city: str) -> str:
        """Measure."""
        with opened:
            return city

    @tool
    async def survey(city: str) -> AsyncIterator[str]:
        """Survey."""
        with opened:
            yield city
            await asyncio.sleep(0)
            yield city

    class Model(Recorded):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[Any]:
            with opened:
                yield from super()._stream(messages, **kwargs)

    asks = ["Well, ", *call("measure", '{"ci', 'ty": "Rome"}')]
    asks += call("survey", '{"city": "Oslo"}', id="2", index=1)
    return create_agent(Model(asks, ["It ", "is ", "warm."]), [measure, survey], **settings)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("verb", ["stream", "stream_events"])
@pytest.mark.parametrize("read", range(PIECES + 20))
def test_a_break_after_any_piece(read: int, verb: str, settings: dict[str, Any]) -> None:
    opened = Opened()
    stream = getattr(quick_agent(opened, **settings), verb)("Go.")
    for _, _ in zip(range(read), stream, strict=False):
        pass
    stream.close()
    assert opened.opened == opened.closed


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_sync_run_is_cancelled_in_the_model(settings: dict[str, Any]) -> None:
    model = Stuck()
    with create_agent(model, **settings).start("Go.") as run:
        assert model.started.wait(10)
        run.cancel()
        with pytest.raises(Cancelled):
            run.output
    assert model.closed.is_set()
    assert run.status == "cancelled"


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_sync_run_is_cancelled_in_its_tools(settings: dict[str, Any]) -> None:
    began, ended = threading.Semaphore(0), threading.Semaphore(0)

    async def forever(city: str) -> str:
        """Never ends."""
        try:
            began.release()
            await asyncio.Event().wait()
        finally:
            ended.release()
        return city

    asks = [*call("forever", '{"city": "Rome"}'), *call("forever", '{"city": "Oslo"}', id="2", index=1)]
    model = Recorded(asks, ["Sorry."])
    count = 1 if settings.get("parallel") is False else 2
    with create_agent(model, [forever], **settings).start("Go.") as run:
        assert all(began.acquire(timeout=10) for _ in range(count))
        run.cancel()
        with pytest.raises(Cancelled):
            run.output
    assert all(ended.acquire(timeout=10) for _ in range(count))
    assert len(model.asked) == 1


def test_an_error_of_the_model_is_raised_as_it_is() -> None:
    class Broken(Recorded):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[Any]:
            yield "Well, "
            raise OSError("no wire")

    for settings in SETTINGS:
        agent = create_agent(Broken(), **settings)
        with pytest.raises(OSError, match="no wire"):
            agent.invoke("Go.")
        with pytest.raises(OSError, match="no wire"):
            list(agent.stream("Go."))
        with pytest.raises(OSError, match="no wire"):
            asyncio.run(agent.ainvoke("Go."))


def test_a_cancel_that_nothing_noticed_is_noticed_before_the_next_step(colour: Colour) -> None:
    class Cancels(FakeChatModel):
        asked = 0

        def _items(self, request: Any, scope: Any, kwargs: Any) -> Any:
            Cancels.asked += 1
            scope.cancel()
            return super()._items(request, scope, kwargs)

    agent = create_agent(Cancels([call("no_such_tool", "{}")]), [weather])
    with pytest.raises(Cancelled):
        colour.invoke(agent, "Go.")
    assert Cancels.asked == 1
