"""JSON as models write it: documents, answers with a document in them, and the pieces they come in."""

import json
import re
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel


def json_parser(lib: Any) -> Any:
    return lib.JsonOutputParser()


def diff_parser(lib: Any) -> Any:
    return lib.JsonOutputParser(diff=True)


def tokens(text: str) -> list[str]:
    """The text as a model's tokenizer cuts it: words with the space before them, digits by threes."""
    found = re.findall(r" ?[A-Za-z]+|\d{1,3}|\s+|[^\w\s]{1,2}|\w", text)
    assert "".join(found) == text
    return found


class Country(BaseModel):
    name: str
    population: int


class Countries(BaseModel):
    countries: list[Country]


TELLING = 'ab é😀"\\/\n\t\r`{}[]:,0u'
texts = st.text(st.sampled_from(TELLING), max_size=8) | st.text(max_size=4)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
# Floats whose whole part is never taken for their value while they grow.
growing = st.integers() | st.sampled_from([1.5, -22.25, 0.125, 3.75e-07, 1.5e300])


def documents(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects and lists."""
    scalars = st.none() | st.booleans() | numbers | texts

    def around(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(items, max_size=4) | st.dictionaries(texts, items, max_size=4)

    return around(scalars | around(scalars | around(scalars)))


styles = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 1]),
        "separators": st.sampled_from([None, (",", ":"), (" ,", " :  ")]),
    }
)
frames = st.sampled_from(
    [("", ""), (" \n", "\n "), ("```json\n", "\n```"), ("```\n", "```"), ("So:\n```json\n", "\n```\nBye.")]
)
places = st.lists(st.integers(0, 10_000), max_size=12)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.")


def quiet(text: str) -> set[int]:
    """Where a stream may be cut so that neither half an escape nor a blank at a text's end shows."""
    found = set(range(len(text) + 1))
    for string in _TEXT.finditer(text):
        inside = range(string.start() + 1, string.end())
        found -= {place for place in inside if text[place - 1] == "`" or text[place - 1].isspace()}
        for escape in _ESCAPE.finditer(text, string.start() + 1, string.end() - 1):
            found -= set(range(escape.start() + 2, escape.end()))
    return found


def cut(text: str, places: Any, allowed: set[int]) -> list[str]:
    """The text in pieces."""
    ends = sorted({0, len(text)} | {place % (len(text) + 1) for place in places} & allowed)
    return [text[a:b] for a, b in pairwise(ends)] or [text]


@st.composite
def streams(draw: st.DrawFn, numbers: st.SearchStrategy[Any] = numbers) -> tuple[Any, list[str]]:
    """A document, and an answer with it in pieces."""
    document = draw(documents(numbers))
    before, behind = draw(frames)
    written = json.dumps(document, **draw(styles))
    allowed = {len(before) + place for place in quiet(written)}
    allowed |= {*range(len(before)), *range(len(before + written), len(before + written + behind))}
    text = before + written + behind
    every = draw(st.booleans())
    return document, cut(text, range(len(text)) if every else draw(places), allowed)
