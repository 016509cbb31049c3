"""Passthrough, assign and pick beside langchain-core's."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.peer.compare import EVERY, Case, Differs, compare, each, fails
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import aletters, ashout, double, fail, join_values, letters, shout, upper


def _noting(lib: Any, asynchronous: bool = False) -> Any:
    """A passthrough that notes its input, and a step that gives the notes out after it."""
    seen: list[Any] = []

    def note(value: Any) -> None:
        seen.append(value)

    async def anote(value: Any) -> None:
        seen.append(value)

    def told(pieces: Any) -> Any:
        yield from pieces
        yield f" noted {sorted(seen)}"

    async def atold(pieces: Any) -> Any:
        async for piece in pieces:
            yield piece
        yield f" noted {sorted(seen)}"

    passthrough = lib.RunnablePassthrough(note, anote) if asynchronous else lib.RunnablePassthrough(note)
    return passthrough | lib.RunnableGenerator(told, atold)


PASSTHROUGHS = [
    Case("plain", lambda lib: lib.RunnablePassthrough()),
    Case("plain, a dict", lambda lib: lib.RunnablePassthrough(), input={"a": 1, "b": "x"}),
    Case("after a stream", lambda lib: lib.RunnableGenerator(letters, aletters) | lib.RunnablePassthrough()),
    Case("with a function", _noting, many=["abcd"]),
    Case("with two functions", lambda lib: _noting(lib, asynchronous=True), many=["abcd"]),
    Case("with a function that fails", lambda lib: lib.RunnablePassthrough(fail)),
    Case(
        "keeps the input beside the answer",
        lambda lib: lib.RunnableParallel(input=lib.RunnablePassthrough(), answer=upper),
        interleaves=True,
    ),
    Case("None", lambda lib: lib.RunnablePassthrough(), input=lambda lib: None),
]


@each(PASSTHROUGHS)
def test_passthroughs(case, verb, colour):
    compare(case, verb, colour)


NO_DICT = Differs("wrong-input", ours=fails(TypeError), peer=fails(ValueError))
QUESTION = {"question": "why", "other": "x"}


def _from_question(lib: Any) -> Any:
    return lib.RunnablePick("question") | lib.RunnableGenerator(letters, aletters)


def _nested(lib: Any) -> Any:
    inner = lib.RunnablePassthrough.assign(b=lambda d: d["a"] + "b")
    return lib.RunnablePassthrough.assign(a=lambda d: d["question"] + "a") | inner


def _nested_in_parallel(lib: Any) -> Any:
    return lib.RunnableParallel(
        kept=lib.RunnablePassthrough.assign(a=_from_question(lib)),
        other=lib.RunnablePassthrough.assign(b=lib.RunnablePassthrough.assign(c=join_values)),
    )


ASSIGNS = [
    Case("one function", lambda lib: lib.RunnablePassthrough.assign(a=join_values), input=QUESTION),
    Case("one stream", lambda lib: lib.RunnablePassthrough.assign(a=_from_question(lib)), input=QUESTION),
    Case(
        "two keys",
        lambda lib: lib.RunnablePassthrough.assign(a=_from_question(lib), b=join_values),
        input=QUESTION,
        interleaves=True,
    ),
    Case("over a key", lambda lib: lib.RunnablePassthrough.assign(question=join_values), input=QUESTION),
    Case("nested", _nested, input=QUESTION, interleaves=True),
    Case("nested in a parallel", _nested_in_parallel, input=QUESTION, interleaves=True),
    Case(
        "after a parallel",
        lambda lib: lib.RunnableParallel(question=upper, other=lib.RunnableGenerator(shout, ashout)).assign(
            both=join_values
        ),
        interleaves=True,
    ),
    Case(
        "then a function",
        lambda lib: lib.RunnablePassthrough.assign(a=_from_question(lib), b=join_values) | join_values,
        input=QUESTION,
    ),
    Case("by class", lambda lib: lib.RunnableAssign(lib.RunnableParallel(a=join_values)), input=QUESTION),
    Case("dict as a value", lambda lib: lib.RunnablePassthrough.assign(a={"b": join_values}), input=QUESTION),
    Case(
        "fails",
        lambda lib: lib.RunnablePassthrough.assign(a=fail),
        input=QUESTION,
        interleaves=True,
    ),
    Case("empty dict", lambda lib: lib.RunnablePassthrough.assign(a=lambda d: len(d)), input={}),
    Case(
        "no dict",
        lambda lib: lib.RunnablePassthrough.assign(a=upper),
        input="text",
        pieces=["te", "xt"],
        verbs=EVERY,
        differs=NO_DICT,
    ),
]


# On a stream of pieces, the input's and the new keys' come as they are made.
@each([replace(case, interleaves=case.interleaves or ["transform"]) for case in ASSIGNS])
def test_assigns(case, verb, colour):
    compare(case, verb, colour)


def _two_keys(lib: Any) -> Any:
    return lib.RunnableParallel(a=lib.RunnableGenerator(letters, aletters), b=upper, c=double)


VALUES = {"a": "x", "b": [1], "c": None}
PICKS = [
    Case("one key", lambda lib: lib.RunnablePick("a"), input=VALUES),
    Case("a list of keys", lambda lib: lib.RunnablePick(["a", "b"]), input=VALUES),
    Case("a list of one key", lambda lib: lib.RunnablePick(["b"]), input=VALUES),
    Case("a key with None", lambda lib: lib.RunnablePick("c"), input=VALUES),
    Case("keys with None", lambda lib: lib.RunnablePick(["a", "c"]), input=VALUES),
    Case("a missing key", lambda lib: lib.RunnablePick("z"), input=VALUES),
    Case("some missing keys", lambda lib: lib.RunnablePick(["a", "z"]), input=VALUES),
    Case("only missing keys", lambda lib: lib.RunnablePick(["y", "z"]), input=VALUES),
    Case("after a parallel", lambda lib: _two_keys(lib).pick("a")),
    Case("some after a parallel", lambda lib: _two_keys(lib).pick(["a", "c"]), interleaves=True),
    Case("then a function", lambda lib: _two_keys(lib).pick("a") | upper),
    Case("in a sequence", lambda lib: lib.RunnableLambda(lambda text: {"a": text}) | lib.RunnablePick("a")),
    Case("no dict", lambda lib: lib.RunnablePick("a"), input="text", verbs=EVERY, differs=NO_DICT),
]


@each(PICKS)
def test_picks(case, verb, colour):
    compare(case, verb, colour)


class _Feed:
    """Two pieces of input; the second one waits a while for the new key's first piece to be seen."""

    def __init__(self) -> None:
        self.seen = threading.Event()

    def pieces(self) -> Any:
        yield {"question": "a"}
        self.seen.wait(0.5)
        yield {"question": "b"}

    async def apieces(self) -> Any:
        yield {"question": "a"}
        for _ in range(100):
            await asyncio.sleep(0 if self.seen.is_set() else 0.005)
        yield {"question": "b"}

    def told(self, key: str, keys: list[str]) -> None:
        keys.append(key)
        if key == "new":
            self.seen.set()


def _keys_in_order(lib: Any, colour: str) -> list[str]:
    step, feed, keys = lib.RunnablePassthrough.assign(new=lib.RunnablePick("question")), _Feed(), list[str]()

    async def run() -> None:
        async for piece in step.atransform(feed.apieces()):
            feed.told(*piece, keys)

    if colour == "async":
        asyncio.run(run())
    else:
        for piece in step.transform(feed.pieces()):
            feed.told(*piece, keys)
    return keys


@pytest.mark.differs("assign-streams")
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_difference_assign_does_not_wait_for_the_end_of_its_input(colour):
    assert _keys_in_order(PEER, colour) == ["question", "question", "new", "new"]
    ours = _keys_in_order(OURS, colour)
    assert ours.index("new") < 2
    assert sorted(ours) == ["new", "new", "question", "question"]
