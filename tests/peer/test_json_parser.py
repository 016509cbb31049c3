"""`JsonOutputParser` beside langchain-core's: the values of a stream, its patches, and whole answers."""

import json
from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from typing import Any

import jsonpatch
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonpointer import resolve_pointer

from tests.peer.compare import COLOURS, EVERY, Case, Differs, compare, each, gives, outcome
from tests.peer.json_texts import (
    Countries,
    diff_parser,
    documents,
    growing,
    json_parser,
    numbers,
    quiet,
    streams,
    styles,
    tokens,
)
from tests.peer.libraries import OURS, PEER

COUNTRIES = """{
  "countries": [
    {"name": "France", "population": 67413000},
    {"name": "Spain", "population": 47351567},
    {"name": "Japan", "population": 125584838}
  ]
}"""
NESTED = '{"a": [[1, {"b": {"c": []}}], {}, [[]]], "d": {"e": {"f": [{"g": 0}]}}, "": ""}'


def _read(name: str, text: str, pieces: list[str] | None = None) -> Case:
    return Case(name, json_parser, input=text, pieces=list(text) if pieces is None else pieces)


CASES = [
    _read("countries", COUNTRIES, tokens(COUNTRIES)),
    _read("countries in a fence", f"```json\n{COUNTRIES}\n```", tokens(f"```json\n{COUNTRIES}\n```")),
    _read("countries, letter by letter", COUNTRIES),
    _read("a fence without a language", '```\n{"a": [1]}\n```'),
    _read("a fence in prose", 'Here you `are`:\n\n```json\n{"a": "b"}\n```\nThat is all.'),
    _read("a fence on one line", '```json {"a": 1}```'),
    _read("half a fence", '{"a": 1}\n```'),
    _read("a number in a fence", "```json\n12\n```", ["``", "`json", "\n12", "\n```"]),
    _read("nested", NESTED),
    _read(
        "escapes",
        '{"a": "\\u00e9\\ud83d\\ude00\\n\\"b\\"\\\\"}',
        ['{"a": "', "\\u00e9\\ud83d\\ude00", "\\n", '\\"b', '\\"\\\\', '"}'],
    ),
    _read("raw control characters", '{"a": "b\tc\nd\x01e"}', ['{"a": "b\tc', "\nd", "\x01e", '"}']),
    _read("characters", '{"é": "日本", "😀": "😀"}'),
    _read("numbers", '{"a": 12.75, "b": -3, "c": 1e5, "d": -1.5E-3, "e": [0, 10, 100]}'),
    _read("words", '[true, false, null, {"a": null, "b": true}]'),
    _read("whitespace", ' \n\t{ "a" :\r\n 1 , "b" : [ ] } \n '),
    _read("a list", '["a", ["b"], {"c": 1}]'),
    _read("an empty object", "{}"),
    _read("an empty list", "[]"),
    _read("a list of empty texts", '["", "", {"": ""}]'),
    _read("equal keys", '{"a": {"b": 1}, "a": "x", "a": [2]}'),
    _read("two values", '{"a": 1}\n{"b": 2}'),
    _read("prose behind", '{"a": 1}\nThat is {all}.'),
    _read("a value in one piece", COUNTRIES, [COUNTRIES]),
    _read("empty pieces", '{"a": "bc"}', ["", '{"a": "b', "", "c", "", '"}', ""]),
    _read("nothing", "", []),
    Case(
        "an object for the instructions",
        lambda lib: lib.JsonOutputParser(pydantic_object=Countries),
        input='{"countries": 7}',
    ),
    Case(
        "message chunks",
        json_parser,
        input=lambda lib: lib.AIMessage('{"a": "xy"}'),
        pieces=lambda lib: [lib.AIMessageChunk(content=text) for text in ('{"a"', ': "x', "", 'y"}')],
        many=lambda lib: [lib.HumanMessage("[1]"), '{"a": 1}'],
    ),
    Case(
        "messages",
        json_parser,
        input=lambda lib: lib.HumanMessage("[1]"),
        pieces=lambda lib: [lib.AIMessage('{"a": "x'), lib.AIMessage('y"}')],
    ),
    Case(
        "blocks",
        json_parser,
        input=lambda lib: lib.AIMessage([{"type": "text", "text": '{"a": 1}'}]),
        pieces=lambda lib: [
            lib.AIMessageChunk(content=[{"type": "text", "text": text, "index": 0}])
            for text in ('{"a": "x', 'y"}')
        ],
    ),
    Case("behind a model", lambda lib: lib.chat(tokens(COUNTRIES)) | lib.JsonOutputParser(), input="Which?"),
    Case(
        "behind a text model", lambda lib: lib.llm(tokens(COUNTRIES)) | lib.JsonOutputParser(), input="Which?"
    ),
    Case(
        "patches behind a model",
        lambda lib: lib.chat(list('{"a": ["bc", 12]}')) | lib.JsonOutputParser(diff=True),
    ),
]


@each(CASES[:2], EVERY)
def test_countries(case, verb, colour):
    compare(case, verb, colour)


@each(CASES[2:])
def test_values(case, verb, colour):
    compare(case, verb, colour)


def test_countries_grow():
    shown = list(json_parser(OURS).transform(iter(tokens(COUNTRIES))))
    assert shown[:7] == [
        {},
        {"countries": []},
        {"countries": [{}]},
        {"countries": [{"name": ""}]},
        {"countries": [{"name": "France"}]},
        {"countries": [{"name": "France", "population": 674}]},
        {"countries": [{"name": "France", "population": 674130}]},
    ]
    assert shown[-1] == json.loads(COUNTRIES)


def _alone(value: Any) -> dict[str, Differs]:
    patch = [{"op": "replace", "path": "", "value": value}]
    return {"stream": Differs("json-patches-alone", gives(patch), gives(value))}


@each(
    [
        Case(f"patches: {text}", diff_parser, input=text, pieces=list(text), differs=_alone(json.loads(text)))
        for text in (
            '{"a": [1, {"b": null}], "c": "xy", "d": {}}',
            '["a", 12, [true], {"b/c": {"~": 1}}]',
            '{"a": {"b": {"c": ["de"]}}}',
            "{}",
        )
    ]
)
def test_patches(case, verb, colour):
    compare(case, verb, colour)


# --- in chains ------------------------------------------------------------------------------------------


def seen(value: Any) -> str:
    return f"{type(value).__mro__[-2].__name__}: {value!r}"


def each_seen(values: Iterator[Any]) -> Iterator[str]:
    for value in values:
        yield seen(value)


async def aeach_seen(values: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for value in values:
        yield seen(value)


def _chain(name: str, build: Any, text: str = '{"a": [1, "bc"], "d": "ef"}', **options: Any) -> Case:
    return Case(name, build, input=text, pieces=list(text), **options)


@each(
    [
        _chain("a function", lambda lib: json_parser(lib) | seen),
        _chain("a generator", lambda lib: json_parser(lib) | lib.RunnableGenerator(each_seen, aeach_seen)),
        _chain(
            "a generator, lists",
            lambda lib: json_parser(lib) | lib.RunnableGenerator(each_seen, aeach_seen),
            '[1, ["b"]]',
        ),
        _chain("a function, patches", lambda lib: lib.RunnablePassthrough() | diff_parser(lib) | len),
        _chain("pick", lambda lib: json_parser(lib).pick("d")),
        _chain("pick two", lambda lib: json_parser(lib).pick(["d", "x", "a"])),
        _chain("a parallel step", lambda lib: lib.RunnableParallel(x=json_parser(lib))),
        _chain("a parallel step, lists", lambda lib: lib.RunnableParallel(x=json_parser(lib)), '[1, ["b"]]'),
        _chain(
            "a parallel step, then a function", lambda lib: lib.RunnableParallel(x=json_parser(lib)) | seen
        ),
        _chain(
            "behind a parallel step",
            lambda lib: (
                lib.RunnableParallel(x=lib.RunnablePassthrough()) | (lambda d: d["x"]) | json_parser(lib)
            ),
        ),
        _chain("a fallback", lambda lib: json_parser(lib).with_fallbacks([lib.RunnableLambda(len)])),
        _chain("a binding", lambda lib: json_parser(lib).with_config(run_name="r").bind()),
    ]
)
def test_chains(case, verb, colour):
    compare(case, verb, colour)


@each(
    [
        Case(
            "two parsers",
            lambda lib: lib.RunnableParallel(x=json_parser(lib), y=json_parser(lib) | seen),
            input='{"a": 1}',
            pieces=['{"a": 1}'],
            interleaves=True,
        )
    ]
)
def test_parallel_parsers(case, verb, colour):
    compare(case, verb, colour)


# --- any document, cut anywhere -------------------------------------------------------------------------


def typed(value: Any) -> Any:
    """The value with the types of its parts, which `==` does not tell apart."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value), repr(value)


@settings(max_examples=150, deadline=None)
@given(streams(), st.sampled_from(COLOURS))
def test_any_values(stream, colour):
    document, pieces = stream
    case = Case("any", json_parser, input="".join(pieces), pieces=pieces)
    ours, peer = outcome(case, OURS, "transform", colour), outcome(case, PEER, "transform", _peers(colour))
    # Ours yields again where 1 has become 1.0.
    assert typed([key for key, _ in groupby(ours.pieces)]) == typed(peer.pieces)
    assert ours.error is peer.error is None
    assert typed(ours.pieces[-1]) == typed(document) == typed(json_parser(OURS).invoke("".join(pieces)))


def _peers(colour: Any) -> Any:
    return "async" if colour == "async" else "sync"


@settings(max_examples=100, deadline=None)
@given(streams(growing))
def test_any_patches(stream):
    document, pieces = stream
    ours, peer = ([*diff_parser(lib).transform(iter(pieces))] for lib in (OURS, PEER))
    assert len(ours) == len(peer)
    built: Any = None
    for our_patch, peer_patch in zip(ours, peer, strict=True):
        if not _shifts(peer_patch, built):  # below
            # The peer takes the keys of an object in the order of a set.
            assert sorted(our_patch, key=_place) == sorted(peer_patch, key=_place)
        built = jsonpatch.apply_patch(built, our_patch, in_place=True)
    assert built == document


def _shifts(patch: Any, document: Any) -> bool:
    """Whether a patch moves a value, or inserts one before another."""
    return any(
        operation["op"] == "move"
        or (operation["op"] == "add" and resolve_pointer(document, operation["path"], None) is not None)
        for operation in patch
    )


def _place(operation: Any) -> tuple[str, ...]:
    return operation["op"], operation["path"]


@settings(max_examples=60, deadline=None)
@given(documents(numbers), styles)
def test_what_is_shown_after_each_letter(document, style):
    text = json.dumps(document, **style)
    ours, peer = (_shown_after_each(lib, text) for lib in (OURS, PEER))
    for place in quiet(text):
        assert ours[place] == peer[place], text[:place]


def _shown_after_each(lib: Any, text: str) -> list[Any]:
    """What stands there after each letter."""
    shown: list[Any] = [None] * (len(text) + 1)
    read = 0

    def letters() -> Iterator[str]:
        nonlocal read
        for letter in text:
            read += 1
            if read > 1:
                shown[read] = shown[read - 1]
            yield letter

    for value in json_parser(lib).transform(letters()):
        shown[read] = value
    return shown
