"""Functions, generators and `@chain` beside langchain-core's."""

import functools
from typing import Any

from tests.peer.compare import STREAMING, Case, Differs, compare, each, fails
from tests.peer.steps import afail, ashout, aspell, aupper, double, fail, letters, shout, spell, upper

SYNC_ONLY = Differs("async-from-sync", ours="sync", peer=fails(NotImplementedError))


def _async_only(kind: type[Exception]) -> dict[str, Differs]:
    told = Differs("sync-from-async", ours="async", peer=fails(kind))
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
    f"{verb} async": Differs("generator-function-async", ours="sync", peer=fails(TypeError)) for verb in STREAMING
}

LAMBDAS = [
    Case("function", lambda lib: lib.RunnableLambda(upper)),
    Case("lambda", lambda lib: lib.RunnableLambda(lambda text: text[::-1])),
    Case("builtin", lambda lib: lib.RunnableLambda(len)),
    Case("class", lambda lib: lib.RunnableLambda(int), input="12"),
    Case("partial", lambda lib: lib.RunnableLambda(functools.partial(with_default, times=3))),
    Case("callable object", lambda lib: lib.RunnableLambda(Callable_())),
    Case("method", lambda lib: lib.RunnableLambda(Methods().plain)),
    Case("async function", lambda lib: lib.RunnableLambda(aupper), differs=_async_only(TypeError)),
    Case("async method", lambda lib: lib.RunnableLambda(Methods().asynchronous), differs=_async_only(TypeError)),
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
            "async": Differs("stop-iteration", ours=fails(RuntimeError), peer=fails(RuntimeError)),
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
