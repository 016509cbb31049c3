"""Nobody watching costs nothing, shown by counting instead of by timing.

Three runs of the same chain are compared:

* *bare*: the generators of its steps, put into one another by hand and driven as `stream` drives them, so
  that nothing that could watch is even asked;
* *chain*: `chain.stream`, as everybody calls it, with nobody watching;
* *watched*: the same with a listener, to show that the count sees one.

Of each, what a token costs once the stream is under way:

* *frames*: Python frames entered or resumed (functions, generators, coroutines), counted by `sys.setprofile`
  over a stream of 2,000 tokens less one of 1,000;
* *objects*: objects with a garbage collector's header (awaitables, generators, frames, messages, dicts) that
  exist while the model makes a token and did not when the token was asked for: `gc.get_objects()` in the
  model less `gc.get_objects()` in the reader, at one token;
* *kept*: memory blocks (`sys.getallocatedblocks`) that are there after 1,500 tokens and were not after 500,
  for each token between.
"""

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.chains_millstream import INPUT, chain_of
from benchmarks.rows import Limit, Row, count
from millstream import AIMessageChunk, BaseChatModel, RunnableSequence
from millstream.kernel.drive import AsyncStream, stream_sync
from millstream.kernel.host import SyncHost
from millstream.kernel.sources import Single
from millstream.kernel.stage import enter_root
from millstream.runnables.runnable import async_host

SHORT, LONG = 1000, 2000


@dataclass
class Cost:
    """What a token costs."""

    frames: float
    objects: int
    kept: float

    def beyond(self, other: "Cost") -> float:
        """How much more than `other` it costs, and what it keeps, all added up."""
        return (self.frames - other.frames) + (self.objects - other.objects) + max(0.0, self.kept)


class _Model(BaseChatModel):
    """Counts the objects there are while it makes the middle token."""

    def __init__(self, tokens: int, look: bool) -> None:
        super().__init__()
        self.tokens = tokens
        self.look_at = tokens // 2 if look else -1
        self.seen: Counter[str] = Counter()

    def look(self, number: int) -> None:
        if number == self.look_at:
            self.seen = _objects()


class _PlainModel(_Model):
    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
        for number in range(self.tokens):
            self.look(number)
            yield AIMessageChunk(content=f"word{number} ")


class _AsyncModel(_Model):
    async def _stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        for number in range(self.tokens):
            self.look(number)
            yield AIMessageChunk(content=f"word{number} ")


def rows() -> list[Row]:
    found: list[Row] = []
    for name, costs in (("sync", costs_sync()), ("asyncio", costs_async())):
        bare, chain, watched = costs["bare"], costs["chain"], costs["watched"]
        found.append(
            Row(
                f"nobody watching, {name}: what a token has more than bare stages",
                count,
                chain.beyond(bare),
                limits=[Limit(chain.beyond(bare), 0, " more")],
                note="; ".join(
                    f"{kind}: {count(cost.frames)} frames, {cost.objects} objects, {count(cost.kept)} kept"
                    for kind, cost in costs.items()
                ),
            )
        )
        assert watched.beyond(bare) > 0, "A listener that costs nothing was not seen."
    return found


def costs_sync() -> dict[str, Cost]:
    makers: dict[str, Callable[[_Model], Iterator[Any]]] = {
        "bare": lambda model: _bare_sync(chain_of(model)),
        "chain": lambda model: chain_of(model).stream(INPUT),
        "watched": lambda model: chain_of(model).with_listeners(on_end=_ignore).stream(INPUT),
    }
    _cost_sync(makers["watched"])  # what is made once is made
    return {name: _cost_sync(make) for name, make in makers.items()}


def costs_async() -> dict[str, Cost]:
    makers: dict[str, Callable[[_Model], AsyncIterator[Any]]] = {
        "bare": lambda model: _bare_async(chain_of(model)),
        "chain": lambda model: chain_of(model).astream(INPUT),
        "watched": lambda model: chain_of(model).with_listeners(on_end=_aignore).astream(INPUT),
    }
    asyncio.run(_cost_async(makers["watched"]))  # what is made once is made
    return {name: asyncio.run(_cost_async(make)) for name, make in makers.items()}


def _bare(chain: Any, host: Any) -> tuple[Any, Any]:
    """The stages of a chain, each the source of the next, and the scope that they run in."""
    assert isinstance(chain, RunnableSequence)
    _, scope, _ = enter_root(chain, None, host, {})
    stream: Any = Single(INPUT)
    for step in chain.steps:
        stream = step._transform(stream, scope)
    return scope, stream


def _bare_sync(chain: Any) -> Iterator[Any]:
    return stream_sync(*_bare(chain, SyncHost()))


def _bare_async(chain: Any) -> AsyncIterator[Any]:
    scope, stream = _bare(chain, async_host())
    return AsyncStream(stream, scope.cancellation)


def _cost_sync(make: Callable[[_Model], Iterator[Any]]) -> Cost:
    def read(look: bool, tokens: int = LONG) -> _Reading:
        model = _PlainModel(tokens, look)
        reading = _Reading(model)
        for _ in make(model):
            reading.note()
        return reading

    def frames(tokens: int) -> int:
        with _Frames() as counted:
            read(False, tokens)
        return counted.entered

    return _cost(read(look=True), read(look=False), frames(LONG) - frames(SHORT))


async def _cost_async(make: Callable[[_Model], AsyncIterator[Any]]) -> Cost:
    async def read(look: bool, tokens: int = LONG) -> _Reading:
        model = _AsyncModel(tokens, look)
        reading = _Reading(model)
        async for _ in make(model):
            reading.note()
        return reading

    async def frames(tokens: int) -> int:
        with _Frames() as counted:
            await read(False, tokens)
        return counted.entered

    return _cost(await read(look=True), await read(look=False), await frames(LONG) - await frames(SHORT))


def _cost(looked: "_Reading", left_alone: "_Reading", frames: int) -> Cost:
    made = looked.model.seen - looked.seen
    # Two frames of each token are this module's own: the model's look and the reader's note.
    return Cost(frames / (LONG - SHORT) - 2, made.total(), round(left_alone.kept / SHORT, 1))


class _Reading:
    """What the reader of a stream counts, token by token."""

    def __init__(self, model: _Model) -> None:
        self.model = model
        self.seen: Counter[str] = Counter()
        self.kept = 0
        self._tokens = 0

    def note(self) -> None:
        """A token has arrived; the next one is not asked for yet."""
        self._tokens += 1
        if self._tokens == self.model.look_at:
            self.seen = _objects()
        if self._tokens == SHORT // 2:
            self.kept -= sys.getallocatedblocks()
        if self._tokens == SHORT + SHORT // 2:
            self.kept += sys.getallocatedblocks()


def _objects() -> Counter[str]:
    """How many objects of each type the garbage collector knows."""
    return Counter([type(thing).__name__ for thing in gc.get_objects()])


class _Frames:
    """Counts the Python frames that are entered or resumed inside the block."""

    def __init__(self) -> None:
        self.entered = 0

    def __enter__(self) -> "_Frames":
        gc.disable()  # a finaliser that runs by chance is no token's
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        gc.enable()

    def _count(self, frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            self.entered += 1


def _ignore(run: Any) -> None:
    pass


async def _aignore(run: Any) -> None:
    pass
