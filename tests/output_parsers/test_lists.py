import asyncio
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream import ChatPromptTemplate
from millstream.errors import InputError
from millstream.messages import AIMessage, AIMessageChunk
from millstream.output_parsers import (
    CommaSeparatedListOutputParser,
    ListOutputParser,
    MarkdownListOutputParser,
    NumberedListOutputParser,
)
from millstream.output_parsers.lists import BULLETS, COMMAS, NUMBERS, Grammar, GrammarReader
from millstream.testing import FakeChatModel

COMMA, NUMBER, BULLET = (
    CommaSeparatedListOutputParser(),
    NumberedListOutputParser(),
    MarkdownListOutputParser(),
)
KINDS = [COMMA, NUMBER, BULLET]
GRAMMARS = {"commas": COMMAS, "numbers": NUMBERS, "bullets": BULLETS}

# Every character that some rule tells from others, and some more of each class.
TELLING = ' ",\n\r\t.-*129٣a\x85;'
texts = st.text(st.sampled_from(TELLING), max_size=40) | st.text(max_size=20)


class Bars(ListOutputParser):
    def parse(self, text):
        return text.split("|")


def cut(text, places):
    """The text in pieces; two equal places make an empty one."""
    return [
        text[a:b] for a, b in pairwise([0, *sorted(place % (len(text) + 1) for place in places), len(text)])
    ]


@pytest.mark.parametrize(
    ("parser", "text", "items"),
    [
        (COMMA, "red, green,blue", ["red", "green", "blue"]),
        (COMMA, 'a, "b, c", "say ""d""" e', ["a", "b, c", 'say "d" e']),
        (COMMA, 'a "b" c, "d" e', ['a "b" c', "d e"]),
        (COMMA, '"two\nlines", b', ["two\nlines", "b"]),
        (COMMA, '"never closed, b', ["never closed, b"]),
        (COMMA, 'a,"', ["a", ""]),
        (COMMA, "a\nb\r\nc\rd\n", ["a", "b", "c", "d"]),
        (COMMA, "a,,b,", ["a", "", "b", ""]),
        (COMMA, "a ,  b ", ["a ", "b "]),
        (COMMA, "\n\na\n\n", ["a"]),
        (COMMA, " ", [""]),
        (COMMA, "", []),
        (NUMBER, "Here:\n\n1. red\n2. green\n\n10. blue\nDone.", ["red", "green", "blue"]),
        (NUMBER, "so 1. a 2. b", ["a 2. b"]),
        (NUMBER, "1.a\n2.\n\n3) c\n4.  d", [" d"]),
        (NUMBER, "1.2. a", ["a"]),
        (NUMBER, "1.\na", ["a"]),
        (NUMBER, "1. ", []),
        (NUMBER, "", []),
        (BULLET, "Here:\n- red\n  * green\n\n- blue\nDone.", ["red", "green", "blue"]),
        (BULLET, "- a - b\nc - d\n-e\n-- f\n- - g", ["a - b", "- g"]),
        (BULLET, "- \n- a", ["a"]),
        (BULLET, "-\na", ["a"]),
        (BULLET, "", []),
        (Bars(), "a|b||", ["a", "b", "", ""]),
    ],
)
def test_what_is_an_item(parser, text, items, colour):
    assert colour.invoke(parser, text) == parser.parse(text) == items
    assert colour.stream(parser, AIMessage(text)) == [[item] for item in items]
    assert colour.transform(parser, list(text)) == [[item] for item in items]


@pytest.mark.parametrize(
    ("parser", "steps"),
    [
        (COMMA, [("re", []), ("d", []), (",", ["red"]), (" gr", []), ("een\n", ["green"]), ("blue", [])]),
        (COMMA, [('"a, ', []), ('b"', []), ("\r", ["a, b"]), ("\nc, d, ", ["c", "d"])]),
        (NUMBER, [("1", []), (". a", []), ("b\n", ["ab"]), ("2. c\n3.", ["c"]), (" d", [])]),
        (BULLET, [("- a", []), ("\n", ["a"]), ("no\n- b\n* c\n", ["b", "c"])]),
    ],
)
def test_an_item_is_out_when_it_is_complete(parser, steps):
    reader = parser._reader()
    for piece, items in steps:
        assert reader.feed(piece) == items


@pytest.mark.parametrize("parser", [*KINDS, Bars()], ids=repr)
@given(text=texts, places=st.lists(st.integers(0, 1000), max_size=8))
def test_the_cut_does_not_show(parser, text, places):
    streamed = parser.transform(cut(text, places))
    assert [item for [item] in streamed] == parser.parse(text)
    assert [item for [item] in parser.transform(text)] == (parser.parse(text) if text else [])


@pytest.mark.parametrize("kind", [NUMBER, BULLET], ids=repr)
@given(text=texts)
def test_the_grammar_says_what_the_pattern_says(kind, text):
    assert kind.parse(text) == re.findall(kind.pattern, text, kind._flags)


@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS)
@given(character=st.sampled_from(TELLING) | st.characters())
def test_every_state_takes_every_character_by_one_rule(grammar: Grammar, character: str):
    for expression, rules in grammar.states.values():
        assert expression.match(character)
        assert sum(re.match(taken, character) is not None for taken, _, _ in rules) == 1
        assert all(to in grammar.states for _, _, to in rules)
    assert grammar.ends_in <= grammar.states.keys()


class Counting:
    """An expression that counts the characters it takes, and lets none be taken that lies behind."""

    def __init__(self, expression, taken):
        self._expression, self._taken = expression, taken

    def match(self, text, at):
        found = self._expression.match(text, at)
        self._taken.append(len(found[0]))
        return found


LONG = {"commas": 'x{0}, "{0}", y', "numbers": "{0}1. {0}\n", "bullets": "{0}\n- {0}\n"}


@pytest.mark.parametrize("kind", GRAMMARS)
@pytest.mark.parametrize("filling", ["a", "1", " ", "\n", '"', ",", "- ", "1.", "a, "])
def test_each_character_is_taken_once(kind, filling, monkeypatch):
    grammar, taken = GRAMMARS[kind], []
    counting = {
        state: (Counting(expression, taken), rules) for state, (expression, rules) in grammar.states.items()
    }
    monkeypatch.setattr(grammar, "states", counting)
    text = LONG[kind].format(filling * 300)
    for size in (1, 7, len(text)):
        taken.clear()
        reader = GrammarReader(grammar)
        for at in range(0, len(text), size):
            reader.feed(text[at : at + size])
        assert sum(taken) == len(text)


def _seconds(parser, text):
    def once():
        began = time.perf_counter()
        for _ in parser.transform(text):
            pass
        return time.perf_counter() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize(
    ("parser", "begin", "filling"),
    [
        (COMMA, "x, ", "a"),
        (COMMA, 'x, "', ","),
        (COMMA, "", "a,"),
        (NUMBER, "1. ", "a"),
        (NUMBER, "", "1"),
        (BULLET, "- ", "a"),
        (BULLET, "", "\n"),
    ],
)
def test_ten_times_the_text_takes_about_ten_times_as_long(parser, begin, filling):
    # Letter by letter; what looks at them again takes a hundred times as long.
    assert _seconds(parser, begin + filling * 30_000) < 40 * _seconds(parser, begin + filling * 3_000)
    began = time.perf_counter()
    parser.parse(begin + filling * 300_000)
    assert time.perf_counter() - began < 5


# --- patterns and parsers of one's own ------------------------------------------------------------------


def test_a_pattern_of_ones_own_waits_for_the_end(colour):
    parser = NumberedListOutputParser(pattern=r"\d+\)\s([^\n]+)")
    assert colour.invoke(parser, "1) a\n2) b") == ["a", "b"]
    assert colour.transform(parser, ["1) a\n2) b", "b\n", "3", ") c"]) == [["a"], ["bb"], ["c"]]
    assert parser._reader().feed("1) a\n2) b\n") == []


def test_a_pattern_without_a_group_and_one_with_line_ends():
    assert NumberedListOutputParser(r"\w+").parse("a b") == ["a", "b"]
    assert MarkdownListOutputParser(r"^\+ (.*)$").parse("+ a\n+ b") == ["a", "b"]


def test_a_pattern_of_a_class():
    class Plus(MarkdownListOutputParser):
        pattern = r"^\+ (.*)$"

    assert Plus().parse("+ a\n- c\n+ b") == ["a", "b"]
    assert list(Plus().transform("+ a\n- c\n+ b")) == [["a"], ["b"]]


def test_a_pattern_of_several_groups_is_refused():
    with pytest.raises(ValueError, match="several groups"):
        NumberedListOutputParser(pattern=r"(\d+)\. (.*)")
    with pytest.raises(re.error):
        NumberedListOutputParser(pattern="(")


def test_a_subclass_that_parses_otherwise_does_so_in_a_stream_too():
    class Loud(CommaSeparatedListOutputParser):
        def parse(self, text):
            return [item.upper() for item in super().parse(text)]

    assert Loud().invoke("a, b") == ["A", "B"]
    assert list(Loud().transform("a, b")) == [["A"], ["B"]]


def test_a_parser_of_ones_own_is_asked_once_and_not_about_nothing():
    asked = []

    class Asked(ListOutputParser):
        def parse(self, text):
            asked.append(text)
            return text.split()

    assert list(Asked().transform(["ab c", "", " d"])) == [["ab"], ["c"], ["d"]]
    assert list(Asked().transform([])) == []
    assert asked == ["ab c d"]


def test_an_error_of_a_parser_of_ones_own(colour):
    class Picky(ListOutputParser):
        def parse(self, text):
            raise LookupError(text)

    for call in (lambda: colour.invoke(Picky(), "ab"), lambda: colour.transform(Picky(), ["a", "b"])):
        with pytest.raises(LookupError, match="ab") as caught:
            call()
        assert "Picky" in caught.value.__notes__[0]


# --- as steps -------------------------------------------------------------------------------------------


def test_in_a_chain(colour):
    model = FakeChatModel([["1. re", "d\n", "2. green", "\n3. ", "blue"]])
    chain = ChatPromptTemplate.from_template("{x}") | model | NUMBER
    assert colour.invoke(chain, {"x": "colours"}) == ["red", "green", "blue"]
    assert colour.stream(chain, {"x": "colours"}) == [["red"], ["green"], ["blue"]]


def test_lists_of_one_add_up(colour):
    chain = FakeChatModel([["a, ", "b, c"]]) | COMMA | sorted
    assert colour.stream(chain, "x") == [["a", "b", "c"]]


@pytest.mark.parametrize("parser", KINDS, ids=repr)
def test_content_blocks(parser, colour):
    text = "1. a\n- b\n1. c, d"
    chunks = [AIMessageChunk([{"type": "text", "text": letter}, {"type": "image_url"}]) for letter in text]
    assert [item for [item] in colour.transform(parser, chunks)] == parser.parse(text)


def test_leaving_closes_what_is_read():
    seen = []

    def source():
        try:
            for piece in ("a, ", "b, ", "c"):
                seen.append(piece)
                yield piece
        finally:
            seen.append("closed")

    for item in COMMA.transform(source()):
        assert item == ["a"]
        break
    assert seen == ["a, ", "closed"]


def test_leaving_closes_what_is_read_async():
    seen = []

    async def source():
        try:
            for piece in ("a, ", "b, ", "c"):
                seen.append(piece)
                yield piece
        finally:
            seen.append("closed")

    async def run():
        stream = COMMA.atransform(source())
        assert await anext(stream) == ["a"]
        await stream.aclose()

    asyncio.run(run())
    assert seen == ["a, ", "closed"]


@pytest.mark.parametrize("parser", KINDS, ids=repr)
def test_an_error_comes_after_the_items_before_it(parser):
    def source():
        yield "1. a\n- b,\n1. c"
        raise LookupError("lost")

    items = []
    with pytest.raises(LookupError, match="lost"):
        for item in parser.transform(source()):
            items.append(item)
    assert [item for [item] in items] == parser.parse("1. a\n- b,\n")


@pytest.mark.parametrize("parser", [*KINDS, Bars()], ids=repr)
def test_other_things_are_refused(parser):
    with pytest.raises(InputError, match=f"{parser.get_name()} takes a message or a text, not int"):
        parser.invoke(3)
    with pytest.raises(InputError):
        list(parser.transform([3]))


# --- instructions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("parser", KINDS, ids=repr)
def test_the_example_in_the_instructions_is_read(parser):
    said, example = re.split(r"For example:\s", parser.get_format_instructions())
    assert said
    assert [item.split(",")[0] for item in parser.parse(example.strip())] == ["red", "green", "blue"]


def test_a_parser_without_instructions():
    with pytest.raises(NotImplementedError, match="Bars has no format instructions"):
        Bars().get_format_instructions()
