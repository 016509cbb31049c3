"""Server-sent events: the specification's own examples, every way of cutting, and any bytes at all."""

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream import ConfigError, SseEvent, SseLimitError, SseParser
from tests.wire.sse_cases import Case, check_case, slowly


def parse(*pieces: bytes, **options: Any) -> list[SseEvent]:
    parser = SseParser(**options)
    return [event for piece in pieces for event in parser.feed(piece)]


CASES: list[tuple[bytes, list[SseEvent]]] = [
    (b"", []),
    (b"data: a\n\n", [SseEvent("a")]),
    (b"data: a\n", []),
    (b"data: a", []),
    (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", [SseEvent("a"), SseEvent("b")]),
    (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [SseEvent("a")]),
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [SseEvent("YHOO\n+2\n10")]),
    (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [SseEvent("first event", id="1"), SseEvent("second event"), SseEvent(" third event")],
    ),
    (b"data\n\ndata\ndata\n\ndata:", [SseEvent(""), SseEvent("\n")]),
    (b"data:test\n\ndata: test\n\n", [SseEvent("test"), SseEvent("test")]),
    (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
        [SseEvent("73857293", "add"), SseEvent("2153", "remove")],
    ),
    (b"event: lost\n\ndata: a\n\n", [SseEvent("a")]),
    (b"data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", [SseEvent("a"), SseEvent("b"), SseEvent("c")]),
    (
        b"id: 1\n\ndata: a\n\nid: 2\0\ndata: b\n\nid:\ndata: c\n\n",
        [SseEvent("a", id="1"), SseEvent("b", id="1"), SseEvent("c")],
    ),
    ("data: \u65e5\u672c \U0001f600\n\n".encode(), [SseEvent("\u65e5\u672c \U0001f600")]),
    (b"data: \xff\n\n", [SseEvent("\ufffd")]),
    (b"Data: a\n data: b\nfoo: c\nfoo\n:\n: data: x\ndata: d\n\n", [SseEvent("d")]),
    (b"data: [DONE]\n\n", [SseEvent("[DONE]")]),
    (b"data: a\x0bb\x0c\xc2\x85c\xe2\x80\xa8d\n\n", [SseEvent("a\x0bb\x0c\x85c\u2028d")]),
]


@pytest.mark.parametrize(("stream", "events"), CASES, ids=lambda value: repr(value)[:30])
def test_a_stream_cut_anywhere(stream: bytes, events: list[SseEvent]) -> None:
    assert parse(stream) == slowly(stream).events == events
    assert parse(*(bytes([byte]) for byte in stream)) == events
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert parse(stream[:first], stream[first:second], stream[second:]) == events


_LINES = st.sampled_from(
    [
        b"data: a",
        b"data:",
        b"data",
        b"event: x",
        b"event",
        b"id: 7",
        b"id",
        b"id: \0",
        b": c",
        b":",
        b"retry: 5",
        *[b""] * 3,
        b"x: y",
        b"data: \xe6\x97",
        b"data: \xe6\x97\xa5",
        b"\xef\xbb\xbfdata: z",
        b" data: q",
    ]
)
_STREAMS = st.lists(st.tuples(_LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=20).map(
    lambda lines: b"".join(part for line in lines for part in line)
) | st.binary(max_size=60)


@given(stream=_STREAMS, places=st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_in_any_pieces(stream: bytes, places: list[int]) -> None:
    cuts = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(cuts)]
    assert parse(*pieces) == slowly(stream).events


def test_an_event_is_given_as_soon_as_its_empty_line_is_there() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\r\r") == [SseEvent("a")]
    assert parser.feed(b"\n") == []
    assert parser.feed(b"data: b\n\n") == [SseEvent("b")]


def test_comments_are_counted_and_the_rest_is_known() -> None:
    parser = SseParser()
    parser.feed(b": OPENROUTER PROCESSING\n\n: ping\n\nretry: 1500\nid: 9\n\nretry: 1s\n")
    assert (parser.comments, parser.retry, parser.last_id) == (2, 1500, "9")
    assert not SseParser().finish()


@pytest.mark.parametrize(
    ("stream", "broke_off"),
    [
        (b"data: a\n\n", False),
        (b"data: a\n", True),
        (b"data: a", True),
        (b": ping\n", False),
        (b"id: 3\n", False),
    ],
)
def test_a_stream_that_breaks_off_inside_of_an_event_says_so(stream: bytes, broke_off: bool) -> None:
    parser = SseParser()
    parser.feed(stream)
    assert parser.finish() is broke_off


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 200, b"data: x\n" * 50, b": c\n" * 60, b"\xff" * 200])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_without_an_end_is_an_error(endless: bytes, size: int) -> None:
    parser = SseParser(max_event_bytes=100)
    stream = b"data: before\n\n" + endless
    given: list[SseEvent] = []
    with pytest.raises(SseLimitError, match="more than 100 bytes"):
        for start in range(0, len(stream), size):
            given += parser.feed(stream[start : start + size])
        parser.finish()
    assert given == [SseEvent("before")]
    for _ in range(2):
        with pytest.raises(SseLimitError):
            parser.feed(b"\n\n")


@pytest.mark.parametrize("limit", range(1, 24))
def test_a_limit_does_not_depend_on_the_cutting(limit: int) -> None:
    # The two bytes of an end of a line may come apart.
    data = b"data: a\r\ndata: b\r\n\r\ndata: c\r\r: d\n"
    for place in range(len(data) + 1):
        check_case(Case(data, (place,), limit))


def test_many_small_events_are_no_large_one() -> None:
    assert len(parse(b"data: x\n\n" * 1000, max_event_bytes=20)) == 1000


@pytest.mark.parametrize("limit", [0, -1, 1.5, "1", True])
def test_a_limit_that_is_none(limit: Any) -> None:
    with pytest.raises(ConfigError, match="max_event_bytes"):
        SseParser(max_event_bytes=limit)


def test_a_long_line_in_small_pieces_costs_its_length() -> None:
    def seconds(length: int) -> float:
        parser = SseParser()
        began = time.perf_counter()
        parser.feed(b"data: ")
        for _ in range(length):
            parser.feed(b"0123456789")
        assert len(parser.feed(b"\n\n")[0].data) == 10 * length
        return time.perf_counter() - began

    few = min(seconds(5_000) for _ in range(3))
    assert min(seconds(50_000) for _ in range(3)) < 100 * few
