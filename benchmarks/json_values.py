"""What a piece of JSON costs a parser: whether it costs more in a long answer, and the same beside the peer.

Each answer is cut into pieces of four characters, about what a token holds, and goes through the parser as a
step that stands alone: `JsonOutputParser().transform(pieces)`, read to its end. A piece's time is that of the
whole stream, its start included, divided by the number of pieces.
"""

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

# No tracer of its own may take part, whatever the environment says.
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")

from langchain_core.output_parsers import JsonOutputParser as PeerParser

from benchmarks.measure import Sample, each, interleaved
from benchmarks.rows import Limit, Row, microseconds, number, times_below
from millstream import JsonOutputParser

SIZES = {"5 KB": 5_000, "100 KB": 100_000, "1 MB": 1_000_000}
# The peer reads all of it anew for each piece: at 100 KB one stream would take it minutes.
BESIDE = 20_000
WIDE = 26_000
WIDTH = 100
PIECE = 4


class City(msgspec.Struct):
    """A record of the answers, as a target."""

    id: int
    name: str
    inhabitants: int
    area: float
    coast: bool
    rivers: list[str]


class Cities(msgspec.Struct):
    cities: list[City]


def rows() -> list[Row]:
    return [path_events(), snapshots(), *beside_the_peer(), wide(), typed()]


def path_events() -> Row:
    samples = {
        name: sample(JsonOutputParser(events=True), flat_records(size)) for name, size in SIZES.items()
    }
    return _flat("JSON, path events, a piece at 1 MB", samples)


def snapshots() -> Row:
    samples = {name: sample(JsonOutputParser(), tree_of_records(size)) for name, size in SIZES.items()}
    return _flat(f"JSON, snapshots, all up to {WIDTH} wide, a piece at 1 MB", samples)


def _flat(what: str, samples: dict[str, Sample]) -> Row:
    times = interleaved(samples, turns=2)
    return Row(
        what,
        microseconds,
        times["1 MB"],
        limits=[Limit(times.ratio("1 MB", "5 KB"), 1.5, "x one at 5 KB")],
        note=", ".join(f"{name}: {microseconds(times[name])}" for name in samples),
    )


def beside_the_peer() -> Iterator[Row]:
    text = flat_records(BESIDE)
    ours = interleaved(
        {"values": sample(JsonOutputParser(), text), "patches": sample(JsonOutputParser(diff=True), text)}
    )
    # One stream each: it takes seconds.
    peer = {"values": sample(PeerParser(), text)(), "patches": sample(PeerParser(diff=True), text)()}
    yield Row(
        f"JSON, snapshots, a piece at {BESIDE // 1000} KB",
        microseconds,
        ours["values"],
        peer["values"],
        limits=[times_below(peer["values"] / ours["values"], 100)],
        note="langchain-core: one stream",
    )
    yield Row(
        f"JSON, patches (`diff=True`), a piece at {BESIDE // 1000} KB",
        microseconds,
        ours["patches"],
        peer["patches"],
        note=f"{number(peer['patches'] / ours['patches'])}x below; no budget of its own",
    )


def wide() -> Row:
    text = json.dumps([1000 + item % 9000 for item in range(WIDE)])
    kinds = {"values": {}, "patches": {"diff": True}, "events": {"events": True}}
    samples = {name: sample(JsonOutputParser(**options), text) for name, options in kinds.items()}
    times = interleaved(samples, rounds=3, turns=1)
    return Row(
        f"JSON, snapshots, a list of {WIDE:,} numbers, a piece",
        microseconds,
        times["values"],
        note=f"`diff=True`: {microseconds(times['patches'])}, path events: {microseconds(times['events'])}; "
        "the mean of a stream, from an empty list to the whole one",
    )


def typed() -> Row:
    text = flat_records(BESIDE)
    times = interleaved({"typed": sample(JsonOutputParser(target=Cities), text)})
    return Row(f"JSON, objects of a struct, a piece at {BESIDE // 1000} KB", microseconds, times["typed"])


def sample(parser: Any, text: str) -> Sample:
    """Times a stream of the text through a parser of either library."""
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    return each(lambda: _read(parser.transform(iter(pieces))), max(1, 5000 // len(pieces)), len(pieces))


def flat_records(size: int) -> str:
    """An object that holds one list of records, of about `size` characters."""
    return '{"cities": [' + ", ".join(_until(_records(), size)) + "]}"


def tree_of_records(size: int) -> str:
    """Records in lists of lists, none of them longer than `WIDTH`."""
    lists = list(_until(_records(), size))
    while len(lists) > 1:
        lists = [f"[{', '.join(group)}]" for group in _groups(lists)]
    return lists[0]


def _records() -> Iterator[str]:
    for index in itertools.count():
        yield json.dumps(
            {
                "id": index,
                "name": f"City of the {index % 90 + 10}th bend",
                "inhabitants": 100_000 + index * 7919 % 899_999,
                "area": 100.5 + index % 400,
                "coast": index % 3 == 0,
                "rivers": ["Elbe", 'the "little" one'],
            }
        )


def _until(parts: Iterator[str], size: int) -> Iterator[str]:
    length = 0
    while length < size:
        part = next(parts)
        length += len(part) + 2
        yield part


def _groups(parts: list[str]) -> Iterator[list[str]]:
    return (parts[at : at + WIDTH] for at in range(0, len(parts), WIDTH))


def _read(stream: Iterable[Any]) -> None:
    for _ in stream:
        pass
