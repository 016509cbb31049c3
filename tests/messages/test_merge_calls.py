import pytest

from millstream.messages import ToolCallChunk, UsageMetadata
from millstream.messages.merge_calls import merge_tool_call_chunks, merge_usage


def merged(*fragments):
    return [
        (c.name, c.args, c.id, c.index) for c in merge_tool_call_chunks(ToolCallChunk(*f) for f in fragments)
    ]


def test_several_calls_at_once_by_index():
    assert merged(
        ("f", "", "1", 0), ("g", "", "2", 1), (None, "{", None, 0), (None, "[", None, 1), (None, "}", None, 0)
    ) == [("f", "{}", "1", 0), ("g", "[", "2", 1)]


def test_another_id_on_a_used_index_opens_a_new_call():
    assert merged(("f", "{}", "1", 0), ("g", "{", "2", 0), (None, "}", None, 0)) == [
        ("f", "{}", "1", 0),
        ("g", "{}", "2", 0),
    ]


def test_calls_that_share_an_index_are_told_apart_by_id():
    assert merged(("f", "{", "1", 0), ("g", "[", "2", 0), (None, "}", "1", 0)) == [
        ("f", "{}", "1", 0),
        ("g", "[", "2", 0),
    ]


def test_id_and_name_repeated_in_each_chunk_are_not_doubled():
    assert merged(("f", "{", "1", 0), ("f", "}", "1", 0)) == [("f", "{}", "1", 0)]
    assert merged(("f", "{", "1", None), ("f", "}", "1", None)) == [("f", "{}", "1", None)]


def test_a_name_in_pieces_is_joined():
    assert merged(("get_", None, "1", 0), ("weather", "{}", None, 0)) == [("get_weather", "{}", "1", 0)]


def test_a_whole_call_in_one_delta():
    assert merged(("f", "{}", "1", 0)) == [("f", "{}", "1", 0)]
    assert merged(("f", "{}", None, None), ("g", "{}", None, None)) == [
        ("f", "{}", None, None),
        ("g", "{}", None, None),
    ]


def test_without_index_a_piece_goes_to_its_id_or_the_last_call():
    assert merged(
        ("f", "{", "1", None), ("g", "[", "2", None), (None, "}", "1", None), (None, "]", None, None)
    ) == [("f", "{}", "1", None), ("g", "[]", "2", None)]


@pytest.mark.parametrize("nothing", ["", "null", None])
def test_an_empty_id_is_none(nothing):
    assert merged(("f", "{", "1", 0), (None, "}", nothing, 0)) == [("f", "{}", "1", 0)]
    assert merged(("f", "{}", nothing, 0)) == [("f", "{}", None, 0)]


def test_an_index_in_quotes_is_a_number():
    assert merged(("f", "{", "1", "0"), (None, "}", None, 0)) == [("f", "{}", "1", 0)]


def test_an_id_that_comes_after_the_name_belongs_to_it():
    assert merged(("f", None, None, 0), (None, "{}", "1", 0)) == [("f", "{}", "1", 0)]
    assert merged(("f", None, None, None), (None, "{}", "1", None)) == [("f", "{}", "1", None)]


def test_a_first_id_after_arguments_opens_a_call():
    assert merged((None, "}", None, 0), ("f", "{}", "1", 0)) == [(None, "}", None, 0), ("f", "{}", "1", 0)]


def test_a_fragment_that_says_nothing_adds_nothing():
    assert merged(("f", "{}", "1", 0), (None, "", None, 1), (None, None, None, None)) == [("f", "{}", "1", 0)]


def test_usage_is_summed_field_by_field():
    total = merge_usage(
        [
            UsageMetadata(1, 2, 3, {"cache_read": 1}, estimated=True),
            UsageMetadata(10, 0, 10, {"cache_read": 2, "audio": 3}, {"reasoning": 4}),
        ]
    )
    assert total == UsageMetadata(11, 2, 13, {"cache_read": 3, "audio": 3}, {"reasoning": 4}, estimated=True)
    assert merge_usage([]) is None
