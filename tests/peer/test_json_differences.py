"""Where JSON is read otherwise than by langchain-core, on purpose."""

import json
from typing import Any

import pytest

from tests.peer.compare import Case, Differs, Outcome, compare, each, fails, gives
from tests.peer.json_texts import Countries, diff_parser, json_parser
from tests.peer.libraries import OURS, PEER


def _stream_differs(
    key: str, name: str, pieces: list[str], ours: Outcome, peer: Outcome, parser: Any = json_parser
) -> Case:
    """A difference that only a stream of pieces shows."""
    return Case(
        name,
        parser,
        input="".join(pieces),
        pieces=pieces,
        verbs=["transform"],
        differs=Differs(key, ours, peer),
    )


@each(
    [
        _stream_differs(
            "json-half-escapes",
            "half a code",
            ['{"a": "x', "\\u00", 'e9"}'],
            gives({"a": "x"}, {"a": "xé"}),
            gives({"a": "x"}, {}, {"a": "xé"}),
        ),
        _stream_differs(
            "json-half-escapes",
            "half a code in a list",
            ['["a", "x', "\\u", '00e9"]'],
            gives(["a", "x"], ["a", "xé"]),
            gives(["a", "x"], ["a"], ["a", "xé"]),
        ),
        _stream_differs(
            "json-half-escapes",
            "half a pair",
            ['{"a": "x\\ud83d', '\\ude00"}'],
            gives({"a": "x"}, {"a": "x😀"}),
            gives({"a": "x\ud83d"}, {"a": "x😀"}),
        ),
        _stream_differs(
            "json-half-escapes",
            "patches",
            ['{"a": "x', "\\u00", 'e9"}'],
            gives(
                [{"op": "replace", "path": "", "value": {"a": "x"}}],
                [{"op": "replace", "path": "/a", "value": "xé"}],
            ),
            gives(
                [{"op": "replace", "path": "", "value": {"a": "x"}}],
                [{"op": "remove", "path": "/a"}],
                [{"op": "add", "path": "/a", "value": "xé"}],
            ),
            diff_parser,
        ),
        *(
            _stream_differs(
                "json-blanks-at-the-end",
                f"{blank!r}",
                ['{"a": "x', f"y{blank}", blank + 'z"}'],
                gives({"a": "x"}, {"a": f"xy{blank}"}, {"a": f"xy{blank}{blank}z"}),
                gives({"a": "x"}, {"a": "xy"}, {"a": f"xy{blank}{blank}z"}),
            )
            for blank in " \n\r\t\xa0`"
        ),
        _stream_differs(
            "json-number-types",
            "values",
            ["[1", ".0", "5, 2", ".0", "]"],
            gives([1], [1.0], [1.05, 2], [1.05, 2.0]),
            gives([1], [1.05, 2]),
        ),
        _stream_differs(
            "json-number-types",
            "patches",
            ["[1", ".0", ", 2]"],
            gives(
                [{"op": "replace", "path": "", "value": [1]}],
                [{"op": "replace", "path": "/0", "value": 1.0}],
                [{"op": "add", "path": "/1", "value": 2}],
            ),
            gives(
                [{"op": "replace", "path": "", "value": [1]}],
                [{"op": "replace", "path": "/0", "value": 1.0}, {"op": "add", "path": "/1", "value": 2}],
            ),
            diff_parser,
        ),
        _stream_differs(
            "json-patches-that-shift",
            "a text that was there",
            ['{"x": ["a", "b', 'c"], "y": "b"}'],
            gives(
                [{"op": "replace", "path": "", "value": {"x": ["a", "b"]}}],
                [{"op": "replace", "path": "/x/1", "value": "bc"}, {"op": "add", "path": "/y", "value": "b"}],
            ),
            gives(
                [{"op": "replace", "path": "", "value": {"x": ["a", "b"]}}],
                [{"op": "move", "from": "/x/1", "path": "/y"}, {"op": "add", "path": "/x/1", "value": "bc"}],
            ),
            diff_parser,
        ),
        _stream_differs(
            "json-patches-that-shift",
            "a number that was there",
            ["[1", "2, 1]"],
            gives(
                [{"op": "replace", "path": "", "value": [1]}],
                [{"op": "replace", "path": "/0", "value": 12}, {"op": "add", "path": "/1", "value": 1}],
            ),
            gives(
                [{"op": "replace", "path": "", "value": [1]}],
                [{"op": "add", "path": "/0", "value": 12}],
            ),
            diff_parser,
        ),
        _stream_differs(
            "json-patches-that-shift",
            "equal keys",
            ['{"a": {"b": 1}', ', "a": {', "}}"],
            gives(
                [{"op": "replace", "path": "", "value": {"a": {"b": 1}}}],
                [{"op": "replace", "path": "/a", "value": {}}],
            ),
            gives(
                [{"op": "replace", "path": "", "value": {"a": {"b": 1}}}],
                [{"op": "remove", "path": "/a/b"}],
            ),
            diff_parser,
        ),
        _stream_differs("json-null", "alone", ["nu", "ll"], gives(None), gives()),
        _stream_differs("json-null", "in a fence", ["```json\n", "null", "\n```"], gives(None), gives()),
        _stream_differs("json-bare-values", "a number", ["1", "2"], gives(12), gives(1, 12)),
        _stream_differs(
            "json-bare-values", "a text", ['"a', "b", 'c"'], gives("abc"), gives("a", "ab", "abc")
        ),
        _stream_differs(
            "json-bare-values",
            "a text before a function",
            ['"a', "b", 'c"'],
            gives("abc"),
            gives("aababc"),
            lambda lib: json_parser(lib) | str,
        ),
        _stream_differs(
            "json-bare-values",
            "a number before a function",
            ["1", "2"],
            gives("12"),
            gives("13"),
            lambda lib: json_parser(lib) | str,
        ),
        _stream_differs(
            "json-lists-add-up",
            "a list",
            ["[1", ", 2", "]"],
            gives("[1, 2]"),
            gives("[1, 1, 2]"),
            lambda lib: json_parser(lib) | str,
        ),
        _stream_differs(
            "json-lists-add-up",
            "a list in a parallel step",
            ["[1", ", 2", "]"],
            gives([1, 2]),
            gives([1, 1, 2]),
            lambda lib: lib.RunnableParallel(x=json_parser(lib)) | (lambda values: values["x"]),
        ),
        _stream_differs("json-without-json", "empty pieces", ["", ""], fails(ValueError), gives()),
        _stream_differs("json-without-json", "whitespace", [" ", "\n"], fails(ValueError), gives()),
        _stream_differs("json-without-json", "prose", ["Sorry", ", no."], fails(ValueError), gives()),
    ]
)
def test_difference_in_streams(case, verb, colour):
    compare(case, verb, colour)


RAISES = object()


def _text_differs(key: str, name: str, text: str, whole: Any, stream: Any, parser: Any = json_parser) -> Case:
    """A difference in how a text is read: what it is as a `whole` and letter by letter, ours and the peer's.

    Where ours raises, its streams do so after what they gave; the peer's end.
    """
    ours_whole, peer_whole = (fails(ValueError) if each is RAISES else gives(each) for each in whole)
    ours_stream, peer_stream = (gives(*each) for each in stream)
    after = ours_stream.pieces[-1:]
    if whole[0] is RAISES:
        ours_stream = fails(ValueError, after=ours_stream.pieces)
    ours_alone = fails(ValueError, after=after) if whole[0] is RAISES else ours_whole
    found = {
        "invoke": (ours_whole, peer_whole),
        "stream": (ours_alone, peer_whole),
        "transform": (ours_stream, peer_stream),
        "batch": (_twice(ours_whole), _twice(peer_whole)),
        "batch with errors": (_twice(ours_whole), _twice(peer_whole)),
    }
    differs = {verb: Differs(key, *both) for verb, both in found.items() if both[0] != both[1]}
    return Case(name, parser, input=text, pieces=list(text), verbs=[*found], differs=differs)


def _twice(one: Outcome) -> Outcome:
    return one if one.error else gives(one.pieces * 2)


ONE = {"a": 1}
ONES = [{}, ONE]


@each(
    [
        *(
            _text_differs("json-around", name, text, (ONE, RAISES), (ONES, []))
            for name, text in {
                "prose before": 'Here it is: {"a": 1} and so on.',
                "brackets in prose": 'The {x} of [y]: {"a": 1}',
                "another language": '```python\n{"a": 1}\n```',
                "a language in capitals": '```JSON\n{"a": 1}\n```',
                "a second fence": '```\nfoo\n```\n```json\n{"a": 1}\n```',
                "a fence of tildes": '~~~\n{"a": 1}\n~~~',
                "a language without a fence": 'json\n{"a": 1}',
                "a byte order mark": '\ufeff{"a": 1}',
            }.items()
        ),
        *(
            _text_differs("json-around", name, text, (ONE, None), (ONES, ONES))
            for name, text in {
                "a bracket behind": '{"a": 1} :]',
                "a bracket behind a fence": '```json\n{"a": 1}\n``` }',
            }.items()
        ),
        _text_differs("json-first-words", "a word", "true story", (RAISES, True), ([], [True])),
        _text_differs("json-first-words", "a number", "12 is it", (RAISES, 12), ([], [1, 12])),
        _text_differs("json-first-words", "a text", '"a" is it', (RAISES, "a"), ([], ["", "a"])),
        _text_differs("json-first-words", "an object", '0: {"a": 1}', (ONE, 0), (ONES, [0])),
        *(
            _text_differs("json-truncated", text, text, (RAISES, shown[-1]), (shown, shown))
            for text, *shown in [
                ('{"a": 1', *ONES),
                ('{"a": 1, "b', *ONES),
                ('{"a": 1, "b": tr', *ONES),
                ('["x', [], [""], ["x"]),
                ('```json\n{"a": 1\n```', *ONES),
            ]
        ),
        *(
            _text_differs("json-malformed", text, text, (RAISES, RAISES), (shown, shown))
            for text, *shown in [
                ('{"a" 1}', {}),
                ("{'a': 1}", {}),
                ("{a: 1}", {}),
                ('{"a": 1,}', *ONES),
                ('{"a": 1 "b": 2}', *ONES),
                ('{"a": 1, /* two */ "b": 2}', *ONES),
                ('{"a": 1, "b": 02}', *ONES, ONE | {"b": 0}),
                ('{"a": 1, "b": True}', *ONES),
            ]
        ),
        _text_differs(
            "json-malformed", "an escape", '["\\x"]', (RAISES, RAISES), ([[], [""]], [[], [""], []])
        ),
        _text_differs("json-malformed", "a wrong bracket", '{"a": 1]', (RAISES, None), (ONES, ONES)),
    ]
)
def test_difference_in_texts(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("json-malformed")
def test_difference_what_errors_hold():
    text = '{"a": [{"b": 1, "c" 2}]}'
    with pytest.raises(ValueError, match="a colon is expected") as ours:
        list(json_parser(OURS).transform([text]))
    assert (ours.value.llm_output, ours.value.path) == (text, ("a", 0))
    assert list(json_parser(PEER).transform([text])) == []
    with pytest.raises(ValueError, match="Invalid json output") as peer:
        json_parser(PEER).invoke(text)
    assert peer.value.llm_output == text
    assert not hasattr(peer.value, "path")


def _forgiving(lib: Any) -> Any:
    return lib.JsonOutputParser(**({"allow_truncated": True} if lib is OURS else {}))


@each(
    [
        Case(f"allowed: {text}", _forgiving, input=text, pieces=list(text))
        for text in ('{"a": 1, "b": [tr', '["x', '{"a": 1, "b', "{")
    ]
)
def test_truncated_on_request(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("json-nan")
def test_difference_nan():
    text = '{"a": NaN, "b": [Infinity, -Infinity]}'
    peer = [*json_parser(PEER).transform(list(text))]
    assert repr(peer[-1]) == "{'a': nan, 'b': [inf, -inf]}"
    ours = OURS.JsonOutputParser(repair=True).transform(list(text))
    assert repr([*ours]) == repr(peer)
    with pytest.raises(ValueError, match="'N'"):
        json_parser(OURS).invoke(text)


@pytest.mark.differs("json-limits")
def test_difference_limits():
    deep, digits = "[" * 3000 + "]" * 3000, "[" + "1" * 5000 + "]"
    for text, kind in ((deep, RecursionError), (digits, ValueError)):
        for run in (json_parser(PEER).invoke, lambda text: [*json_parser(PEER).transform([text])]):
            with pytest.raises(kind) as peer:
                run(text)
            assert type(peer.value) is kind
        for run in (json_parser(OURS).invoke, lambda text: [*json_parser(OURS).transform([text])]):
            with pytest.raises(OURS.OutputParserException):
                run(text)
    assert OURS.JsonOutputParser(max_digits=3).invoke("[123]") == [123]


def _shown_lengths(lib: Any, pieces: list[str]) -> list[int]:
    return [len(value["a"]) for value in json_parser(lib).transform(iter(pieces))]


@pytest.mark.differs("json-long-texts")
def test_difference_long_texts():
    pieces = ['{"a": "' + "x" * 20_000, *["x" * 100] * 15, '"}']
    assert _shown_lengths(PEER, pieces) == [20_000 + 100 * number for number in range(16)]
    assert _shown_lengths(OURS, pieces) == [20_000, 20_700, 21_400, 21_500]
    short = ['{"a": "' + "x" * 10_000, *["x" * 100] * 5, '"}']
    assert _shown_lengths(OURS, short) == _shown_lengths(PEER, short)


@pytest.mark.differs("json-shared-parts")
def test_difference_shared_parts():
    pieces = ['{"a": [1]', ', "b": 2', "}"]
    ours, peer = ([*json_parser(lib).transform(iter(pieces))] for lib in (OURS, PEER))
    assert ours == peer == [{"a": [1]}, {"a": [1], "b": 2}]
    assert ours[0]["a"] is ours[1]["a"]
    assert peer[0]["a"] is not peer[1]["a"]


@pytest.mark.differs("json-instructions")
def test_difference_instructions():
    assert PEER.JsonOutputParser().get_format_instructions() == "Return a JSON object."
    assert OURS.JsonOutputParser().get_format_instructions().startswith("Answer with JSON and nothing else")
    schema = Countries.model_json_schema()
    ours, peer = (
        lib.JsonOutputParser(pydantic_object=Countries).get_format_instructions() for lib in (OURS, PEER)
    )
    assert json.loads(ours[ours.index("{") :]) == schema
    cut_schema = {key: value for key, value in schema.items() if key not in ("title", "type")}
    assert json.dumps(cut_schema) in peer


@pytest.mark.differs("json-options")
def test_difference_options():
    assert PEER.JsonOutputParser(dif=True).diff is False
    with pytest.raises(TypeError, match="dif"):
        OURS.JsonOutputParser(dif=True)


@each(
    [
        Case(
            name,
            json_parser,
            pieces=pieces,
            verbs=["transform"],
            differs=Differs(
                "json-texts-and-messages",
                gives({"a": "x"}, {"a": "xy"}),
                fails(TypeError, after=[{"a": "x"}]),
            ),
        )
        for name, pieces in {
            "a text first": lambda lib: ['{"a": "x', lib.AIMessageChunk(content='y"}')],
            "a message first": lambda lib: [lib.AIMessageChunk(content='{"a": "x'), 'y"}'],
        }.items()
    ]
)
def test_difference_texts_and_messages(case, verb, colour):
    compare(case, verb, colour)


@each(
    [
        Case(
            "before a function",
            lambda lib: lib.RunnablePassthrough() | dict,
            # As a parallel step with two parsers gives them.
            pieces=lambda lib: [lib.AddableDict(piece) for piece in ({"x": {}}, {"y": "b"}, {"x": ONE})],
            verbs=["transform"],
            differs=Differs("json-beside-others", gives({"x": ONE, "y": "b"}), gives({"x": ONE})),
        ),
    ]
)
def test_difference_beside_others(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("json-beside-others")
def test_difference_adding_pieces():
    assert OURS.AddableDict(x={}) + OURS.AddableDict(x=ONE) == {"x": ONE}
    with pytest.raises(TypeError, match="Cannot add"):
        PEER.AddableDict(x={}) + PEER.AddableDict(x=ONE)


@each(
    [
        Case(
            f"{wrong!r}",
            json_parser,
            input=wrong,
            pieces=[wrong],
            differs=Differs("the-parser-refuses-other-things", fails(TypeError), fails(ValueError)),
        )
        for wrong in (7, None, {"a": 1})
    ],
    ["invoke", "stream", "transform"],
)
def test_difference_wrong_input(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("json-lists-add-up")
@pytest.mark.parametrize(
    ("build", "ours", "peer"),
    [
        (lambda lib: lib.JsonOutputParser().pick("a") | str, ["xy"], ["xxy"]),
        (
            lambda lib: (
                lib.JsonOutputParser() | lib.RunnablePassthrough.assign(n=len) | (lambda each: each["a"])
            ),
            ["xy"],
            ["xxy"],
        ),
    ],
)
def test_what_is_taken_out_of_states(build, ours, peer):
    for lib, wanted in ((OURS, ours), (PEER, peer)):
        assert list(build(lib).transform(iter(['{"a": "x', 'y"}']))) == wanted
