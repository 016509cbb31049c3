"""List parsers beside langchain-core's."""

import csv
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peer.compare import Case, Differs, compare, each, fails, gives
from tests.peer.libraries import OURS, PEER

PARSERS: dict[str, Any] = {
    "commas": lambda lib: lib.CommaSeparatedListOutputParser(),
    "numbers": lambda lib: lib.NumberedListOutputParser(),
    "bullets": lambda lib: lib.MarkdownListOutputParser(),
}
TELLING = ' ",\n\r\t.-*129٣a\x85;'
texts = st.text(st.sampled_from(TELLING), max_size=40) | st.text(max_size=20)
places = st.lists(st.integers(0, 1000), max_size=8)


def _cut(text: str, places: Any) -> list[str]:
    return [
        text[a:b] for a, b in pairwise([0, *sorted(place % (len(text) + 1) for place in places), len(text)])
    ]


def _csv_gives_up(text: str) -> bool:
    try:
        list(csv.reader(StringIO(text), skipinitialspace=True))
    except csv.Error:
        return True
    return False


@pytest.mark.parametrize("kind", PARSERS)
@given(text=texts)
def test_whole_texts(kind, text):
    if kind == "commas" and _csv_gives_up(text):
        return
    assert PARSERS[kind](OURS).invoke(text) == PARSERS[kind](PEER).invoke(text)


@pytest.mark.parametrize("kind", ["numbers", "bullets"])
@given(text=texts, places=places)
def test_streams_of_lines(kind, text, places):
    pieces = _cut(text, places)
    ours, peer = (list(PARSERS[kind](lib).transform(iter(pieces))) for lib in (OURS, PEER))
    assert ours == peer


words = st.text("ab .;-1", min_size=1, max_size=6).filter(lambda word: not word.startswith(" "))


@given(
    items=st.lists(words, min_size=1, max_size=6), between=st.sampled_from([",", ", ", ",  "]), places=places
)
def test_streams_of_plain_words(items, between, places):
    pieces = _cut(between.join(items), places)
    ours, peer = (list(PARSERS["commas"](lib).transform(iter(pieces))) for lib in (OURS, PEER))
    assert ours == peer == [[item] for item in items]


def _alone(*items: str) -> dict[str, Differs]:
    return {"stream": Differs("parsers-alone", gives(*([item] for item in items)), gives([*items]))}


COLOURS = ["red", "green", "blue"]
ANSWERS = {
    "commas": "red, green,blue",
    "numbers": "So:\n1. red\n2. green\n\n3. blue",
    "bullets": "- red\n  * green\n- blue\n\nSo.",
}
CASES = [
    *(
        Case(kind, PARSERS[kind], input=text, pieces=list(text), differs=_alone(*COLOURS))
        for kind, text in ANSWERS.items()
    ),
    *(Case(f"{kind}: nothing", PARSERS[kind], input="", pieces=[], differs=_alone()) for kind in ANSWERS),
    *(
        Case(
            f"{kind}: messages",
            PARSERS[kind],
            input=lambda lib, text=text: lib.AIMessage(text),
            pieces=lambda lib, text=text: [lib.AIMessageChunk(content=letter) for letter in text],
            many=[text, "a"],
            differs=_alone(*COLOURS),
        )
        for kind, text in ANSWERS.items()
    ),
    *(
        Case(f"{kind}: in a chain", lambda lib, kind=kind, text=text: lib.chat([*text]) | PARSERS[kind](lib))
        for kind, text in ANSWERS.items()
    ),
    Case("and then", lambda lib: lib.chat(["a", ", b", ",c"]) | PARSERS["commas"](lib) | (lambda x: x[::-1])),
    Case(
        "a pattern",
        lambda lib: lib.NumberedListOutputParser(pattern=r"\d+\)\s([^\n]+)"),
        input="1) a\n2) b",
        differs=_alone("a", "b"),
    ),
    Case(
        "a pattern of lines",
        lambda lib: lib.MarkdownListOutputParser(pattern=r"^\+ ([^\n]+)$"),
        input="+ a\n- b\n+ c",
        differs=_alone("a", "c"),
    ),
]


@each(CASES)
def test_list_parsers(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.parametrize("kind", PARSERS)
def test_names(kind):
    assert PARSERS[kind](OURS).get_name() == PARSERS[kind](PEER).get_name()


# --- differences ----------------------------------------------------------------------------------------


def _cut_differs(name: str, pieces: list[str], ours: list[str], peer: list[str]) -> Case:
    differs = Differs("lists-and-cuts", gives(*([item] for item in ours)), gives(*([item] for item in peer)))
    return Case(
        name, PARSERS["commas"], input="".join(pieces), pieces=pieces, verbs=["transform"], differs=differs
    )


@each(
    [
        _cut_differs("quotes", ['x, "a', ', b", c'], ["x", "a, b", "c"], ["x", "a", 'b"', "c"]),
        _cut_differs(
            "a quoted item at the end", ['x, "a, b"', ", c"], ["x", "a, b", "c"], ["x", "a", "b", "c"]
        ),
        _cut_differs("line ends", ["x, a\n", "b"], ["x", "a", "b"], ["x", "ab"]),
        _cut_differs("an empty last item", ["a", ","], ["a", ""], ["a"]),
    ]
)
def test_difference_lists_and_cuts(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("list-items-when-they-end")
def test_difference_list_items_when_they_end():
    for kind, pieces in {"commas": "a, |b", "numbers": "1. a\n|2.| b", "bullets": "- a\n|-| b"}.items():
        read: list[str] = []

        def source(read=read, pieces=pieces):
            for piece in pieces.split("|"):
                read.append(piece)
                yield piece

        for lib in (OURS, PEER):
            read.clear()
            stream = PARSERS[kind](lib).transform(source())
            assert next(stream) == ["a"]
            late = len(read) > 1
            stream.close()
            # With commas the peer is as early: nothing after a comma counts as an item there.
            assert late == (lib is PEER and kind != "commas")


def _spaces(lib: Any) -> Any:
    class Words(lib.ListOutputParser):
        def parse(self, text: str) -> list[str]:
            return text.split()

    return Words()


@each(
    [
        Case(
            "a list of one's own",
            _spaces,
            input="a b c d",
            pieces=["a b", " c ", "d"],
            differs=_alone("a", "b", "c", "d")
            | {
                "transform": Differs(
                    "lists-of-ones-own", gives(["a"], ["b"], ["c"], ["d"]), gives(["a"], ["b"], ["cd"])
                )
            },
        )
    ]
)
def test_difference_lists_of_ones_own(case, verb, colour):
    compare(case, verb, colour)


@each(
    [
        Case(
            "carriage returns",
            PARSERS["commas"],
            input='a, "b, c"\rd',
            verbs=["invoke"],
            differs=Differs(
                "lists-that-csv-gives-up", gives(["a", "b, c", "d"]), gives(["a", '"b', 'c"\rd'])
            ),
        ),
        Case(
            "a long item",
            PARSERS["commas"],
            input='"a, b", ' + "x" * 140_000,
            verbs=["invoke"],
            differs=Differs(
                "lists-that-csv-gives-up", gives(["a, b", "x" * 140_000]), gives(['"a', 'b"', "x" * 140_000])
            ),
        ),
    ]
)
def test_difference_lists_that_csv_gives_up(case, verb, colour):
    compare(case, verb, colour)


@each(
    [
        Case(
            "no group",
            lambda lib: lib.NumberedListOutputParser(pattern=r"\w+"),
            input="ab c",
            pieces=["ab c"],
            differs=_alone("ab", "c")
            | {"transform": Differs("list-patterns", gives(["ab"], ["c"]), fails(IndexError))},
        ),
        Case(
            "what more text can change",
            lambda lib: lib.NumberedListOutputParser(pattern=r"(a(?!.*z)|b)"),
            input="abz",
            pieces=["ab", "z"],
            differs={"transform": Differs("list-patterns", gives(["b"]), gives(["a"], ["b"]))},
        ),
    ]
)
def test_difference_list_patterns(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("list-patterns")
def test_difference_patterns_of_several_groups():
    pattern = r"(\d)\. (\w)"
    assert PEER.NumberedListOutputParser(pattern=pattern).parse("1. a") == [("1", "a")]
    with pytest.raises(ValueError, match="several groups"):
        OURS.NumberedListOutputParser(pattern=pattern)


@each(
    [
        Case(
            f"{kind}: blocks",
            PARSERS[kind],
            pieces=lambda lib: [
                lib.AIMessageChunk(content=[{"type": "text", "text": text}]) for text in ("1. a", ",\n- b")
            ],
            verbs=["transform"],
            differs=Differs("blocks-in-parsed-streams", gives(*items), gives()),
        )
        for kind, items in [
            ("commas", [["1. a"], [""], ["- b"]]),
            ("numbers", [["a,"]]),
            ("bullets", [["b"]]),
        ]
    ]
)
def test_difference_blocks_in_parsed_streams(case, verb, colour):
    compare(case, verb, colour)
