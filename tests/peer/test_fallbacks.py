"""`with_fallbacks` beside langchain-core's."""

from typing import Any

import pytest

from tests.peer.compare import EVERY, Case, Differs, compare, each, fails, gives
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import (
    Broken,
    abreak_after_two,
    aletters,
    ashout,
    aupper,
    break_after_two,
    double,
    letters,
    shout,
    upper,
)


def _failing(lib: Any, kind: type[Exception], *args: Any) -> Any:
    def stop(value: Any) -> Any:
        raise kind(*args)

    async def astop(value: Any) -> Any:
        raise kind(*args)

    return lib.RunnableLambda(stop, astop)


def _stopping_stream(lib: Any) -> Any:
    """Gives two letters, and fails."""
    return lib.RunnableGenerator(letters, aletters) | lib.RunnableGenerator(break_after_two, abreak_after_two)


def _error_in_input(lib: Any) -> Any:
    def told(values: dict[str, Any]) -> Any:
        return sorted(values), repr(values["error"]), values["x"]

    return lib.RunnableLambda(told)


def _empty(pieces: Any) -> Any:
    yield from ()


async def _aempty(pieces: Any) -> Any:
    for piece in ():
        yield piece


def _first_error(first: Any, last: Any) -> dict[str, Differs]:
    told = Differs("fallbacks-batch-error", ours=fails(Broken, first), peer=fails(KeyError, last))
    return {"batch": told, "batch with errors": told}


EMPTY = Differs("fallbacks-empty-stream", ours=gives(), peer=gives("abcdabcd"))
FALLBACKS = [
    Case(
        "no failure",
        lambda lib: lib.RunnableLambda(upper, aupper).with_fallbacks([lib.RunnableLambda(double)]),
    ),
    Case("one failure", lambda lib: _failing(lib, Broken).with_fallbacks([lib.RunnableLambda(double)])),
    Case(
        "two failures",
        lambda lib: _failing(lib, Broken).with_fallbacks(
            [_failing(lib, KeyError, 1), lib.RunnableLambda(double)]
        ),
    ),
    Case(
        "all fail",
        lambda lib: _failing(lib, Broken, 1).with_fallbacks([_failing(lib, KeyError, 2)]),
        verbs=EVERY,
        differs=_first_error(1, 2),
    ),
    Case("the only one fails", lambda lib: _failing(lib, Broken, 1).with_fallbacks([]), verbs=EVERY),
    Case(
        "handled",
        lambda lib: _failing(lib, KeyError, 1).with_fallbacks(
            [lib.RunnableLambda(double)], exceptions_to_handle=(LookupError,)
        ),
    ),
    Case(
        "not handled",
        lambda lib: _failing(lib, Broken, 1).with_fallbacks(
            [lib.RunnableLambda(double)], exceptions_to_handle=(LookupError,)
        ),
    ),
    Case(
        "the second one's error is not handled",
        lambda lib: _failing(lib, KeyError, 1).with_fallbacks(
            [_failing(lib, Broken, 2), lib.RunnableLambda(double)], exceptions_to_handle=(LookupError,)
        ),
    ),
    Case(
        "exception_key",
        lambda lib: _failing(lib, Broken, "b").with_fallbacks([_error_in_input(lib)], exception_key="error"),
        input={"x": 1},
    ),
    Case(
        "exception_key, two failures",
        lambda lib: _failing(lib, Broken, "b").with_fallbacks(
            [_failing(lib, KeyError, "k"), _error_in_input(lib)], exception_key="error"
        ),
        input={"x": 1},
    ),
    Case(
        "exception_key, all fail",
        lambda lib: _failing(lib, Broken, "b").with_fallbacks(
            [_failing(lib, KeyError, "k")], exception_key="error"
        ),
        input={"x": 1},
        verbs=EVERY,
        differs=_first_error("b", "k"),
    ),
    Case(
        "exception_key, no dict",
        lambda lib: lib.RunnableLambda(upper).with_fallbacks([_error_in_input(lib)], exception_key="error"),
        differs=Differs("wrong-input", ours=fails(TypeError), peer=fails(ValueError)),
    ),
    Case(
        "a stream that begins",
        lambda lib: lib.RunnableGenerator(letters, aletters).with_fallbacks([lib.RunnableLambda(double)]),
    ),
    Case(
        "a stream that fails later",
        lambda lib: _stopping_stream(lib).with_fallbacks([lib.RunnableLambda(double)]),
        many=["abcd", "ab"],
    ),
    Case(
        "a fallback that streams",
        lambda lib: _failing(lib, Broken).with_fallbacks([lib.RunnableGenerator(letters, aletters)]),
    ),
    Case(
        "a fallback's stream fails later",
        lambda lib: _failing(lib, KeyError, 1).with_fallbacks([_stopping_stream(lib)]),
    ),
    Case(
        "an empty stream",
        lambda lib: lib.RunnableGenerator(_empty, _aempty).with_fallbacks([lib.RunnableLambda(double)]),
        differs={"stream": EMPTY, "transform": EMPTY},
    ),
    Case(
        "in a sequence",
        lambda lib: (
            lib.RunnableGenerator(letters, aletters)
            | _failing(lib, Broken).with_fallbacks([lib.RunnableLambda(double)])
            | lib.RunnableGenerator(shout, ashout)
        ),
    ),
    Case(
        "around a sequence",
        lambda lib: (lib.RunnableLambda(upper) | _failing(lib, Broken)).with_fallbacks(
            [lib.RunnableLambda(double)]
        ),
    ),
    Case(
        "in a parallel",
        lambda lib: lib.RunnableParallel(
            a=_failing(lib, Broken).with_fallbacks([lib.RunnableLambda(double)]), b=upper
        ),
        interleaves=True,
    ),
    Case(
        "fallbacks of fallbacks",
        lambda lib: (
            _failing(lib, Broken, 1)
            .with_fallbacks([_failing(lib, KeyError, 2)])
            .with_fallbacks([lib.RunnableLambda(double)])
        ),
    ),
    Case(
        "a model",
        lambda lib: lib.chat([Broken("down")]).with_fallbacks([lib.chat(["a", "b"])]) | lib.StrOutputParser(),
    ),
]


@each(FALLBACKS)
def test_fallbacks(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("fallbacks-keep-input")
def test_difference_the_input_is_the_callers():
    for lib in (OURS, PEER):
        given = {"x": 1}
        step = _failing(lib, Broken).with_fallbacks([lib.RunnableLambda(len)], exception_key="error")
        assert step.invoke(given) == 2
        assert ("error" in given) == (lib is PEER)
