"""A consumer that stops pulling stops its producers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from millstream import RunnableGenerator, RunnableParallel, RunnablePassthrough
from millstream.kernel.channel import READ_AHEAD
from tests.kernel.steps import Log, counting

# A branch holds one item while it waits for room, and so may a stage before it.
SLACK = 4


def test_sync_steps_are_pulled_one_item_at_a_time() -> None:
    log = Log()
    stream = (counting(log, "n") | RunnablePassthrough()).stream("")
    assert [next(stream) for _ in range(3)] == ["0", "1", "2"]
    assert log == ["n:0", "n:1", "n:2"]
    stream.close()


def test_async_steps_are_pulled_one_item_at_a_time() -> None:
    made: list[int] = []

    async def numbers(items: AsyncIterator[str]) -> AsyncIterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    async def run() -> None:
        async with aclosing((RunnableGenerator(numbers) | RunnablePassthrough()).astream("")) as stream:
            async for number in stream:
                if number == 2:
                    await asyncio.sleep(0.05)
                    break

    asyncio.run(run())
    assert made == [0, 1, 2]


@pytest.mark.parametrize("after", [False, True])
def test_through_a_parallel_step_the_producer_is_bounded(after: bool) -> None:
    log = Log()
    source = counting(log, "n", end=10**6)
    chain = (
        source | RunnableParallel(a=RunnablePassthrough(), b=list_of)
        if after
        else RunnableParallel(a=source, b=list_of)
    )
    bound = (READ_AHEAD + SLACK) * (3 if after else 1)

    stream = chain.stream("x")
    for _ in range(3):
        next(stream)
    time.sleep(0.1)
    assert len(log) <= bound
    stream.close()

    async def run() -> None:
        log.clear()
        async with aclosing(chain.astream("x")) as pieces:
            count = 0
            async for _ in pieces:
                count += 1
                if count == 3:
                    break
            await asyncio.sleep(0.1)
            # Under asyncio the source runs in a thread, with a read-ahead of its own.
            assert len(log) <= bound + READ_AHEAD + SLACK

    asyncio.run(run())


def list_of(items: Iterator[Any]) -> Iterator[Any]:
    yield from items


def test_a_slow_branch_holds_up_the_others_and_not_for_ever() -> None:
    def slow(items: Iterator[str]) -> Iterator[str]:
        for item in items:
            time.sleep(0.0005)
            yield item

    chain = counting(Log(), "n", end=300) | RunnableParallel(fast=list_of, slow=slow)
    pieces = list(chain.stream(""))
    assert sum("fast" in piece for piece in pieces) == sum("slow" in piece for piece in pieces) == 300


def test_a_branch_that_stops_reading_does_not_hold_up_the_others(colour: Any) -> None:
    def first(items: Iterator[str]) -> Iterator[str]:
        yield next(items)

    chain = counting(Log(), "n", end=500) | RunnableParallel(all=list_of, first=first)
    pieces = colour.stream(chain, "")
    assert [piece["first"] for piece in pieces if "first" in piece] == ["0"]
    assert len([piece for piece in pieces if "all" in piece]) == 500
