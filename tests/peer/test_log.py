"""Logs beside langchain-core's: which operations in which patches, and the state that they add up to."""

import asyncio
from functools import reduce
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
    agrow,
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
            output["generations"][0][0].get("message", {}).pop("chunk_position", None)
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


async def anothing(_: Any) -> Any:
    for piece in ():
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
    "no pieces": (lambda lib: lib.RunnableGenerator(anothing), "q"),
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
    ours, peer = (
        story(lib, build, input, with_streamed_output_list=with_list) for lib in (OURS, PEER)
    )
    assert ours == peer


@pytest.mark.parametrize("name", ALL)
def test_states(name: str) -> None:
    build, input = ALL[name]
    ours, peer = (log(lib, build, input, diff=False) for lib in (OURS, PEER))
    told = [Told(), Told()]
    assert [told[0].state(each.state) for each in ours] == [told[1].state(each.state) for each in peer]
    told = [Told(), Told()]
    assert told[0].ops(ours[-1]) == told[1].ops(peer[-1])
