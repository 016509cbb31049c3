import asyncio
import time
import tracemalloc
from itertools import pairwise
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream import AddableDict
from millstream.errors import InputError, OutputParserException
from millstream.messages import AIMessage, AIMessageChunk
from millstream.output_parsers import XMLOutputParser
from millstream.output_parsers.xml import LeafReader
from millstream.testing import FakeChatModel

PARSER = XMLOutputParser()
FILMS = (
    "<films><film><title>Ran</title><year>1985</year></film><film><title>Big</title><cast/></film></films>"
)
LEAVES = [
    {"films": [{"film": [{"title": "Ran"}]}]},
    {"films": [{"film": [{"year": "1985"}]}]},
    {"films": [{"film": [{"title": "Big"}]}]},
    {"films": [{"film": [{"cast": None}]}]},
]


def cut(text, places):
    """The text in pieces; two equal places make an empty one."""
    return [
        text[a:b] for a, b in pairwise([0, *sorted(place % (len(text) + 1) for place in places), len(text)])
    ]


def streamed(pieces):
    """The leaves of a text in pieces, and the error after them."""
    leaves = []
    try:
        for leaf in PARSER.transform(pieces):
            leaves.append(leaf)
    except OutputParserException as error:
        return leaves, str(error), error.path
    return leaves, None, None


# --- what is read ---------------------------------------------------------------------------------------


def test_a_tree(colour):
    tree = {
        "films": [
            {"film": [{"title": "Ran"}, {"year": "1985"}]},
            {"film": [{"title": "Big"}, {"cast": None}]},
        ]
    }
    assert colour.invoke(PARSER, AIMessage(FILMS)) == PARSER.parse(FILMS) == tree
    assert colour.stream(PARSER, FILMS) == LEAVES
    assert colour.transform(PARSER, list(FILMS)) == LEAVES


def test_a_leaf_is_out_when_it_ends():
    reader = LeafReader(9)
    counts = [sum(1 for _ in reader.feed(letter)) for letter in FILMS]
    ends = [FILMS.index(end) + len(end) - 1 for end in ("Ran</title>", "</year>", "Big</title>", "<cast/>")]
    assert [place for place, count in enumerate(counts) if count] == ends


def test_the_pieces_add_up():
    pieces = list(PARSER.stream(FILMS))
    assert all(type(piece) is AddableDict for piece in pieces)
    total = pieces[0] + pieces[1] + pieces[2] + pieces[3]
    assert total == {"films": [leaf["films"][0] for leaf in LEAVES]}


@pytest.mark.parametrize(
    ("text", "tree", "leaves"),
    [
        ("<a>1</a>", {"a": "1"}, [{"a": "1"}]),
        ("<a/>", {"a": []}, [{"a": None}]),
        ("<a> </a>", {"a": []}, [{"a": " "}]),
        ("<a> <b> </b> </a>", {"a": [{"b": " "}]}, [{"a": [{"b": " "}]}]),
        ("<a>t<b>1</b></a>", {"a": "t"}, [{"a": [{"b": "1"}]}]),
        (
            "<a><b>1</b>t<c/>u</a>",
            {"a": [{"b": "1"}, {"c": None}]},
            [{"a": [{"b": "1"}]}, {"a": [{"c": None}]}],
        ),
        ('<a k="&lt;">x</a>', {"a": "x"}, [{"a": "x"}]),
        ("<a>&lt;&amp;&#65;&quot;</a>", {"a": '<&A"'}, [{"a": '<&A"'}]),
        ("<a><![CDATA[<b>&]]]></a>", {"a": "<b>&]"}, [{"a": "<b>&]"}]),
        ("<a>x<!-- <b/> -->y<?z <b/> ?>z</a>", {"a": "xyz"}, [{"a": "xyz"}]),
        ("<a>x\r\ny\rz</a>", {"a": "x\ny\nz"}, [{"a": "x\ny\nz"}]),
        ("<é:b xmlns:é='u' xmlns='v'><c/></é:b>", {"{u}b": [{"{v}c": None}]}, [{"{u}b": [{"{v}c": None}]}]),
        ("<a>日本</a>", {"a": "日本"}, [{"a": "日本"}]),
    ],
)
def test_what_a_tree_is_made_of(text, tree, leaves):
    assert PARSER.parse(text) == tree
    for pieces in ([text], text, cut(text, [3, 7])):
        assert streamed(pieces) == (leaves, None, None)


@pytest.mark.parametrize(
    "around",
    [
        "```xml\n{}\n```",
        "```\n{}```",
        "Sure!\n\n```xml\n{}\n```\nHope it helps: a < b, <a>, </a>, & so on.",
        '<?xml version="1.0" encoding="UTF-8"?>\n{}',
        '<?xml version="1.0" encoding="latin-1" ?>{}',
        "if 1 <2, {}{}",
        "<!-- <no/> <!DOCTYPE> -->{}<!-- <no/>",
        "\ufeff \ud800 {}\ud800",
    ],
)
def test_what_stands_around_is_skipped(around):
    text = around.format("<a><b>1</b></a>", "<c/>")
    assert PARSER.parse(text) == {"a": [{"b": "1"}]}
    for pieces in ([text], text, cut(text, [5, 20, 30])):
        assert streamed(pieces) == ([{"a": [{"b": "1"}]}], None, None)


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says", "path"),
    [
        ("", "no XML element", ()),
        ("I cannot do that.", "no XML element", ()),
        ("<!-- <a/>", "no XML element", ()),
        ("<a", "ends inside its first tag", ()),
        ("<a><b>1</b><c>2", "ends inside <a><c>", ("a", "c")),
        ("<a><b>1</b><c>2</", "ends inside <a><c>", ("a", "c")),
        ("<a><b>1</b>2", "ends inside <a>", ("a",)),
        ("<a><b>1</b></c></a>", "broken at <a>: mismatched tag", ("a",)),
        ("<a><b>1</b><c>2</a>", "broken at <a><c>: mismatched tag", ("a", "c")),
        ("<a><b>1</b><c>R&D</c></a>", "broken at <a><c>", ("a", "c")),
        ("<a><b>1</b>1 < 2</a>", "broken at <a>", ("a",)),
        ("<a><b>1</b>\0</a>", "broken at <a>", ("a",)),
        ("<a><b>1</b>\ud800</a>", "broken at <a>: surrogates", ("a",)),
        ("<a><b>1</b>&x;</a>", "undefined entity", ("a",)),
        ("<a><b>1</b><!DOCTYPE a></a>", "broken at <a>", ("a",)),
        ("<a><b>1</b><x:c/></a>", "unbound prefix", ("a",)),
        ("<a b='1' b='2'/>", "duplicate attribute", ()),
        ("<!DOCTYPE a><a/>", "document type", ()),
        ("<!doctype html>\n<html/>", "document type", ()),
    ],
)
def test_faults(text, says, path, colour):
    leaves = [{"a": [{"b": "1"}]}] if "<b>1</b>" in text else []
    for call in (lambda: PARSER.parse(text), lambda: colour.invoke(PARSER, AIMessage(text))):
        with pytest.raises(OutputParserException, match=says) as caught:
            call()
        assert caught.value.llm_output == text
        assert caught.value.path == path
        assert caught.value.retryable
    for pieces in ([text], list(text) or [""], cut(text, [4, 12])):
        found, said, at = streamed(pieces)
        assert found == leaves
        assert says in said
        assert at == path


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]><z>&c;</z>',
    '<!DOCTYPE z [<!ENTITY x SYSTEM "file:///etc/passwd">]><z>&x;</z>',
    '<!DOCTYPE z SYSTEM "http://localhost:1/z.dtd"><z/>',
    '<!DOCTYPE z [<!ATTLIST z k CDATA "v">]><z/>',
)


@pytest.mark.parametrize("text", BOMB)
def test_document_types_and_entities_are_refused(text):
    for pieces in ([text], text, cut(text, [3, 30])):
        leaves, said, _ = streamed(pieces)
        assert leaves == []
        assert "document type" in said
    with pytest.raises(OutputParserException, match="document type"):
        PARSER.parse(text)
    # What is left of it without its document type has nothing to expand.
    rest = text[text.index("<z") :]
    assert rest == "<z/>" or "undefined entity" in streamed([rest])[1]


def test_the_text_of_a_fault_is_what_had_come():
    stream = PARSER.transform(["so: <a>", "<b>1</b>", "</c>", "</a>"])
    assert next(stream) == {"a": [{"b": "1"}]}
    with pytest.raises(OutputParserException) as caught:
        next(stream)
    assert caught.value.llm_output == "so: <a><b>1</b></c>"
    assert "XMLOutputParser" in caught.value.__notes__[0]


def test_depth_is_limited():
    deep = "<a>" * 201 + "</a>" * 201
    assert PARSER.parse(deep[3:-4])
    with pytest.raises(OutputParserException, match="nested deeper than 200 elements") as caught:
        PARSER.parse("<b><c>1</c>" + deep)
    assert caught.value.path == ("b", *"a" * 199)
    assert streamed("<b><c>1</c>" + deep) == ([{"b": [{"c": "1"}]}], str(caught.value), caught.value.path)
    with pytest.raises(OutputParserException, match="deeper than 2 "):
        XMLOutputParser(max_depth=2).parse("<a><b><c/></b></a>")


def test_depth_costs_no_recursion():
    levels = 100_000
    text = "<a>" * levels + "x" + "</a>" * levels
    parser = XMLOutputParser(max_depth=levels)
    [leaf] = parser.transform([text[:50], text[50:]])
    for found in (parser.parse(text), leaf):
        depth = 1
        while found["a"] != "x":
            [found] = found["a"]
            depth += 1
        assert depth == levels
    with pytest.raises(OutputParserException, match="nested deeper than 200"):
        PARSER.parse(text)
    with pytest.raises(OutputParserException, match="ends inside"):
        parser.parse("<a>" * levels)


# --- any tree, any cut ----------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "tag", "é", "x-1", "_y.z", "DOCTYPE"])
words = st.text(
    st.sampled_from("ab<&>'\" \n\r\t]é日-!?/") | st.characters(codec="utf-8", categories=["L"]), max_size=9
)
spaces = st.sampled_from(["", " ", "\n  ", "<!-- <x> -->", "<?p <x> ?>"])
attributes = st.sampled_from(["", " ", ' k="v>"', " k = '\"/>' "])


@st.composite
def leaves(draw):
    tag, space = draw(names), draw(attributes)
    form = draw(st.sampled_from(["text", "empty", "cdata"]))
    text = draw(words)
    if form == "empty":
        return f"<{tag}{space}/>"
    inside = f"<![CDATA[{text.replace(']]>', '')}]]>" if form == "cdata" else escape(text)
    return f"<{tag}{space}>{inside}</{tag}>"


def nodes(children):
    return st.builds(
        lambda tag, space, between, inner: f"<{tag}{space}>{between}{between.join(inner)}{between}</{tag}>",
        names,
        attributes,
        spaces,
        st.lists(children, min_size=1, max_size=3),
    )


trees = st.recursive(leaves(), nodes, max_leaves=12)
marks = [
    "<a>",
    "</a>",
    "<b/>",
    "<b>1</b>",
    "<",
    ">",
    "&",
    "'",
    "a",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "\ud800",
]
rubbish = st.lists(st.sampled_from([*marks, "<!DOCTYPE", "<?", "?>"]), max_size=12).map("".join)
places = st.lists(st.integers(0, 1000), max_size=10)


def leaves_of(tree):
    """The leaves of a whole tree, each in what leads to it: what a stream yields."""
    [(tag, value)] = tree.items()
    if not isinstance(value, list):
        return [tree]
    return [{tag: [leaf]} for child in value for leaf in leaves_of(child)]


@given(
    tree=trees,
    before=st.sampled_from(["", "```xml\n", "a <!-- <b> -->"]),
    after=st.text(max_size=5),
    places=places,
)
def test_any_tree_in_any_pieces(tree, before, after, places):
    text = before + tree + after
    found, said, _ = streamed(cut(text, places))
    assert said is None
    whole = PARSER.parse(text)
    # A root without children and text is the one case in which the whole says less than its pieces.
    if list(whole.values()) == [[]]:
        assert len(found) == 1
    else:
        assert found == leaves_of(whole)


@given(text=rubbish | trees.map(lambda tree: tree[: len(tree) * 3 // 4]), places=places)
def test_any_text_in_any_pieces(text, places):
    assert streamed(cut(text, places)) == streamed([text])
    if streamed([text])[1] is None:
        PARSER.parse(text)
    else:
        with pytest.raises(OutputParserException) as caught:
            PARSER.parse(text)
        assert (str(caught.value), caught.value.path) == streamed([text])[1:]


# --- what it costs --------------------------------------------------------------------------------------


def _seconds(text):
    def once():
        reader = LeafReader(9)
        began = time.perf_counter()
        for letter in text:
            for _ in reader.feed(letter):
                pass
        return time.perf_counter() - began

    return min(once() for _ in range(3))


LONG = [
    '<a x="{}',
    '<a x="{}"><b/></a>',
    "<a>{}</a>",
    "<a><!--{}--></a>",
    "<a><![CDATA[{}]]></a>",
    "<a><?x {}",
]
FORMS = [*LONG, "{}<a/>", "<!--{}--><a/>", "<a></a>{}"]


@pytest.mark.parametrize(
    ("form", "filling"),
    [*((form, filling) for form in FORMS for filling in ("x", ">")), ("<a>&{}", "x"), ("<{}", "x")],
)
def test_ten_times_the_text_takes_about_ten_times_as_long(form, filling):
    # Letter by letter; what looks at them again takes a hundred times as long.
    assert _seconds(form.format(filling * 40_000)) < 40 * _seconds(form.format(filling * 4_000))


def test_no_finished_element_is_kept():
    leaf = "<b>some text</b>"
    reader = LeafReader(9)
    for _ in reader.feed("<a>"):
        pass
    tracemalloc.start()
    try:
        for _ in range(20_000):
            assert len(list(reader.feed(leaf))) == 1
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The text, for an error to show, is all that is kept of it.
    assert kept < 2.5 * 20_000 * len(leaf)


# --- as a step ------------------------------------------------------------------------------------------


def test_in_a_chain(colour):
    chain = FakeChatModel([["Here: <films><fi", "lm><title>Ran</ti", "tle></film>", "</films> Bye"]]) | PARSER
    assert colour.invoke(chain, "x") == {"films": [{"film": [{"title": "Ran"}]}]}
    assert colour.stream(chain, "x") == [{"films": [{"film": [{"title": "Ran"}]}]}]


def test_content_blocks(colour):
    chunks = [AIMessageChunk([{"type": "text", "text": letter}, {"type": "image_url"}]) for letter in FILMS]
    assert colour.transform(PARSER, chunks) == LEAVES


def test_no_input_is_no_fault(colour):
    assert colour.transform(PARSER, []) == []


def test_leaving_closes_what_is_read():
    seen = []

    def source():
        try:
            for piece in ("<a><b>1</b>", "<c/>", "</a>"):
                seen.append(piece)
                yield piece
        finally:
            seen.append("closed")

    for leaf in PARSER.transform(source()):
        assert leaf == {"a": [{"b": "1"}]}
        break
    assert seen == ["<a><b>1</b>", "closed"]


def test_leaving_closes_what_is_read_async():
    seen = []

    async def source():
        try:
            for piece in ("<a><b>1</b>", "<c/>", "</a>"):
                seen.append(piece)
                yield piece
        finally:
            seen.append("closed")

    async def run():
        stream = PARSER.atransform(source())
        assert await anext(stream) == {"a": [{"b": "1"}]}
        await stream.aclose()

    asyncio.run(run())
    assert seen == ["<a><b>1</b>", "closed"]


def test_an_error_of_the_source_comes_after_the_leaves_before_it():
    def source():
        yield "<a><b>1</b>"
        raise LookupError("lost")

    stream = PARSER.transform(source())
    assert next(stream) == {"a": [{"b": "1"}]}
    with pytest.raises(LookupError, match="lost"):
        next(stream)


def test_other_things_are_refused():
    with pytest.raises(InputError, match="XMLOutputParser takes a message or a text, not int"):
        PARSER.invoke(3)
    with pytest.raises(InputError):
        list(PARSER.transform([3]))


def test_the_instructions():
    plain, tagged = (
        PARSER.get_format_instructions(),
        XMLOutputParser(["film", "year"]).get_format_instructions(),
    )
    assert "<film>, <year>" in tagged
    assert "<film>" not in plain
    *_, right, _, wrong = plain.split("\n\n")
    assert PARSER.parse(right) == {"trip": [{"stop": [{"city": "Lyon"}]}, {"stop": [{"city": "Turin"}]}]}
    with pytest.raises(OutputParserException):
        PARSER.parse(wrong)
