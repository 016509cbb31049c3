"""What a token costs on its way through `prompt | model | StrOutputParser`.

Whole streams of `TOKENS` tokens are timed, from the call of `stream` to its end, so the start of the stream
is in the figure. The length is fixed, since langchain-core adds each piece to what came before.
"""

from collections.abc import AsyncIterable, Iterable
from typing import Any

from benchmarks import chains_millstream, chains_peer, floor
from benchmarks.chains_millstream import INPUT
from benchmarks.measure import Sample, aeach, each, interleaved
from benchmarks.rows import Row, microseconds, times_above, times_below

TOKENS = 1000
WORDS = [f"word{number} " for number in range(TOKENS)]

# So many streams make one sample; the peer's take long enough one by one.
STREAMS = 5


def rows() -> list[Row]:
    return [plain_sync(), async_in_asyncio(), plain_in_asyncio()]


def plain_sync() -> Row:
    times = interleaved(plain_sync_samples())
    return Row(
        "token, `def` model, sync",
        microseconds,
        times["ours"],
        times["peer"],
        times["floor"],
        [
            times_below(times.ratio("peer", "ours"), 20),
            times_above(times.ratio("ours", "floor"), 6),
        ],
    )


def plain_sync_samples() -> dict[str, Sample]:
    ours = chains_millstream.chain_of(chains_millstream.PlainModel(WORDS))
    peer = chains_peer.chain_of(chains_peer.PlainModel(words=WORDS))
    return {
        "floor": each(lambda: _read(floor.parser(floor.model(WORDS))), 4 * STREAMS, TOKENS),
        "ours": each(lambda: _read(ours.stream(INPUT)), STREAMS, TOKENS),
        "peer": each(lambda: _read(peer.stream(INPUT)), 1, TOKENS),
    }


def async_in_asyncio() -> Row:
    ours = chains_millstream.chain_of(chains_millstream.AsyncModel(WORDS))
    peer = chains_peer.chain_of(chains_peer.AsyncModel(words=WORDS))
    times = interleaved(
        {
            "floor": aeach(lambda: _aread(floor.aparser(floor.amodel(WORDS))), 4 * STREAMS, TOKENS),
            "ours": aeach(lambda: _aread(ours.astream(INPUT)), STREAMS, TOKENS),
            "peer": aeach(lambda: _aread(peer.astream(INPUT)), 1, TOKENS),
        }
    )
    return Row(
        "token, `async def` model, asyncio",
        microseconds,
        times["ours"],
        times["peer"],
        times["floor"],
        [times_below(times.ratio("peer", "ours"), 60)],
    )


def plain_in_asyncio() -> Row:
    ours = chains_millstream.chain_of(chains_millstream.PlainModel(WORDS))
    peer = chains_peer.chain_of(chains_peer.PlainModel(words=WORDS))
    times = interleaved(
        {
            "ours": aeach(lambda: _aread(ours.astream(INPUT)), STREAMS, TOKENS),
            "peer": aeach(lambda: _aread(peer.astream(INPUT)), 1, TOKENS),
        }
    )
    return Row(
        "token, `def` model, asyncio",
        microseconds,
        times["ours"],
        times["peer"],
        None,
        [times_below(times.ratio("peer", "ours"), 30)],
    )


def _read(stream: Iterable[Any]) -> None:
    for _ in stream:
        pass


async def _aread(stream: AsyncIterable[Any]) -> None:
    async for _ in stream:
        pass
