"""JSON that is indented while it streams is the JSON that was streamed."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.cli.json_stream import Indenter

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
STYLES = [{}, {"separators": (",", ":")}, {"indent": 4}, {"ensure_ascii": False}]


@settings(deadline=None)
@given(VALUES.filter(lambda value: isinstance(value, dict | list)), st.sampled_from(STYLES), st.data())
def test_any_json_cut_anywhere_is_indented(
    value: object, style: dict[str, object], data: st.DataObject
) -> None:
    text = json.dumps(value, **style)  # type: ignore[arg-type]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    indenter = Indenter()
    shown = "".join(indenter.feed(text[a:b]) for a, b in pairwise([0, *cuts, len(text)]))
    assert shown == json.dumps(value, indent=2, ensure_ascii=style.get("ensure_ascii", True) is True)


def test_each_piece_is_shown_at_once() -> None:
    indenter = Indenter()
    shown = [indenter.feed(piece) for piece in ('{"a', 'b":', "[1", ",2", "]", "}")]
    assert shown == ['{\n  "a', 'b": ', "[\n    1", ",\n    2", "\n  ]", "\n}"]


@pytest.mark.parametrize("text", ["12", '"a, b"', "null\n", "Sorry, no: that is no JSON.", "]}", "a ] b"])
def test_what_is_in_no_brackets_stays_as_it_is(text: str) -> None:
    assert Indenter().feed(text) == text


def test_text_after_the_value_stays_as_it_is() -> None:
    assert Indenter().feed("[1] and, so on") == "[\n  1\n] and, so on"
