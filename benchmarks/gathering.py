"""Gathering the fragments of a tool call: whether ten times as many cost ten times as much."""

import functools
import operator
from collections.abc import Callable

from langchain_core.messages import AIMessageChunk as PeerChunk

from benchmarks.measure import each, interleaved
from benchmarks.rows import Limit, Row, microseconds
from millstream import AIMessageChunk, ToolCallChunk, merge_chunks

FEW, MANY = 1000, 10_000
# Adding a chunk costs the peer the whole length each time: as many would take it minutes.
PEER_FEW, PEER_MANY = 100, 1000


def rows() -> list[Row]:
    times = interleaved(
        {
            "few": each(gather_ours(FEW), 5, FEW),
            "many": each(gather_ours(MANY), 1, MANY),
            "peer few": each(_gather_peer(PEER_FEW), 1, PEER_FEW),
            "peer many": each(_gather_peer(PEER_MANY), 1, PEER_MANY),
        },
        turns=2,
    )
    growth = times.ratio("peer many", "peer few")
    return [
        Row(
            f"tool-argument delta, {MANY:,} gathered",
            microseconds,
            times["many"],
            times["peer many"],
            limits=[Limit(times.ratio("many", "few"), 1.5, f"x one of {FEW:,}")],
            note=f"langchain-core with `+`, {PEER_MANY:,} deltas, each {growth:.1f}x one of {PEER_FEW}",
        )
    ]


def gather_ours(count: int) -> Callable[[], None]:
    chunks = [
        AIMessageChunk(content="", tool_call_chunks=[ToolCallChunk(args=piece, index=0)])
        for piece in _pieces(count)
    ]

    def gather() -> None:
        whole = merge_chunks(chunks)
        assert len(whole.tool_calls[0]["args"]["items"]) == count - 1

    return gather


def _gather_peer(count: int) -> Callable[[], None]:
    chunks = [
        PeerChunk(content="", tool_call_chunks=[{"name": None, "args": piece, "id": None, "index": 0}])
        for piece in _pieces(count)
    ]

    def gather() -> None:
        whole = functools.reduce(operator.add, chunks)
        assert len(whole.tool_calls[0]["args"]["items"]) == count - 1

    return gather


def _pieces(count: int) -> list[str]:
    """The arguments of one call, a JSON text in `count` pieces."""
    return ['{"items": [', *(f"{number}, " for number in range(count - 2)), "0]}"]
