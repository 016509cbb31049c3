import copy
import json
import time

import jsonpatch
import pytest
from hypothesis import example, given, settings

from millstream.wire import JsonScanner, JsonSnapshots
from millstream.wire.json_patch import operations, pointer
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
    state = None
    for found, after in patches_of(pieces):
        json.dumps(found)
        # As they would travel: nothing in them is shared with the state that they are applied to.
        state = jsonpatch.apply_patch(state, copy.deepcopy(found)) if found else state
        assert repr(state) == repr(after)


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
