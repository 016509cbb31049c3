"""What a stream keeps that nobody stores: the growth of its peak memory with its length.

The peak is that of all memory allocated through Python, as `tracemalloc` sees it, from before the stream to
its end. The words are made one by one, so that the model keeps none of them either.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableGenerator as PeerGenerator

from benchmarks import chains_millstream, chains_peer
from benchmarks.chains_millstream import INPUT
from benchmarks.rows import Limit, Row, bytes_each
from millstream import RunnableGenerator

SHORT, LONG = 10_000, 100_000
# langchain-core keeps all and copies it for each token: as many would take it minutes.
PEER_SHORT, PEER_LONG = 250, 1000

# What a peak may differ by without the stream's doing, spread over the tokens of the longer stream.
NOISE = 16_384 / (LONG - SHORT)


class Words(Sequence[str]):
    """As many words as one likes, none of them stored."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if index >= self._count:
            raise IndexError
        return f"word{index} "

    def __iter__(self) -> Iterator[str]:
        return (f"word{number} " for number in range(self._count))


# What the gathered output takes of an item: a reference in a list that is an eighth longer than it need be,
# and is copied when it grows; and a character.
GATHERED = 8 * 9 / 8 * 2 + 2 + NOISE

PEER_WORDS = list(Words(PEER_LONG))


def rows() -> list[Row]:
    peer = growth(_read_peer, PEER_SHORT, PEER_LONG)
    colours = [("sync", read_sync), ("async def in asyncio", _aread_async), ("def in asyncio", _aread_plain)]
    grown = {name: growth(read, SHORT, LONG) for name, read in colours}
    worst = max(grown.values())
    return [
        Row(
            f"kept of each token, {SHORT:,} to {LONG:,} tokens",
            bytes_each,
            worst,
            peer,
            limits=[Limit(worst, NOISE, " B")],
            note="the worst of "
            + ", ".join(grown)
            + f"; langchain-core: {PEER_SHORT} to {PEER_LONG:,} tokens",
        ),
        _of_events(),
    ]


def _of_events() -> Row:
    """What a reader of events makes a run keep: all of its items are one text, so nothing is kept of that."""
    readers = [
        ("`astream_events`", read_events),
        ("`stream_events`", _read_sync_events),
        ("`start`", _read_run),
    ]
    grown = {name: growth(read, SHORT, LONG) for name, read in readers}
    worst = max(grown.values())
    return Row(
        f"kept of each event, {SHORT:,} to {LONG:,} events",
        bytes_each,
        worst,
        growth(_read_peer_events, PEER_SHORT, PEER_LONG),
        limits=[Limit(worst, GATHERED, " B")],
        note="the gathered output, which the last event shows, and nothing else: a reference to each item, "
        "and its one character; the worst of " + ", ".join(grown),
    )


def growth(read: Callable[[int], None], short: int, long: int) -> float:
    """Bytes that the peak grows by for each token."""
    read(short // 10)  # caches, threads and the loop's own are in place
    return max(0.0, (_peak(read, long) - _peak(read, short)) / (long - short))


def _peak(read: Callable[[int], None], tokens: int) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        read(tokens)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def read_sync(tokens: int) -> None:
    for _ in chains_millstream.chain_of(chains_millstream.PlainModel(Words(tokens))).stream(INPUT):
        pass


def _aread_async(tokens: int) -> None:
    asyncio.run(_adrain(chains_millstream.chain_of(chains_millstream.AsyncModel(Words(tokens)))))


def _aread_plain(tokens: int) -> None:
    asyncio.run(_adrain(chains_millstream.chain_of(chains_millstream.PlainModel(Words(tokens)))))


def _items(count: int) -> Any:
    def generate(_: Any) -> Iterator[str]:
        for _ in range(count):
            yield "w"

    return generate


def _aitems(count: int) -> Any:
    async def generate(_: Any) -> AsyncIterator[str]:
        for _ in range(count):
            yield "w"

    return generate


def read_events(count: int) -> None:
    async def read() -> None:
        async for _ in RunnableGenerator(_items(count)).astream_events("q"):
            pass

    asyncio.run(read())


def _read_sync_events(count: int) -> None:
    for _ in RunnableGenerator(_items(count)).stream_events("q"):
        pass


def _read_run(count: int) -> None:
    with RunnableGenerator(_items(count)).start("q") as run:
        for _ in run.events:
            pass


def _read_peer_events(count: int) -> None:
    async def read() -> None:
        async for _ in PeerGenerator(_aitems(count)).astream_events("q", version="v2"):
            pass

    asyncio.run(read())


async def _adrain(chain: Any) -> None:
    async for _ in chain.astream(INPUT):
        pass


def _read_peer(tokens: int) -> None:
    for _ in chains_peer.chain_of(chains_peer.PlainModel(words=PEER_WORDS[:tokens])).stream(INPUT):
        pass
