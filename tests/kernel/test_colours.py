"""User code of either colour under verbs of either colour, from threads, loops, and loops after loops."""

import asyncio
import contextvars
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseCallbackHandler,
    BaseChatModel,
    BaseLLM,
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    StrOutputParser,
)
from millstream.testing import FakeChatModel
from tests.conftest import Colour


def function(text: str) -> str:
    return text + "!"


async def afunction(text: str) -> str:
    await asyncio.sleep(0.001)
    return text + "!"


def generator(items: Iterator[str]) -> Iterator[str]:
    for item in items:
        yield item + "!"


async def agenerator(items: AsyncIterator[str]) -> AsyncIterator[str]:
    async for item in items:
        await asyncio.sleep(0.001)
        yield item + "!"


class Streams(BaseChatModel):
    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
        for piece in ("a", "b"):
            yield AIMessageChunk(piece)


class AsyncStreams(BaseChatModel):
    async def _stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        for piece in ("a", "b"):
            await asyncio.sleep(0.001)
            yield AIMessageChunk(piece)


class Answers(BaseChatModel):
    def _generate(self, messages: Any, **kwargs: Any) -> AIMessage:
        return AIMessage("ab")


class AsyncAnswers(BaseChatModel):
    async def _generate(self, messages: Any, **kwargs: Any) -> str:
        await asyncio.sleep(0.001)
        return "ab"


class Text(BaseLLM):
    def _stream(self, prompt: str, **kwargs: Any) -> Iterator[str]:
        yield from ("a", "b")


class AsyncText(BaseLLM):
    async def _generate(self, prompt: str, **kwargs: Any) -> str:
        await asyncio.sleep(0.001)
        return "ab"


STEPS = [function, afunction, generator, agenerator]
MODELS = [Streams, AsyncStreams, Answers, AsyncAnswers, Text, AsyncText]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("step", STEPS)
def test_every_colour_of_model_and_function_under_every_verb(
    colour: Colour, model: Callable[[], Runnable[Any, Any]], step: Any
) -> None:
    chain = model() | StrOutputParser() | step
    streamed = colour.stream(chain, "hello")
    assert "".join(streamed).replace("!", "") == "ab"
    assert colour.invoke(chain, "hello").replace("!", "") == "ab"
    assert [answer.replace("!", "") for answer in colour.batch(chain, ["x", "y", "z"])] == ["ab"] * 3
    assert "".join(colour.transform(chain, ["he", "llo"])).replace("!", "") == "ab"


@pytest.mark.parametrize("step", STEPS)
def test_one_chain_under_asyncio_run_twice_and_then_from_threads(step: Any) -> None:
    chain = AsyncStreams() | StrOutputParser() | step | RunnableParallel(a=step, b=step)

    async def run() -> Any:
        return await chain.ainvoke("x")

    first = asyncio.run(run())
    assert asyncio.run(run()) == first
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(chain.invoke, "x") for _ in range(8)]
        jobs += [pool.submit(lambda: asyncio.run(run())) for _ in range(8)]
        assert [job.result(20) for job in jobs] == [first] * 16


def alternating() -> Runnable[Any, Any]:
    return AsyncStreams() | StrOutputParser() | agenerator | generator | agenerator


def test_a_sync_stream_may_be_pulled_from_one_thread_after_another() -> None:
    # As web frameworks do with a plain iterator: each item from whatever thread is free.
    stream = alternating().stream("x")
    pieces: list[str] = []
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for pool in (first, second, first, second):
            piece = pool.submit(next, stream, None).result(10)
            if piece is not None:
                pieces.append(piece)
    assert pieces == ["a!!!", "b!!!", "!!!"]


def test_a_sync_stream_may_be_begun_outside_a_loop_and_end_inside_one_and_the_reverse() -> None:
    outside = alternating().stream("x")
    pieces = [next(outside)]
    inside: list[Iterator[str]] = []

    async def run() -> None:
        pieces.extend(outside)
        inside.append(alternating().stream("x"))
        assert next(inside[0]) == "a!!!"

    asyncio.run(run())
    assert pieces == ["a!!!", "b!!!", "!!!"]
    assert list(inside[0]) == ["b!!!", "!!!"]


def test_a_sync_stream_uses_neither_loop_nor_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any) -> Any:
        raise AssertionError("a loop or a thread was started")

    monkeypatch.setattr(asyncio, "new_event_loop", refused)
    monkeypatch.setattr("millstream.kernel.threads.start", refused)
    where: list[int] = []

    def note(items: Iterator[str]) -> Iterator[str]:
        for item in items:
            where.append(threading.get_ident())
            yield item

    chain = Streams() | StrOutputParser() | note | {"a": RunnableLambda(function)}
    assert list(chain.stream("x")) == [{"a": "ab!"}]
    assert set(where) == {threading.get_ident()}


def test_plain_functions_never_block_the_loop() -> None:
    def slow(text: str) -> str:
        time.sleep(0.15)
        return text

    async def run() -> int:
        ticks = 0
        task = asyncio.ensure_future((RunnableLambda(slow) | slow).ainvoke("x"))
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.005)
        assert await task == "x"
        return ticks

    assert asyncio.run(run()) > 15


def test_forty_streams_of_plain_models_run_at_once() -> None:
    everybody = threading.Barrier(40, timeout=10)

    class Meets(BaseChatModel):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
            yield "a"
            everybody.wait()
            yield "b"

    chain = Meets() | StrOutputParser()

    async def one() -> str:
        return "".join([piece async for piece in chain.astream("x")])

    async def run() -> list[str]:
        return await asyncio.gather(*(one() for _ in range(40)))

    assert asyncio.run(run()) == ["ab"] * 40


mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="unset")


@pytest.mark.parametrize("step", STEPS)
def test_variables_of_the_caller_are_seen_in_every_step_thread_and_branch(colour: Colour, step: Any) -> None:
    seen: list[str] = []

    def look(text: str) -> str:
        seen.append(mine.get())
        return text

    async def alook(text: str) -> str:
        seen.append(mine.get())
        return text

    def each(items: Iterator[str]) -> Iterator[str]:
        seen.append(mine.get())
        yield from items

    async def aeach(items: AsyncIterator[str]) -> AsyncIterator[str]:
        seen.append(mine.get())
        async for item in items:
            yield item

    watched = {"a": look, "b": alook, "c": each, "d": aeach}
    chain = RunnableLambda(look) | step | alook | each | aeach | RunnableParallel(watched)
    token = mine.set("the caller's")
    try:
        colour.stream(chain, "x")
        colour.batch(RunnableLambda(look), ["x", "y"])
    finally:
        mine.reset(token)
    assert seen == ["the caller's"] * 10


def test_a_chain_inside_a_step_of_any_colour(colour: Colour) -> None:
    inner = Streams() | StrOutputParser() | agenerator

    def calls(text: str) -> str:
        return inner.invoke(text) + "".join(inner.stream(text))

    async def acalls(text: str) -> str:
        return await inner.ainvoke(text) + "".join([piece async for piece in inner.astream(text)])

    async def acalls_sync(text: str) -> str:
        # A sync verb inside a running loop: it blocks that loop, and still works.
        return inner.invoke(text) + "".join(inner.stream(text))

    for step in (calls, acalls, acalls_sync):
        assert colour.invoke(RunnableLambda(step), "x") == "ab!a!b!!"
        assert colour.stream(RunnableGenerator(generator) | step, "x") == ["ab!a!b!!"]


async def _aloud(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        yield piece + "!"


def _loud(pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        yield piece + "?"


@pytest.mark.parametrize("kinds", ["aa", "pa", "ap", "apa", "paap"])
@pytest.mark.parametrize("cut", [1, 99])
def test_watched_generators_of_both_colours_in_a_row(kinds: str, cut: int) -> None:
    """Who watches has a step read its first item ahead: outside of the private loop that it runs in then."""
    step: Any = FakeChatModel([["a", "b"]], delay=0.0001) | StrOutputParser()
    for kind in kinds:
        step = step | RunnableGenerator(_aloud if kind == "a" else _loud)
    plain = list(step.stream("q"))
    heard: list[Any] = []
    watched = step.with_config(callbacks=[_Hears(heard)])
    stream = watched.stream("q")
    assert list(itertools.islice(stream, cut)) == plain[:cut]
    stream.close()
    starts = [what for what in heard if what == "start"]
    assert len(starts) == len(heard) / 2 == len(kinds) + 2
    # A reader that is behind makes the steps wait, in whatever loop they run.
    events = [event["event"] for event in step.stream_events("q", buffer=1)]
    assert events.count("on_chain_start") == events.count("on_chain_end") == len(kinds) + 1


class _Hears(BaseCallbackHandler):
    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    async def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        self._heard.append("start")

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self._heard.append("end")

    async def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        self._heard.append("error")
