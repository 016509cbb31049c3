"""Whatever happens, and wherever a run is cut short: each start has one end, inside the run around it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from millstream import (
    ChatPromptTemplate,
    JsonOutputParser,
    RunnableBranch,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    StrOutputParser,
    tool,
)
from millstream.testing import FakeChatModel, FakeLLM
from tests.callbacks.recording import RECORDERS, AsyncRecorder


def model() -> Any:
    return FakeChatModel([["a", "b", "c"]])


def text() -> Any:
    return ChatPromptTemplate.from_template("{x}") | model() | StrOutputParser()


def json_text(*answer: str) -> Any:
    return ChatPromptTemplate.from_template("{x}") | FakeChatModel([answer or ('{"a"', ": [1,", "2]}")])


def slow() -> Any:
    return ChatPromptTemplate.from_template("{x}") | FakeChatModel(["ab"], delay=0.0001) | StrOutputParser()


def leaves(x: Any) -> str:
    for piece in text().stream({"x": x}):
        return piece
    raise AssertionError("no piece")


async def aleaves(x: Any) -> str:
    async for piece in text().astream({"x": x}):
        return piece
    raise AssertionError("no piece")


def shout(pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        yield piece.upper()


async def ashout(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        yield piece.upper()


def fails(_: Any) -> Any:
    raise ValueError("no")


def twice(x: Any) -> Any:
    return text().batch([{"x": x}, {"x": x}])


@tool
def count(x: Any) -> Iterator[str]:
    """Count."""
    yield from ("a", "b", "c")


# The event loop closes a stream that async code has dropped, in its own time: a plain method that is told of
# it then, in a worker thread, may be overtaken by what the run around has to tell.
DROPS = "an async function that leaves"

STEPS: dict[str, Any] = {
    "a chain": text(),
    "generators": text() | RunnableGenerator(shout) | RunnableGenerator(ashout),
    "async generators": text() | RunnableGenerator(ashout) | RunnableGenerator(ashout) | str.lower,
    "generators of both colours": slow()
    | RunnableGenerator(ashout)
    | RunnableGenerator(shout)
    | RunnableGenerator(ashout),
    "branches": RunnableParallel(a=text(), b=text() | shout),
    "branches over a stream": text() | {"a": RunnableGenerator(ashout), "b": RunnableGenerator(shout)},
    "assigning": RunnablePassthrough.assign(y=text()),
    "a function that leaves": RunnableLambda(leaves) | RunnableLambda(str.upper),
    DROPS: RunnableLambda(aleaves) | RunnableLambda(str.upper),
    "a batch in a function": RunnableLambda(twice),
    "fallbacks": RunnableLambda(fails).with_fallbacks([text()]),
    "fallbacks that fail": RunnableLambda(fails).with_fallbacks([text() | fails]),
    "retries": (text() | fails).with_retry(wait_exponential_jitter=False, stop_after_attempt=2),
    "a choice": RunnableBranch((lambda x: True, text()), fails),
    "a model that fails": ChatPromptTemplate.from_template("{x}")
    | FakeChatModel([["a", "b", ValueError("no")]])
    | StrOutputParser(),
    "a text model": ChatPromptTemplate.from_template("{x}") | FakeLLM([["a", "b"]]) | shout,
    "a tool": RunnablePassthrough() | count | shout,
    "json": json_text() | JsonOutputParser(),
    "json that is none": json_text("[1, ", "x") | JsonOutputParser(),
}


@pytest.mark.parametrize("kind", RECORDERS, ids=["plain", "async"])
@pytest.mark.parametrize("cut", [0, 1, 2, 99])
@pytest.mark.parametrize("name", STEPS)
def test_streams(name: str, cut: int, kind: Any) -> None:
    handler = kind()
    stream = STEPS[name].stream({"x": "1"}, {"callbacks": [handler]})
    try:
        for number, _ in enumerate(stream):
            if number == cut:
                break
    except ValueError:
        assert "fail" in name or name in ("json that is none", "retries")
    stream.close()
    handler.check(nested=name != DROPS or kind is AsyncRecorder)
    assert handler.calls


@pytest.mark.parametrize("kind", RECORDERS, ids=["plain", "async"])
@pytest.mark.parametrize("way", ["aclose", "cancel"])
@pytest.mark.parametrize("cut", [0, 1, 2, 99])
@pytest.mark.parametrize("name", STEPS)
def test_async_streams(name: str, cut: int, way: str, kind: Any) -> None:
    handler = kind()

    async def read() -> None:
        reached = asyncio.Event()

        async def consume() -> None:
            async with STEPS[name].astream({"x": "1"}, {"callbacks": [handler]}) as stream:
                number = 0
                async for _ in stream:
                    if number == cut and way == "aclose":
                        break
                    if number == cut:
                        reached.set()
                        await asyncio.Event().wait()
                    number += 1

        task = asyncio.create_task(consume())
        waiting = asyncio.create_task(reached.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)

    asyncio.run(asyncio.wait_for(read(), 20))
    handler.check(nested=name != DROPS or kind is AsyncRecorder)
    assert handler.calls


@pytest.mark.parametrize("kind", RECORDERS, ids=["plain", "async"])
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 6, 9])
def test_a_cancel_at_any_time(name: str, after: int, kind: Any) -> None:
    """The task is cancelled in one of its first turns, wherever the run is then."""
    handler = kind()

    async def run() -> None:
        task = asyncio.create_task(STEPS[name].ainvoke({"x": "1"}, {"callbacks": [handler]}))
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(run(), 20))
    handler.check(nested=name != DROPS or kind is AsyncRecorder)


@pytest.mark.parametrize("kind", RECORDERS, ids=["plain", "async"])
@pytest.mark.parametrize("name", STEPS)
def test_answers(name: str, kind: Any, colour: Any) -> None:
    handler = kind()
    try:
        colour.invoke(STEPS[name], {"x": "1"}, {"callbacks": [handler]})
    except ValueError:
        assert "fail" in name or name in ("json that is none", "retries")
    handler.check(nested=name != DROPS or kind is AsyncRecorder)
    assert handler.calls
