"""The names of runnables and of their runs, beside langchain-core's."""

import functools
from typing import Any

import pytest

from tests.peer.libraries import OURS, PEER
from tests.peer.steps import ashout, aspell, aupper, double, letters, shout, spell, upper


class Object:
    def __call__(self, text: str) -> str:
        return text

    def method(self, text: str) -> str:
        return text


def _sequence(lib: Any, name: str | None = None) -> Any:
    return lib.RunnableSequence(upper, double, name=name)


def _chain(lib: Any) -> Any:
    @lib.chain
    def my_chain(text: str) -> str:
        return text

    return my_chain


def _mine(lib: Any) -> Any:
    class Mine(lib.RunnablePassthrough):
        pass

    return Mine()


NAMES: dict[str, Any] = {
    "function": lambda lib: lib.RunnableLambda(upper),
    "async function": lambda lib: lib.RunnableLambda(aupper),
    "two functions": lambda lib: lib.RunnableLambda(upper, aupper),
    "named function": lambda lib: lib.RunnableLambda(upper, name="mine"),
    "lambda": lambda lib: lib.RunnableLambda(lambda x: x),
    "named lambda": lambda lib: lib.RunnableLambda(lambda x: x, name="mine"),
    "partial": lambda lib: lib.RunnableLambda(functools.partial(upper)),
    "object": lambda lib: lib.RunnableLambda(Object()),
    "method": lambda lib: lib.RunnableLambda(Object().method),
    "builtin": lambda lib: lib.RunnableLambda(len),
    "class": lambda lib: lib.RunnableLambda(int),
    "generator in a lambda": lambda lib: lib.RunnableLambda(spell),
    "generator": lambda lib: lib.RunnableGenerator(shout),
    "two generators": lambda lib: lib.RunnableGenerator(shout, aspell),
    "async generator": lambda lib: lib.RunnableGenerator(ashout),
    "named generator": lambda lib: lib.RunnableGenerator(letters, name="mine"),
    "chain": _chain,
    "sequence": _sequence,
    "named sequence": lambda lib: _sequence(lib, "mine"),
    "piped": lambda lib: lib.RunnableLambda(upper).pipe(double, upper),
    "piped with a name": lambda lib: lib.RunnableLambda(upper).pipe(double, name="mine"),
    "named sequence, and a step": lambda lib: _sequence(lib, "mine") | upper,
    "a step, and a named sequence": lambda lib: lib.RunnableLambda(upper) | _sequence(lib, "mine"),
    "two named sequences": lambda lib: _sequence(lib, "first") | _sequence(lib, "second"),
    "a sequence, and a named one": lambda lib: _sequence(lib) | _sequence(lib, "second"),
    "a dict, and a named sequence": lambda lib: {"a": upper} | _sequence(lib, "mine"),
    "parallel": lambda lib: lib.RunnableParallel(a=upper, b=double),
    "nested parallel": lambda lib: (
        lib.RunnableParallel(a={"b": upper}, c=double).steps__["a"]
        if lib is PEER
        else lib.RunnableParallel(a={"b": upper}, c=double).steps["a"]
    ),
    "parallel of nothing": lambda lib: lib.RunnableParallel(),
    "coerced dict": lambda lib: (lib.RunnableLambda(upper) | {"a": upper, "b": double}).last,
    "coerced function": lambda lib: (lib.RunnablePassthrough() | upper).last,
    "coerced generator": lambda lib: (lib.RunnablePassthrough() | shout).last,
    "coerced lambda": lambda lib: (lib.RunnablePassthrough() | (lambda x: x)).last,
    "passthrough": lambda lib: lib.RunnablePassthrough(),
    "passthrough with a function": lambda lib: lib.RunnablePassthrough(print),
    "assign": lambda lib: lib.RunnablePassthrough.assign(a=upper, b=double),
    "pick": lambda lib: lib.RunnablePick("a"),
    "pick several": lambda lib: lib.RunnablePick(["a", "b"]),
    "picked": lambda lib: lib.RunnableParallel(a=upper).pick("a"),
    "assigned": lambda lib: lib.RunnableParallel(a=upper).assign(b=upper),
    "branch": lambda lib: lib.RunnableBranch((str.isalpha, upper), double),
    "bound": lambda lib: lib.RunnableLambda(upper).bind(a=1),
    "with tags": lambda lib: lib.RunnableLambda(upper).with_config(tags=["a"]),
    "listened to": lambda lib: lib.RunnableLambda(upper).with_listeners(on_start=print),
    "bound sequence": lambda lib: _sequence(lib, "mine").bind(a=1),
    "each": lambda lib: lib.RunnableLambda(upper).map(),
    "each of a sequence": lambda lib: _sequence(lib).map(),
    "each of each": lambda lib: lib.RunnableLambda(upper).map().map(),
    "each of a parallel": lambda lib: lib.RunnableParallel(a=upper).map(),
    "retry": lambda lib: lib.RunnableLambda(upper).with_retry(),
    "fallbacks": lambda lib: lib.RunnableLambda(upper).with_fallbacks([lib.RunnableLambda(double)]),
    "chat prompt": lambda lib: lib.ChatPromptTemplate.from_template("{a}"),
    "text prompt": lambda lib: lib.PromptTemplate.from_template("{a}"),
    "parser": lambda lib: lib.StrOutputParser(),
    "model": lambda lib: lib.chat(["a"]),
    "bound model": lambda lib: lib.chat(["a"]).bind(stop=["x"]),
    "subclass": _mine,
    "run name": lambda lib: lib.RunnableLambda(upper).with_config(run_name="run"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    assert NAMES[name](OURS).get_name() == NAMES[name](PEER).get_name()


RUNS: dict[str, Any] = {
    "run name": lambda lib: lib.RunnableLambda(upper).with_config(run_name="run"),
    "run name twice": lambda lib: (
        lib.RunnableLambda(upper).with_config(run_name="run").with_config(run_name="again")
    ),
    "run name below": lambda lib: lib.RunnableLambda(upper).with_config(run_name="run") | double,
    "sequence": _sequence,
    "named sequence": lambda lib: _sequence(lib, "mine"),
    "parallel": lambda lib: lib.RunnableParallel(a=upper, b=double),
    "parallel in a parallel": lambda lib: lib.RunnableParallel(a={"b": upper}, c=double),
    "bound": lambda lib: lib.RunnableLambda(lambda x, y: x, name="mine").bind(y=1),
    "map": lambda lib: lib.RunnableLambda(list) | lib.RunnableLambda(upper).map(),
}


@pytest.mark.parametrize("given", [None, {"run_name": "called"}], ids=["no config", "run_name"])
@pytest.mark.parametrize("name", RUNS)
def test_names_of_runs(name, given):
    told = []
    for lib in (OURS, PEER):
        heard: list[str] = []
        step = RUNS[name](lib).with_listeners(on_start=lambda run, heard=heard: heard.append(run.name))
        step.invoke("ab", given)
        told.append(heard)
    assert told[0] == told[1]
