"""Functions, generators and `@chain` beside langchain-core's."""

import asyncio
import functools
from dataclasses import replace
from typing import Any

import pytest

from tests.peer.compare import STREAMING, Case, Differs, compare, each, fails, gives
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import Broken, afail, ashout, aspell, aupper, double, fail, letters, shout, spell, upper

SYNC_ONLY = Differs("every-colour", ours="sync", peer=fails(NotImplementedError))


def _async_only(kind: type[Exception]) -> dict[str, Differs]:
    told = Differs("every-colour", ours="async", peer=fails(kind))
    return {"sync": told, "sync in a loop": told}


def with_config(text: str, config: Any) -> str:
    return f"{text} {config['tags']} {config['metadata'].get('who')}"


async def awith_config(text: str, config: Any) -> str:
    return f"{text} {config['tags']} {config['configurable'].get('who')}"


def with_default(text: str, times: int = 2) -> str:
    return text * times


class Callable_:
    def __call__(self, text: str) -> str:
        return text.title()


class Methods:
    def plain(self, text: str) -> str:
        return text + "!"

    async def asynchronous(self, text: str) -> str:
        return text + "?"


def _returns_runnable(lib: Any) -> Any:
    inner = lib.RunnableLambda(upper) | double
    return lib.RunnableLambda(lambda text: inner if text else text)


def _deferred(lib: Any) -> Any:
    async def route(text: str) -> Any:
        return lib.RunnableLambda(aupper) | aupper

    return lib.RunnableLambda(route)


def _calls_another(lib: Any) -> Any:
    inner = lib.RunnableLambda(upper) | double

    def outer(text: str) -> str:
        return inner.invoke(text) + inner.invoke("x")

    return lib.RunnableLambda(outer)


def _acalls_another(lib: Any) -> Any:
    inner = lib.RunnableLambda(aupper) | double

    async def outer(text: str) -> str:
        return await inner.ainvoke(text) + await inner.ainvoke("x")

    return lib.RunnableLambda(outer)


GENERATOR_IN_ASYNC = {
    f"{verb} async": Differs("every-colour", ours="sync", peer=fails(TypeError)) for verb in STREAMING
}


def _recursive(depth: int) -> Any:
    """A function that returns itself as a runnable, that many times, and then tells the depth."""

    def build(lib: Any) -> Any:
        calls: list[Any] = []

        def deeper(text: str) -> Any:
            calls.append(text)
            return lib.RunnableLambda(deeper, adeeper) if len(calls) <= depth else len(calls)

        async def adeeper(text: str) -> Any:
            return deeper(text)

        return lib.RunnableLambda(deeper, adeeper)

    return build


RECURSIONS = [
    Case("as deep as may be", _recursive(25), many=["a"]),
    Case("too deep", _recursive(26), many=["a"]),
    Case("as deep as is set", _recursive(3), many=["a"], config={"recursion_limit": 3}),
    Case("deeper than is set", _recursive(4), many=["a"], config={"recursion_limit": 3}),
    Case("deeper than usual, as set", _recursive(40), many=["a"], config={"recursion_limit": 40}),
    Case("set by with_config", lambda lib: _recursive(4)(lib).with_config(recursion_limit=3), many=["a"]),
]


@each(RECURSIONS)
def test_recursion(case, verb, colour):
    compare(case, verb, colour)


LAMBDAS = [
    Case("function", lambda lib: lib.RunnableLambda(upper)),
    Case("lambda", lambda lib: lib.RunnableLambda(lambda text: text[::-1])),
    Case("builtin", lambda lib: lib.RunnableLambda(len)),
    Case("class", lambda lib: lib.RunnableLambda(int), input="12"),
    Case("partial", lambda lib: lib.RunnableLambda(functools.partial(with_default, times=3))),
    Case("callable object", lambda lib: lib.RunnableLambda(Callable_())),
    Case("method", lambda lib: lib.RunnableLambda(Methods().plain)),
    Case("async function", lambda lib: lib.RunnableLambda(aupper), differs=_async_only(TypeError)),
    Case(
        "async method", lambda lib: lib.RunnableLambda(Methods().asynchronous), differs=_async_only(TypeError)
    ),
    Case("both colours", lambda lib: lib.RunnableLambda(lambda text: text + "s", aupper)),
    Case("generator function", lambda lib: lib.RunnableLambda(spell), differs=GENERATOR_IN_ASYNC),
    Case("async generator function", lambda lib: lib.RunnableLambda(aspell), differs=_async_only(TypeError)),
    Case("generator function, both colours", lambda lib: lib.RunnableLambda(spell, aspell)),
    Case("returns a runnable", _returns_runnable, many=["ab", ""]),
    Case("async, returns a runnable", _deferred, differs=_async_only(TypeError)),
    Case("calls a chain", _calls_another),
    Case("async, calls a chain", _acalls_another, differs=_async_only(TypeError)),
    Case(
        "config parameter",
        lambda lib: lib.RunnableLambda(with_config),
        config={"tags": ["a", "b"], "metadata": {"who": "me"}},
    ),
    Case(
        "config parameter, both colours",
        lambda lib: lib.RunnableLambda(with_config, awith_config),
        config={"tags": ["a"], "metadata": {"who": "me"}, "configurable": {"who": "you"}},
    ),
    Case("keywords", lambda lib: lib.RunnableLambda(with_default), kwargs={"times": 4}),
    Case("wrong keywords", lambda lib: lib.RunnableLambda(with_default), kwargs={"turns": 4}),
    Case("fails", lambda lib: lib.RunnableLambda(fail)),
    Case("async fails", lambda lib: lib.RunnableLambda(afail), differs=_async_only(TypeError)),
    Case("answers None", lambda lib: lib.RunnableLambda(lambda text: None)),
    Case("answers a dict", lambda lib: lib.RunnableLambda(lambda text: {"a": text, "b": [text]})),
    Case(
        "raises StopIteration",
        lambda lib: lib.RunnableLambda(lambda text: next(iter([]))),
        verbs=["invoke"],
        differs={
            "invoke": Differs("stop-iteration", ours=fails(RuntimeError), peer=fails(StopIteration)),
            "invoke async": Differs("stop-iteration", ours=fails(RuntimeError), peer=fails(RuntimeError)),
        },
    ),
]


@each(LAMBDAS)
def test_lambdas(case, verb, colour):
    compare(case, verb, colour)


def count(pieces: Any) -> Any:
    for number, piece in enumerate(pieces):
        yield f"{number}{piece}"


def buffering(pieces: Any) -> Any:
    yield "<"
    yield "".join(pieces)
    yield ">"


def numbers(pieces: Any) -> Any:
    for piece in pieces:
        yield len(piece)


def dicts(pieces: Any) -> Any:
    for piece in pieces:
        yield {"letter": piece}


async def adicts(pieces: Any) -> Any:
    async for piece in pieces:
        yield {"letter": piece}


async def abuffering(pieces: Any) -> Any:
    yield "<"
    yield "".join([piece async for piece in pieces])
    yield ">"


def halved(text: str) -> Any:
    yield {"half": text[:2]}
    yield {"half": text[2:]}


async def ahalved(text: str) -> Any:
    yield {"half": text[:2]}
    yield {"half": text[2:]}


def halves(pieces: Any) -> Any:
    yield from halved("".join(pieces))


async def ahalves(pieces: Any) -> Any:
    for half in halved("".join([piece async for piece in pieces])):
        yield half


def tagged(pieces: Any, config: Any) -> Any:
    for piece in pieces:
        yield f"{piece} {config['tags']}"


async def atagged(pieces: Any, config: Any) -> Any:
    async for piece in pieces:
        yield f"{piece} {config['tags']}"


SUMS = Differs("sums-that-cannot-be", ours=gives({"half": "cd"}), peer=fails(TypeError))


def nothing(pieces: Any) -> Any:
    for piece in pieces:
        if piece == "never":
            yield piece


GENERATORS = [
    Case("both colours", lambda lib: lib.RunnableGenerator(shout, ashout)),
    Case("sync", lambda lib: lib.RunnableGenerator(count), differs={"async": SYNC_ONLY}),
    Case("async", lambda lib: lib.RunnableGenerator(ashout), differs=_async_only(NotImplementedError)),
    Case("buffering", lambda lib: lib.RunnableGenerator(buffering), differs={"async": SYNC_ONLY}),
    Case("numbers", lambda lib: lib.RunnableGenerator(numbers), differs={"async": SYNC_ONLY}),
    Case("one letter", lambda lib: lib.RunnableGenerator(count), input="x", differs={"async": SYNC_ONLY}),
    Case("nothing", lambda lib: lib.RunnableGenerator(nothing), differs={"async": SYNC_ONLY}),
    Case(
        "no input", lambda lib: lib.RunnableGenerator(buffering, abuffering), pieces=[], verbs=["transform"]
    ),
    Case("config parameter", lambda lib: lib.RunnableGenerator(tagged, atagged), config={"tags": ["a"]}),
    Case(
        "pieces that cannot be added",
        lambda lib: lib.RunnableGenerator(dicts, adicts) | lib.RunnableGenerator(dicts, adicts),
        verbs=["stream"],
    ),
    Case(
        "pieces that cannot be added, gathered",
        lambda lib: lib.RunnableGenerator(halves, ahalves),
        differs={"invoke": SUMS, "batch": replace(SUMS, ours=gives([{"half": "cd"}] * 2))},
    ),
    Case("pieces that cannot be added, in a function", lambda lib: lib.RunnableLambda(halved, ahalved)),
]


@each(GENERATORS)
def test_generators(case, verb, colour):
    compare(case, verb, colour)


def _chain(function: Any) -> Any:
    return lambda lib: lib.chain(function)


def _chain_of_runnables(lib: Any) -> Any:
    shouted = lib.RunnableLambda(upper) | double

    @lib.chain
    def loud(text: str) -> str:
        return shouted.invoke(text) + "!"

    return loud | double


def _generator_chain(lib: Any) -> Any:
    speller = lib.RunnableGenerator(letters)

    @lib.chain
    def loud(text: str) -> Any:
        for letter in speller.stream(text):
            yield letter.upper()

    return loud


def _async_generator_chain(lib: Any) -> Any:
    speller = lib.RunnableLambda(aspell)

    @lib.chain
    async def loud(text: str) -> Any:
        async for letter in speller.astream(text):
            yield letter.upper()

    return loud


CHAINS = [
    Case("function", _chain(upper)),
    Case("async function", _chain(aupper), differs=_async_only(TypeError)),
    Case("generator", _chain(spell), differs=GENERATOR_IN_ASYNC),
    Case("async generator", _chain(aspell), differs=_async_only(TypeError)),
    Case("calls a chain", _chain_of_runnables),
    Case("generator that streams a chain", _generator_chain, differs=GENERATOR_IN_ASYNC),
    Case("async generator that streams a chain", _async_generator_chain, differs=_async_only(TypeError)),
]


@each(CHAINS)
def test_chains(case, verb, colour):
    compare(case, verb, colour)


def _nothing_then(build: Any) -> Any:
    return lambda lib: lib.RunnableGenerator(nothing, anothing) | build(lib)


async def anothing(pieces: Any) -> Any:
    async for piece in pieces:
        if piece == "never":
            yield piece


NO_ITEM = Differs("empty-stream", ours=gives(), peer=fails(UnboundLocalError))
EMPTY: dict[str, Any] = {
    "function": lambda lib: lib.RunnableLambda(upper, aupper),
    "generator function": lambda lib: lib.RunnableLambda(spell, aspell),
    "sequence": lambda lib: lib.RunnableLambda(upper) | double,
    "assign": lambda lib: lib.RunnablePassthrough.assign(a=len),
}
EMPTY_STREAMS = [
    *[Case(name, build, pieces=[], verbs=["transform"], differs=NO_ITEM) for name, build in EMPTY.items()],
    Case("function after nothing", _nothing_then(EMPTY["function"]), verbs=["stream"], differs=NO_ITEM),
    Case("generator", lambda lib: lib.RunnableGenerator(shout, ashout), pieces=[], verbs=["transform"]),
    Case("passthrough", lambda lib: lib.RunnablePassthrough(), pieces=[], verbs=["transform"]),
    Case(
        "parallel",
        lambda lib: lib.RunnableParallel(a=lib.RunnablePassthrough()),
        pieces=[],
        verbs=["transform"],
    ),
    Case("branch", lambda lib: lib.RunnableBranch((bool, upper), double), pieces=[], verbs=["transform"]),
    Case("pick", lambda lib: lib.RunnablePick("a"), pieces=[], verbs=["transform"]),
    Case("model", lambda lib: lib.chat(["a"]), pieces=[], verbs=["transform"]),
    Case("parser", lambda lib: lib.StrOutputParser(), pieces=[], verbs=["transform"]),
    Case("retry", lambda lib: lib.RunnablePassthrough().with_retry(), pieces=[], verbs=["transform"]),
    Case(
        "fallbacks",
        lambda lib: lib.RunnablePassthrough().with_fallbacks([lib.RunnablePassthrough()]),
        pieces=[],
        verbs=["transform"],
    ),
]


@each(EMPTY_STREAMS)
def test_streams_without_an_item(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("two-async-functions")
def test_difference_two_async_functions():
    assert OURS.RunnableLambda(aupper, aupper).invoke("a") == "A"
    with pytest.raises(TypeError):
        PEER.RunnableLambda(aupper, aupper)


@pytest.mark.differs("step-notes")
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_difference_errors_name_the_step(colour):
    for lib in (OURS, PEER):
        chain = lib.RunnableLambda(upper) | fail
        with pytest.raises(Broken) as caught:
            asyncio.run(chain.ainvoke("a")) if colour == "async" else chain.invoke("a")
        notes = getattr(caught.value, "__notes__", [])
        assert [note for note in notes if "fail" in note and "seq:step:2" in note] == (
            notes if lib is OURS else []
        )
        assert bool(notes) == (lib is OURS)
