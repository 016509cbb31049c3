"""What an event costs: `prompt | model | StrOutputParser`, watched, on the streams of `per_token`."""

from typing import Any

from benchmarks import chains_millstream, chains_peer
from benchmarks.chains_millstream import INPUT
from benchmarks.measure import aeach, each, interleaved
from benchmarks.per_token import TOKENS, WORDS
from benchmarks.rows import Row, microseconds, times_below


def rows() -> list[Row]:
    ours = chains_millstream.chain_of(chains_millstream.AsyncModel(WORDS))
    plain = chains_millstream.chain_of(chains_millstream.PlainModel(WORDS))
    peer = chains_peer.chain_of(chains_peer.AsyncModel(words=WORDS))
    count, peers = sum(1 for _ in plain.stream_events(INPUT)), 3 * TOKENS + 8
    typed = _read_run(plain)
    times = interleaved(
        {
            "ours": aeach(lambda: _aread(ours.astream_events(INPUT)), 2, count),
            "sync": each(lambda: _read(plain.stream_events(INPUT)), 2, count),
            "typed": each(lambda: _read_run(plain), 2, typed),
            "peer": aeach(lambda: _aread(peer.astream_events(INPUT, version="v2")), 1, peers),
        }
    )
    return [
        Row(
            "events v2, an event, asyncio",
            microseconds,
            times["ours"],
            times["peer"],
            limits=[times_below(times.ratio("peer", "ours"), 25)],
        ),
        Row(
            "events v2, an event, sync (`stream_events`)",
            microseconds,
            times["sync"],
            note="a thread of its own for the run; langchain-core has none",
        ),
        Row(
            "typed events, an event, sync (`start`)",
            microseconds,
            times["typed"],
            note="a thread of its own for the run; two of three are deltas of text",
        ),
    ]


def _read_run(chain: Any) -> int:
    with chain.start(INPUT) as run:
        return sum(1 for _ in run.events)


def _read(events: Any) -> None:
    for _ in events:
        pass


async def _aread(events: Any) -> None:
    async for _ in events:
        pass
