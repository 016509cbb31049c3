"""The XML parser beside langchain-core's."""

from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import OutputParserException
from tests.peer.compare import Case, Differs, compare, each, fails, gives
from tests.peer.libraries import OURS, PEER


def _parser(lib: Any) -> Any:
    return lib.XMLOutputParser(tags=["a", "b"])


# --- any tree, any cut ----------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "tag", "x-1", "_y.z"])
words = st.text(st.sampled_from("ab<&>'\" \n\r\t]é日-!?/"), max_size=9).map(escape)
attributes = st.sampled_from(["", " ", ' k="v>"'])
spaces = st.sampled_from(["", " ", "text", "\n  ", "<!-- x -->", "<?p x ?>"])
leaves = st.builds(lambda tag, space, text: f"<{tag}{space}>{text}</{tag}>", names, attributes, words)
trees = st.recursive(
    leaves,
    lambda children: st.builds(
        lambda tag, space, between, inner: f"<{tag}{space}>{between}{between.join(inner)}{between}</{tag}>",
        names,
        attributes,
        spaces,
        st.lists(children, max_size=3),
    ),
    max_leaves=12,
)
places = st.lists(st.integers(0, 1000), max_size=8)


def _cut(text: str, places: Any) -> list[str]:
    return [
        text[a:b] for a, b in pairwise([0, *sorted(place % (len(text) + 1) for place in places), len(text)])
    ]


@given(tree=trees, around=st.sampled_from(["{}", "```xml\n{}\n```", "Sure.\n```\n{}```\nBye", "\n{}\n"]))
def test_whole_texts(tree, around):
    text = around.format(tree)
    assert _parser(OURS).invoke(text) == _parser(PEER).invoke(text)


@given(tree=trees, around=st.sampled_from(["{}", "```xml\n{}\n```", "1 < 2: {} > <c>"]), places=places)
def test_streams(tree, around, places):
    pieces = _cut(around.format(tree), places)
    ours, peer = (list(_parser(lib).transform(iter(pieces))) for lib in (OURS, PEER))
    assert ours == peer


def test_sums():
    text = "<a><b>1</b><b><c/><d>2</d></b></a>"
    ours, peer = (list(lib.XMLOutputParser().transform([text])) for lib in (OURS, PEER))
    assert ours[0] + ours[1] + ours[2] == peer[0] + peer[1] + peer[2]


# --- every verb and colour ------------------------------------------------------------------------------


def _alone(whole: Any, *pieces: Any) -> dict[str, Differs]:
    return {"stream": Differs("parsers-alone", gives(*pieces), gives(whole))}


TREE = "<a><b>1</b><c><d>2</d><e/></c></a>"
WHOLE = {"a": [{"b": "1"}, {"c": [{"d": "2"}, {"e": None}]}]}
LEAVES = [{"a": [{"b": "1"}]}, {"a": [{"c": [{"d": "2"}]}]}, {"a": [{"c": [{"e": None}]}]}]

CASES = [
    Case("a tree", _parser, input=TREE, pieces=[*TREE], differs=_alone(WHOLE, *LEAVES)),
    Case(
        "messages",
        _parser,
        input=lambda lib: lib.AIMessage(TREE),
        pieces=lambda lib: [lib.AIMessageChunk(content=letter) for letter in TREE],
        many=[TREE, "<a/>"],
        differs=_alone(WHOLE, *LEAVES),
    ),
    Case("in a chain", lambda lib: lib.chat([*TREE]) | _parser(lib)),
    Case("fenced", lambda lib: lib.chat(["```xml\n", *TREE, "\n```"]) | _parser(lib)),
    Case(
        "a declaration",
        lambda lib: lib.chat(['<?xml version="1.0" encoding="utf-8"?>\n', *TREE]) | _parser(lib),
    ),
    Case("nothing inside", _parser, input="<a> </a>", differs=_alone({"a": []}, {"a": " "})),
    Case("only text", _parser, input="<a>x</a>"),
    Case("namespaces", _parser, input="<n:a xmlns:n='u' n:k=''>x</n:a>"),
    Case(
        "text beside elements",
        _parser,
        input="<a>x<b>1</b>y</a>",
        differs=_alone({"a": "x"}, {"a": [{"b": "1"}]}),
    ),
    Case("broken", _parser, input="<a></b>", verbs=["invoke", "batch", "batch with errors"]),
    Case("truncated", _parser, input="<a><b>1</b>", verbs=["invoke", "batch"]),
    Case("no XML", _parser, input="no", verbs=["invoke", "stream", "batch"]),
    Case("a fault after a leaf", _parser, input="<a><b>1</b><c></a>", verbs=["invoke", "batch"]),
]


@each(CASES)
def test_the_xml_parser(case, verb, colour):
    compare(case, verb, colour)


def test_names():
    assert _parser(OURS).get_name() == _parser(PEER).get_name()


# --- differences ----------------------------------------------------------------------------------------


def _around(text: str, peer: Any, ours: Any = None) -> Case:
    differs = Differs("xml-around", gives({"a": "1"} if ours is None else ours), peer)
    return Case(text, _parser, input=text, verbs=["invoke"], differs=differs)


@each(
    [
        _around("Here: <a>1</a>", fails(ValueError)),
        _around("<a>1</a> Bye.", fails(ValueError)),
        _around("<a>1</a><b/>", fails(ValueError)),
        _around("```xml\n<a>1</a>\n``` and `x`, not ```y```", fails(ValueError)),
        _around("<a>```x```</a>", fails(ValueError), {"a": "```x```"}),
        _around('<a k="encoding">\n1</a>', fails(ValueError), {"a": "\n1"}),
        _around("<b>Bold</b>, then\n```xml\n<a>1</a>\n```", gives({"a": "1"}), {"b": "Bold"}),
        Case(
            "a comment before",
            _parser,
            input="<!-- <b/> --><a>1</a>",
            verbs=["transform"],
            differs=Differs("xml-around", gives({"a": "1"}), gives({"b": None})),
        ),
    ]
)
def test_difference_xml_around(case, verb, colour):
    compare(case, verb, colour)


def _early(text: str, *leaves: Any) -> Case:
    differs = Differs("xml-that-ends-early", fails(ValueError, after=leaves), gives(*leaves))
    return Case(text, _parser, input=text, verbs=["transform"], differs=differs)


@each(
    [
        _early("<a><b>1</b><c>2", {"a": [{"b": "1"}]}),
        _early("<a><b>1</b>", {"a": [{"b": "1"}]}),
        _early("<a"),
        _early("I am sorry."),
    ]
)
def test_difference_xml_that_ends_early(case, verb, colour):
    compare(case, verb, colour)


def _fault(text: str, peer: type[Exception], verb: str, *leaves: Any) -> Case:
    differs = Differs("xml-faults", fails(ValueError, after=leaves), fails(peer, after=leaves))
    return Case(text, _parser, input=text, pieces=[*text], verbs=[verb], differs=differs)


@each(
    [
        _fault("<a><b>1</b></c></a>", ParseError, "transform", {"a": [{"b": "1"}]}),
        _fault("<a>&x;</a>", ParseError, "transform"),
        _fault("<a>\ud800</a>", UnicodeEncodeError, "transform"),
        _fault("<a>\ud800</a>", UnicodeEncodeError, "invoke"),
    ]
)
def test_difference_xml_faults(case, verb, colour):
    compare(case, verb, colour)


BOMB = '<!DOCTYPE a [<!ENTITY x "yy"><!ENTITY z "&x;&x;">]><a>&z;</a>'


@pytest.mark.differs("xml-document-types")
def test_difference_xml_document_types():
    harmless = "<!DOCTYPE a><a>1</a>"
    assert PEER.XMLOutputParser().parse(harmless) == {"a": "1"}
    assert list(PEER.XMLOutputParser().transform([harmless])) == [{"a": "1"}]
    with pytest.raises(ValueError, match="EntitiesForbidden"):
        PEER.XMLOutputParser().parse(BOMB)
    for text in (harmless, BOMB):
        with pytest.raises(OutputParserException, match="document type"):
            OURS.XMLOutputParser().parse(text)
        with pytest.raises(OutputParserException, match="document type"):
            list(OURS.XMLOutputParser().transform([text]))


@pytest.mark.differs("xml-depth")
def test_difference_xml_depth():
    deep = "<a>" * 3000 + "</a>" * 3000
    for call in (
        lambda lib: lib.XMLOutputParser().parse(deep),
        lambda lib: list(_parser(lib).transform([deep])),
    ):
        with pytest.raises(RecursionError):
            call(PEER)
        with pytest.raises(OutputParserException, match="nested deeper than 200"):
            call(OURS)
    assert OURS.XMLOutputParser(max_depth=3000).parse(deep)


@pytest.mark.differs("xml-one-parser")
def test_difference_xml_one_parser():
    assert PEER.XMLOutputParser(parser="xml").parse("<a>1</a>") == {"a": "1"}
    with pytest.raises(TypeError, match="parser"):
        OURS.XMLOutputParser(parser="xml")
