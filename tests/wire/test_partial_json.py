import json
import random
import re
import sys
import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millstream.errors import ConfigError, JsonError, JsonLimitError
from millstream.wire import JsonEvent, JsonScanner, JsonSnapshots, Repair, parse_partial_json
from millstream.wire.partial_json import DEEPEST
from tests.wire.properties import (
    NOTHING,
    check_any,
    check_strict,
    check_valid,
    cut,
    outcome,
    read,
    rebuild,
    value_of,
)
from tests.wire.strategies import broken, documents, duplicated, places, rubbish, texts, values

# --- any text ----------------------------------------------------------------------------------------------


@given(text=documents, places=places)
@example('"\\ud83d\\ude00"', [3, 7, 8])
@example('{"": {"": [[], {}, ""]}}', [5])
@example("-0", [1])
@example("[1.50, 1.0, 1e5, -0.0]", [3])
@settings(max_examples=150, deadline=None)
def test_any_document_in_any_pieces(text, places):
    for pieces in ([text], list(text), cut(text, places)):
        check_valid(text, pieces)
    check_valid(text, cut(text, places), prose=False, repair=True)


@given(text=broken() | rubbish, places=places, prose=st.booleans(), repair=st.booleans())
@example('["abc\\x"]', [3], True, False)
@example("[truX]", [3], True, False)
@example("[1-2]", [3], False, False)
@example("None of [1]", [3], True, True)
@settings(max_examples=250, deadline=None)
def test_any_text_in_any_pieces(text, places, prose, repair):
    check_any(text, cut(text, places), prose=prose, repair=repair)


@given(text=broken() | rubbish | documents, places=places)
@settings(max_examples=100, deadline=None)
def test_limits_in_any_pieces(text, places):
    check_any(text, cut(text, places), max_depth=2, max_digits=3)
    check_any(text, cut(text, places), prose=False, max_length=10)


@given(text=broken() | rubbish | documents)
@example("\ufeff1")
@example("[1E400, -1e999]")
@example('"\t"')
@example("5`")
@settings(max_examples=250, deadline=None)
def test_without_prose_it_reads_what_json_loads_reads(text):
    check_strict(text)


@given(text=documents)
@example("-1.5e+7")
@settings(max_examples=60, deadline=None)
def test_a_beginning_is_no_fault_but_an_early_end(text):
    whole = repr(json.loads(text))
    for end in range(len(text)):
        last, fault, _ = outcome([text[:end]], prose=False)[1:]
        if fault is None:  # a number may end sooner, and white space may be missing
            assert text[:end].strip("0123456789.-+eE \n\t") == "" or last == whole
        else:
            assert fault.kind is JsonError
            assert fault.truncated
            assert fault.position == end


@given(text=duplicated, places=places)
@settings(max_examples=150, deadline=None)
def test_duplicate_keys_in_any_pieces(text, places):
    for pieces in ([text], list(text), cut(text, places)):
        check_valid(text, pieces, unique_keys=False)


def test_duplicate_keys():
    text = '{"a": {"b": "xyz"}, "c": 1, "a": [{"a": 1, "a": 2}], "a": {"b": "q", "b": "rs"}, "c": "c"}'
    for pieces in ([text], list(text), *(cut(text, [at]) for at in range(len(text)))):
        check_valid(text, pieces, unique_keys=False)


def test_events():
    scanner = JsonScanner()
    assert scanner.feed('{"name": "Jo') == [
        JsonEvent((), None, {}),
        JsonEvent(("name",), "Jo", "Jo"),
    ]
    assert scanner.feed("") == []
    assert scanner.feed('hn", "n": [-1') == [
        JsonEvent(("name",), "hn", "John", True),
        JsonEvent(("n",), None, []),
        JsonEvent(("n", 0), None, -1),
    ]
    assert scanner.feed("2, tr") == [JsonEvent(("n", 0), None, -12, True)]
    assert scanner.feed("ue") == [JsonEvent(("n", 1), None, True, True)]
    assert scanner.feed(", 1") == [JsonEvent(("n", 2), None, 1)]
    assert scanner.feed(".") == []
    assert scanner.feed("50") == [JsonEvent(("n", 2), None, 1.5)]
    assert not scanner.complete
    assert scanner.feed("]}!") == [
        JsonEvent(("n", 2), None, 1.5, True),
        JsonEvent(("n",), None, [-12, True, 1.5], True),
        JsonEvent((), None, {"name": "John", "n": [-12, True, 1.5]}, True),
    ]
    assert scanner.complete
    assert scanner.finish() == []


def test_a_bare_value_is_told_by_the_end():
    for text, event in [
        ('"ab"', JsonEvent((), "ab", "ab", True)),
        ("-12.50", JsonEvent((), None, -12.5, True)),
        (" null\n", JsonEvent((), None, None, True)),
    ]:
        scanner = JsonScanner()
        assert [each for letter in text for each in scanner.feed(letter)] == []
        assert not scanner.complete
        assert scanner.finish() == [event]
        assert scanner.complete


# --- what stands around ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "\ufeff{}",
        " \n\t{}\n\n",
        "```json\n{}\n```",
        "```\n{}\n```\n",
        "```JSON5 title=x\r\n{}\r\n```",
        "``` {} ```",
        "```json{}```",
        "````md\n{}\n````",
        "`{}`",
        "~~~json\n{}\n~~~",
        "Sure! Here you go:\n\n```json\n{}\n```\n\nAnything else? {} [1, 2] ```json\n[3]\n```",
        "```text\nno value here\n```\nBut here:\n```json\n{}\n```",
        "It's 3 o'clock, and 5 < 6. {}",
        'He said "yes", true; null: {}',
        "1. The first point: {}",
        "As [see below] {note} [x](y) {% if %} {} and [more]",
        "Say [ ... ] or { ... } as in {{x}} ${y}: {}",
        "-- {}",
        "- {}",
        "`` ` `` {}",
        "\ud800 {} \ud800",
        '"Quoted" words, then {}',
        '"No \\escape {}',
        '"Half \\ud83d\\escape {}',
        '"Half \\ud83d \\u00x {}',
    ],
)
@pytest.mark.parametrize(
    "value", ['{"a": [1, "}]`", {}]}', "[]", '[["x"]]', "{}", '[-1, "```"]', '{ "a": 1 }', '["\\n"]']
)
def test_what_stands_around_is_passed_over(around, value):
    text = around.replace("{}", value)
    for pieces in ([text], list(text), *(cut(text, [at]) for at in range(0, len(text), 3))):
        last, fault, _ = outcome(pieces)[1:]
        assert fault is None
        assert last == repr(json.loads(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("```json\n5\n```", 5),
        ("```\n-1.5e3```", -1500.0),
        ('```json\n"a ` b"\n```\n', "a ` b"),
        ("```json\n5\n```\nBye, [1]", 5),
        ("Here:\n```json\ntrue\n```", True),
        ("```\nnull\n```", None),
        ("`7`", NOTHING),
        ("`a` and `b`\n5", NOTHING),
        ("`{`{`\n5", NOTHING),
        (' "x" ', "x"),
        ('"x" or "y"', NOTHING),
        ("5 apples", NOTHING),
        ("true, I think", NOTHING),
        ("The answer is 5", NOTHING),
        ("", NOTHING),
        (" \n", NOTHING),
        ("```json\n```", NOTHING),
        ("No JSON {here} or [there].", NOTHING),
        ("tru", NOTHING),
        ("-", NOTHING),
        ('"', NOTHING),
    ],
)
def test_a_bare_value_counts_if_nothing_but_its_fence_is_around(text, value):
    for pieces in ([text], list(text), *(cut(text, [at]) for at in range(len(text)))):
        last, fault, _ = outcome(pieces)[1:]
        if value is NOTHING:
            assert fault == (JsonError, (), len(text), True)
        else:
            assert fault is None
            assert last == repr(value)


def test_behind_the_value_anything_may_stand():
    scanner = JsonScanner()
    scanner.feed('[1] ]}{"')
    assert scanner.feed("[2]") == []
    assert scanner.finish() == []
    with pytest.raises(JsonError, match="nothing is expected behind the value, not 'x'") as caught:
        JsonScanner(prose=False).feed("[1] x")
    assert caught.value.position == 4


# --- faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says", "path", "position"),
    [
        ("[1 2]", "a comma or the list's end", (), 3),
        ('{"a": 1 "b": 2}', "a comma or the object's end", (), 8),
        ('{"a" 1}', "a colon", (), 5),
        ("{a: 1}", "a key in double quotes", (), 1),
        ("{1: 1}", "a key in double quotes", (), 1),
        ("{'a': 1}", "may read it", (), 1),
        ('{"a": 1,}', "may read it", (), 8),
        ("[1,]", "may read it", (1,), 3),
        ("[1,,2]", "a value is expected, not ','", (1,), 3),
        ('{"a": }', "a value is expected, not '}'", ("a",), 6),
        ('{"a": {"b": nul}}', "a value is expected, not 'n'", ("a", "b"), 12),
        ("[1, True]", "may read it", (1,), 4),
        ('{"a": NaN}', "may read it", ("a",), 6),
        ("[0, -Infinity]", "'-' is no number", (1,), 4),
        ("[0, 01]", "'01' is no number", (1,), 4),
        ("[0, +1]", "a value is expected, not '\\+'", (1,), 4),
        ("[0, .5]", "a value is expected, not '.'", (1,), 4),
        ("[0, 1.]", "'1.' is no number", (1,), 4),
        ("[0, 1e5.2]", "is no number", (1,), 4),
        ('{"a": --1}', "is no number", ("a",), 6),
        ('["a\\q"]', "JSON has no escape", (0,), 4),
        ('["a\\u12g4"]', "four hexadecimal digits", (0,), 7),
        ('{"a\\x": 1}', "JSON has no escape", (), 4),
        ("[1 /* c */]", "may read it", (), 3),
        ("[1}", "a comma or the list's end", (), 2),
        ('{"a": 1]', "a comma or the object's end", (), 7),
        ('{"a": [1, {"b": [2, x]}]}', "a value", ("a", 1, "b", 1), 20),
    ],
)
def test_faults(text, says, path, position):
    for pieces in ([text], list(text), *(cut(text, [at]) for at in range(len(text)))):
        scanner = JsonScanner()
        with pytest.raises(JsonError, match=says) as caught:
            for piece in pieces:
                scanner.feed(piece)
        assert (caught.value.path, caught.value.position) == (path, position)
        assert not caught.value.truncated
        assert str(position) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[", (0,)),
        ('["a', (0,)),
        ('["a", ', (1,)),
        ('{"a', ()),
        ('{"a"', ()),
        ('{"a":', ("a",)),
        ('{"a": 1', ("a",)),
        ('{"a": 1 ', ()),
        ('{"a": {"b": [tr', ("a", "b", 0)),
        ('{"a": {"b": "\\', ("a", "b")),
        ('{"a": "\\ud83d', ("a",)),
        ('{"a": {"b": 1} // x', ()),
        ('{"a": {"b": 1} /* x *', ()),
    ],
)
def test_an_early_end(text, path):
    for pieces in ([text], list(text)):
        fault = outcome(pieces, repair=True).fault
        assert fault == (JsonError, path, len(text), True)


def test_what_came_before_a_fault_is_told():
    for text, value in [('{"a": "bc\\x"}', {"a": "bc"}), ('[1, "b", 12x]', [1, "b", 12]), ("[5-6]", [5])]:
        events, items, last = read([text])
        assert last.fault is not None
        assert rebuild(events) == items[-1].value == value


# --- repair ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        ("['a']", ["a"], [("single quotes", (0,), 1)]),
        ("{'a': 'b\"c'}", {"a": 'b"c'}, [("single quotes", (), 1), ("single quotes", ("a",), 6)]),
        ("[1,]", [1], [("trailing comma", (), 3)]),
        ('{"a": [1 , ] , }', {"a": [1]}, [("trailing comma", ("a",), 11), ("trailing comma", (), 15)]),
        ("[// x\n1]", [1], [("comment", (0,), 1)]),
        ("[1 # x, ]\n]", [1], [("comment", (), 3)]),
        (
            '{"a" /* : */ : /**/ 1 /***/ }',
            {"a": 1},
            [("comment", (), 5), ("comment", ("a",), 15), ("comment", (), 22)],
        ),
        ("[1, // x\n]", [1], [("comment", (1,), 4), ("trailing comma", (), 9)]),
        ("{/* x */}", {}, [("comment", (), 1)]),
        (
            "[True, False, None]",
            [True, False, None],
            [("word", (0,), 1), ("word", (1,), 7), ("word", (2,), 14)],
        ),
        ("[undefined]", [None], [("word", (0,), 1)]),
        ("[NaN]", [float("nan")], [("word", (0,), 1)]),
        ("[1, Infinity]", [1, float("inf")], [("word", (1,), 4)]),
        ('{"a": -Infinity}', {"a": float("-inf")}, [("word", ("a",), 6)]),
        ("{a: 1, $b_1-c: 2}", {"a": 1, "$b_1-c": 2}, [("bare key", (), 1), ("bare key", (), 7)]),
        ("{été : 1}", {"été": 1}, [("bare key", (), 1)]),
        ("{true: true}", {"true": True}, [("bare key", (), 1)]),
        (
            '["\\q\\\'"]',
            ["q'"],
            [("escape that JSON does not have", (0,), 3), ("escape that JSON does not have", (0,), 5)],
        ),
        ('{"\\.": 1}', {".": 1}, [("escape that JSON does not have", (), 3)]),
        ('["\\ud83d\\."]', ["\ud83d."], [("escape that JSON does not have", (0,), 9)]),
        (
            "Sure: {'a': True,}",
            {"a": True},
            [("single quotes", (), 7), ("word", ("a",), 12), ("trailing comma", (), 17)],
        ),
        ("```\n{a: None}\n```", {"a": None}, [("bare key", (), 5), ("word", ("a",), 8)]),
        ("True", True, [("word", (), 0)]),
        ("None of these: [1]", [1], []),
        ("'Not', True\n```\n5\n```", 5, []),
        ("'Quoted\\q', True. NaN [1]", [1], []),
    ],
)
def test_repairs(text, value, repairs):
    expected = [Repair(habit, path, at) for habit, path, at in repairs]
    for pieces in ([text], list(text), *(cut(text, [at]) for at in range(len(text)))):
        last, fault, found = outcome(pieces, repair=True)[1:]
        assert fault is None
        assert last == repr(value)
        assert found == expected
    if expected:
        assert outcome([text]).fault is not None


@pytest.mark.parametrize(
    "text", ["[1 / 2]", "[1 /", "{'a\": 1}", "[Trueish]", "[nulls]", "{a b: 1}", "['\\u12']", "[1,,]"]
)
def test_what_cannot_be_repaired(text):
    faults = {outcome(pieces, repair=True).fault for pieces in ([text], list(text))}
    assert len(faults) == 1
    assert None not in faults


def test_between_values_the_object_or_list_is_at_fault():
    assert outcome(['{"a": {"b": 1} /x'], repair=True).fault == (JsonError, (), 16, False)
    assert outcome(["1.2.3"], prose=False).fault == (JsonError, (), 0, False)


BARE_KEY = re.compile(r"[a-zA-Zéßжﬁ日_$][\w$-]*")


class Sloppy:
    """Writes JSON as models do, and remembers where it was none."""

    def __init__(self, random: random.Random, often: float) -> None:
        self.random = random
        self.often = often
        self.text = ""
        self.repairs: list[Repair] = []

    def does(self, habit, path, *, silently=False):
        if self.random.random() >= self.often:
            return False
        if not silently:
            self.repairs.append(Repair(habit, path, len(self.text)))
        return True

    def write(self, value, path=()):
        if isinstance(value, dict):
            self.container("{}", value.items(), path)
        elif isinstance(value, list):
            self.container("[]", enumerate(value), path)
        elif isinstance(value, str):
            self.string(value, path)
        elif value is None or isinstance(value, bool):
            words = {None: ["None", "undefined"], True: ["True"], False: ["False"]}
            self.text += self.random.choice(words[value]) if self.does("word", path) else json.dumps(value)
        else:
            self.text += json.dumps(value)

    def container(self, brackets, items, path):
        self.text += brackets[0]
        number = -1
        for number, (key, value) in enumerate(items):
            if number:
                self.text += ","
            # A comment belongs to the value that comes next, or to the object whose key does.
            self.space((*path, key) if brackets == "[]" else path)
            if brackets == "{}":
                if BARE_KEY.fullmatch(key) and self.does("bare key", path):
                    self.text += key
                else:
                    self.string(key, path)
                self.space(path)
                self.text += ":"
                self.space((*path, key))
            self.write(value, (*path, key))
            self.space(path)
        if number >= 0 and self.does("trailing comma", path, silently=True):
            self.text += ","
            self.space((*path, number + 1) if brackets == "[]" else path)
            self.repairs.append(Repair("trailing comma", path, len(self.text)))
        self.text += brackets[1]

    def space(self, path):
        self.text += self.random.choice(["", "", " ", "\n "])
        if self.does("comment", path):
            self.text += self.random.choice(["// ]}\n", "/* \",' */", "#\n", "/***/"])

    def string(self, text, path):
        quote = "'" if self.does("single quotes", path) else '"'
        self.text += quote
        for char in text:
            if char.isalpha() and char not in "bfnrtu" and self.does("escape that JSON does not have", path):
                # The place is that of what stands behind the backslash.
                repair = self.repairs.pop()
                self.repairs.append(Repair(repair.habit, path, repair.position + 1))
                self.text += "\\" + char
            elif char == quote or char == "\\":
                escaped = char == "'" and quote == "'"
                if escaped:
                    self.repairs.append(Repair("escape that JSON does not have", path, len(self.text) + 1))
                self.text += "\\" + char
            else:
                self.text += char
        self.text += quote


@given(
    value=st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3),
    random=st.randoms(use_true_random=False),
    often=st.sampled_from([0.1, 0.5, 1]),
    places=places,
)
@settings(max_examples=150, deadline=None)
def test_any_repairs_in_any_pieces(value, random, often, places):
    writer = Sloppy(random, often)
    writer.write(value)
    for pieces in ([writer.text], list(writer.text), cut(writer.text, places)):
        last, fault, found = outcome(pieces, repair=True)[1:]
        assert fault is None
        assert last == repr(value)
        assert found == writer.repairs


# --- hostile texts --------------------------------------------------------------------------------------


def test_nesting_is_limited():
    for text in ("[" * 100_000, '{"a":' * 100_000, '[{"a":' * 50_000, "x: " + "[" * 100_000):
        for size in (len(text), 1000, 7):
            scanner = JsonScanner()
            with pytest.raises(JsonLimitError, match="deeper than 500 levels") as caught:
                for at in range(0, len(text), size):
                    scanner.feed(text[at : at + size])
            assert len(caught.value.path) == 500
    assert repr(value_of("[" * 500 + "]" * 500)) == "[" * 500 + "]" * 500


def test_nesting_may_be_deeper_than_the_stack():
    # Each event holds its path, so a text as deep as this costs the square of its depth.
    depth = 3000
    for opening, middle, closing in [("[", "", "]"), ('{"a":', "1", "}")]:
        text = opening * depth + middle + closing * depth
        events, items, last = read_values(cut(text, [1000, 5000]), max_depth=depth)
        assert last is None
        assert events[-1].complete
        found = 0
        value = items[-1]
        while value and not isinstance(value, int):
            value = value[0] if isinstance(value, list) else value["a"]
            found += 1
        assert found == depth - (not middle)


def read_values(pieces, **options):
    """Events, snapshots and the fault, without looking inside of them."""
    from millstream.wire import JsonSnapshots

    scanner, snapshots, events, items = JsonScanner(**options), JsonSnapshots(), [], []
    try:
        for piece in pieces:
            new = scanner.feed(piece)
            events += new
            if snapshots.take(new):
                items.append(snapshots.value())
        events += scanner.finish()
    except JsonError as error:
        return events, items, error
    return events, items, None


def test_long_numbers():
    digits = "7" * 1_000_000
    for text in (f"[{digits}]", f"[-0.{digits}]", f"[1e{digits}]", digits):
        for pieces in ([text], cut(text, range(0, len(text), 1000))):
            with pytest.raises(JsonLimitError, match="longer than 4300 characters") as caught:
                value_of_pieces(pieces)
            assert caught.value.position == (text[0] == "[")
    assert value_of(f"[{digits[:4300]}]") == [int(digits[:4300])]
    # A fraction may be as long as the limit says; a whole number not longer than Python reads.
    assert value_of(f"[0.{digits}]", max_digits=2_000_000) == [7 / 9]
    with pytest.raises(JsonLimitError, match="more digits than Python reads") as caught:
        value_of(f"[{digits}]", max_digits=2_000_000)
    assert (caught.value.path, caught.value.position) == ((0,), 1)


def value_of_pieces(pieces, **options):
    scanner = JsonScanner(**options)
    return rebuild([event for piece in pieces for event in scanner.feed(piece)] + scanner.finish())


def test_the_text_may_be_limited():
    text = '{"a": "bcdef"}'
    for pieces in ([text], list(text), cut(text, [3, 9])):
        events, _, last = read(pieces, max_length=10)
        assert last.fault == (JsonLimitError, ("a",), 10, False)
        assert rebuild(events) == {"a": "bcd"}
        assert outcome(pieces, max_length=len(text)).fault is None


def test_numbers_beyond_floats():
    assert value_of("[1e999, -1E+999, 1e-999, -0, -0.0]", prose=False) == [
        float("inf"),
        float("-inf"),
        0,
        0,
        0,
    ]


def test_half_characters_in_each_order():
    high, low = "\\ud83d", "\\ude00"
    for order in (
        [high],
        [low],
        [low, high],
        [high, low],
        [high, high, low],
        [high, low, low],
        [high, "x", low],
    ):
        for raw in ("", "\ud83d", "\ude00"):
            for text in (json.dumps("x")[:-1] + "".join(order) + raw + '"', f'["{raw}{"".join(order)}\\n"]'):
                for pieces in ([text], list(text)):
                    check_valid(text, pieces)


def test_nul_and_other_control_characters():
    for text in ('["\\u0000"]', '["\0\x1f\x7f\x85\u2028"]', '{"\0": "\n\r\t"}'):
        check_valid(text, list(text))


def test_a_byte_order_mark():
    assert value_of("\ufeff[1]") == [1]
    assert value_of("\ufeff5", prose=False) == 5
    for text in (" \ufeff5", "\ufeff\ufeff5"):
        with pytest.raises(JsonError):
            value_of(text, prose=False)


# --- what it costs --------------------------------------------------------------------------------------


def test_a_text_of_100_mb_in_pieces():
    piece = "x" * 65_535 + "é"
    scanner = JsonScanner()
    began = time.thread_time()
    told = len(scanner.feed('{"a": "'))
    for _ in range(1600):
        for event in scanner.feed(piece):
            told += len(event.delta or "")
    assert told == 2 + 1600 * len(piece)
    *_, whole = scanner.feed('"}')
    assert len(whole.value["a"]) == 1600 * len(piece)
    assert time.thread_time() - began < 20


def test_memory_grows_with_the_text_alone():
    scanner = JsonScanner()
    scanner.feed('["')
    piece = "x" * 4096
    tracemalloc.start()
    try:
        for number in range(2000):
            scanner.feed(piece + str(number))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1.1 * 2000 * len(piece)
    assert peak < 1.1 * 2000 * len(piece) + 100_000


FORMS = {
    "text": '["{}',
    "key": '{{"{}": 1}}',
    "bare key": "{{{}: 1}}",
    "prose": "x {} [1]",
    "bare text": '"{}',
    "fence": "```{}",
    "line comment": "[1 //{}",
    "block comment": "[1 /*{}",
    "list": "[1{}",
    "behind": "[1]{}",
    "candidate": "x [{}",
    "held key": "x {{{}",
    "passed over": "x {{1: {}",
    "passed brackets": "x [-{}",
}


@pytest.mark.parametrize(
    ("form", "filling"),
    [
        ("text", "x"),
        ("text", "\\n"),
        ("text", "\\u00e9"),
        ("text", "\\ud83d"),
        ("key", "x"),
        ("key", "\\n"),
        ("bare key", "x"),
        ("prose", "x"),
        ("prose", "`"),
        ("prose", "```"),
        ("prose", "{"),
        ("prose", "'"),
        ("prose", " "),
        ("bare text", "x"),
        ("fence", "x"),
        ("line comment", "*"),
        ("block comment", "*"),
        ("block comment", "x"),
        ("list", " "),
        ("list", ", 1"),
        ("list", ", 1.5 /**/"),
        ("list", ", 'x'"),
        ("list", ", True"),
        ("list", ', {"a": []}'),
        ("behind", "[`"),
        ("candidate", "\n"),
        ("held key", "x"),
        ("passed over", "x"),
        ("passed over", " x,"),
        ("passed over", "`"),
        ("passed brackets", "x"),
        ("passed brackets", "] [-"),
        ("passed brackets", "{x "),
    ],
)
def test_ten_times_the_text_takes_about_ten_times_as_long(form, filling):
    # In pieces of few characters; what looks at them again takes a hundred times as long.
    def seconds(length):
        text = FORMS[form].format(filling * (length // len(filling)))
        pieces = [text[at : at + 3] for at in range(0, len(text), 3)]

        def once():
            scanner = JsonScanner(repair=True)
            began = time.thread_time()
            for piece in pieces:
                scanner.feed(piece)
            return time.thread_time() - began

        return min(once() for _ in range(2))

    assert seconds(40_000) < 40 * max(seconds(4_000), 1e-4)


@pytest.mark.parametrize("filling", [" ", "`", "x", "\\n", "/", "{", "'"])
def test_megabytes_at_once(filling):
    text = filling * (1_000_000 // len(filling))
    for whole in (text, f'["{text}', f"[1 /*{text}"):
        assert outcome([whole], repair=True).fault is not None


# --- partial values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("Well", None),
        ("{", {}),
        ('{"a', {}),
        ('{"a": ', {}),
        ('{"a": "', {"a": ""}),
        ('{"a": "b\\u00', {"a": "b"}),
        ('{"a": [1, 2.', {"a": [1, 2]}),
        ('{"a": -', {}),
        ('{"a": tr', {}),
        ('Here: {"a": 1} and', {"a": 1}),
        ('"x', None),
        ('"x"', "x"),
        ("12", 12),
    ],
)
def test_parse_partial_json(text, value):
    assert parse_partial_json(text) == value


def test_parse_partial_json_refuses_what_is_no_json():
    with pytest.raises(JsonError):
        parse_partial_json("[1 2")
    for text in ("[note] hello", "[no", "[1-5] items", 'So {title: "Ran"', "{a: b} x"):
        with pytest.raises(JsonError, match="is expected|is no number"):
            parse_partial_json(text)
    with pytest.raises(JsonError, match="ends before"):
        parse_partial_json("[1", partial=False)
    assert parse_partial_json("[1, // two\n 'x", repair=True) == [1, "x"]


def test_importing_it_loads_no_json_and_no_asyncio():
    import subprocess

    code = "import sys, millstream.wire.partial_json; print('json' in sys.modules, 'asyncio' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]


def test_pairs_of_pieces_make_the_same_document():
    # Every cut of one document that holds each kind of token.
    text = (
        '\ufeff {"k\\u00e9y\\n": [-1.5e+3, true, {"": "\\ud83d\\ude00\\ud83d"}, [], null], "b": "\\"/\\\\"} '
    )
    for first, second in pairwise(range(len(text) + 1)):
        assert outcome([text[:first], text[first:second], text[second:]]) == outcome([text])


@pytest.mark.parametrize(
    "before", ["[note] ", "[[note]] ", "[Note: see below]\n", "[tru] ", "```\nx\n```\n[a] ", "'Tis "]
)
@pytest.mark.parametrize("repair", [False, True])
def test_a_word_in_brackets_is_prose(before, repair):
    text = before + '{"a": [1]}'
    for pieces in ([text], list(text), *(cut(text, [at]) for at in range(len(text)))):
        last, fault, found = outcome(pieces, repair=repair)[1:]
        assert (last, fault, found) == ("{'a': [1]}", None, [])


@pytest.mark.parametrize("text", ["[True]", "[note]", "[[NaN", "[tru] and [x]"])
def test_a_word_in_brackets_is_the_fault_if_no_json_follows(text):
    for pieces in ([text], list(text)):
        scanner = JsonScanner()
        for piece in pieces:
            scanner.feed(piece)
        with pytest.raises(JsonError, match="a value is expected, not") as caught:
            scanner.finish()
        opened = text.count("[", 0, 2)
        assert (caught.value.path, caught.value.position) == ((0,) * opened, opened)
        assert not caught.value.truncated


def test_a_value_that_begins_anew():
    scanner, snapshots = JsonScanner(), JsonSnapshots()
    shown = []
    for piece in ["[", "[", "no", "te] {", '"a": 1}']:
        if snapshots.take(scanner.feed(piece)):
            shown.append(snapshots.value())
    assert shown == [[], [[]], {"a": 1}]
    fenced = JsonScanner()
    snapshots = JsonSnapshots()
    for piece in ["[note]\n```json\n", "5\n```"]:
        snapshots.take(fenced.feed(piece))
    snapshots.take(fenced.finish())
    assert snapshots.value() == 5


@pytest.mark.parametrize("depth", [0, -1, DEEPEST + 1])
def test_how_deep_it_may_go(depth):
    with pytest.raises(ConfigError, match=f"from 1 to {DEEPEST}"):
        JsonScanner(max_depth=depth)


@pytest.mark.parametrize(
    "options",
    [
        {"max_depth": 2.5},
        {"max_depth": True},
        {"max_digits": 0},
        {"max_digits": -1},
        {"max_digits": 10.0},
        {"max_digits": None},
        {"max_length": -1},
        {"max_length": 1.5},
        {"max_length": "9"},
    ],
)
def test_limits_are_checked(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))} is a whole number"):
        JsonScanner(**options)
    JsonScanner(max_digits=1, max_length=0)


# --- brackets in prose ------------------------------------------------------------------------------------


def in_any_pieces(text):
    return [[text], list(text), *(cut(text, [at]) for at in range(len(text)))]


def outcome_of(text, **options):
    """What comes of the text, which does not depend on the pieces."""
    whole, *others = (outcome(pieces, **options) for pieces in in_any_pieces(text))
    assert all(other == whole for other in others)
    return whole


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        ('Sure: {title: "Ran", cast: ["T"]}', {"title": "Ran", "cast": ["T"]}, ["bare key"] * 2),
        ('So {\n $a-1 : ["x"]}', {"$a-1": ["x"]}, ["bare key"]),
        ('Sure:\n{\n // film\n "a": 1, "cast": ["x"]}', {"a": 1, "cast": ["x"]}, ["comment"]),
        ('Sure: {/* film */ "cast": ["x"]}', {"cast": ["x"]}, ["comment"]),
        ('Sure: {# film\n cast: ["x"]}', {"cast": ["x"]}, ["comment", "bare key"]),
        ("Sure: [ // films\n 1]", [1], ["comment"]),
        ("Sure: [ # films\n 1]", [1], ["comment"]),
        ("So {this} or {that thing} {a: 1}", {"a": 1}, ["bare key"]),
        ("So {a{b: [1]}", {"b": [1]}, ["bare key"]),
        ('[/INST] [#1] {/if} {"a": 1}', {"a": 1}, []),
        ("[// x\n-] {a: 1}", {"a": 1}, ["bare key"]),
        ("x [ /* c */ ]", [], ["comment"]),
        ("x [ /* c */ ] [1]", [1], []),
    ],
)
def test_objects_in_prose_are_repaired(text, value, repairs):
    last, fault, found = outcome_of(text, repair=True)[1:]
    assert (last, fault, [repair.habit for repair in found]) == (repr(value), None, repairs)


def test_where_a_repair_in_prose_is():
    assert outcome_of("So { a : 1}", repair=True).repairs == [Repair("bare key", (), 5)]
    assert outcome_of("So { // x\n}", repair=True).repairs == [Repair("comment", (), 5)]
    assert outcome_of("So [ // x\n1]", repair=True).repairs == [Repair("comment", (0,), 5)]
    # The repairs of a list that was cut before its first item ended are told, too.
    assert outcome_of("So ['a", repair=True).repairs == [Repair("single quotes", (0,), 4)]


@pytest.mark.parametrize(
    ("text", "position", "repair"),
    [
        ('Sure: {title: "Ran", cast: ["T"]}', 7, False),
        ('A {this} {cast: ["T"]}', 10, False),
        ('So {a: {"b": 1}}', 4, False),
        ("So {a: True, b: [1]}", 4, False),
        ("So {a: '}', b: [1]}", 4, False),
        ("So {a: b, // }\n c: [1]}", 4, False),
        ("So {a: b # }\n c: [1]}", 4, False),
        ('So {"a": {b: [1]}}', 10, False),
        ('So {1: ["x"]}', 4, False),
        ('So {1: ["x"]}', 4, True),
        ("So {'a': ['x']}", 4, False),
        ('So {\n // film\n "a": ["x"]}', 6, False),
        ('So {/* } */ "a": ["x"]}', 4, False),
        ('So {# film\n "a": ["x"]}', 4, False),
        ("So ['a', {\"b\": 1}]", 4, False),
        ('So [// a\n {"b": 1}]', 4, False),
        ('[True, {"b": 1}]', 1, False),
        ('[01, {"b": 1}]', 1, False),
        ("[01, {b: 1}]", 1, True),
        ("[.5, // x\n{// x\n}]", 1, True),
    ],
)
def test_no_inner_part_of_what_was_passed_over(text, position, repair):
    last, fault, _ = outcome_of(text, repair=repair)[1:]
    assert fault == (JsonError, fault.path, position, False)
    assert not set("Tbx") & set(last)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('A {note: it\'s here} {"a": 1}', {"a": 1}),
        ('f"{x:5} {y:.2f}" {"a": 1}', {"a": 1}),
        ('body {color: red; top: 5%} {"a": 1}', {"a": 1}),
        ('A {#if x} y {/if} {"a": 1}', {"a": 1}),
        ('A {a: b\n```json\n{"a": 1}\n```', None),
        ('[note: b\n```json\n{"a": 1}\n```', {"a": 1}),
        ('[\'tis] {"a": 1}', {"a": 1}),
        ('[// x] {"a": 1}', {"a": 1}),
        ('The range [1-5], then {"a": 1}', {"a": 1}),
        ('[2024-01-01] {"a": 1}', {"a": 1}),
        ('[[1-5]] [+1 555] [,] [-] [...] [1.] [}] {"a": 1}', {"a": 1}),
        ('[12:30] {"a": 1}', None),
        ("[1-5]\n```json\n5\n```", 5),
        ('- [ ] first\n```json\n{"a": 1}```', {"a": 1}),
        ("- [ ] first\n- [ ] second\n[1]", [1]),
        ("- [ ] first\n```json\n5```", 5),
        ("Answer: []", []),
        ("Answer: [].", []),
        ("Answer: [] [note] [1-5] [[1-5]]", []),
        ('Answer: []. Not {a: "b"}, {c: d}', []),
        ("Answer: []. Not {'a': 1}", []),
        ('Answer: [] [01, {"a": 1}]', []),
        ("[] [1]", []),
        ("```json\n[]\n```\n[1]", []),
    ],
)
def test_brackets_in_prose(text, value):
    last, fault, _ = outcome_of(text)[1:]
    assert (last, fault is None) == ((repr(value), True) if value is not None else (last, False))


def test_a_list_in_prose_begins_with_no_quote():
    # A fault in a text is one, even if it is the first item.
    assert outcome_of('["a\\q"] {"a": 1}').fault == (JsonError, (0,), 4, False)


def test_the_end_of_an_empty_list_in_prose_is_told_at_the_end():
    scanner = JsonScanner()
    assert scanner.feed("Answer: []!") == [JsonEvent((), None, [])]
    assert not scanner.complete
    assert scanner.finish() == [JsonEvent((), None, [], True)]
    assert scanner.complete
    assert scanner.finish() == scanner.feed("[1]") == []


@pytest.mark.parametrize("text", ["[,1]", "[-Infinity]", "[01]", "[+1]", "[.5]", "[1.]", "[1e5.2]", "[--1]"])
def test_a_list_that_begins_with_no_value_is_the_fault_if_no_json_follows(text):
    fault = outcome_of(text).fault
    assert fault == (JsonError, (0,), 1, False)
    assert outcome_of(text, prose=False).fault == fault


# --- after a fault ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ('{"a": 1 x', {}),
        ('["a\\q', {}),
        ('{"a": "bc', {"max_length": 8}),
        ("[[", {"max_depth": 1}),
        ("So {a: [1]}", {}),
    ],
)
def test_a_fault_is_kept(text, options):
    scanner = JsonScanner(**options)
    with pytest.raises(JsonError) as first:
        scanner.feed(text)
    for again in (
        lambda: scanner.feed("}"),
        lambda: scanner.feed("c"),
        lambda: scanner.feed(""),
        scanner.finish,
    ):
        with pytest.raises(JsonError) as caught:
            again()
        assert caught.value is first.value
        assert scanner.events == []
    assert not scanner.complete


def test_a_whole_number_beyond_python_is_told_as_far_as_python_reads_it():
    digits = "7" * 5000
    for text, position in [(f"[{digits}, x]", 1), (f"[1, {digits}]", 4)]:
        for pieces in ([text], list(text), cut(text, [4000, 4500, 5002])):
            last, fault, _ = outcome(pieces, max_digits=10_000)[1:]
            assert fault.kind is JsonLimitError
            assert fault.position == position
            assert last.endswith(f"{digits[:4300]}]")
    # It was the beginning of a fraction, and no fault.
    text = f"[{digits}.5e-4990]"
    assert outcome([text], max_digits=10_000) == outcome(list(text), max_digits=10_000)
    assert outcome([text], max_digits=10_000).fault is None
    # A fault behind a number that is open does not hide it.
    with pytest.raises(JsonLimitError, match="longer than 6000 characters"):
        JsonScanner(max_digits=6000).feed("[" + "7" * 7000)


# --- what repair could read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ('{"a": }', False),
        ('{"a": 1]', False),
        ("{\"a\": 1 'b': 2}", False),
        ('{"a" True}', False),
        ('{"a": 1 None}', False),
        ("{]", False),
        ("{,}", False),
        ('{"a": ]}', False),
        ("[1, }", False),
        ("{a: 1}", True),
        ("{'a': 1}", True),
        ("{\"a\": 'b'}", True),
        ('{"a": 1,}', True),
        ("[1,]", True),
        ("[1, True]", True),
        ('{"a": undefined}', True),
        ("[1 /* c */]", True),
        ('{"a" /* c */: 1}', True),
        ("{# c\n}", True),
        ("Sure: {'a': 1}", True),
        ('Sure: {a: "b"}', True),
        ('Sure: {// c\n"a": "b"}', True),
        ('Sure: {1: "b"}', None),
    ],
)
def test_the_hint_is_given_where_repair_reads_on(text, is_read):
    scanner = JsonScanner()
    with pytest.raises(JsonError) as caught:
        scanner.feed(text)
    assert ("may read it" in str(caught.value)) is (is_read is not False)
    if is_read is not None:
        assert (outcome([text], repair=True).fault is None) is is_read
