"""JSON documents, broken ones and cuts for hypothesis."""

import json
from typing import Any

from hypothesis import strategies as st

# Characters that some rule tells from others, and half characters, which JSON can write as escapes.
TELLING = "\"\\/'`{}[],: \n\r\t\b\0\x1f\x7fé日\u2028\ufeff😀\ud83d\ude00#*-1eutfnN"
texts = st.text(st.sampled_from(TELLING), max_size=8) | st.text(max_size=6)
numbers = (
    st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, -0.0, 1e-7, 5e-324, 1.7976931348623157e308, 10**100])
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
layouts = st.sampled_from(
    [
        {},
        {"ensure_ascii": False},
        {"separators": (",", ":")},
        {"indent": 2, "ensure_ascii": False},
        {"indent": "\t", "separators": (" , ", " : ")},
    ]
)
documents = st.builds(lambda value, layout: json.dumps(value, **layout), values, layouts)
places = st.lists(st.integers(0, 10_000), max_size=6)

MARKS = "{}[]\",:\\'`tfnu/*#-+.eE019aNIT \n\ud83d"


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A document with a few characters deleted, inserted or replaced."""
    text = list(draw(documents))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 2))] = draw(st.text(st.sampled_from(MARKS), max_size=2))
    return "".join(text)


rubbish = st.text(st.sampled_from(MARKS), max_size=25)


def with_duplicates(value: Any) -> str:
    """The value as JSON that gives some keys twice or three times."""
    if isinstance(value, dict):
        keys = ["a", "b", "a", "c", "b", "a"]
        pairs = zip(keys, value.values(), strict=False)
        return "{" + ", ".join(f'"{key}": {with_duplicates(each)}' for key, each in pairs) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(with_duplicates, value))}]"
    return json.dumps(value)


small_values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([0, 1, 10, 1.0, True, None, "", "0", "ab", "abc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=14,
)
duplicated = st.builds(with_duplicates, small_values)
