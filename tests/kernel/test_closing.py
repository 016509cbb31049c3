"""Whichever way a stream is cut short, every stage is closed, from the last to the first, in full."""

import asyncio
import collections
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest

from millstream import (
    BaseChatModel,
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    StrOutputParser,
)
from tests.kernel.steps import STAGES, Log, counting


def chain_of(kind: str, log: Log) -> Runnable[Any, Any]:
    stage = STAGES[kind]
    return (
        counting(log, "source", end=10**9) | stage(log, "first") | stage(log, "second") | stage(log, "third")
    )


def ends(log: Log) -> list[str]:
    return [entry for entry in log if ":" not in entry]


async def all_ended(log: Log) -> None:
    """Wait until every stage has noted its end: within turns of the loop, on however busy a machine."""
    for _ in range(1000):
        if len(ends(log)) == len(ORDER):
            return
        await asyncio.sleep(0.005)


ORDER = ["third", "second", "first", "source"]
# Library stages note their end inside their hold on the source, user's generators before it is closed.
KINDS = pytest.mark.parametrize("kind", STAGES)


@KINDS
def test_break(kind: str) -> None:
    log = Log()
    for item in chain_of(kind, log).stream(""):
        assert item == "0"
        break
    assert ends(log) == ORDER


@KINDS
def test_close(kind: str) -> None:
    log = Log()
    stream = chain_of(kind, log).stream("")
    assert [next(stream), next(stream)] == ["0", "1"]
    stream.close()
    assert ends(log) == ORDER
    stream.close()
    assert list(stream) == []


@KINDS
def test_an_error_in_the_loops_body(kind: str) -> None:
    log = Log()
    with pytest.raises(LookupError):
        for _ in chain_of(kind, log).stream(""):
            raise LookupError
    assert ends(log) == ORDER


@KINDS
def test_the_end(kind: str) -> None:
    log = Log()
    stage = STAGES[kind]
    chain = counting(log, "source", end=2) | stage(log, "first") | stage(log, "second")
    assert list(chain.stream("")) == ["0", "1"]
    assert ends(log) == ["source", "first", "second"]


@KINDS
def test_an_error_in_a_step(kind: str) -> None:
    log = Log()

    def fails(items: Iterator[str]) -> Iterator[str]:
        try:
            yield from (next(items), next(items))
            raise LookupError("third")
        finally:
            log.append("fails")

    stage = STAGES[kind]
    chain = counting(log, "source") | stage(log, "first") | fails | stage(log, "last")
    got: list[str] = []
    with pytest.raises(LookupError, match="third"):
        got.extend(chain.stream(""))
    # The error passes the stages behind on its way out; those before are closed with the one that raised.
    assert got == ["0", "1"]
    assert sorted(ends(log)) == ["fails", "first", "last", "source"]
    assert ends(log).index("fails") < ends(log).index("first") < ends(log).index("source")


@KINDS
def test_async_aclose(kind: str) -> None:
    log = Log()

    async def run() -> None:
        async with aclosing(chain_of(kind, log).astream("")) as stream:
            async for _ in stream:
                break
        assert ends(log) == ORDER
        async with chain_of(kind, log).astream("") as stream:
            assert await anext(stream) == "0"
        assert ends(log) == ORDER * 2

    asyncio.run(run())


@KINDS
def test_the_first_item_of_a_stream_that_nobody_holds(kind: str) -> None:
    log = Log()

    async def run() -> None:
        assert await anext(chain_of(kind, log).astream("")) == "0"
        await all_ended(log)
        assert ends(log) == ORDER

    asyncio.run(run())


def test_the_first_item_of_a_stream_that_nobody_holds_may_be_late() -> None:
    async def slow(text: str) -> str:
        await asyncio.sleep(0.01)
        return text

    async def run() -> list[Any]:
        model = RunnableLambda(slow)
        return [await anext(model.astream("late")), (await anext(model.astream_events("late")))["event"]]

    assert asyncio.run(run()) == ["late", "on_chain_start"]


@KINDS
def test_async_break_finishes_within_loop_turns(kind: str) -> None:
    log = Log()

    async def run() -> None:
        async for _ in chain_of(kind, log).astream(""):
            break
        await all_ended(log)
        # The abort ends what runs in a thread at once; the others follow in order.
        rest = [name for name in ends(log) if name != "source"]
        assert rest == ORDER[:-1]
        assert "source" in log

    asyncio.run(run())


@KINDS
def test_task_cancellation(kind: str) -> None:
    log = Log()

    async def consume(begun: asyncio.Event) -> None:
        async for item in chain_of(kind, log).astream(""):
            if item == "3":
                begun.set()
                await asyncio.sleep(30)

    async def run() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(consume(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The task was cancelled in the loop's body: as after a `break`, the stream was let go of.
        await all_ended(log)
        assert sorted(ends(log)) == sorted(ORDER)

    asyncio.run(run())


def test_task_cancellation_inside_a_step_closes_before_control_returns() -> None:
    log = Log()
    inside = asyncio.Event()

    async def stuck(items: Any) -> Any:
        try:
            async for item in items:
                yield item
                inside.set()
                await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.01)
            log.append("stuck")

    chain = counting(log, "source") | stuck | STAGES["library"](log, "last")

    async def run() -> None:
        async def consume() -> None:
            async for _ in chain.astream(""):
                pass

        task = asyncio.create_task(consume())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sorted(ends(log)) == ["last", "source", "stuck"]

    asyncio.run(run())


@KINDS
def test_timeout(kind: str) -> None:
    log = Log()

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                async with aclosing(chain_of(kind, log).astream("")) as stream:
                    async for _ in stream:
                        await asyncio.sleep(0.01)
        assert ends(log) == ORDER

    asyncio.run(run())


def interrupt(items: Iterator[str]) -> Iterator[str]:
    """Ctrl-C, as the tenth item passes: it is raised in the main thread, wherever that is then."""
    for number, item in enumerate(items):
        if number == 10:
            os.kill(os.getpid(), signal.SIGINT)
        yield item


@KINDS
@pytest.mark.parametrize("parallel", [False, True])
def test_keyboard_interrupt(kind: str, parallel: bool) -> None:
    log = Log()
    stage = STAGES[kind]
    chain: Runnable[Any, Any] = counting(log, "source", end=10**9) | stage(log, "first") | interrupt
    chain = chain | stage(log, "second") | stage(log, "third")
    if parallel:
        chain = RunnableParallel(a=chain, b=RunnableLambda(lambda text: text))
    stream = chain.stream("")
    with pytest.raises(KeyboardInterrupt):
        collections.deque(stream, maxlen=0)
    # In no certain order: it unwinds from wherever the signal came, and branches are aborted first.
    assert sorted(ends(log)) == sorted(ORDER)


def test_keyboard_interrupt_in_an_async_function_under_a_sync_verb_runs_its_finally() -> None:
    log = Log()

    async def waits(text: str) -> str:
        asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(30)
        finally:
            log.append("closed")
        return text

    with pytest.raises(KeyboardInterrupt):
        RunnableLambda(waits).invoke("x")
    assert log == ["closed"]


@pytest.mark.parametrize("kind", STAGES)
def test_parallel_branches_are_closed_too(kind: str) -> None:
    log = Log()
    chain = RunnableParallel(a=chain_of(kind, log), b=chain_of(kind, log))
    seen: set[str] = set()
    for piece in chain.stream(""):
        seen.update(piece)
        if len(seen) == 2:
            break
    assert sorted(ends(log)) == sorted(ORDER * 2)

    log.clear()
    seen.clear()

    async def run() -> None:
        async with aclosing(chain.astream("")) as stream:
            async for piece in stream:
                seen.update(piece)
                if len(seen) == 2:
                    break
        assert sorted(ends(log)) == sorted(ORDER * 2)

    asyncio.run(run())


def test_one_branchs_error_closes_the_others() -> None:
    log = Log()

    def fails(items: Iterator[str]) -> Iterator[str]:
        yield "one"
        raise LookupError("branch")

    chain = RunnableParallel(a=counting(log, "source", end=10**9), b=fails)
    with pytest.raises(LookupError, match="branch"):
        list(chain.stream(""))
    assert ends(log) == ["source"]


def test_a_finally_that_raises_replaces_nothing_and_closes_the_rest() -> None:
    log = Log()

    def bad_end(items: Iterator[str]) -> Iterator[str]:
        try:
            for item in items:
                yield item
        finally:
            log.append("bad")
            raise ValueError("in finally")

    chain = counting(log, "source") | bad_end | STAGES["sync"](log, "last")
    stream = chain.stream("")
    next(stream)
    with pytest.raises(ValueError, match="in finally"):
        stream.close()
    assert ends(log) == ["last", "bad", "source"]


# --- A `finally` that waits, in what feeds steps that run at once -------------------------------------------

SECONDS = [0, 0.005]
TIMES = 30


async def endless(opened: Log, closed: Log, wait: float, end: float) -> AsyncIterator[str]:
    opened.append("opened")
    try:
        for piece in itertools.repeat("a"):
            await asyncio.sleep(wait)
            yield piece
    finally:
        await asyncio.sleep(end)
        closed.append("closed")


async def hand_on(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for item in items:
        yield item


async def fail_at_once(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield await anext(items)
    raise LookupError("branch")


def as_model(*how: Any) -> Runnable[Any, Any]:
    class Endless(BaseChatModel):
        async def _stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[str]:
            async with aclosing(endless(*how)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece

    return Endless() | both(StrOutputParser())


def both(step: Any) -> Runnable[Any, Any]:
    return RunnableParallel(x=step, y=step)


def as_generator(*how: Any) -> Runnable[Any, Any]:
    async def step(items: Any) -> AsyncIterator[str]:
        async with aclosing(endless(*how)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    return RunnableGenerator(step) | both(hand_on)


def as_branches(opened: Log, closed: Log, wait: float, end: float) -> Runnable[Any, Any]:
    async def numbers(items: Any) -> AsyncIterator[str]:
        for piece in itertools.repeat("a"):
            await asyncio.sleep(wait)
            yield piece

    async def branch(items: AsyncIterator[str]) -> AsyncIterator[str]:
        opened.append("opened")
        try:
            async for item in items:
                yield item
        finally:
            await asyncio.sleep(end)
            closed.append("closed")

    return RunnableGenerator(numbers) | both(branch)


FED: dict[str, Callable[..., Runnable[Any, Any]]] = {
    "a model": as_model,
    "a generator": as_generator,
    "the branches themselves": as_branches,
    "one parallel step behind another": lambda *how: as_model(*how) | both(hand_on),
    "one parallel step inside another": lambda *how: RunnableParallel(p=as_model(*how), q=hand_on),
    "a branch that is a parallel step": lambda *how: (
        RunnableGenerator(hand_on) | RunnableParallel(p=as_generator(*how), q=hand_on)
    ),
}


async def closing(chain: Runnable[Any, Any]) -> None:
    stream = chain.astream("?")
    await anext(stream)
    await stream.aclose()


async def leaving(chain: Runnable[Any, Any]) -> None:
    async for _ in chain.astream("?"):
        break


async def cancelling(chain: Runnable[Any, Any]) -> None:
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in chain.astream("?"):
            begun.set()

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelling_the_body(chain: Runnable[Any, Any]) -> None:
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in chain.astream("?"):
            begun.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def failing(chain: Runnable[Any, Any]) -> None:
    with pytest.raises(LookupError, match="branch"):
        async for _ in (chain | {"a": fail_at_once, "b": hand_on}).astream("?"):
            pass


@pytest.mark.parametrize("end", SECONDS)
@pytest.mark.parametrize("wait", SECONDS)
@pytest.mark.parametrize("way", [closing, leaving, cancelling, cancelling_the_body, failing])
@pytest.mark.parametrize("fed", FED)
def test_a_finally_that_waits_is_cancelled_once(fed: str, way: Any, wait: float, end: float) -> None:
    opened, closed = Log(), Log()

    async def run() -> None:
        chains = [FED[fed](opened, closed, wait, end) for _ in range(TIMES)]
        await asyncio.gather(*map(way, chains))
        for _ in range(1000):
            if len(asyncio.all_tasks()) == 1 and len(closed) == len(opened):
                break
            await asyncio.sleep(0.005)

    asyncio.run(run())
    assert len(closed) == len(opened) >= TIMES


def leaving_sync(chain: Runnable[Any, Any]) -> None:
    for _ in chain.stream("?"):
        break


def closing_sync(chain: Runnable[Any, Any]) -> None:
    stream = chain.stream("?")
    next(stream)
    stream.close()


def failing_sync(chain: Runnable[Any, Any]) -> None:
    with pytest.raises(LookupError, match="branch"):
        for _ in (chain | {"a": fail_at_once, "b": hand_on}).stream("?"):
            pass


@pytest.mark.parametrize("end", SECONDS)
@pytest.mark.parametrize("wait", SECONDS)
@pytest.mark.parametrize("way", [leaving_sync, closing_sync, failing_sync])
@pytest.mark.parametrize("fed", FED)
def test_a_finally_that_waits_is_cancelled_once_in_a_private_loop(
    fed: str, way: Any, wait: float, end: float
) -> None:
    opened, closed = Log(), Log()
    chains = [FED[fed](opened, closed, wait, end) for _ in range(TIMES)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(way, chains))
    assert len(closed) == len(opened) >= TIMES
