"""Streams of providers that were damaged, and what holds for them however they are cut.

A case is one of the hand-written streams of the tests with bytes flipped, lines left out or doubled, and
values of its JSON replaced by others. Whatever it says then, the parsers give chunks, or an error of the
library's. `make fuzz` makes, checks and shrinks them.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from millstream.errors import MillstreamError
from millstream.messages import HumanMessage
from millstream.messages.merge import gather_message
from millstream.providers.anthropic import stream as anthropic_stream
from millstream.providers.anthropic.request import messages_request
from millstream.providers.anthropic.stream import MessageStream, parse_message
from millstream.providers.openai import stream as openai_stream
from millstream.providers.openai.request import OPENAI, chat_body
from millstream.providers.openai.stream import ChatStream, CompletionStream, parse_chat, parse_completion
from millstream.wire.sse import MAX_EVENT_BYTES
from tests.providers.anthropic import anthropic_wire
from tests.providers.openai import openai_wires
from tests.wire.sse_cases import cut, make_places

#: What a stream may hold, in characters, while it is looked at how much it holds; and in bytes, with what
#: Python puts around a few characters each.
HELD = 300
HELD_BYTES = 22_000


class Case(NamedTuple):
    """The bytes, and the places where they are cut."""

    data: bytes
    places: tuple[int, ...]
    limit: int = MAX_EVENT_BYTES
    """How long an event may be."""
    n: int = 1
    """How many answers are read."""
    step: int = 0
    """Also cut at each so-manieth byte; at none if this is 0."""
    times: int = 0
    """How often the bytes are read in a row, to see what is held of them."""


# --- making ------------------------------------------------------------------------------------------------

_ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**63,
    10**30,
    0.5,
    1e400,
    "",
    "0",
    "a",
    "stop",
    "error",
    "\ud83d",
]
_ODD += [[], {}, [None], [[]], [{}], {"a": 1}, {"text": "x"}, {"type": "text", "text": "x"}, "x" * 300]
_ODD += [{"error": {"message": "m", "code": "429"}}, ["a", 1], [{"index": 0}], "[DONE]", "\0", " 1", "{", "-"]
_JUNK = [
    b": ping",
    b"event: error",
    b"data:",
    b"data: [DONE]",
    b"data: null",
    b"data: {}",
    b"data: []",
    b"\xff",
    b"",
]
_JUNK += [
    b"event: ping",
    b"event: message_stop",
    b"data: {",
    b"id: 1",
    b"data: 1e999",
    b"retry: 1",
    b"data: " + b"[" * 5000,
]


def _replaced(random: Random, value: Any) -> Any:
    """The value with one of its parts replaced by something odd, left out, or under another's name."""
    if not isinstance(value, (dict, list)) or not value or random.random() < 0.15:
        return _deep(random) if random.random() < 0.02 else random.choice(_ODD)
    if isinstance(value, list):
        at = random.randrange(len(value))
        return [*value[:at], _replaced(random, value[at]), *value[at + random.choice([0, 1, 1, 1]) :]]
    name = random.choice(list(value))
    if random.random() < 0.15:
        return {each: held for each, held in value.items() if each != name}
    other = random.choice(list(value)) if random.random() < 0.1 else name
    return {**value, other: _replaced(random, value[name])}


def _deep(random: Random) -> Any:
    value: Any = 0
    for _ in range(random.choice([5, 50, 300])):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def _with_odd_value(random: Random, lines: list[bytes]) -> None:
    at = random.choice([place for place, line in enumerate(lines) if line.startswith(b"data: {")] or [None])
    if at is not None:
        with suppress(ValueError):
            value = _replaced(random, json.loads(lines[at][6:]))
            text = json.dumps(value, ensure_ascii=random.random() < 0.5)
            lines[at] = b"data: " + text.encode("utf-8", "surrogatepass")


def _with_a_line_less(random: Random, lines: list[bytes]) -> None:
    del lines[random.randrange(len(lines))]


def _with_a_line_doubled(random: Random, lines: list[bytes]) -> None:
    lines.insert(random.randrange(len(lines)), random.choice(lines))


def _with_junk(random: Random, lines: list[bytes]) -> None:
    lines.insert(random.randrange(len(lines)), random.choice(_JUNK))


def _with_events_swapped(random: Random, lines: list[bytes]) -> None:
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _with_bytes_flipped(random: Random, lines: list[bytes]) -> None:
    at = random.randrange(len(lines))
    line = bytearray(lines[at] or b"\n")
    line[random.randrange(len(line))] ^= 1 << random.randrange(8)
    lines[at] = bytes(line)


_DAMAGES: list[Callable[[Random, list[bytes]], None]] = [
    *[_with_odd_value] * 4,
    _with_a_line_less,
    _with_a_line_doubled,
    _with_junk,
    _with_events_swapped,
    _with_bytes_flipped,
]


def _make(random: Random, wires: Sequence[bytes]) -> Case:
    lines = random.choice(wires).split(b"\n")
    if random.random() < 0.1:
        lines += random.choice(wires).split(b"\n")
    for _ in range(random.choice([0, 1, 1, 2, 3, 6])):
        if lines:
            random.choice(_DAMAGES)(random, lines)
    data = random.choice([b"\n", b"\n", b"\n", b"\r\n", b"\r"]).join(lines)
    if random.random() < 0.15:
        data = data[: random.randrange(len(data) + 1)]
    limit = MAX_EVENT_BYTES if random.random() < 0.8 else random.randrange(1, 600)
    step, times = random.choice([*[0] * 6, 1, 2, 5, 50]), random.choice([*[0] * 9, 300])
    return Case(data, make_places(random, len(data)), limit, random.choice([1, 1, 2]), step, times)


def make_openai(random: Random) -> Case:
    """A stream of a chat's or a completion's, damaged."""
    return _make(random, _OPENAI)


def make_anthropic(random: Random) -> Case:
    """A stream of a message's, damaged."""
    return _make(random, _ANTHROPIC)


_TEXTS = openai_wires.wire(
    {
        "id": "cmpl-1",
        "model": "m",
        "choices": [{"index": 0, "text": "Once", "logprobs": {"tokens": ["Once"]}}],
    },
    {"id": "cmpl-1", "model": "m", "choices": [{"index": 0, "text": "\u65e5", "finish_reason": "stop"}]},
    openai_wires.cost(3, 2),
)
_OPENAI = [*openai_wires.ALL.values(), _TEXTS]
_ANTHROPIC = [getattr(anthropic_wire, name) for name in ("TEXT", "MIXED", "LATE_STOPS", "SEARCHED", "BROKEN")]


# --- checking ----------------------------------------------------------------------------------------------


def check_openai(case: Case) -> None:
    """Chunks or a named error, as chat and as completion, the same however they are cut."""
    chat = _check(case, lambda limit: ChatStream(n=case.n, max_event_bytes=limit))
    chunks = [chunk for chunk in chat if not chunk.response_metadata.get("choice_index")]
    if chunks:
        with suppress(MillstreamError):
            chat_body([HumanMessage("a"), gather_message(chunks)], {}, model="m", stream=True, dialect=OPENAI)
    _check(case, lambda limit: CompletionStream(n=case.n, max_event_bytes=limit))
    _check_whole(case, parse_chat, parse_completion)


def check_anthropic(case: Case) -> None:
    """Chunks or a named error, the same however they are cut, that can be sent back."""
    blocks = case.n == 2
    chunks = _check(case, lambda limit: MessageStream(blocks=blocks, max_event_bytes=limit))
    if chunks:
        with suppress(MillstreamError):
            messages_request([HumanMessage("a"), gather_message(chunks)], {"model": "m"})
    _check_whole(case, parse_message)


def _check(case: Case, make: Callable[[int], Any]) -> list[Any]:
    """The items of the whole stream."""
    items, said = _read(make(case.limit), [case.data])
    places = [*case.places, *(range(0, len(case.data), case.step) if case.step else ())]
    assert repr(_read(make(case.limit), cut(case.data, places))) == repr((items, said)), "in these pieces"
    if case.times:
        limit = len(case.data) + 1
        # An event that does not end is held up to the limit.
        most = 2 * _held(make(limit), case.data, 1) + 10 * limit + HELD_BYTES
        assert _held(make(limit), case.data, case.times) <= most, "more is held than may be"
    return items


def _read(stream: Any, pieces: Iterable[bytes]) -> tuple[list[Any], str]:
    """The items, and the error behind them in words."""
    found: list[Any] = []
    try:
        for piece in pieces:
            found += stream.feed(piece)
        found += stream.finish()
    except MillstreamError as error:
        return found, f"{type(error).__name__}: {error}"
    return found, ""


def _held(stream: Any, data: bytes, times: int) -> int:
    """How many bytes a stream holds that has read the data so often, as if its end were none."""
    with (
        patch.object(anthropic_stream, "MAX_HELD", HELD),
        patch.object(openai_stream, "MAX_HELD", HELD),
        suppress(MillstreamError),
    ):
        for _ in range(times):
            stream.feed(data)
            stream.ended = False
    return _size(vars(stream))


def _size(value: Any, seen: set[int] | None = None) -> int:
    """The bytes of a value and of all that it holds."""
    seen = set() if seen is None else seen
    if id(value) in seen or callable(value) or isinstance(value, (type, Exception)):
        return 0
    seen.add(id(value))
    inner: list[Any] = list(value) if isinstance(value, (list, tuple, set)) else []
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    inner += vars(value).values() if hasattr(value, "__dict__") else ()
    return sys.getsizeof(value) + sum(_size(each, seen) for each in inner)


def _check_whole(case: Case, *parsers: Callable[[bytes], Any]) -> None:
    """An answer that is not streamed: what stands in an event, taken for one."""
    for line in case.data.splitlines():
        if line.startswith(b"data: "):
            for parse in parsers:
                with suppress(MillstreamError):
                    parse(
                        line[6:].replace(b'"delta"', b'"message"').replace(b'"content_block"', b'"content"')
                    )
