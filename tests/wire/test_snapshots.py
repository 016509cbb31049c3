import json
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.wire import JsonEvent, JsonScanner, JsonSnapshots
from millstream.wire.snapshots import ABSENT, LONG_TEXT
from tests.wire.properties import check_items, cut, grows, read, rebuild
from tests.wire.strategies import documents, duplicated, places


def items_of(pieces, **options):
    return [item.value for item in read(pieces, **options)[1]]


@pytest.mark.parametrize(
    ("pieces", "items"),
    [
        # A text appears as far as it has come, a number as far as it is one, a key with its value.
        (['{"a', '": ', '"', "x", 'y"', "}"], [{}, {"a": ""}, {"a": "x"}, {"a": "xy"}]),
        (["[-", "1", ".", "5", "0", "]"], [[], [-1], [-1.5]]),
        (["[1", "e", "2", "]"], [[1], [100.0]]),
        (["[tr", "ue", ", nul", "l]"], [[], [True], [True, None]]),
        (['{"a": [', "{", "}", ", {"], [{"a": []}, {"a": [{}]}, {"a": [{}, {}]}]),
        (['["\\ud83d', "\\ude00", '"]'], [[""], ["😀"]]),
        (['["\\ud83d', 'x"]'], [[""], ["\ud83dx"]]),
        (["[]"], [[]]),
        (["", "[", "", "]", ""], [[]]),
        (['"a', 'b"'], ["ab"]),
        (["n", "ull"], [None]),
        (["4", "2"], [42]),
        (["x"], []),
    ],
)
def test_what_a_stream_shows(pieces, items):
    assert items_of(pieces) == items


@given(text=documents, places=places)
@settings(max_examples=150, deadline=None)
def test_items_grow_and_never_change(text, places):
    for pieces in (list(text), cut(text, places)):
        items = read(pieces)[1]
        check_items(items)
        assert repr(items[-1].value) == repr(json.loads(text))


@given(text=duplicated, places=places)
@settings(max_examples=100, deadline=None)
def test_items_with_duplicate_keys_never_change(text, places):
    for pieces in (list(text), cut(text, places)):
        check_items(read(pieces)[1], unique_keys=False)


@given(text=documents, places=places)
@settings(max_examples=100, deadline=None)
def test_the_value_may_be_asked_for_at_any_time(text, places):
    # Whoever asks seldom, or twice, sees the same.
    scanner, seldom, often = JsonScanner(), JsonSnapshots(), JsonSnapshots()
    events = []
    for number, piece in enumerate(cut(text, places)):
        new = scanner.feed(piece)
        events += new
        assert seldom.take(new) >= often.take(new)
        assert repr(often.value()) == repr(often.value())
        if number % 3 == 0:
            assert repr(seldom.value()) == repr(often.value())
        if scanner.complete or (events and not events[0].path):
            assert repr(rebuild(events)) == repr(often.value())


def test_what_grows():
    for before, after in [("a", "ab"), ([1], [12.5, 2]), ({"a": "x"}, {"a": "xy", "b": 1}), ([[]], [[{}]])]:
        assert grows(before, after)
    for before, after in [
        ("a", "b"),
        ([1, 2], [1]),
        ({"a": 1}, {"b": 1}),
        (["a", "b"], ["ab", "b"]),
        ({}, []),
    ]:
        assert not grows(before, after)


def test_finished_values_are_shared():
    first, second, third = items_of(['[{"a": [1]}, {"b"', ": [2", ", 3]"])
    assert first[0] is second[0] is third[0]
    assert first is not second
    assert second[1] is not third[1]
    assert second[1]["b"] is not third[1]["b"]


def test_items_are_the_readers_own():
    scanner, snapshots = JsonScanner(), JsonSnapshots()
    snapshots.take(scanner.feed('{"a": [1, "x'))
    snapshots.value()["a"].clear()
    snapshots.value().clear()
    snapshots.take(scanner.feed('y"]'))
    assert snapshots.value() == {"a": [1, "xy"]}


def test_events_may_come_from_elsewhere():
    snapshots = JsonSnapshots()
    assert snapshots.value() is None
    assert not snapshots.take([])
    assert snapshots.take(event for event in [JsonEvent((), None, []), JsonEvent((0,), "a", "a")])
    assert snapshots.value() == ["a"]
    assert not snapshots.take([JsonEvent((0,), "", "a", True)])
    assert not snapshots.take([JsonEvent((), None, ["a"], True)])
    assert snapshots.value() == ["a"]


# --- long texts -----------------------------------------------------------------------------------------


def test_a_long_text_is_shown_when_it_has_grown_by_a_32nd():
    size, step = 160_000, 100
    items = items_of(["[", '"'] + ["x" * step] * (size // step) + ['"', "]"])
    lengths = [len(item[0]) for item in items if item]
    assert lengths[-1] == size
    for before, after in pairwise(lengths[:-1]):
        assert (
            after == before + step
            if before < LONG_TEXT
            else before / 32 <= after - before <= before / 32 + step
        )
    assert sum(lengths) < 40 * size + LONG_TEXT**2 / step


def test_nothing_of_a_long_text_is_held_back_at_the_end():
    text = "x" * (LONG_TEXT + 5000)
    for end in ("", "\\q", '"}'):
        pieces = ['{"a": "', text, "ab", "cd", "é" + end]
        assert items_of(pieces)[-1] == {"a": text + "abcdé"}
        assert items_of([*pieces[:-1], "é", end])[-1] == {"a": text + "abcdé"}


@given(
    lengths=st.lists(st.integers(0, 3000), max_size=40),
    first=st.sampled_from([0, LONG_TEXT - 50, LONG_TEXT, 2 * LONG_TEXT]),
)
@settings(max_examples=30, deadline=None)
def test_long_texts_grow(lengths, first):
    pieces = ['["', "x" * first, *(str(at % 10) * length for at, length in enumerate(lengths)), '", 5]']
    items = read(pieces)[1]
    check_items(items)
    assert items[-1].value == json.loads("".join(pieces))


def seconds(pieces, ask=True):
    def once():
        scanner, snapshots = JsonScanner(), JsonSnapshots()
        began = time.thread_time()
        for piece in pieces:
            if snapshots.take(scanner.feed(piece)) and ask:
                snapshots.value()
        return time.thread_time() - began

    return min(once() for _ in range(2))


def test_ten_times_the_text_takes_about_ten_times_as_long():
    def pieces(length):
        return ['{"a": "', *["abcd"] * (length // 4), '"}']

    assert seconds(pieces(1_000_000)) < 30 * seconds(pieces(100_000))


def test_records_take_the_same_time_however_long_they_are():
    # What is finished costs nothing: objects of ten texts each, in pieces of four characters.
    def pieces(records):
        record = json.dumps({f"key{number}": "some text here" for number in range(10)})
        text = (
            '{"a": ' + ", ".join([record] * 1) + "".join(f', "b{n}": {record}' for n in range(records)) + "}"
        )
        return [text[at : at + 4] for at in range(0, len(text), 4)]

    # Ten times the records in an object of up to a hundred cost more for its width, but not ten times more.
    assert seconds(pieces(100)) < 40 * seconds(pieces(10))


@given(text=documents, places=places)
@settings(max_examples=60, deadline=None)
def test_what_stands_at_a_path_is_what_the_value_shows_there(text, places):
    scanner, snapshots = JsonScanner(), JsonSnapshots()
    paths = {()}
    for piece in cut(text, places):
        events = scanner.feed(piece)
        paths |= {event.path for event in events}
        snapshots.take(events)
        for path in paths:
            wanted = snapshots.value()
            for key in path:
                wanted = wanted[key]
            assert repr(snapshots.at(path)) == repr(wanted)
        assert snapshots.at(("no such key",)) is ABSENT
        assert snapshots.at((10_000,)) is ABSENT
