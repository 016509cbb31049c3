"""`with_listeners` beside langchain-core's: who is told, in which order, of what."""

import datetime
from typing import Any

import pytest

from tests.peer.compare import COLOURS, run_in
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import Broken, afail, aletters, aupper, fail, letters, upper

STEPS: dict[str, Any] = {
    "function": lambda lib: lib.RunnableLambda(upper, aupper),
    "generator": lambda lib: lib.RunnableGenerator(letters, aletters),
    "sequence": lambda lib: lib.RunnableLambda(upper) | str.lower,
    "parallel": lambda lib: lib.RunnableParallel(a=upper, b=str.lower),
    "passthrough": lambda lib: lib.RunnablePassthrough(),
    "model": lambda lib: lib.chat(["a", "b"]),
    "failure": lambda lib: lib.RunnableLambda(fail, afail),
    "failing sequence": lambda lib: lib.RunnableLambda(upper) | fail,
}


def _told(lib: Any, build: Any, verb: str, colour: str) -> list[Any]:
    """The listeners' story of one run: kind, name and tags."""
    story: list[Any] = []

    def note(kind: str) -> Any:
        return lambda run: story.append((kind, run.name, sorted(run.tags or []), run.end_time is None))

    step = build(lib).with_listeners(on_start=note("start"), on_end=note("end"), on_error=note("error"))
    config = {"tags": ["t"]}

    def run() -> None:
        step.invoke("ab", config) if verb == "invoke" else list(step.stream("ab", config))

    async def arun() -> None:
        if verb == "invoke":
            await step.ainvoke("ab", config)
        else:
            async for _ in step.astream("ab", config):
                pass

    try:
        run_in(colour, run, arun)
    except Broken:
        story.append("raised")
    return story


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", STEPS)
def test_listeners(name, verb, colour):
    ours, peer = (_told(lib, STEPS[name], verb, colour) for lib in (OURS, PEER))
    assert ours == peer
    assert [told[0] for told in ours] == (["start", "error", "r"] if "fail" in name else ["start", "end"])


@pytest.mark.differs("listener-runs")
def test_difference_what_a_listener_is_told():
    told = {}
    for lib in (OURS, PEER):
        runs: list[Any] = []
        lib.RunnableLambda(upper).with_listeners(on_end=runs.append).invoke("ab")
        with pytest.raises(Broken):
            lib.RunnableLambda(fail).with_listeners(on_error=runs.append).invoke("ab")
        told[lib] = [(run.inputs, run.outputs, run.error) for run in runs]
        assert isinstance(runs[0].start_time, float if lib is OURS else datetime.datetime)
    [good, bad] = told[OURS]
    assert good == ("ab", "AB", None)
    assert bad[:2] == ("ab", None)
    assert isinstance(bad[2], Broken)
    [good, bad] = told[PEER]
    assert good == ({"input": "ab"}, {"output": "AB"}, None)
    assert isinstance(bad[2], str)
