"""Faults that were found by trying to break the kernel, each of which hung, lost or replaced something."""

import asyncio
import dataclasses
import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from millstream import (
    Cancelled,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from millstream.kernel.scope import current_scope
from millstream.testing import FakeChatModel, check_leaks
from tests.conftest import Colour


def many(value: Any) -> Iterator[int]:
    yield from range(200)


def hand_on(items: Iterator[Any]) -> Iterator[Any]:
    yield from items


def reads_nothing(items: Iterator[Any]) -> Iterator[Any]:
    yield "n"


def test_a_branch_whose_steps_never_begin_to_read_holds_nobody_up(colour: Colour) -> None:
    branches = RunnableParallel(a=RunnablePassthrough() | reads_nothing, b=RunnablePassthrough() | hand_on)
    pieces = colour.stream(RunnableLambda(many) | branches, "x")
    assert len([piece for piece in pieces if "b" in piece]) == 200
    assert [piece for piece in pieces if "a" in piece] == [{"a": "n"}]


def test_the_callers_own_input_is_closed_even_if_nobody_read_it() -> None:
    closed: list[str] = []

    def mine() -> Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("sync")

    async def amine() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("async")

    given = mine()
    next(given)
    step = RunnablePassthrough() | reads_nothing
    assert list(step.transform(given)) == ["n"]

    async def run() -> None:
        source = amine()
        await anext(source)
        async with step.atransform(source) as stream:
            assert [item async for item in stream] == ["n"]

    asyncio.run(run())
    assert closed == ["sync", "async"]


def waits_for_ever() -> Any:
    async def model(value: Any) -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1e6)

    return RunnableLambda(model)


@pytest.mark.parametrize(
    "behind", [RunnableParallel(a=hand_on, b=hand_on), RunnablePassthrough.assign(a=len)]
)
def test_leaving_a_parallel_step_ends_what_feeds_it(behind: Any) -> None:
    feeds = waits_for_ever()
    if not isinstance(behind, RunnableParallel):
        feeds = feeds | RunnableParallel(k=hand_on)
    begun = time.monotonic()
    for _ in (feeds | behind).stream("x"):
        break
    assert time.monotonic() - begun < 3


def test_a_failing_branch_does_not_wait_for_what_feeds_it(colour: Colour) -> None:
    def fails(items: Iterator[Any]) -> Iterator[Any]:
        next(items)
        raise LookupError("at once")
        yield

    begun = time.monotonic()
    with pytest.raises(LookupError, match="at once"):
        colour.stream(waits_for_ever() | {"a": fails, "b": hand_on}, "x")
    assert time.monotonic() - begun < 3


def test_a_parallel_step_ends_when_its_branches_have_ended(colour: Colour) -> None:
    def first(items: Iterator[Any]) -> Iterator[Any]:
        yield next(items)

    begun = time.monotonic()
    pieces = colour.stream(waits_for_ever() | {"a": first, "b": first}, "x")
    assert sorted(map(str, pieces)) == ["{'a': 1}", "{'b': 1}"]
    assert time.monotonic() - begun < 3


def test_the_collector_may_close_a_stream_in_a_thread_of_its_own_branch() -> None:
    class Circle:
        pass

    go = threading.Event()
    collected = threading.Event()

    def branch(items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            yield item
            go.wait(5)
            gc.collect()
            collected.set()
            yield item

    circle: Any = Circle()
    circle.itself = circle
    circle.stream = RunnableParallel(a=branch, b=branch).stream(1)
    next(circle.stream)
    gc.disable()
    try:
        del circle
        go.set()
        assert collected.wait(5)
    finally:
        gc.enable()


def test_what_a_step_left_running_is_not_cancelled_by_a_stream_that_ended() -> None:
    answers: list[Any] = []
    inner = RunnableLambda(str.upper)

    async def step(value: str) -> str:
        async def later() -> None:
            await asyncio.sleep(0.02)
            answers.append(await inner.ainvoke(value))

        tasks.append(asyncio.create_task(later()))
        return value

    tasks: list[Any] = []

    async def run() -> None:
        async for _ in RunnableLambda(step).astream("x"):
            pass
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert answers == ["X"]


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    word: str = "frozen"


class NoNotes(Exception):
    __notes__ = None


@pytest.mark.parametrize("kind", [Frozen, NoNotes])
def test_an_exception_that_takes_no_notes_arrives_as_it_is(colour: Colour, kind: type[Exception]) -> None:
    def fails(value: Any) -> Any:
        raise kind

    for run in (colour.invoke, colour.stream):
        with pytest.raises(kind):
            run(RunnablePassthrough() | fails, "x")


@pytest.mark.parametrize("debug", [False, True])
def test_a_parallel_step_over_a_waiting_input_is_cancelled_from_a_thread(debug: bool) -> None:
    scopes: list[Any] = []

    def look(items: Iterator[Any]) -> Iterator[Any]:
        scopes.append(current_scope())
        yield from items

    async def source() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1e6)

    def cancel() -> None:
        while not scopes:
            time.sleep(0.005)
        time.sleep(0.05)
        scope = scopes[0]
        while scope.parent is not None:
            scope = scope.parent
        scope.cancel()

    async def run() -> None:
        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(Cancelled):
            async with asyncio.timeout(5), RunnableParallel(a=look, b=hand_on).atransform(source()) as stream:
                async for _ in stream:
                    pass
        thread.join()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]

    asyncio.run(run(), debug=debug)


def test_one_failing_abort_does_not_keep_the_others_from_being_called() -> None:
    from millstream.kernel.cancel import Cancellation

    node = Cancellation()
    called: list[str] = []

    def fails() -> None:
        raise LookupError

    node.register("a", fails)
    node.register("b", lambda: called.append("b"))
    with pytest.raises(LookupError):
        node.cancel()
    assert called == ["b"]
    node.unregister("a")
    node.unregister("b")


def test_a_batch_that_is_given_a_runs_config_ends_with_that_run() -> None:
    def slow(value: Any) -> Any:
        time.sleep(0.05)
        return value

    def outer(value: Any, config: RunnableConfig) -> Any:
        scope = current_scope()
        assert scope is not None
        threading.Timer(0.05, scope.cancel).start()
        caught: list[BaseException] = []

        def work() -> None:
            try:
                RunnableLambda(slow).batch(list(range(100)), {**config, "max_concurrency": 2})
            except Cancelled as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert caught
        return value

    with pytest.raises(Cancelled):
        RunnableLambda(outer).invoke("x")


def test_watching_does_not_change_what_cannot_be_added(colour: Colour) -> None:
    class Shape:
        def __add__(self, other: Any) -> Any:
            raise ValueError("shapes")

    def two(items: Iterator[Any]) -> Iterator[Any]:
        yield Shape()
        yield Shape()

    ended: list[Any] = []
    step = RunnableGenerator(two).with_listeners(on_end=lambda run: ended.append(run.outputs))
    assert len(colour.stream(step, "x")) == 2
    assert isinstance(ended[0], Shape)


def test_a_plain_function_may_hand_on_a_coroutine(colour: Colour) -> None:
    inner = RunnableLambda(str.upper)
    assert colour.invoke(RunnableLambda(lambda text: inner.ainvoke(text)), "x") == "X"


@pytest.mark.parametrize("where", ["chain", "branch", "both sides"])
def test_a_cancel_from_a_thread_is_one_cancel_for_steps_inside_each_other(colour: Colour, where: str) -> None:
    scopes: list[Any] = []
    opened: list[str] = []
    closed: list[str] = []

    async def inner(items: AsyncIterator[Any]) -> AsyncIterator[int]:
        opened.append("inner")
        scopes.append(current_scope())
        try:
            yield 1
            await asyncio.sleep(1e6)
        finally:
            await asyncio.sleep(0.002)
            closed.append("inner")

    async def outer(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        opened.append("outer")
        try:
            async for item in items:
                yield item
        finally:
            await asyncio.sleep(0.002)
            closed.append("outer")

    def cancel() -> None:
        while not scopes:
            time.sleep(0.001)
        time.sleep(0.01)
        scope = scopes[-1]
        while scope.parent is not None:
            scope = scope.parent
        scope.cancel()
        scope.cancel()

    chain: Any = RunnableGenerator(inner) | outer
    if where == "branch":
        chain = RunnablePassthrough() | {"a": chain, "b": hand_on}
    elif where == "both sides":
        chain = chain | {"a": outer, "b": outer}
    for _ in range(10):
        scopes.clear()
        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(Cancelled):
            colour.stream(chain, "x")
        thread.join()
    assert sorted(closed) == sorted(opened)


def test_what_feeds_branches_that_have_ended_is_closed_in_full(colour: Colour) -> None:
    closed: list[str] = []

    async def source(items: AsyncIterator[Any]) -> AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield "a"
        finally:
            await asyncio.sleep(0.005)
            closed.append("closed")

    async def first(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        yield await anext(items)

    for _ in range(10):
        colour.stream(RunnableGenerator(source) | {"a": first, "b": first}, "x")
    assert len(closed) == 10


def test_a_branch_is_stopped_after_a_run_inside_it_was_cancelled_alone() -> None:
    scopes: list[Any] = []

    async def waits(value: Any) -> Any:
        scopes.append(current_scope())
        await asyncio.sleep(1e6)

    async def branch(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            await RunnableLambda(waits).ainvoke("x")
        except Cancelled:
            yield "caught"
            await asyncio.sleep(1e6)

    def cancel() -> None:
        while not scopes:
            time.sleep(0.001)
        scopes[0].cancel()

    async def run() -> None:
        thread = threading.Thread(target=cancel)
        thread.start()
        async with (RunnablePassthrough() | {"a": branch, "b": hand_on}).astream("x") as stream:
            async for piece in stream:
                if piece == {"a": "caught"}:
                    break
        thread.join()

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_cancel_that_finds_the_task_elsewhere_is_not_lost() -> None:
    async def source(items: AsyncIterator[Any]) -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1e6)

    def computes(items: Iterator[Any]) -> Iterator[Any]:
        yield next(items)
        scope = current_scope()
        assert scope is not None
        while scope.parent is not None:
            scope = scope.parent
        scope.cancel()
        time.sleep(0.05)  # the loop calls the aborts meanwhile, and nobody is in the source
        yield next(items)

    async def run() -> None:
        stream = (RunnableGenerator(source) | computes).astream("x")
        with pytest.raises(Cancelled):
            async with stream:
                await anext(stream._source)
                await anext(stream._source)

    asyncio.run(asyncio.wait_for(run(), 5))


def test_an_abort_is_called_once() -> None:
    from millstream.kernel.cancel import Cancellation

    root = Cancellation()
    node = Cancellation(root)
    called: list[str] = []
    node.register("a", lambda: called.append("a"))
    node.cancel()
    root.cancel()
    node.cancel()
    assert called == ["a"]
    node.unregister("a")
    assert not root._aborts


def test_closing_a_stream_that_another_task_waits_for_ends_it_there() -> None:
    closed: list[str] = []

    async def stuck(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            async for item in items:
                yield item
                await asyncio.sleep(1e6)
        finally:
            closed.append("stuck")

    async def run() -> None:
        stream = RunnableGenerator(stuck).astream("x")
        assert await anext(stream) == "x"
        reader = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.01)
        await stream.aclose()
        with pytest.raises(Cancelled):
            await asyncio.wait_for(reader, 5)
        assert closed == ["stuck"]

    asyncio.run(run())


def answers(text: str, config: Any) -> str:
    return str(FakeChatModel([["late"]], delay=3600).invoke(text, config).text)


def yields(text: str, config: Any) -> Iterator[str]:
    for chunk in FakeChatModel([["late"]], delay=3600).stream(text, config):
        yield chunk.text


@pytest.mark.parametrize("function", [answers, yields])
def test_a_cancelled_task_ends_what_a_function_nested_by_its_config(function: Any) -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await RunnableLambda(function).ainvoke("q")

    asyncio.run(run())


class Torn(BaseException):
    pass


def test_a_shared_input_that_ends_in_no_mere_error_ends_its_branches(colour: Colour) -> None:
    def tears(items: Iterator[str]) -> Iterator[str]:
        yield from items
        raise Torn

    step = RunnableParallel(a=RunnableLambda(str), b=RunnableLambda(str))
    with pytest.raises(Torn):
        colour.stream(RunnableGenerator(tears) | step, "q")


def test_an_error_that_is_kept_keeps_no_input_open(colour: Colour) -> None:
    def fails(items: Iterator[str]) -> Iterator[str]:
        for item in items:
            yield item
            raise LookupError("kept")

    with check_leaks(), pytest.raises(LookupError) as kept:
        colour.stream(RunnableGenerator(fails), "q")
    assert kept.value
