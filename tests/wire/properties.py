"""What holds for any JSON text in any pieces. The tests of the wire ask for it, and so does `make fuzz`."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from millstream.errors import JsonError, JsonLimitError
from millstream.wire import JsonEvent, JsonScanner, JsonSnapshots, Repair

NOTHING = "nothing was told"


class Fault(NamedTuple):
    kind: type[JsonError]
    path: tuple[str | int, ...]
    position: int
    truncated: bool


class Outcome(NamedTuple):
    """What came of a text, however it was cut."""

    told: list[Any]
    """The events, with those of one text or number made into one."""
    value: Any
    """The last snapshot."""
    fault: Fault | None
    repairs: list[Repair]


class Item(NamedTuple):
    """What a stream would yield, and how it looked at that moment."""

    value: Any
    seen: str


def cut(text: str, places: Iterable[int]) -> list[str]:
    """The text in pieces; two equal places make an empty one."""
    ends = sorted(place % (len(text) + 1) for place in places)
    return [text[start:end] for start, end in pairwise([0, *ends, len(text)])]


def read(pieces: Iterable[str], **options: Any) -> tuple[list[JsonEvent], list[Item], Outcome]:
    """All events, all snapshots, and what came of it."""
    scanner, snapshots = JsonScanner(**options), JsonSnapshots()
    events: list[JsonEvent] = []
    items: list[Item] = []
    fault = None

    def take(new: list[JsonEvent], last: bool = False) -> None:
        events.extend(new)
        if snapshots.take(new, last=last):
            value = snapshots.value()
            items.append(Item(value, repr(value)))

    try:
        for piece in pieces:
            take(scanner.feed(piece))
        take(scanner.finish(), last=True)
    except JsonError as error:
        take(scanner.events, last=True)
        fault = Fault(type(error), error.path, error.position, error.truncated)
    return events, items, Outcome(_merged(events), repr(snapshots.value()), fault, scanner.repairs)


def outcome(pieces: Iterable[str], **options: Any) -> Outcome:
    return read(pieces, **options)[2]


def value_of(text: str, **options: Any) -> Any:
    """The value of a whole text."""
    scanner = JsonScanner(**options)
    return rebuild([*scanner.feed(text), *scanner.finish()])


def rebuild(events: Iterable[JsonEvent]) -> Any:
    """The value, made as the docstring of `JsonEvent` says and from nothing else."""
    whole: list[Any] = [NOTHING]
    for event in events:
        value = event.value
        if isinstance(value, dict | list) and not event.complete:
            value = value.copy()  # a place of our own to fill
        place: Any = whole
        key: Any = 0
        for step in event.path:
            place, key = place[key], step
        if event.complete or value is not None:
            if isinstance(place, list) and key == len(place):
                place.append(value)
            else:
                place[key] = value
        else:
            place[key] += event.delta
    return whole[0]


def _merged(events: Sequence[JsonEvent]) -> list[Any]:
    merged: list[Any] = []
    for event in events:
        is_text = event.delta is not None
        part = event.delta if is_text else repr(event.value)
        if merged and merged[-1][0] == event.path and not merged[-1][3]:
            path, was_text, before, _ = merged[-1]
            if was_text and is_text:
                merged[-1] = (path, True, before + part, event.complete)
                continue
            if not was_text and not is_text and type(event.value) in (int, float):
                merged[-1] = (path, False, part, event.complete)
                continue
        merged.append((event.path, is_text, part, event.complete))
    return merged


def grows(before: Any, after: Any) -> bool:
    """Whether one snapshot may follow another: texts, lists and dicts only become longer, at their end.

    A number may become any other number, as its digits come one by one.
    """
    if isinstance(before, str):
        return isinstance(after, str) and after.startswith(before)
    if isinstance(before, list):
        return isinstance(after, list) and _grow(list(enumerate(before)), list(enumerate(after)))
    if isinstance(before, dict):
        return isinstance(after, dict) and _grow(list(before.items()), list(after.items()))
    if type(before) in (int, float):
        return type(after) in (int, float)
    return before is after


def _grow(before: list[tuple[Any, Any]], after: list[tuple[Any, Any]]) -> bool:
    if not before:
        return True
    *done, (last_key, last) = before
    if len(after) < len(before) or after[len(done)][0] != last_key:
        return False
    # What is finished is the same in all snapshots that hold it.
    same = all(a == b and (c is d or repr(c) == repr(d)) for (a, c), (b, d) in zip(done, after, strict=False))
    return same and grows(last, after[len(done)][1])


# --- properties -----------------------------------------------------------------------------------------


def check_valid(text: str, pieces: Sequence[str], *, unique_keys: bool = True, **options: Any) -> None:
    """A whole JSON text, in pieces: the last value is that of `json.loads`, and all items lead to it."""
    expected = json.loads(text, strict=False)
    events, items, (_, last, fault, repairs) = read(pieces, **options)
    assert fault is None
    assert repairs == []
    assert last == items[-1].seen == repr(expected), "the last value"
    assert repr(rebuild(events)) == repr(expected), "what the events rebuild"
    assert (events[-1].path, events[-1].complete) == ((), True), "the last event"
    check_items(items, unique_keys=unique_keys)


def check_items(items: Sequence[Item], *, unique_keys: bool = True) -> None:
    """No snapshot changes after it was yielded, and each grows from the one before."""
    for value, seen in items:
        assert repr(value) == seen, "an item that was yielded has changed"
    # A key that is given twice begins anew, and may do so with what it held.
    for before, after in pairwise(items) if unique_keys else ():
        assert grows(before.value, after.value), f"{before.seen} became {after.seen}"
        assert before.seen != after.seen, f"{after.seen} was yielded twice"


def check_any(text: str, pieces: Sequence[str], **options: Any) -> None:
    """Any text, JSON or not: what comes of it does not depend on the cutting."""
    whole = outcome([text], **options)
    assert outcome(pieces, **options) == whole, "in these pieces"
    assert outcome(list(text), **options) == whole, "character by character"
    if whole.fault is None or whole.told:
        events = read(pieces, **options)[0]
        assert repr(rebuild(events)) == whole.value, "what the events rebuild"


def check_strict(text: str) -> None:
    """Without prose, what `json.loads` reads is read, and nothing else."""
    try:
        expected: Any = json.loads(text, strict=False, parse_constant=_refuse)
    except (ValueError, RecursionError):
        expected = NOTHING
    if text.startswith("\ufeff"):  # `json.loads` wants it gone; RFC 8259, section 8.1, lets it pass
        return
    for repair in (False, True):
        last, fault, repairs = outcome([text], prose=False, repair=repair)[1:]
        if fault is not None and fault.kind is JsonLimitError:
            return
        if expected is not NOTHING:
            assert fault is None, "json.loads reads it"
            assert (last, repairs) == (repr(expected), []), f"read with repair={repair}"
        elif not repair:
            assert fault is not None, "json.loads refuses it"


def _refuse(word: str) -> Any:
    raise ValueError(word)
