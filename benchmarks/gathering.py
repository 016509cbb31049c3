"""Gathering the fragments of a tool call: whether twice as many cost twice as much."""

import functools
import operator

from benchmarks.chains_peer import AIMessageChunk as PeerChunk
from benchmarks.measure import each, interleaved
from benchmarks.rows import Limit, Row, microseconds
from millstream import AIMessageChunk, merge_chunks

FEW, MANY = 1000, 10_000
# Adding chunks costs the peer the whole length each time: it would need minutes for as many.
PEER_FEW, PEER_MANY = 100, 1000


def rows() -> list[Row]:
    times = interleaved(
        {
            "few": each(_ours(FEW), 20, FEW),
            "many": each(_ours(MANY), 2, MANY),
            "peer few": each(_peer(PEER_FEW), 1, PEER_FEW),
            "peer many": each(_peer(PEER_MANY), 1, PEER_MANY),
        },
        rounds=3,
    )
    growth = times["peer many"] / times["peer few"]
    return [
        Row(
            f"tool-argument delta, {MANY:,} gathered",
            microseconds,
            times["many"],
            times["peer many"],
            limits=[Limit(times["many"] / times["few"], 1.5, f"x that of {FEW:,}")],
            note=f"peer: `+`, {PEER_MANY:,} deltas; {growth:.1f}x the cost of each of {PEER_FEW}",
        )
    ]


def _fragments(count: int) -> list[dict[str, object]]:
    """The arguments of one call, a JSON text in `count` pieces."""
    pieces = ['{"items": [', *(f"{number}, " for number in range(count - 2)), "0]}"]
    return [{"name": None, "args": piece, "id": None, "index": 0} for piece in pieces]


def _ours(count: int):  # type: ignore[no-untyped-def]
    chunks = [AIMessageChunk(content="", tool_call_chunks=[fragment]) for fragment in _fragments(count)]

    def gather() -> None:
        whole = merge_chunks(chunks)
        assert len(whole.tool_calls[0]["args"]["items"]) == count - 1

    return gather


def _peer(count: int):  # type: ignore[no-untyped-def]
    chunks = [PeerChunk(content="", tool_call_chunks=[fragment]) for fragment in _fragments(count)]

    def gather() -> None:
        whole = functools.reduce(operator.add, chunks)
        assert len(whole.tool_calls[0]["args"]["items"]) == count - 1

    return gather
