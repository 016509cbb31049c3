"""Logs beside langchain-core's: which operations in which patches, and the state that they add up to."""

import asyncio
import warnings
from functools import reduce
from itertools import chain
from operator import add
from typing import Any

import langchain_core.documents
import langchain_core.retrievers
import pytest

from tests.peer.libraries import OURS, PEER, Library
from tests.peer.normal import Plain
from tests.peer.test_events import (
    _OF_THE_PEER,
    AT_ONCE,
    CASES,
    FILTERS,
    _nameless,
    ashout,
    broken,
    model,
    prompt,
    same,
    shout,
)

PARTS = {
    OURS: (OURS.BaseRetriever, OURS.Document),
    PEER: (langchain_core.retrievers.BaseRetriever, langchain_core.documents.Document),
}

pytestmark = pytest.mark.filterwarnings("ignore:astream_log is deprecated")


async def _collect(step: Any, input: Any, **kwargs: Any) -> tuple[list[Any], BaseException | None]:
    told = []
    try:
        async for each in step.astream_log(input, **kwargs):
            told.append(each)
    except Exception as error:
        return told, error
    return told, None


def log(lib: Library, build: Any, input: Any, **kwargs: Any) -> list[Any]:
    """All patches, or states, of a run that succeeds."""
    told, error = asyncio.run(_collect(build(lib), input, **kwargs))
    assert error is None
    return told


class Told:
    """Makes operations and states comparable: runs are numbered as they appear, and times are left out."""

    def __init__(self) -> None:
        self._plain = Plain()
        self._runs: dict[str, int] = {}

    def ops(self, patch: Any) -> list[tuple[Any, ...]]:
        return [(op["op"], op["path"], self._value(op["path"], op["value"])) for op in patch.ops]

    def _value(self, path: str, value: Any) -> Any:
        if path.endswith("/end_time"):
            return "time"
        if not path:
            return self.state(value)
        if path.startswith("/logs/"):
            if path.count("/") == 2:
                return self._entry(value)
            if path.endswith("/final_output"):
                return self._final(value)
        return self._plain(value)

    def state(self, state: Any) -> dict[str, Any]:
        """A state: the ids of its runs as numbers."""
        logs = {name: self._entry(entry) for name, entry in state["logs"].items()}
        return self._plain(state) | {"id": self._number(state["id"]), "logs": logs}

    def _entry(self, entry: Any) -> dict[str, Any]:
        return self._plain(entry) | {
            "id": self._number(entry["id"]),
            # The order of tags is another one where they were merged (`tag-order`).
            "tags": sorted(entry["tags"]),
            "metadata": {
                key: value for key, value in entry["metadata"].items() if not key.startswith(_OF_THE_PEER)
            },
            "start_time": "time",
            "end_time": entry["end_time"] and "time",
            "final_output": self._final(entry["final_output"]),
        }

    def _final(self, output: Any) -> Any:
        if isinstance(output, dict) and "documents" in output:
            return {"documents": [document.page_content for document in output["documents"]]}
        output = self._plain(output)
        if isinstance(output, dict) and "generations" in output:
            # Where the last chunk is a chunk of its own, theirs leaves it out (`events-whole-answers`).
            for generation in chain.from_iterable(output["generations"]):
                generation.get("message", {}).pop("chunk_position", None)
        return output

    def _number(self, run_id: str) -> int:
        return self._runs.setdefault(run_id, len(self._runs))


def story(lib: Library, build: Any, input: Any, **kwargs: Any) -> tuple[list[Any], Any]:
    """The operations of each patch, and the state in the end."""
    patches = log(lib, build, input, **kwargs)
    told = Told()
    ops = [told.ops(patch) for patch in patches]
    whole = patches[0] + type(patches[0])() if len(patches) == 1 else reduce(add, patches)
    return ops, Told().state(whole.state)


async def anumbers(_: Any) -> Any:
    for number in (1, 2, 2):
        yield number


async def alists(_: Any) -> Any:
    for piece in ([1], [2, 3], [], [4]):
        yield piece


async def adicts(_: Any) -> Any:
    for piece in ({"a": [1]}, {"a": [1, 2], "b": "x"}, {"a": [1, 2], "b": "x"}):
        yield piece


async def amixed(_: Any) -> Any:
    for piece in ("a", None, 1, "b", [1], "c"):
        yield piece


def uses_a_tool(lib: Library) -> Any:
    @lib.tool
    def double(number: int) -> int:
        """Doubles."""
        return number * 2

    return lib.RunnableLambda(lambda number: double.invoke({"number": number}))


def retrieves(lib: Library) -> Any:
    base, document = PARTS[lib]

    class Finds(base):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> Any:
            return [document(page_content="x")]

    return Finds() | (lambda documents: documents[0].page_content)


MORE: dict[str, tuple[Any, Any]] = {
    "a text model": (lambda lib: lib.llm(["a", "b"]), "q"),
    "a text model behind a prompt": (lambda lib: prompt(lib) | lib.llm(["a", "b"]) | shout, {"x": 1}),
    "a tool": (uses_a_tool, 2),
    "a retriever": (retrieves, "q"),
    "nothing as an answer": (lambda lib: lib.RunnableLambda(lambda _: None), "q"),
    "nothing inside": (lambda lib: lib.RunnableLambda(lambda _: None) | (lambda _: "x"), "q"),
    "numbers": (lambda lib: lib.RunnableGenerator(anumbers), "q"),
    "lists": (lambda lib: lib.RunnableGenerator(alists), "q"),
    "dicts": (lambda lib: lib.RunnableGenerator(adicts), "q"),
    "mixed pieces": (lambda lib: lib.RunnableGenerator(amixed), "q"),
    "lists in a branch": (lambda lib: lib.RunnableParallel(a=alists), "q"),
    "a name that comes again": (lambda lib: lib.RunnableLambda(shout) | shout | shout, "q"),
    "branches in branches, one at a time": (
        lambda lib: lib.RunnableParallel(a=lib.RunnableParallel(b=model(lib) | lib.StrOutputParser())),
        "q",
    ),
}
ALL = CASES | MORE


@pytest.mark.parametrize("with_list", [True, False], ids=["", "without pieces"])
@pytest.mark.parametrize("name", ALL)
def test_patches(name: str, with_list: bool) -> None:
    build, input = ALL[name]
    ours, peer = (story(lib, build, input, with_streamed_output_list=with_list) for lib in (OURS, PEER))
    assert ours == peer


@pytest.mark.parametrize("name", ALL)
def test_states(name: str) -> None:
    build, input = ALL[name]
    ours, peer = (log(lib, build, input, diff=False) for lib in (OURS, PEER))
    told = [Told(), Told()]
    assert [told[0].state(each.state) for each in ours] == [told[1].state(each.state) for each in peer]
    told = [Told(), Told()]
    assert told[0].ops(ours[-1]) == told[1].ops(peer[-1])


@pytest.mark.parametrize(
    "chosen", [*FILTERS, {"include_types": ["llm"]}, {"exclude_types": ["llm"]}], ids=str
)
def test_filters(chosen: dict[str, Any]) -> None:
    build, input = CASES["names, tags and metadata"]
    ours, peer = (story(lib, build, input, **chosen) for lib in (OURS, PEER))
    assert ours == peer


def by_run(lib: Library, build: Any, input: Any) -> list[Any]:
    """What is told of each run: its entry, its pieces in any order, its end. What came first is chance."""
    runs: dict[str, list[Any]] = {}
    told = Told()
    for patch in log(lib, build, input):
        for _, path, value in told.ops(patch):
            if path.startswith("/logs/"):
                _, _, name, *inside = path.split("/")
                runs.setdefault(name, []).append(_nameless([inside, value]))
    return [[entry[1] | {"id": 0}, *sorted(others, key=repr)] for entry, *others in runs.values()]


@pytest.mark.parametrize("name", AT_ONCE)
def test_runs_at_once(name: str) -> None:
    build, input = AT_ONCE[name]
    assert same(by_run(OURS, build, input), by_run(PEER, build, input))
    ours, peer = (story(lib, build, input)[1] for lib in (OURS, PEER))
    assert _nameless(ours["final_output"]) == _nameless(peer["final_output"])
    assert same(_nameless(ours["streamed_output"]), _nameless(peer["streamed_output"]))
    assert ours["logs"].keys() == peer["logs"].keys()


def failing(lib: Library) -> Any:
    return prompt(lib) | lib.chat(["a", ValueError("no"), "b"]) | lib.StrOutputParser() | shout


@pytest.mark.parametrize(
    "build",
    [
        failing,
        lambda lib: prompt(lib) | broken,
        lambda lib: lib.RunnableLambda(broken),
        lambda lib: lib.RunnableLambda(broken) | shout,
        lambda lib: lib.RunnableLambda(lambda given: failing(lib).invoke(given)),
        lambda lib: lib.RunnableLambda(ashout) | lib.RunnableLambda(broken).with_fallbacks([failing(lib)]),
    ],
)
@pytest.mark.differs("log-errors")
def test_difference_errors(build: Any) -> None:
    told = []
    for lib in (OURS, PEER):
        patches, error = asyncio.run(_collect(build(lib), {"x": 1}))
        assert isinstance(error, Exception)
        told.append([Told().ops(patch) for patch in patches])
    ours, peer = told
    ended = [ops[0][1] for ops in ours if len(ops) == 1 and ops[0][1].endswith("/end_time")]
    failed = [path.replace("/end_time", "/final_output") for path in ended]
    assert ours == [[op for op in ops if op[1] not in failed] for ops in peer]


@pytest.mark.differs("log-names")
def test_difference_names() -> None:
    for lib in (OURS, PEER):
        step = lib.RunnableLambda(shout).with_config(run_name="a/b~c") | shout
        patches = log(lib, lambda _, step=step: step, "x")
        if lib is OURS:
            assert list(reduce(add, patches).state["logs"]) == ["a/b~c", "shout"]
        else:
            with pytest.raises(Exception, match="invalid escape ~c"):
                reduce(add, patches)


@pytest.mark.differs("log-states")
def test_difference_states() -> None:
    def whole(lib: Library) -> Any:
        return lib.chat(["[1", ", 2]"]) | lib.JsonOutputParser()

    found = [reduce(add, log(lib, whole, "q")).state["final_output"] for lib in (OURS, PEER)]
    assert found == [[1, 2], [1, 1, 2]]

    def beside(lib: Library) -> Any:
        parsed = lib.chat(['{"b": 1', ', "c": 2}']) | lib.JsonOutputParser()
        return lib.RunnablePassthrough.assign(a=lib.RunnableLambda(lambda _: "q") | parsed)

    found = [reduce(add, log(lib, beside, {"x": 1})).state["final_output"] for lib in (OURS, PEER)]
    assert found == [{"x": 1, "a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 2}}]


@pytest.mark.differs("log-texts")
def test_difference_texts() -> None:
    block = {"type": "text", "text": "a", "index": 0}

    def says(lib: Library) -> Any:
        return lib.chat([lib.AIMessageChunk(content=[block])]) | shout_content

    texts = []
    for lib in (OURS, PEER):
        entry = reduce(add, log(lib, says, "q")).state["logs"]["model"]
        texts.append(entry["streamed_output_str"][0])
    assert texts == ["a", [block]]


async def shout_content(message: Any) -> str:
    return str(message.content)


@pytest.mark.differs("log-shared-states")
def test_difference_states_share_their_parts() -> None:
    for lib in (OURS, PEER):
        states = [each.state for each in log(lib, prompt, {"x": 1}, diff=False)]
        assert (states[0]["logs"] is states[1]["logs"]) == (lib is OURS)


@pytest.mark.differs("log-leaving")
def test_difference_leaving() -> None:
    async def pulled(lib: Library) -> int:
        count = 0

        async def grow(_: Any) -> Any:
            nonlocal count
            for number in range(1000):
                count += 1
                yield number
                await asyncio.sleep(0)

        stream = lib.RunnableGenerator(grow).astream_log("q")
        await anext(stream)
        await stream.aclose()
        for _ in range(6000):
            await asyncio.sleep(0)
        return count

    assert asyncio.run(pulled(OURS)) < 100
    assert asyncio.run(pulled(PEER)) == 1000


@pytest.mark.differs("log-deprecated")
def test_difference_nothing_is_deprecated() -> None:
    for lib in (OURS, PEER):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            log(lib, lambda lib: lib.RunnableLambda(shout), "x")
        assert bool(caught) == (lib is PEER)
