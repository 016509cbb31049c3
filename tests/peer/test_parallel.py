"""Steps side by side, beside langchain-core's: the merged answer, and each key's pieces in order."""

import asyncio
from typing import Any

import pytest

from tests.peer.compare import COLOURS, VERBS, Case, compare, each, outcome
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import (
    Meter,
    abreak_after_two,
    afail,
    aletters,
    ashout,
    aspell,
    break_after_two,
    double,
    fail,
    join_values,
    letters,
    shout,
    slowly,
    spell,
    upper,
)


def _letters(lib: Any) -> Any:
    return lib.RunnableGenerator(letters, aletters)


def _shout(lib: Any) -> Any:
    return lib.RunnableGenerator(shout, ashout)


def _speller(lib: Any) -> Any:
    return lib.RunnableLambda(spell, aspell)


def _two_streams(lib: Any) -> Any:
    return lib.RunnableParallel(letters=_letters(lib), shout=_letters(lib) | _shout(lib))


def _nested(lib: Any) -> Any:
    return lib.RunnableParallel(
        outer=_letters(lib), inner={"a": _shout(lib), "b": {"deep": _letters(lib), "deeper": upper}}
    )


PARALLELS = [
    Case("one function", lambda lib: lib.RunnableParallel(a=upper)),
    Case("one stream", lambda lib: lib.RunnableParallel(a=_letters(lib))),
    Case("two functions", lambda lib: lib.RunnableParallel({"a": upper, "b": double}), interleaves=True),
    Case("slow ones", lambda lib: lib.RunnableParallel(a=slowly, b=slowly, c=double), interleaves=True),
    Case("two streams", _two_streams, interleaves=True),
    Case(
        "a stream and a function",
        lambda lib: lib.RunnableParallel(a=_letters(lib), b=upper),
        interleaves=True,
    ),
    Case("a dict at the end", lambda lib: _letters(lib) | {"a": _shout(lib), "b": double}, interleaves=True),
    Case(
        "a dict at the start", lambda lib: {"a": _letters(lib), "b": upper} | lib.RunnableLambda(join_values)
    ),
    Case(
        "a dict in the middle",
        lambda lib: lib.RunnableLambda(double) | {"a": _letters(lib), "b": _shout(lib)} | join_values,
    ),
    Case(
        "a function before a dict",
        lambda lib: lib.RunnableLambda(double).pipe({"a": upper, "b": lib.RunnablePassthrough()}),
        interleaves=True,
    ),
    Case("nested", _nested, interleaves=True),
    Case(
        "nested, then a function",
        lambda lib: _nested(lib) | (lambda d: d["inner"]["b"]["deeper"] + d["outer"]),
    ),
    Case(
        "many keys",
        lambda lib: lib.RunnableParallel({f"k{n}": _letters(lib) for n in range(9)}),
        interleaves=True,
    ),
    Case(
        "generator functions as values",
        lambda lib: lib.RunnableParallel({"a": lib.RunnableLambda(spell, aspell), "b": _speller(lib)}),
        interleaves=True,
    ),
    Case(
        "keys by keyword and dict", lambda lib: lib.RunnableParallel({"a": upper}, b=double), interleaves=True
    ),
    Case(
        "same step twice",
        lambda lib: (lambda s: lib.RunnableParallel(a=s, b=s))(_letters(lib)),
        interleaves=True,
    ),
    Case(
        "numbers and lists",
        lambda lib: lib.RunnableParallel(a=lambda x: x + 1, b=lambda x: [x]),
        input=1,
        pieces=[1, 2],
        interleaves=True,
    ),
    Case(
        "None among them",
        lambda lib: lib.RunnableParallel(a=lambda x: None, b=lib.RunnablePassthrough()),
        interleaves=True,
    ),
    Case(
        "one fails",
        lambda lib: lib.RunnableParallel(a=upper, b=lib.RunnableLambda(fail, afail)),
        interleaves=True,
    ),
    Case(
        "one fails in its stream",
        lambda lib: lib.RunnableParallel(
            a=_letters(lib), b=_letters(lib) | lib.RunnableGenerator(break_after_two, abreak_after_two)
        ),
        interleaves=True,
    ),
    Case(
        "limited",
        lambda lib: lib.RunnableParallel(a=upper, b=double, c=slowly),
        config={"max_concurrency": 2},
        interleaves=True,
    ),
    Case(
        "one at a time",
        _two_streams,
        config={"max_concurrency": 1},
        interleaves=True,
        verbs=["invoke", "stream"],
    ),
    Case("none at all", lambda lib: lib.RunnableParallel()),
    Case("map", lambda lib: lib.RunnableMap(a=upper, b=double), interleaves=True),
]


@each(PARALLELS)
def test_parallels(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.parametrize("colour", COLOURS)
def test_pieces_add_up_in_either_library(colour):
    """Each piece of either library's stream is a dict that adds, on both sides, with plain dicts too."""
    for lib in (OURS, PEER):
        pieces: list[Any] = []
        step = _two_streams(lib)
        if colour == "async":
            asyncio.run(VERBS["stream"][1](step, _Arguments(), pieces.append))
        else:
            VERBS["stream"][0](step, _Arguments(), pieces.append)
        assert {type(piece).__name__ for piece in pieces} == {"AddableDict"}
        total = pieces[0]
        for piece in pieces[1:]:
            total = total + dict(piece)
        assert total == {"letters": "abcd", "shout": "ABCD"}
        assert {"letters": "x", "more": "y"} + total == {"letters": "xabcd", "shout": "ABCD", "more": "y"}


class _Arguments:
    input = "abcd"
    config = None
    kwargs: dict[str, Any] = {}


@pytest.mark.differs("parallel-limit")
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["invoke", "stream"])
def test_max_concurrency_of_branches(verb, colour):
    for lib in (OURS, PEER):
        peer_is_unlimited = lib is PEER and colour == "async"
        meter = Meter(4 if peer_is_unlimited else 2)
        step = lib.RunnableParallel({key: lib.RunnableLambda(meter.measure) for key in "abcd"})
        case = Case("limited", lambda _, step=step: step, config={"max_concurrency": 2}, interleaves=True)
        assert outcome(case, lib, verb, colour).error is None
        assert meter.most == (4 if peer_is_unlimited else 2)
