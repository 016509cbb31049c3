"""`bind`, `with_config` and configs given to a call, beside langchain-core's."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.peer.compare import COLOURS, Case, Differs, compare, each, fails, gives
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import aletters, letters, upper


def told(text: str, config: Any, **kwargs: Any) -> Any:
    """What a function finds in its config and keywords."""
    return (
        text,
        sorted(config["tags"]),
        dict(config["metadata"]),
        config.get("max_concurrency"),
        config["recursion_limit"],
        config.get("configurable"),
        kwargs,
    )


async def atold(text: str, config: Any, **kwargs: Any) -> Any:
    return told(text, config, **kwargs)


def _told(lib: Any) -> Any:
    return lib.RunnableLambda(told, atold)


CONFIG = {"tags": ["call"], "metadata": {"who": "call", "call": 1}, "configurable": {"c": 1}}
BINDINGS = [
    Case("bind", lambda lib: _told(lib).bind(a=1)),
    Case("bind twice", lambda lib: _told(lib).bind(a=1, b=2).bind(b=3)),
    Case("bind, and keywords", lambda lib: _told(lib).bind(a=1, b=2), kwargs={"b": 4}),
    Case("bind in a sequence", lambda lib: lib.RunnableLambda(upper) | _told(lib).bind(a=1)),
    Case("bind a sequence", lambda lib: (_told(lib) | (lambda x: x)).bind(a=1)),
    Case("bind first in a parallel", lambda lib: lib.RunnableParallel(a=_told(lib).bind(a=1))),
    Case("no config", _told),
    Case("config", _told, config=CONFIG),
    Case("with_config", lambda lib: _told(lib).with_config(CONFIG)),
    Case("with_config by keywords", lambda lib: _told(lib).with_config(tags=["a"], max_concurrency=3)),
    Case("with_config, both ways", lambda lib: _told(lib).with_config({"tags": ["b"]}, metadata={"x": 1})),
    Case(
        "with_config twice",
        lambda lib: (
            _told(lib)
            .with_config(tags=["a"], metadata={"who": "a", "a": 1}, configurable={"a": 1})
            .with_config(tags=["b"], metadata={"who": "b", "b": 1}, configurable={"b": 1})
        ),
        verbs=["invoke", "stream"],
        differs=Differs(
            "with-config-twice",
            ours=gives(("abcd", ["a", "b"], {"who": "b", "a": 1, "b": 1}, None, 25, {"a": 1, "b": 1}, {})),
            peer=gives(("abcd", ["b"], {"who": "b", "b": 1}, None, 25, {"b": 1}, {})),
        ),
    ),
    Case(
        "with_config and a call's config",
        lambda lib: _told(lib).with_config(tags=["a"], metadata={"who": "a", "a": 1}, recursion_limit=9),
        config=CONFIG,
    ),
    Case(
        "a step's config in a chain with a config",
        lambda lib: lib.RunnableLambda(upper) | _told(lib).with_config(tags=["a"], metadata={"who": "a"}),
        config=CONFIG,
        verbs=["invoke", "stream"],
        differs=Differs(
            "nearest-config",
            ours=gives(("ABCD", ["a", "call"], {"who": "a", "call": 1}, None, 25, {"c": 1}, {})),
            peer=gives(("ABCD", ["a", "call"], {"who": "call", "call": 1}, None, 25, {"c": 1}, {})),
        ),
    ),
    Case(
        "a step's other keys in a chain with a config",
        lambda lib: lib.RunnableLambda(upper) | _told(lib).with_config(tags=["a"], metadata={"a": "a"}),
        config=CONFIG,
    ),
    Case(
        "a step's limits in a chain with limits",
        lambda lib: lib.RunnableLambda(upper) | _told(lib).with_config(max_concurrency=3, recursion_limit=9),
        config={"max_concurrency": 5, "recursion_limit": 7},
        verbs=["invoke", "stream"],
        differs=Differs(
            "nearest-config",
            ours=gives(("ABCD", [], {}, 3, 9, {}, {})),
            peer=gives(("ABCD", [], {}, 5, 7, {}, {})),
        ),
    ),
    Case("a chain's config", lambda lib: (lib.RunnableLambda(upper) | _told(lib)).with_config(CONFIG)),
    Case("config in a branch", lambda lib: lib.RunnableParallel(a=_told(lib)).with_config(CONFIG)),
    Case("config then bind", lambda lib: _told(lib).with_config(CONFIG).bind(a=1)),
    Case("bind then config", lambda lib: _told(lib).bind(a=1).with_config(CONFIG)),
    Case(
        "by class", lambda lib: lib.RunnableBinding(bound=_told(lib), kwargs={"a": 1}, config={"tags": ["x"]})
    ),
    Case(
        "a config for each", _told, config=lambda lib: [{"tags": ["one"]}, {"tags": ["two"]}], verbs=["batch"]
    ),
    Case("recursion limit", _told, config={"recursion_limit": 7}),
]


@each(BINDINGS)
def test_bindings(case, verb, colour):
    compare(case, verb, colour)


def _inner_config(lib: Any) -> Any:
    inner = _told(lib)

    def outer(text: str) -> Any:
        return inner.invoke(text)

    async def aouter(text: str) -> Any:
        return await inner.ainvoke(text)

    return lib.RunnableLambda(outer, aouter)


def _handed_on(lib: Any) -> Any:
    inner = _told(lib)

    def outer(text: str, config: Any) -> Any:
        return inner.invoke(text, config)

    async def aouter(text: str, config: Any) -> Any:
        return await inner.ainvoke(text, config)

    return lib.RunnableLambda(outer, aouter)


INHERITED = [
    Case("by itself", _inner_config, config=CONFIG),
    Case("handed on", _handed_on, config=CONFIG),
    Case("in a sequence", lambda lib: lib.RunnableLambda(upper) | _inner_config(lib), config=CONFIG),
    Case("returned", lambda lib: lib.RunnableLambda(lambda text: _told(lib)), config={"tags": ["a"]}),
]


@each(INHERITED)
def test_a_config_reaches_the_runs_inside_a_function(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.differs("unknown-config-keys")
@pytest.mark.parametrize("colour", COLOURS)
def test_difference_unknown_config_keys(colour):
    for lib in (OURS, PEER):
        step = lib.RunnableLambda(upper)

        def run(step: Any = step) -> Any:
            config = {"tagz": ["a"]}
            return asyncio.run(step.ainvoke("a", config)) if colour == "async" else step.invoke("a", config)

        if lib is PEER:
            assert run() == "A"
        else:
            with pytest.raises(TypeError, match="tagz"):
                run()


NOBODY = Differs("keywords-for-nobody", ours=gives({"a": "ABCD"}), peer=fails(TypeError))
LOST = Differs("lost-errors", ours=fails(TypeError), peer=fails(UnboundLocalError))
ASYNC_LOST = Differs("lost-errors", ours=gives({"a": "ABCD"}), peer=fails(UnboundLocalError))
WITH_KEYWORDS = [
    Case(
        "parallel",
        lambda lib: lib.RunnableParallel(a=upper),
        differs={"transform": NOBODY, "transform async": ASYNC_LOST},
    ),
    Case("passthrough", lambda lib: lib.RunnablePassthrough()),
    Case("passthrough with a function", lambda lib: lib.RunnablePassthrough(lambda text, a: None)),
    Case(
        "fallbacks", lambda lib: lib.RunnableLambda(upper).with_fallbacks([lib.RunnableLambda(told_keyword)])
    ),
    Case("map", lambda lib: lib.RunnableLambda(told_keyword).map(), input=["x"]),
    Case("parser", lambda lib: lib.StrOutputParser()),
    Case("prompt", lambda lib: lib.PromptTemplate.from_template("{x}")),
    Case("generator", lambda lib: lib.RunnableGenerator(letters, aletters), differs={"async": LOST}),
    Case(
        "pick",
        lambda lib: lib.RunnablePick("x"),
        input={"x": 1},
        verbs=["invoke"],
        differs=Differs("keywords-for-nobody", ours=gives(1), peer=fails(TypeError)),
    ),
    Case(
        "assign",
        lambda lib: lib.RunnablePassthrough.assign(n=len),
        input={"x": 1},
        verbs=["invoke", "stream"],
        differs={
            "stream": Differs(
                "keywords-for-nobody", ours=gives({"x": 1}, {"n": 1}), peer=fails(TypeError, after=[{"x": 1}])
            ),
            "stream async": Differs(
                "lost-errors", ours=gives({"x": 1}, {"n": 1}), peer=fails(UnboundLocalError, after=[{"x": 1}])
            ),
        },
    ),
]


def told_keyword(text: str, a: Any) -> Any:
    return text, a


@each([replace(case, kwargs={"a": 1}) for case in WITH_KEYWORDS])
def test_keywords(case, verb, colour):
    compare(case, verb, colour)
