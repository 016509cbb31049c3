import copy
import json
import time

import jsonpatch
import pytest
from hypothesis import example, given, settings

from millstream.wire import JsonScanner, JsonSnapshots
from millstream.wire.json_patch import applied, operations, pointer
from millstream.wire.snapshots import ABSENT
from tests.wire.properties import cut
from tests.wire.strategies import documents, duplicated, places


def patches_of(pieces):
    """The operations for each piece, and the snapshot that they lead to."""
    scanner, snapshots = JsonScanner(), JsonSnapshots()
    for feed in [*((lambda piece=piece: scanner.feed(piece)) for piece in pieces), scanner.finish]:
        events = feed()
        before = [snapshots.at(event.path) for event in events]
        snapshots.take(events)
        yield operations(events, before, snapshots), snapshots.value()


def check(pieces):
    state = ours = None
    for found, after in patches_of(pieces):
        json.dumps(found)
        # As they would travel: nothing in them is shared with the state that they are applied to.
        before = copy.deepcopy(ours)
        done = applied(ours, found)
        assert repr(ours) == repr(before)
        ours = done
        state = jsonpatch.apply_patch(state, copy.deepcopy(found)) if found else state
        assert repr(state) == repr(after) == repr(ours)


@given(text=documents, places=places)
@settings(max_examples=150, deadline=None)
def test_patches_lead_from_each_snapshot_to_the_next(text, places):
    for pieces in ([text], list(text), cut(text, places)):
        check(pieces)


@given(text=duplicated, places=places)
@example('{"a": [1, 2], "a": [7, 8, 9]}', [13])
@example('{"a": [1, 2], "a": [7, 8, 9]}', [10])
@example('{"a": {"x": 1, "y": 2}, "a": {"z": 3}}', [14])
@example('{"a": [1], "a": "qz"}', [8])
@example('{"a": "qz", "a": [1]}', [10])
@example('{"a": 1, "a": true, "a": 1.0}', [8, 18])
@settings(max_examples=300, deadline=None)
def test_patches_with_duplicate_keys(text, places):
    for pieces in ([text], list(text), cut(text, places), *(cut(text, [at]) for at in range(len(text)))):
        check(pieces)


@pytest.mark.parametrize(
    ("pieces", "patches"),
    [
        (['{"a": [1, {"b": "x"}]}'], [[{"op": "replace", "path": "", "value": {"a": [1, {"b": "x"}]}}]]),
        (
            ['{"a": "x', "y", '", "b": {"c": [1', "2, 3]}", "}"],
            [
                [{"op": "replace", "path": "", "value": {"a": "x"}}],
                [{"op": "replace", "path": "/a", "value": "xy"}],
                [{"op": "add", "path": "/b", "value": {"c": [1]}}],
                [
                    {"op": "replace", "path": "/b/c/0", "value": 12},
                    {"op": "add", "path": "/b/c/1", "value": 3},
                ],
            ],
        ),
        (["5"], [[{"op": "replace", "path": "", "value": 5}]]),
    ],
)
def test_operations(pieces, patches):
    assert [found for found, _ in patches_of(pieces) if found] == patches


def test_a_key_that_came_again_in_one_piece_is_told_once():
    text = '{"z": 0, "a": {"x": 1}, "b": [2], "a": {"y": [3]}, "b": 4}'
    (_, _), (found, _), (rest, _) = patches_of([text[:7], text[7:]])
    assert rest == []
    assert found == [
        {"op": "add", "path": "/a", "value": {"y": [3]}},
        {"op": "add", "path": "/b", "value": 4},
    ]
    check([text[:7], text[7:]])


def test_what_stands_deep_costs_no_more_than_its_path():
    def seconds(depth):
        scanner, snapshots = JsonScanner(), JsonSnapshots()
        text = "[" * depth + "1" + ", 1" * 2000 + "]" * depth
        events = scanner.feed(text)
        before = [ABSENT] * len(events)
        snapshots.take(events)
        began = time.thread_time()
        found = operations(events, before, snapshots)
        took = time.thread_time() - began
        assert [each["path"] for each in found] == [""]
        return took

    # A square of the depth would be 2,500 times as long.
    assert min(seconds(450) for _ in range(3)) < 100 * max(min(seconds(9) for _ in range(3)), 1e-4)


def test_pointer():
    assert pointer(()) == ""
    assert pointer(("a/b", "m~n", 0, "", "~1")) == "/a~1b/m~0n/0//~01"


def op(kind, path, value=0):
    return {"op": kind, "path": path, "value": value}


@pytest.mark.parametrize(
    ("document", "done", "after"),
    [
        (1, [], 1),
        (1, [op("replace", "", 2)], 2),
        (None, [op("add", "", {}), op("add", "/a", [])], {"a": []}),
        (
            {"a": [1]},
            [op("add", "/a/-", 2), op("add", "/a/0", 0), op("replace", "/a/1", 5)],
            {"a": [0, 5, 2]},
        ),
        ({"a/b": {"m~n": 1}}, [op("replace", "/a~1b/m~0n", 2)], {"a/b": {"m~n": 2}}),
        ({"~1": 1}, [op("replace", "/~01", 2)], {"~1": 2}),
        ({"": {"": 1}}, [op("add", "//", 2)], {"": {"": 2}}),
        ({"-": 1, "0": 2}, [op("replace", "/-", 3), op("add", "/1", 4)], {"-": 3, "0": 2, "1": 4}),
        ({"a": 1}, [op("add", "/a", [1]), op("add", "/a/1", 2)], {"a": [1, 2]}),
    ],
)
def test_operations_are_done_on_a_copy(document, done, after):
    before, told = copy.deepcopy(document), copy.deepcopy(done)
    assert applied(document, done) == after
    assert (document, done) == (before, told)


def test_what_does_not_change_is_shared():
    document = {"a": {"b": [1]}, "c": [2]}
    after = applied(document, [op("add", "/c/-", 3), op("add", "/c/-", 4)])
    assert after["a"] is document["a"]
    assert after["c"] == [2, 3, 4]


@pytest.mark.parametrize(
    ("document", "operation", "error"),
    [
        ({}, op("replace", "/a"), LookupError),
        ({}, op("add", "/a/b"), LookupError),
        ({"a": "text"}, op("add", "/a/0"), LookupError),
        ([1], op("add", "/2"), LookupError),
        ([1], op("add", "/-1"), LookupError),
        ([1], op("replace", "/1"), LookupError),
        ([1], op("replace", "/-"), LookupError),
        ([1], op("add", "/x"), ValueError),
        ([1], {"op": "remove", "path": "/0"}, ValueError),
    ],
)
def test_operations_that_cannot_be_done(document, operation, error):
    with pytest.raises(error):
        applied(document, [operation])
