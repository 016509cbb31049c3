"""Bytes that pretend to be a stream of events, and what holds for them however they are cut.

The tests of the wire ask for it, and so does `make fuzz`: `make_case`, `check_case` and `smaller_cases` are a
section of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from millstream.errors import SseLimitError
from millstream.wire import SseEvent, SseParser
from millstream.wire.sse import MAX_EVENT_BYTES

LIMIT = "an event is too long"


class Case(NamedTuple):
    """The bytes, the places where they are cut, and how long an event may be."""

    data: bytes
    places: tuple[int, ...]
    limit: int = MAX_EVENT_BYTES


class Outcome(NamedTuple):
    """What came of a stream."""

    events: list[SseEvent]
    comments: int
    retry: int | None
    end: str


def slowly(stream: bytes, limit: int = MAX_EVENT_BYTES) -> Outcome:
    """The specification, word by word, of a whole stream (WHATWG HTML, 9.2.6)."""
    events: list[SseEvent] = []
    data = name = last_id = ""
    comments, retry, size = 0, None, 0
    *lines, rest = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for number, raw in enumerate(lines):
        size += len(raw) + 1
        if size > limit:
            return Outcome(events, comments, retry, LIMIT)
        line = raw.decode("utf-8", "replace")
        if number == 0:
            line = line.removeprefix("\ufeff")
        if line == "":
            if data:
                events.append(SseEvent(data.removesuffix("\n"), name or "message", last_id))
            data = name = ""
            size = 0
        elif line.startswith(":"):
            comments += 1
        else:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data += value + "\n"
            elif field == "event":
                name = value
            elif field == "id" and "\0" not in value:
                last_id = value
            elif field == "retry" and value and all(digit in "0123456789" for digit in value):
                retry = int(value[:9])
    if size + len(rest) > limit:
        return Outcome(events, comments, retry, LIMIT)
    return Outcome(events, comments, retry, "broken off" if data or name or rest else "whole")


def parsed(pieces: Iterable[bytes], limit: int = MAX_EVENT_BYTES) -> Outcome:
    """What the parser makes of the pieces. It holds no more than an event's bytes at any time."""
    parser = SseParser(max_event_bytes=limit)
    events: list[SseEvent] = []
    try:
        for piece in pieces:
            events += parser.feed(piece)
            held = sum(map(len, (*parser._parts, *parser._data, parser._event)))
            assert held <= limit, "more is held than one event may have"
        end = "broken off" if parser.finish() else "whole"
    except SseLimitError:
        end = LIMIT
    return Outcome(events, parser.comments, parser.retry, end)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """The data in pieces; two equal places make an empty one."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in pairwise([0, *ends, len(data)])]


_NAMES = [b"data", b"data", b"data", b"event", b"id", b"retry", b"Data", b"x", b"", b" data"]
_COLONS = [b":", b": ", b":", b": ", b"", b" :", b":  ", b"::"]
_VALUES = [
    b"",
    b"a",
    b"x: y",
    b"12",
    b"0012345678901",
    b"1s",
    b"\0",
    b"\xc3\xa9",
    b"\xe6\x97",
    b"\xff",
    b"[DONE]",
]
_VALUES += ["\u0663\u2028\x85".encode(), b"\xef\xbb\xbf", b"\x0b\x0c\x1c", b"longer than the others"]
_ENDS = [b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r", b""]


def make_case(random: Random) -> Case:
    """Lines as a server sends them, or may; or bytes of any kind."""
    if random.random() < 0.15:
        data = bytes(random.choice(b"data: \r\n\xef\xbb\xbf\xff\0xid") for _ in range(random.randrange(40)))
    else:
        data = b"\xef\xbb\xbf" * random.choice([0, 0, 0, 0, 1, 2])
        for _ in range(random.randrange(16)):
            parts = (random.choice(_NAMES), random.choice(_COLONS), random.choice(_VALUES))
            data += b"".join(parts) + random.choice(_ENDS)
    limit = MAX_EVENT_BYTES if random.random() < 0.6 else random.randrange(1, 60)
    return Case(data, make_places(random, len(data)), limit)


def make_places(random: Random, length: int) -> tuple[int, ...]:
    """A few places in so many bytes."""
    return tuple(random.randrange(length + 1) for _ in range(random.choice([1, 1, 2, 5, 20])))


def check_case(case: Case) -> None:
    """In these pieces, whole and byte by byte it says what the specification says."""
    data, places, limit = case
    expected = slowly(data, limit)
    assert parsed([data], limit) == expected, "whole"
    assert parsed(cut(data, places), limit) == expected, "in these pieces"
    assert parsed(cut(data, range(len(data))), limit) == expected, "byte by byte"


def smaller_cases(case: Any) -> Iterator[Any]:
    """Cases with a part of the data, a cut or another wish left out, the larger parts first.

    For any named tuple whose first two fields are a text or bytes, and the places of its cuts.
    """
    data, places, *_ = case
    name = case._fields[0]
    for other, default in case._field_defaults.items():
        if getattr(case, other) != default:
            yield case._replace(**{other: default})
    for place in places:
        yield case._replace(places=tuple(other for other in places if other != place))
    size = len(data)
    while size:
        for at in range(0, len(data), size):
            fewer = tuple(place - size * (place > at) for place in places if place - size >= 0 or place <= at)
            yield case._replace(**{name: data[:at] + data[at + size :]}, places=fewer)
        size //= 2
