"""`bind`, `with_config` and configs given to a call, beside langchain-core's."""

import asyncio
from typing import Any

import pytest

from tests.peer.compare import COLOURS, Case, compare, each
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import upper


def told(text: str, config: Any, **kwargs: Any) -> Any:
    """What a function finds in its config and keywords."""
    return (
        text,
        sorted(config["tags"]),
        {key: value for key, value in config["metadata"].items()},
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
        lambda lib: _told(lib).with_config(tags=["a"], metadata={"who": "a"}).with_config(
            tags=["b"], metadata={"who": "b", "b": 1}
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
    ),
    Case("a chain's config", lambda lib: (lib.RunnableLambda(upper) | _told(lib)).with_config(CONFIG)),
    Case("config in a branch", lambda lib: lib.RunnableParallel(a=_told(lib)).with_config(CONFIG)),
    Case("config then bind", lambda lib: _told(lib).with_config(CONFIG).bind(a=1)),
    Case("bind then config", lambda lib: _told(lib).bind(a=1).with_config(CONFIG)),
    Case("by class", lambda lib: lib.RunnableBinding(bound=_told(lib), kwargs={"a": 1}, config={"tags": ["x"]})),
    Case("a config for each", _told, config=lambda lib: [{"tags": ["one"]}, {"tags": ["two"]}], verbs=["batch"]),
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
