"""What may stand in a chain, beside langchain-core's."""

import inspect
from typing import Any

import pytest

from tests.peer.compare import Case, Differs, compare, each, fails
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import ashout, aupper, double, letters, shout, upper


class Yields:
    """An object whose call is a generator."""

    def __call__(self, pieces: Any) -> Any:
        for piece in pieces:
            yield piece.upper()


class Table(dict):
    """A dict of a class of its own."""


# On a stream, the input's pieces and the new keys' come as they are made.
UNORDERED: dict[str, Any] = {"interleaves": ["transform"]}
COERCED = [
    Case("function last", lambda lib: lib.RunnablePassthrough() | upper),
    Case("function first", lambda lib: upper | lib.RunnablePassthrough()),
    Case("lambda last", lambda lib: lib.RunnablePassthrough() | (lambda x: x * 2)),
    Case("method last", lambda lib: lib.RunnablePassthrough() | "{}!".format),
    Case("class last", lambda lib: lib.RunnablePassthrough() | list),
    Case("async function last", lambda lib: lib.RunnablePassthrough() | lib.RunnableLambda(upper, aupper)),
    Case("dict last", lambda lib: lib.RunnablePassthrough() | {"a": upper, "b": double}, interleaves=True),
    Case("dict first", lambda lib: {"a": upper, "b": double} | lib.RunnableLambda(lambda d: d["a"] + d["b"])),
    Case("dict of a subclass", lambda lib: lib.RunnablePassthrough() | Table(a=upper)),
    Case("dict of dicts", lambda lib: lib.RunnablePassthrough() | {"a": {"b": {"c": upper}}}),
    Case(
        "dict of generators",
        lambda lib: lib.RunnablePassthrough() | {"a": lib.RunnableGenerator(letters, ashout)},
    ),
    Case(
        "dict of runnables", lambda lib: lib.RunnablePassthrough() | {"a": lib.RunnableLambda(upper) | double}
    ),
    Case(
        "generator last",
        lambda lib: lib.RunnablePassthrough() | shout,
        verbs=["invoke", "stream"],
        differs={"async": Differs("every-colour", ours="sync", peer=fails(NotImplementedError))},
    ),
    Case("in a pipe", lambda lib: lib.RunnablePassthrough().pipe(upper, {"a": double}, lambda d: d["a"])),
    Case("in a branch", lambda lib: lib.RunnableBranch((str.isalpha, {"a": upper}), double)),
    Case("in assign", lambda lib: lib.RunnablePassthrough.assign(a={"b": len}), input={"x": 1}, **UNORDERED),
]


@each(COERCED)
def test_coerced(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.parametrize(
    "thing", [3, 1.5, "text", None, ["list"], {1, 2}, object()], ids=lambda thing: type(thing).__name__
)
@pytest.mark.parametrize(
    "place", ["last", "first", "value", "pipe", "lambda", "generator", "condition", "assign"]
)
def test_no_steps(place, thing):
    builds: dict[str, Any] = {
        "last": lambda lib: lib.RunnablePassthrough() | thing,
        "first": lambda lib: thing | lib.RunnablePassthrough(),
        "value": lambda lib: lib.RunnableParallel(a=thing),
        "pipe": lambda lib: lib.RunnablePassthrough().pipe(upper, thing),
        "lambda": lambda lib: lib.RunnableLambda(thing),
        "generator": lambda lib: lib.RunnableGenerator(thing),
        "condition": lambda lib: lib.RunnableBranch((thing, upper), double),
        "assign": lambda lib: lib.RunnablePassthrough.assign(a=thing),
    }
    for lib in (OURS, PEER):
        with pytest.raises(TypeError):
            builds[place](lib)


def test_a_function_is_no_generator():
    for lib in (OURS, PEER):
        with pytest.raises(TypeError):
            lib.RunnableGenerator(upper)


@pytest.mark.parametrize("steps", [(), (upper,)])
def test_too_short_a_sequence(steps):
    for lib in (OURS, PEER):
        with pytest.raises(ValueError):
            lib.RunnableSequence(*steps)


@pytest.mark.differs("objects-that-yield")
def test_difference_objects_that_yield():
    assert list((OURS.RunnablePassthrough() | Yields()).stream("ab")) == ["AB"]
    [answer] = (PEER.RunnablePassthrough() | Yields()).stream("ab")
    assert inspect.isgenerator(answer)


@pytest.mark.differs("classes-of-runnables")
def test_difference_classes_of_runnables():
    with pytest.raises(TypeError, match="instance"):
        OURS.RunnablePassthrough() | OURS.StrOutputParser
    assert (PEER.RunnablePassthrough() | PEER.StrOutputParser).last.get_name() == "StrOutputParser"
