"""The rows as a table: for the terminal, for `RESULTS.md`, and as data."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import Row

_HEAD = ("what", "millstream", "langchain-core", "floor", "ratio", "budget", "met")
_METHOD = """\
Written by `python -m benchmarks` (`make bench`): do not edit. All figures are of one run, on one machine.

The chain is `prompt | model | StrOutputParser`. Its model is a class written in the benchmark as a user would
write it: `chains_millstream.py` and `chains_peer.py`, which is the same with langchain-core. The floor is
hand-written: two generators, one inside the other, that make the same chunks (`floor.py`).

* What is compared takes turns. Each of {rounds} rounds takes each figure {turns} times and keeps the best;
  shown are the medians of the rounds, and of the rounds' ratios. The garbage collector is on, and has
  collected before each measurement. The models answer at once, so that only the library's own time is seen.
* A token's time is that of a whole stream of {tokens:,} tokens, its start included, divided by their number.
  In asyncio the event loop runs already.
* `invoke` is a whole call of the chain, with a prompt of two messages.
* JSON comes in pieces of {piece} characters, about what a token holds, to a parser that stands alone. A
  piece's time is that of a whole stream divided by their number; `json_values.py` has the texts.
* A provider's wire is played by a server on this machine, in a process of its own: a prepared answer of
  {words:,} words. A chunk's time is that of a whole stream divided by their number, request and transport
  included. The peer is langchain-openai or langchain-anthropic. The floor is the SDK's own transport with
  a hand-written loop that decodes the events with msgspec (`wire_readers.py`). Events come {burst} in a chunk
  of HTTP, as a network gathers them, or each in a chunk of HTTP, sent by itself; then most of the time is
  the HTTP library's, for all. Each figure is taken once a round, and the heap of before is frozen.
* A socket's end is that of a stream that is left after its fifth chunk: from then until the server's read of
  the socket says so. The server goes on, with an event each millisecond, or is silent.
* An import is that of a fresh process, the interpreter's start not included; the median of {imports}.
* Memory is the growth of the peak of `tracemalloc` from a short stream to a long one, for each token between.
* "Nobody watching" counts Python frames entered or resumed for each token, objects made for each token on
  the way down to the model, and memory blocks kept of it; `counting.py` says how. *Bare* is the steps'
  own generators put into one another by hand, *chain* is `chain.stream`, *watched* is with a listener.
"""


def printed(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    notes = [f"  {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([shown[0], "-" * len(shown[0]), *shown[1:], "", *notes])


def markdown(rows: Sequence[Row], facts: Mapping[str, str], **method: int) -> str:
    """`RESULTS.md`; `method` are the numbers that the account of how it was done names."""
    lines = ["# Results", "", ", ".join(f"{name} {value}" for name, value in facts.items()), ""]
    lines[2] = lines[2].removeprefix("date ").replace("machine ", "", 1) + "."
    lines += [f"| {' | '.join(_HEAD)} |", "|---|" + "---:|" * 3 + "---|---|---|"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    lines += ["", *(f"* {row.what}: {row.note}." for row in rows if row.note), ""]
    lines += ["## How they were taken", "", _METHOD.format(**method)]
    return "\n".join(lines)


def data(rows: Sequence[Row], facts: Mapping[str, str]) -> dict[str, Any]:
    """The same for programs: figures in seconds, bytes or counts."""
    return {
        "facts": dict(facts),
        "rows": [
            {
                "what": row.what,
                "millstream": row.ours,
                "langchain_core": row.peer,
                "floor": row.floor,
                "beside": row.beside,
                "limits": [
                    {
                        "ratio": limit.ratio,
                        "against": limit.against.strip(),
                        "bound": limit.bound,
                        "at_least": limit.at_least,
                        "met": limit.met,
                    }
                    for limit in row.limits
                ],
                "shown": dict(zip(_HEAD, _cells(row), strict=True)),
                "note": row.note,
            }
            for row in rows
        ],
    }


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        row.unit(row.ours),
        "-" if row.peer is None else row.unit(row.peer),
        "-" if row.floor is None else row.unit(row.floor),
        ", ".join(limit.shown_ratio() for limit in row.limits) or "-",
        ", ".join(limit.shown_bound() for limit in row.limits) or "-",
        ("yes" if row.met else "NO") if row.limits else "-",
    )
