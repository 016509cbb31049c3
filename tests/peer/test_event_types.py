"""Events of each type of step beside langchain-core's: text models, tools, retrievers, all in one chain."""

from collections.abc import AsyncIterator
from typing import Any

import langchain_core.documents
import langchain_core.retrievers
import pytest
from langchain_core.outputs import GenerationChunk

import millstream
from tests.peer.libraries import OURS, PEER, Library, PeerLLM
from tests.peer.test_events import story

RETRIEVAL = {
    OURS: (millstream.BaseRetriever, millstream.Document),
    PEER: (langchain_core.retrievers.BaseRetriever, langchain_core.documents.Document),
}


class TellingLLM(PeerLLM):
    """One that tells of its pieces by hand, as langchain-core's providers do."""

    async def _astream(
        self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[GenerationChunk]:
        for chunk in self._stream(prompt):
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def text_model(lib: Library) -> Any:
    pieces = [["Hel", "lo"]]
    return lib.llm(*pieces) if lib is OURS else TellingLLM(turn=iter(pieces), name="text model")


def library(lib: Library) -> Any:
    base, document = RETRIEVAL[lib]

    class Shelf(base):  # type: ignore[misc, valid-type]
        def _get_relevant_documents(self, query: str, *, run_manager: Any = None) -> Any:
            return [document(page_content=f"on {query}", metadata={"n": n}) for n in range(2)]

    return Shelf()


def add(lib: Library) -> Any:
    @lib.tool
    def add(x: int, y: str) -> dict[str, Any]:
        """Put two together."""
        return {"x": x, "y": y}

    return add


def shout(lib: Library) -> Any:
    @lib.tool
    def shout(text: str) -> str:
        """Say it loudly."""
        return text.upper()

    return shout


def join(documents: Any) -> str:
    return ", ".join(document.page_content for document in documents)


def prompt(lib: Library) -> Any:
    return lib.ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{text}")])


def everything(lib: Library) -> Any:
    chat = lib.chat(["o", "k"])
    return library(lib) | join | prompt(lib) | chat | lib.StrOutputParser() | shout(lib) | text_model(lib)


CASES: dict[str, tuple[Any, Any]] = {
    "a text model": (text_model, "hello"),
    "a text model behind a prompt": (
        lambda lib: lib.PromptTemplate.from_template("{x}") | text_model(lib) | lib.StrOutputParser(),
        {"x": 1},
    ),
    "a text model that is given messages": (lambda lib: prompt(lib) | text_model(lib), {"text": "a"}),
    "a tool": (add, {"x": 1, "y": "2"}),
    "a tool that is given a text": (shout, "a"),
    "a tool that is given a call": (
        add,
        {"name": "add", "args": {"x": 1, "y": "2"}, "id": "c1", "type": "tool_call"},
    ),
    "a tool behind a function": (
        lambda lib: lib.RunnableLambda(lambda x: {"x": x, "y": "2"}) | add(lib),
        1,
    ),
    "a tool inside a function": (lambda lib: lib.RunnableLambda(lambda text: shout(lib).invoke(text)), "a"),
    "a retriever": (library, "rivers"),
    "a retriever with a name": (lambda lib: library(lib).with_config(run_name="Docs") | join, "rivers"),
    "a retriever in a branch": (
        lambda lib: lib.RunnableParallel(found=library(lib)) | (lambda given: join(given["found"])),
        "x",
    ),
    "every type": (everything, "rivers"),
}


def level(told: list[Any]) -> list[Any]:
    """The events without what the two differences below are about."""
    return [(event, name, run, *others, _level(event, run, data)) for event, name, run, *others, data in told]


def _level(event: str, run: int, data: dict[str, Any]) -> dict[str, Any]:
    if event == "on_llm_stream":
        return {"chunk": getattr(data["chunk"], "text", data["chunk"])}
    given = data.get("input")
    if event.startswith("on_tool") and run > 0 and (isinstance(given, str) or not given):
        return {key: value for key, value in data.items() if key != "input"}
    return data


@pytest.mark.filterwarnings("ignore:astream_events version='v1' is deprecated")
@pytest.mark.parametrize("version", ["v2", "v1"])
@pytest.mark.parametrize("name", CASES)
def test_events(name: str, version: str) -> None:
    build, input = CASES[name]
    ours, peers = (story(lib, build, input, version=version) for lib in (OURS, PEER))
    assert level(ours) == level(peers)
    assert story(OURS, build, input, sync=True, version=version) == ours


def data_of(lib: Library, name: str, *events: str) -> list[dict[str, Any]]:
    """The data of the events of these names in a case."""
    build, input = CASES[name]
    return [told[-1] for told in story(lib, build, input) if told[0] in events]


@pytest.mark.differs("events-text-pieces")
def test_difference_the_pieces_of_a_text_model() -> None:
    pieces = [{"chunk": "Hel"}, {"chunk": "lo"}]
    for lib in (OURS, PEER):
        assert data_of(lib, "a text model", "on_llm_stream") == pieces
    behind = "a text model behind a prompt"
    assert data_of(OURS, behind, "on_llm_stream") == pieces
    assert [data["chunk"] for data in data_of(PEER, behind, "on_llm_stream")] == [
        GenerationChunk(text="Hel"),
        GenerationChunk(text="lo"),
    ]


@pytest.mark.differs("events-text-for-a-tool")
def test_difference_a_text_for_a_tool() -> None:
    both = ("on_tool_start", "on_tool_end")
    inside = "a tool inside a function"
    assert data_of(OURS, inside, *both) == [{"input": "a"}, {"input": "a", "output": "A"}]
    assert data_of(PEER, inside, *both) == [{"input": {}}, {"input": None, "output": "A"}]
