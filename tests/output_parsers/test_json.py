import asyncio
import copy
import json
import logging
import time
from itertools import pairwise

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from millstream import AddableDict, RunnableLambda, RunnableParallel, RunnablePassthrough
from millstream.errors import ConfigError, InputError, JsonError, JsonLimitError, OutputParserException
from millstream.messages import AIMessage, AIMessageChunk
from millstream.output_parsers import JsonOutputParser, PydanticOutputParser
from millstream.testing import FakeChatModel
from millstream.wire import JsonEvent, Repair
from millstream.wire.snapshots import LONG_TEXT
from tests.wire.properties import cut, grows, rebuild
from tests.wire.strategies import documents, duplicated, places

PARSER = JsonOutputParser()
DIFF = JsonOutputParser(diff=True)
EVENTS = JsonOutputParser(events=True)

PIECES = ["Sure:\n```json\n{", '"na', 'me": "An', "na", '", "ages": [4', "2, 7]", "}", "\n```"]
STATES = [
    {},
    {"name": "An"},
    {"name": "Anna"},
    {"name": "Anna", "ages": [4]},
    {"name": "Anna", "ages": [42, 7]},
]


def patched(patches, state=None):
    """Each state that the patches lead to."""
    for patch in patches:
        state = jsonpatch.apply_patch(state, copy.deepcopy(patch))
        yield state


# --- what is read ---------------------------------------------------------------------------------------


def test_values(colour):
    assert colour.transform(PARSER, PIECES) == STATES
    assert colour.invoke(PARSER, "".join(PIECES)) == STATES[-1]
    assert PARSER.parse("".join(PIECES)) == STATES[-1]


def test_patches(colour):
    found = colour.transform(DIFF, PIECES)
    assert list(patched(found)) == STATES
    assert found[0] == [{"op": "replace", "path": "", "value": {}}]
    assert found[-1] == [
        {"op": "replace", "path": "/ages/0", "value": 42},
        {"op": "add", "path": "/ages/1", "value": 7},
    ]
    assert colour.invoke(DIFF, "".join(PIECES)) == STATES[-1]


def test_events(colour):
    found = colour.transform(EVENTS, PIECES)
    assert found[:3] == [
        JsonEvent((), None, {}),
        JsonEvent(("name",), "An", "An"),
        JsonEvent(("name",), "na"),
    ]
    assert rebuild(found) == STATES[-1]
    assert colour.invoke(EVENTS, "".join(PIECES)) == JsonEvent((), None, STATES[-1], True)


def test_messages_and_content_blocks(colour):
    chunks = [AIMessageChunk([{"type": "text", "text": piece}, {"type": "image_url"}]) for piece in PIECES]
    assert colour.transform(PARSER, chunks) == STATES
    assert colour.transform(PARSER, [AIMessageChunk(piece) for piece in PIECES]) == STATES
    assert colour.invoke(PARSER, AIMessage("[1]")) == [1]
    assert colour.stream(PARSER, AIMessage("[1, 2]")) == [[1, 2]]


def test_in_a_chain(colour):
    for parser, last in [(PARSER, STATES[-1]), (DIFF, STATES[-1])]:
        chain = FakeChatModel([PIECES]) | parser
        assert colour.invoke(chain, "x") == last
    assert colour.stream(FakeChatModel([PIECES]) | PARSER, "x") == STATES
    assert colour.batch(FakeChatModel(["[1]", "[2]"]) | PARSER, ["x", "y"]) in ([[1], [2]], [[2], [1]])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ('"a"', "a"),
        ("null", None),
        ("```\ntrue\n```", True),
        ("-0.0", -0.0),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_whatever_stands_at_the_top(text, value, colour):
    assert colour.transform(PARSER, list(text)) == [value]
    assert colour.invoke(PARSER, text) == value
    assert [event.value for event in colour.transform(EVENTS, list(text))][-1] == value
    found = colour.transform(DIFF, list(text))
    # A patch cannot tell `null` from nothing.
    assert list(patched(found)) == ([] if value is None else [value])


@given(text=documents, places=places)
@settings(max_examples=60, deadline=None)
def test_any_document_in_any_pieces(text, places):
    value = json.loads(text)
    for pieces in ([text], cut(text, places), list(text)):
        items = list(PARSER.transform(pieces))
        assert items[-1] == value
        assert all(grows(before, after) for before, after in pairwise(map(plain, items)))
        assert rebuild(EVENTS.transform(pieces)) == value
        # The same number of items: whoever reads patches sees each state.
        states = list(patched(DIFF.transform(pieces)))
        assert states == [item for item in items if item is not None]
    assert PARSER.parse(text) == DIFF.parse(text) == EVENTS.parse(text).value == value


@given(text=duplicated, places=places)
@settings(max_examples=60, deadline=None)
def test_duplicate_keys_in_any_pieces(text, places):
    for pieces in (cut(text, places), list(text)):
        assert ([None, *patched(DIFF.transform(pieces))])[-1] == json.loads(text)


def plain(value):
    return list(value) if isinstance(value, list) else value


def test_no_item_changes_and_what_is_finished_is_shared(colour):
    pieces = ['[{"a": [1]}, ', '{"b": "x', 'y"}, [', "2]", "]"]
    items = colour.transform(PARSER, pieces)
    assert items == [
        [{"a": [1]}],
        [{"a": [1]}, {"b": "x"}],
        [{"a": [1]}, {"b": "xy"}, []],
        [{"a": [1]}, {"b": "xy"}, [2]],
    ]
    assert all(item[0] is items[0][0] for item in items)
    assert items[2][1] is items[3][1]
    items[-1].clear()
    assert items[2] == [{"a": [1]}, {"b": "xy"}, []]


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "items", "says", "path"),
    [
        (["no", "thing"], [], "holds no JSON", ()),
        ([""], [], "holds no JSON", ()),
        (['{"a": [1, ', '2, "x'], [{"a": [1]}, {"a": [1, 2, "x"]}], "ends before its JSON does", ("a", 2)),
        (['{"a": [1', ", 2 x]}"], [{"a": [1]}, {"a": [1, 2]}], "a comma or the list's end", ("a",)),
        (['{"a": "b\\q"}'], [{"a": "b"}], "no escape", ("a",)),
        (["[1, tru", "th]"], [[1]], "a value is expected, not 't'", (1,)),
        (["{'a': 1}"], [{}], "repair=True", ()),
    ],
)
def test_faults(pieces, items, says, path, colour):
    text = "".join(pieces)
    for parser in (PARSER, DIFF, EVENTS):
        with pytest.raises(OutputParserException, match=says) as caught:
            colour.invoke(parser, text)
        assert (caught.value.llm_output, caught.value.path) == (text, path)
        assert isinstance(caught.value.__cause__, JsonError)
        assert caught.value.retryable
    for parser, states in [(PARSER, lambda found: found), (DIFF, lambda found: list(patched(found)))]:
        found = []
        with pytest.raises(OutputParserException, match=says) as caught:
            for item in parser.transform(iter(pieces)):
                found.append(item)
        assert (caught.value.llm_output, caught.value.path) == (text, path)
        # What came before the fault, in the same piece too, was given out.
        assert states(found) == items
    with pytest.raises(OutputParserException, match=says):
        colour.transform(PARSER, pieces)
    found = []
    with pytest.raises(OutputParserException, match=says):
        for event in EVENTS.transform(iter(pieces)):
            found.append(event)
    assert (rebuild(found) if items else found) == (items[-1] if items else [])


def test_the_text_of_a_fault_is_what_had_come():
    stream = PARSER.transform(["so: [1", ", 2 3", "]"])
    assert [next(stream), next(stream)] == [[1], [1, 2]]
    with pytest.raises(OutputParserException) as caught:
        next(stream)
    assert caught.value.llm_output == "so: [1, 2 3"
    assert "JsonOutputParser" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("options", "text", "says", "path"),
    [
        ({}, "[" * 100_000, "nested deeper than 500", (0,) * 500),
        ({"max_depth": 2}, '[{"a": [', "nested deeper than 2", (0, "a")),
        ({}, f"[{'1' * 1_000_000}]", "longer than 4300", (0,)),
        ({"max_digits": 3}, "[1, 2345]", "longer than 3", (1,)),
        ({"max_length": 6}, '{"a": 1}', "longer than 6 characters", ("a",)),
    ],
)
def test_limits(options, text, says, path, colour):
    parser = JsonOutputParser(**options)
    for call in (lambda: colour.invoke(parser, text), lambda: colour.transform(parser, [text])):
        with pytest.raises(OutputParserException, match=says) as caught:
            call()
        assert caught.value.path == path
        assert isinstance(caught.value.__cause__, JsonLimitError)


def test_other_things_are_refused():
    with pytest.raises(InputError, match="JsonOutputParser takes a message or a text, not int"):
        PARSER.invoke(3)
    with pytest.raises(InputError):
        list(PARSER.transform([3]))
    with pytest.raises(ConfigError, match="give one of them"):
        JsonOutputParser(diff=True, events=True)
    with pytest.raises(ConfigError, match="give one of them"):
        JsonOutputParser(diff=True, target=dict)
    with pytest.raises(TypeError):
        JsonOutputParser(strict=True)


# --- what is read all the same --------------------------------------------------------------------------


def test_truncated_answers(colour):
    parser = JsonOutputParser(allow_truncated=True)
    assert colour.invoke(parser, 'So: {"a": [1, {"b": "x') == {"a": [1, {"b": "x"}]}
    assert colour.transform(parser, ['{"a": [1', ', 2], "b'])[-1] == {"a": [1, 2]}
    assert colour.transform(JsonOutputParser(allow_truncated=True, events=True), ["[", '"a'])[-1].path == (0,)
    assert colour.invoke(JsonOutputParser(allow_truncated=True, diff=True), "[1, 2") == [1, 2]
    for text in ("[1 2", "nothing", '"a text'):
        with pytest.raises(OutputParserException):
            colour.invoke(parser, text)
        with pytest.raises(OutputParserException):
            colour.transform(parser, [text])


def test_a_long_text_that_is_truncated_is_whole():
    text = "x" * (LONG_TEXT + 1000)
    for end in (['"]'], [], ["\\"]):
        for options in ({}, {"diff": True}, {"events": True}):
            parser = JsonOutputParser(allow_truncated=True, **options)
            found = list(parser.transform(['["', text, "ab", "c", *end]))
            if options:
                found = [rebuild(found)] if "events" in options else list(patched(found))
            assert found[-1] == [text + "abc"]


def test_a_long_text_before_a_fault_is_whole():
    text = "x" * (LONG_TEXT + 1000)
    found = []
    with pytest.raises(OutputParserException):
        for value in PARSER.transform(['["', text, "ab", "c\\q"]):
            found.append(value)
    assert found[-1] == [text + "abc"]


def test_patches_of_a_long_text_wait_for_its_snapshot():
    text = "x" * LONG_TEXT
    pieces = ['{"a": "', text, "1", "2", '3", "b', '": 4', "}"]
    assert list(patched(DIFF.transform(pieces))) == list(PARSER.transform(pieces))
    assert list(PARSER.transform(pieces))[1:] == [
        {"a": text},
        {"a": text + "123"},
        {"a": text + "123", "b": 4},
    ]


def test_repairs_are_handed_over(colour):
    found = []
    parser = JsonOutputParser(repair=found.append)
    pieces = ["None: {'a", "': Tr", "ue, # yes\n b: [1,", "]}"]
    assert colour.transform(parser, pieces)[-1] == {"a": True, "b": [1]}
    expected = [
        Repair("single quotes", (), 7),
        Repair("word", ("a",), 12),
        Repair("comment", (), 18),
        Repair("bare key", (), 25),
        Repair("trailing comma", ("b",), 31),
    ]
    assert found == expected
    found.clear()
    assert colour.invoke(parser, "".join(pieces)) == {"a": True, "b": [1]}
    assert found == expected


def test_repairs_are_told_before_a_fault():
    found = []
    with pytest.raises(OutputParserException):
        JsonOutputParser(repair=found.append).parse("[True, 1 2]")
    assert found == [Repair("word", (0,), 1)]


def test_repairs_are_logged(colour, caplog):
    with caplog.at_level(logging.WARNING, logger="millstream"):
        assert colour.invoke(JsonOutputParser(repair=True), "[True]") == [True]
        assert colour.invoke(JsonOutputParser(repair=True), "[true]") == [True]
    assert [record.getMessage() for record in caplog.records] == [
        "Read as JSON what is none: word at (0,) (character 1)."
    ]


# --- as a step ------------------------------------------------------------------------------------------


def test_no_input_is_no_fault(colour):
    for parser in (PARSER, DIFF, EVENTS):
        assert colour.transform(parser, []) == []


@pytest.mark.parametrize(
    ("text", "last"), [("[1, [2], 3]", [1, [2], 3]), ('{"a": [1]}', {"a": [1]}), ('"ab"', "ab")]
)
def test_a_function_gets_the_last_value_once(text, last, colour):
    seen = []

    def look(value):
        seen.append(value)
        return value

    chain = FakeChatModel([list(text)]) | PARSER | look
    assert colour.stream(chain, "x") == [last]
    assert colour.invoke(chain, "x") == last
    assert seen == [last, last]
    seen.clear()
    both = FakeChatModel([list(text)]) | PARSER | RunnableParallel(a=look, b=RunnableLambda(look))
    assert colour.invoke(both, "x") == {"a": last, "b": last}
    assert sum(colour.stream(both, "x"), start=AddableDict()) == {"a": last, "b": last}
    assert len(seen) == 4
    assert all(each == last for each in seen)


def test_a_function_gets_the_last_event_and_all_operations(colour):
    text = ['{"a": [1', ", 2]", "}"]
    assert colour.invoke(FakeChatModel([text]) | EVENTS | (lambda event: event.value), "x") == {"a": [1, 2]}
    operations = colour.stream(FakeChatModel([text]) | DIFF | (lambda patch: patch), "x")[0]
    assert list(patched([operations])) == [{"a": [1, 2]}]


def test_a_generator_function_sees_each_value(colour):
    def each(values):
        for value in values:
            yield len(value)

    async def aeach(values):
        async for value in values:
            yield len(value)

    model = FakeChatModel([["[1", ", 2", ", 3]"]])
    assert colour.stream(model | PARSER | each, "x") == [1, 2, 3]
    if colour.name == "async":
        assert colour.stream(model | PARSER | aeach, "x") == [1, 2, 3]


def test_lists_replace_each_other_beside_other_steps(colour):
    model = FakeChatModel([["[1", ", 2", "]"]])
    chain = model | RunnableParallel(list=PARSER, text=RunnablePassthrough())
    assert colour.invoke(chain, "x")["list"] == [1, 2]
    pieces = colour.stream(chain, "x")
    assert [piece["list"] for piece in pieces if "list" in piece] == [[1], [1, 2]]
    total = pieces[0]
    for piece in pieces[1:]:
        total = total + piece
    assert total["list"] == [1, 2]


def test_leaving_closes_what_is_read():
    seen = []

    def source():
        try:
            for piece in ("[1,", "2,", "3]"):
                seen.append(piece)
                yield piece
        finally:
            seen.append("closed")

    for value in PARSER.transform(source()):
        assert value == [1]
        break
    assert seen == ["[1,", "closed"]


def test_leaving_closes_what_is_read_async():
    seen = []

    async def source():
        try:
            for piece in ("[1,", "2,", "3]"):
                seen.append(piece)
                yield piece
        finally:
            seen.append("closed")

    async def run():
        stream = PARSER.atransform(source())
        assert await anext(stream) == [1]
        await stream.aclose()

    asyncio.run(run())
    assert seen == ["[1,", "closed"]


def test_a_fault_closes_what_is_read():
    seen = []

    def source():
        try:
            yield "[1 2"
        finally:
            seen.append("closed")

    stream = PARSER.transform(source())
    assert next(stream) == [1]
    with pytest.raises(OutputParserException):
        next(stream)
    assert seen == ["closed"]


def test_a_slow_reader_gets_each_value():
    async def source():
        for piece in ("[1", ",2", ",3]"):
            await asyncio.sleep(0)
            yield piece

    async def run():
        found = []
        async for value in PARSER.atransform(source()):
            await asyncio.sleep(0.005)
            found.append(list(value))
        return found

    assert asyncio.run(run()) == [[1], [1, 2], [1, 2, 3]]

    pulled = []

    def pieces():
        for piece in ("[1", ",2", ",3]"):
            pulled.append(piece)
            yield piece

    for number, _ in enumerate(PARSER.transform(pieces()), start=1):
        time.sleep(0.002)
        assert len(pulled) == number


def test_an_error_of_the_source_comes_after_the_values_before_it(colour):
    stream = PARSER.transform(iter_with_error())
    assert [next(stream), next(stream)] == [[1], [1, 2]]
    with pytest.raises(LookupError, match="lost"):
        next(stream)
    with pytest.raises(LookupError, match="lost"):
        colour.stream(FakeChatModel([["[1", LookupError("lost")]]) | PARSER, "x")


def iter_with_error():
    yield "[1"
    yield ", 2"
    raise LookupError("lost")


def test_one_parser_reads_many_answers_at_once():
    streams = [PARSER.transform(iter([f"[{number}", ", 0", "]"])) for number in range(3)]
    assert [next(stream) for stream in streams] == [[0], [1], [2]]
    assert [list(stream) for stream in streams] == [[[0, 0]], [[1, 0]], [[2, 0]]]


def test_what_is_behind_the_value_is_not_read_but_pulled(colour):
    assert colour.transform(PARSER, ["[1]", " and", "[2]", '{"'])[-1] == [1]


@settings(max_examples=30, deadline=None)
@given(
    before=st.sampled_from(["", "So: ", "```json\n"]),
    text=documents,
    after=st.sampled_from(["", "\n```", " ok? {"]),
)
def test_prose(before, text, after):
    if text[0] in "{[" and (text[1] in '"{[]}' or before != "So: "):
        assert PARSER.parse(before + text + after) == json.loads(text)


def test_the_cost_of_a_stream_is_linear():
    def seconds(length):
        pieces = ['{"a": "', *["abcd"] * (length // 4), '"}']
        began = time.thread_time()
        for _ in PARSER.transform(iter(pieces)):
            pass
        return time.thread_time() - began

    assert seconds(400_000) < 40 * min(seconds(40_000) for _ in range(2))


# --- instructions ---------------------------------------------------------------------------------------


class Person(BaseModel):
    name: str
    age: int = 0


def test_the_instructions_hold_the_schema():
    plain = JsonOutputParser().get_format_instructions()
    assert "JSON" in plain
    assert "schema" not in plain
    for parser in (
        JsonOutputParser(pydantic_object=Person),
        JsonOutputParser(target=Person),
        PydanticOutputParser(Person),
        PydanticOutputParser(pydantic_object=Person),
    ):
        said = parser.get_format_instructions()
        assert json.loads(said[said.index("{") :]) == Person.model_json_schema()
    # That one only tells: the values stay dicts.
    assert JsonOutputParser(pydantic_object=Person).parse('{"age": "x"}') == {"age": "x"}


def test_names():
    assert JsonOutputParser().get_name() == "JsonOutputParser"
    assert JsonOutputParser(name="mine").get_name() == "mine"
    assert PydanticOutputParser(Person, name="mine", repair=True).get_name() == "mine"
