"""The retrieval chain of the notebook, on real embeddings, FAISS and the real local model."""

import importlib.util
from pathlib import Path

import pytest

from millstream import ChatLocal, Document, LocalEmbeddings

pytestmark = pytest.mark.local

EXAMPLE = Path(__file__).parents[2] / "examples" / "retrieval.py"
DOCUMENTS = [Document("harrison worked at kensho"), Document("harrison likes spicy food")]


@pytest.fixture(scope="module")
def example():
    # Loaded before the leak check looks: a loaded model keeps a socket.
    ChatLocal().load()
    LocalEmbeddings().load()
    spec = importlib.util.spec_from_file_location("retrieval_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def without_ids(documents):
    return [Document(d.page_content, metadata=d.metadata) for d in documents]


def test_the_retriever_gives_all_it_found_in_one_piece(colour, example) -> None:
    [found] = colour.stream(example.retriever, "where did harrison work?")
    assert without_ids(found) == DOCUMENTS
    assert repr(found) == (
        "[Document(page_content='harrison worked at kensho'), "
        "Document(page_content='harrison likes spicy food')]"
    )


def test_the_chain_streams_after_the_retriever(colour, example) -> None:
    pieces = colour.stream(example.retrieval_chain, "Where did harrison work?")
    assert len(pieces) > 5
    assert "kensho" in "".join(pieces).lower()


def test_its_run_carries_the_name_docs(colour, example) -> None:
    told = []
    docs = example.retriever.with_config(run_name="Docs").with_listeners(
        on_start=lambda run: told.append(("start", run.name)),
        on_end=lambda run: told.append((run.name, run.inputs, without_ids(run.outputs), sorted(run.tags))),
    )
    chain = {"context": docs} | example.RunnablePassthrough()
    colour.invoke(chain, "where did harrison work?")
    assert told[0] == ("start", "Docs")
    name, _, found, tags = told[1]
    assert (name, found) == ("Docs", DOCUMENTS)
    assert tags == ["FAISS", "LocalEmbeddings", "map:key:context"]


def test_its_events_have_the_name_the_type_and_the_query(example) -> None:
    question = "Where did harrison work?"
    events = [
        event
        for event in example.retrieval_chain.stream_events(question, version="v2")
        if event["name"] == "Docs"
    ]
    assert [event["event"] for event in events] == ["on_retriever_start", "on_retriever_end"]
    assert events[0]["data"]["input"] == {"query": question}
    assert without_ids(events[1]["data"]["output"]) == DOCUMENTS
    assert {"FAISS", "LocalEmbeddings"} <= set(events[0]["tags"])


def test_the_search_is_over_before_the_first_word(example) -> None:
    names = [
        event["event"]
        for event in example.retrieval_chain.stream_events("Where did harrison work?", version="v2")
        if event["event"] in ("on_retriever_end", "on_chat_model_stream")
    ]
    assert names[0] == "on_retriever_end"
    assert names.count("on_chat_model_stream") > 5
