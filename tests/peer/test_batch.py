"""Batches and `map` beside langchain-core's."""

import asyncio
import threading
from typing import Any

import pytest

from tests.peer.compare import BATCHING, COLOURS, USUAL, Case, Differs, compare, each, fails, gives, run_in
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import Broken, Meter, aupper, join_values, slowly, upper

TEXTS = ["c", "a", "", "b", "zz", "y"]


def picky(text: str) -> str:
    if "a" in text:
        raise Broken(text)
    return text.upper()


async def apicky(text: str) -> str:
    return picky(text)


def _picky(lib: Any) -> Any:
    return lib.RunnableLambda(picky, apicky)


BATCHES = [
    Case("functions", lambda lib: lib.RunnableLambda(upper), many=TEXTS),
    Case("both colours", lambda lib: lib.RunnableLambda(upper, aupper), many=TEXTS),
    Case("slow ones", lambda lib: lib.RunnableLambda(slowly), many=TEXTS),
    Case("none", lambda lib: lib.RunnableLambda(upper), many=[]),
    Case("one", lambda lib: lib.RunnableLambda(upper), many=["a"]),
    Case("many", lambda lib: lib.RunnableLambda(str), many=list(range(40))),
    Case("sequences", lambda lib: lib.RunnableLambda(upper) | slowly, many=TEXTS),
    Case("parallels", lambda lib: lib.RunnableParallel(a=upper, b=slowly), many=TEXTS),
    Case("assigns", lambda lib: lib.RunnablePassthrough.assign(b=join_values), many=[{"a": 1}, {"c": 2}]),
    Case("limited", lambda lib: lib.RunnableLambda(slowly), many=TEXTS, config={"max_concurrency": 2}),
    Case("one at a time", lambda lib: lib.RunnableLambda(slowly), many=TEXTS, config={"max_concurrency": 1}),
    Case("one fails", _picky, many=["b", "cab", "d"]),
    Case("several fail", _picky, many=["b", "cab", "d", "ab", "e"], verbs=BATCHING[1:]),
    Case("one fails, limited", _picky, many=["b", "cab", "d"], config={"max_concurrency": 1}),
    Case("the only one fails", _picky, many=["a"]),
    Case(
        "one fails in a sequence",
        lambda lib: lib.RunnableLambda(upper) | str.lower | _picky(lib),
        many=["b", "a"],
    ),
    Case(
        "one fails in a parallel", lambda lib: lib.RunnableParallel(a=_picky(lib), b=upper), many=["b", "a"]
    ),
    Case("with keywords", lambda lib: lib.RunnableLambda(lambda t, n: t * n), many=TEXTS, kwargs={"n": 2}),
    Case("a binding", lambda lib: lib.RunnableLambda(lambda t, n: t * n).bind(n=3), many=TEXTS),
    Case(
        "too few configs",
        lambda lib: lib.RunnableLambda(upper),
        many=TEXTS,
        config=lambda lib: [{}],
        differs=Differs("wrong-input", ours=fails(TypeError), peer=fails(ValueError)),
    ),
]


@each(BATCHES, BATCHING)
def test_batches(case, verb, colour):
    compare(case, verb, colour)


EACH = [
    Case("functions", lambda lib: lib.RunnableLambda(upper).map(), input=TEXTS),
    Case("both colours", lambda lib: lib.RunnableLambda(upper, aupper).map(), input=TEXTS),
    Case("sequences", lambda lib: (lib.RunnableLambda(upper) | slowly).map(), input=TEXTS),
    Case("in a sequence", lambda lib: lib.RunnableLambda(list) | lib.RunnableLambda(upper).map() | "".join),
    Case("map of map", lambda lib: lib.RunnableLambda(upper).map().map(), input=[["a", "b"], [], ["c"]]),
    Case("none", lambda lib: lib.RunnableLambda(upper).map(), input=[]),
    Case("one fails", lambda lib: _picky(lib).map(), input=["b", "a", "c"]),
    Case("limited", lambda lib: lib.RunnableLambda(slowly).map(), input=TEXTS, config={"max_concurrency": 2}),
    Case(
        "lists in pieces",
        lambda lib: lib.RunnableLambda(upper).map(),
        input=["a", "b"],
        pieces=[["a"], ["b"]],
    ),
    Case("tuples", lambda lib: lib.RunnableLambda(upper).map(), input=("a", "b")),
]


@each(EACH, USUAL)
def test_map(case, verb, colour):
    compare(case, verb, colour)


def _map(lib: Any) -> Any:
    return lib.RunnableLambda(upper).map()


def _no_list(answer: list[Any]) -> Differs:
    return Differs("map-of-no-list", ours=fails(TypeError), peer=gives(answer))


async def _exhaust(stream: Any) -> None:
    async for _ in stream:
        pass


@pytest.mark.parametrize("limit", [2, 3])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["batch", "as completed", "map"])
@pytest.mark.parametrize("lib", [OURS, PEER], ids=str)
def test_max_concurrency_is_reached_and_kept(lib, verb, colour, limit):
    meter = Meter(limit)
    step, inputs, config = (
        lib.RunnableLambda(meter.measure),
        list(range(2 * limit)),
        {"max_concurrency": limit},
    )

    def run() -> None:
        if verb == "batch":
            step.batch(inputs, config)
        elif verb == "map":
            step.map().invoke(inputs, config)
        else:
            list(step.batch_as_completed(inputs, config))

    async def arun() -> None:
        if verb == "batch":
            await step.abatch(inputs, config)
        elif verb == "map":
            await step.map().ainvoke(inputs, config)
        else:
            await _exhaust(step.abatch_as_completed(inputs, config))

    run_in(colour, run, arun)
    assert meter.most == limit


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("lib", [OURS, PEER], ids=str)
def test_answers_come_as_they_are_done(lib, colour):
    """The first input waits until the second one's answer was given out."""
    told = threading.Event()

    def wait(value: int) -> int:
        if value == 0:
            assert told.wait(10)
        return value

    step, order = lib.RunnableLambda(wait), list[int]()

    def note(index: int) -> None:
        order.append(index)
        told.set()

    def run() -> None:
        for index, _ in step.batch_as_completed([0, 1]):
            note(index)

    async def arun() -> None:
        async for index, _ in step.abatch_as_completed([0, 1]):
            note(index)

    run_in(colour, run, arun)
    assert order == [1, 0]


@pytest.mark.differs("batch-concurrency")
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_difference_batches_are_limited_by_default(colour):
    ours = Meter(16)
    step = OURS.RunnableLambda(ours.measure)
    if colour == "sync":
        step.batch(range(32))
    else:
        asyncio.run(step.abatch(range(32)))
    assert ours.most == 16
    # The peer's async batch has no limit; its sync one depends on the machine.
    running, most = 0, 0

    async def count(value: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    asyncio.run(PEER.RunnableLambda(count).abatch(list(range(32))))
    assert most == 32


NO_LISTS = [
    Case("text", lambda lib: _map(lib), input="ab", differs=_no_list(["A", "B"])),
    Case("dict", lambda lib: _map(lib), input={"a": 1}, differs=_no_list(["A"])),
    Case("set", lambda lib: _map(lib), input=lambda lib: {"a"}, differs=_no_list(["A"])),
    Case("iterator", lambda lib: _map(lib), input=lambda lib: iter("ab"), many=[], differs=_no_list([])),
    Case("number", lambda lib: _map(lib), input=3),
    Case("None", lambda lib: _map(lib), input=None),
]


@each(NO_LISTS, ["invoke", "stream"])
def test_map_of_no_list(case, verb, colour):
    compare(case, verb, colour)
