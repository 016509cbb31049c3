import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.messages.merge_values import merge_any, merge_content, merge_kwargs, merge_metadata, pick_id


@pytest.mark.parametrize(
    ("contents", "merged"),
    [
        (["a", "", "b"], "ab"),
        ([], ""),
        (["a", ["b", "c"]], ["ab", "c"]),
        ([["a"], "b"], ["ab"]),
        ([["a"], ["b"]], ["ab"]),
        ([[], "a"], ["a"]),
        (["", [{"type": "text", "text": "a"}]], [{"type": "text", "text": "a"}]),
        (["a", [{"type": "image"}], "b", "c"], ["a", {"type": "image"}, "bc"]),
        ([None, "a"], ["a"]),
    ],
)
def test_content(contents, merged):
    assert merge_content(contents) == merged


def test_blocks_merge_by_index_and_type():
    merged = merge_content(
        [
            [{"type": "text", "text": "ha", "index": 0}],
            [{"type": "reasoning", "reasoning": "hm", "index": 1}],
            [{"type": "text", "text": "ha", "index": 0}, {"reasoning": "!", "index": 1}],
            [{"type": "tool_use", "name": "f", "id": "1", "partial_json": "{", "index": 1}],
            [{"type": "tool_use", "name": "f", "partial_json": "}", "index": 1}],
            [{"type": "text", "text": "x"}],
        ]
    )
    assert merged == [
        {"type": "text", "text": "haha", "index": 0},
        {"type": "reasoning", "reasoning": "hm!", "index": 1},
        {"type": "tool_use", "name": "f", "id": "1", "partial_json": "{}", "index": 1},
        {"type": "text", "text": "x"},
    ]


def test_blocks_of_different_ids_stay_apart_and_known_ids_find_their_block():
    merged = merge_content(
        [
            [{"id": "a", "text": "1", "index": 0}, {"id": "b", "text": "2", "index": 0}],
            [{"id": "a", "text": "3", "index": 0}, {"text": "4", "index": 0}],
        ]
    )
    assert merged == [{"id": "a", "text": "13", "index": 0}, {"id": "b", "text": "24", "index": 0}]


@pytest.mark.parametrize("odd", [[[]], {"a": 1}, [], 0.5])
def test_an_id_that_is_none_does_not_tell_blocks_apart(odd):
    merged = merge_content([[{"id": odd, "text": "1", "index": 0}], [{"text": "2", "index": 0}]])
    assert merged == [{"id": odd, "text": "12", "index": 0}]


def test_merging_changes_no_input():
    contents = [
        ["a", {"text": "x", "index": 0, "more": {"y": ["z"]}}],
        [{"text": "x", "index": 0, "more": {"y": ["z"]}}],
    ]
    before = copy.deepcopy(contents)
    merged = merge_content(contents)
    assert merged[1]["more"] == {"y": ["z", "z"]}
    assert contents == before


@pytest.mark.parametrize(
    ("dicts", "merged"),
    [
        ([{"a": "x"}, {"a": "x"}, {"a": "y"}], {"a": "xxy"}),
        ([{"a": None}, {"a": "x"}, {"a": None}], {"a": "x"}),
        ([{"name": "f"}, {"name": "f"}, {"id": "1"}, {"id": "1"}], {"name": "f", "id": "1"}),
        ([{"n": 1}, {"n": 1}, {"n": 2}], {"n": 3}),
        ([{"created": 1, "index": 0}, {"created": 2, "index": 1}], {"created": 2, "index": 1}),
        ([{"f": 0.5}, {"f": 0.75}], {"f": 0.75}),
        ([{"b": True}, {"b": False}], {"b": False}),
        ([{"a": "x"}, {"a": 1}], {"a": 1}),
        ([{"f": {"arguments": "{"}}, {"f": {"arguments": "}"}}], {"f": {"arguments": "{}"}}),
        ([{"l": [1]}, {"l": [2]}], {"l": [1, 2]}),
        (
            [{"l": [{"index": 0, "t": "a"}]}, {"l": [{"index": 0, "t": "b"}]}],
            {"l": [{"index": 0, "t": "ab"}]},
        ),
    ],
)
def test_kwargs(dicts, merged):
    assert merge_kwargs(dicts) == merged


def test_metadata_keeps_a_repeated_string_once():
    assert merge_metadata([{"model_name": "gpt-x"}] * 3) == {"model_name": "gpt-x"}
    assert merge_metadata([{"m": {"v": "1"}}, {"m": {"v": "1"}}]) == {"m": {"v": "1"}}
    assert merge_metadata([{"a": "x"}, {"a": "y"}, {"a": "xy"}]) == {"a": "xy"}


def test_nothing_merges_to_nothing():
    assert merge_kwargs([]) is None
    assert merge_any([]) is None
    assert merge_any([None, 3, None]) == 3


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.text("xy", max_size=2) | st.integers(0, 3)), min_size=2
    )
)
def test_gathering_gives_what_folding_gives(dicts):
    for merge in (merge_kwargs, merge_metadata):
        folded = dicts[0]
        for other in dicts[1:]:
            folded = merge([folded, other])
        assert merge(dicts) == folded


@pytest.mark.parametrize(
    ("ids", "picked"),
    [
        ([], None),
        ([None, ""], None),
        (["run-1", "msg-1", "msg-2"], "msg-1"),
        (["lc_run-1", "run-2"], "lc_run-1"),
        (["lc_x", "lc_run-1"], "lc_run-1"),
        (["lc_x", None], "lc_x"),
    ],
)
def test_pick_id(ids, picked):
    assert pick_id(ids) == picked
