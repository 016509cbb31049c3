"""What a stream keeps that nobody stores: the growth of its peak memory with its length.

The peak is that of all memory allocated through Python, as `tracemalloc` sees it, from before the stream to
its end. The words are made one by one, so that the model keeps none of them either.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks import chains_millstream, chains_peer
from benchmarks.chains_millstream import INPUT
from benchmarks.rows import Limit, Row, bytes_each

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
        )
    ]


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


async def _adrain(chain: Any) -> None:
    async for _ in chain.astream(INPUT):
        pass


def _read_peer(tokens: int) -> None:
    for _ in chains_peer.chain_of(chains_peer.PlainModel(words=PEER_WORDS[:tokens])).stream(INPUT):
        pass
