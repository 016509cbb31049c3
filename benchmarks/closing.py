"""How long it takes until a provider's server sees that a stream was left, after its fifth chunk.

The client notes when it leaves, the server when it sees the end of its socket, both on the clock that all
processes share. What is left is shut down by one code for both providers, so that both count together.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks import wire_readers, wire_server
from benchmarks.rows import Limit, Row, milliseconds
from benchmarks.wire_server import BEFORE

#: How often a stream of each provider's is left, in each way.
TIMES = 20
#: The aim, in seconds.
AIM = 0.05

QUESTION = "Why do rivers bend?"


def by_break(model: Any, runner: asyncio.Runner) -> float:
    for count, _ in enumerate(model.stream(QUESTION), 1):
        if count == BEFORE:
            left = time.monotonic()
            break
    return left


def by_async_break(model: Any, runner: asyncio.Runner) -> float:
    async def read() -> float:
        count = 0
        async for _ in model.astream(QUESTION):
            count += 1
            if count == BEFORE:
                left = time.monotonic()
                break
        return left

    return runner.run(read())


def by_aclose(model: Any, runner: asyncio.Runner) -> float:
    async def read() -> float:
        async with model.astream(QUESTION) as stream:
            for _ in range(BEFORE):
                await anext(stream)
            return time.monotonic()

    return runner.run(read())


def by_cancel(model: Any, runner: asyncio.Runner) -> float:
    with model.start(QUESTION) as run:
        texts = iter(run.text)
        for _ in range(BEFORE):
            next(texts)
        left = time.monotonic()
        run.cancel()  # the model is read by a thread of its own
    return left


Leave = Callable[[Any, asyncio.Runner], float]
WAYS: dict[str, Leave] = {
    "`break`": by_break,
    "`break` in asyncio": by_async_break,
    "`aclose`": by_aclose,
    "cancelled from another thread": by_cancel,
}
SERVERS = {"sending": "a server that goes on", "silent": "a silent server"}


def rows() -> list[Row]:
    with wire_server.running() as url, asyncio.Runner() as runner:
        return [
            _row(f"{way}, {called}", taken(url, server, leave, runner))
            for way, leave in WAYS.items()
            for server, called in SERVERS.items()
        ]


def taken(url: str, server: str, leave: Leave, runner: asyncio.Runner, times: int = TIMES) -> list[float]:
    """The seconds from leaving a stream to the server's seeing it, of each time."""
    found = []
    for provider in (wire_readers.OpenAI, wire_readers.Anthropic):
        readers = provider(f"{url}/{server}")
        for _ in range(times):
            left = leave(readers.ours, runner)
            found.append(wire_server.closed_at(url) - left)
        readers.close()
        runner.run(readers.aclose())
    return found


def _row(what: str, seconds: list[float]) -> Row:
    middle, most = statistics.median(seconds), max(seconds)
    return Row(
        f"until the server sees its socket closed: {what}",
        milliseconds,
        middle,
        limits=[Limit(middle * 1e3, AIM * 1e3, " ms")],
        note=f"at most {milliseconds(most)}, of {len(seconds)}",
        beside={"at most": most},
    )
