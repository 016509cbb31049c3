"""Stores as steps, and stores that users write."""

import asyncio

import pytest

from millstream import (
    FAISS,
    ConfigError,
    Document,
    InMemoryVectorStore,
    InputError,
    RunnablePassthrough,
    VectorStore,
    VectorStoreRetriever,
)
from tests.vectorstores.stores import STORES, AwaitedPoints, Points

TEXTS = ["1 0.1", "1 0.11", "1 -0.5", "-1 0"]


@pytest.fixture(params=STORES)
def kind(request):
    return request.param


@pytest.mark.parametrize("embedding", [Points(), AwaitedPoints()], ids=["def", "async def"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, TEXTS),
        ({"search_kwargs": {"k": 2}}, TEXTS[:2]),
        ({"search_kwargs": {"filter": {"n": 3}}}, [TEXTS[3]]),
        ({"search_type": "mmr", "search_kwargs": {"k": 2}}, [TEXTS[0], TEXTS[2]]),
        (
            {"search_type": "mmr", "search_kwargs": {"k": 2, "fetch_k": 2, "lambda_mult": 0.5}},
            TEXTS[:2],
        ),
        (
            {"search_type": "similarity_score_threshold", "search_kwargs": {"score_threshold": 0.9}},
            TEXTS[:2],
        ),
        (
            {"search_type": "similarity_score_threshold", "search_kwargs": {"score_threshold": 1, "k": 1}},
            [],
        ),
    ],
)
def test_each_kind_of_search_in_each_colour(kind, colour, embedding, options, expected) -> None:
    store = kind.from_texts(TEXTS, embedding, [{"n": n} for n in range(4)])
    retriever = store.as_retriever(**options)
    assert [d.page_content for d in colour.invoke(retriever, "1 0")] == expected
    [found] = colour.stream(retriever, "1 0")
    assert [d.page_content for d in found] == expected


def test_a_calls_keywords_come_on_top(kind, colour) -> None:
    retriever = kind.from_texts(TEXTS, Points()).as_retriever(search_kwargs={"k": 3})
    assert len(colour.invoke(retriever, "1 0")) == 3
    assert len(colour.invoke(retriever, "1 0", k=1)) == 1


def test_it_carries_its_name_and_the_classes_as_tags(kind) -> None:
    store = kind.from_texts(TEXTS, Points())
    told = []
    retriever = store.as_retriever()
    chain = {"context": retriever.with_config(run_name="Docs").with_listeners(on_start=told.append)}
    (RunnablePassthrough() | chain).invoke("1 0")
    [run] = told
    assert run.name == "Docs"
    assert {kind.__name__, "Points"} <= set(run.tags)
    assert retriever.get_name() == "VectorStoreRetriever"
    assert store.as_retriever(tags=["mine"], metadata={"a": 1}, name="own").tags == ["mine"]
    assert store.as_retriever(name="own").get_name() == "own"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search_type": "similar"}, "no search_type 'similar'. Known: 'similarity'"),
        ({"search_type": None}, "no search_type None"),
        ({"search_kwargs": {"k": "4"}}, "k is a whole number from 0, not '4'"),
        ({"search_kwargs": {"kk": 4}}, "similarity_search does not take that: .*'kk'"),
        ({"search_kwargs": {"fetch_k": 4}}, "does not take that: .*'fetch_k'"),
        ({"search_kwargs": {"filter": "a"}}, "A filter is a function"),
        ({"search_kwargs": {"score_threshold": 0.5}}, "'score_threshold'"),
        ({"search_type": "mmr", "search_kwargs": {"fetch_k": -1}}, "fetch_k is a whole number"),
        (
            {"search_type": "mmr", "search_kwargs": {"lambda_mult": 1.5}},
            "lambda_mult is a number from 0 to 1",
        ),
        ({"search_type": "similarity_score_threshold"}, "needs search_kwargs"),
        (
            {"search_type": "similarity_score_threshold", "search_kwargs": {"score_threshold": 2}},
            "score_threshold is a number from 0 to 1, not 2",
        ),
    ],
)
def test_what_the_search_would_not_take_is_said_at_once(kind, options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(Points()).as_retriever(**options)


def test_something_else_than_text_is_an_error(kind, colour) -> None:
    with pytest.raises(InputError, match="searched with text, not with dict"):
        colour.invoke(kind(Points()).as_retriever(), {"question": "1 0"})


def test_documents_can_be_added_through_it(kind) -> None:
    retriever = kind(Points()).as_retriever()
    assert retriever.add_documents([Document("1 0", id="a")]) == ["a"]
    assert asyncio.run(retriever.aadd_documents([Document("0 1", id="b")])) == ["b"]
    assert [d.id for d in retriever.invoke("1 0")] == ["a", "b"]


def test_search_by_the_kinds_name(kind) -> None:
    store = kind.from_texts(TEXTS, Points())
    assert [d.page_content for d in store.search("1 0", "mmr", k=2)] == [TEXTS[0], TEXTS[2]]
    found = asyncio.run(store.asearch("1 0", "similarity_score_threshold", score_threshold=0.99))
    assert [d.page_content for d in found] == TEXTS[:2]
    with pytest.raises(ConfigError, match="no search_type"):
        store.search("1 0", "other")


# --- stores that users write ---------------------------------------------------------------------------


class Plain(VectorStore):
    """Finds what contains the query's words. Written as one would for LangChain."""

    def __init__(self):
        self.texts = {}

    @classmethod
    def from_texts(cls, texts, embedding, metadatas=None, *, ids=None, **kwargs):
        store = cls()
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(self, texts, metadatas=None, *, ids=None, **kwargs):
        ids = list(ids or [str(len(self.texts) + n) for n, _ in enumerate(texts)])
        self.texts.update(zip(ids, texts, strict=True))
        return ids

    def similarity_search(self, query, k=4, **kwargs):
        return [Document(text, id=id) for id, text in self.texts.items() if query in text][:k]


class Awaiting(VectorStore):
    """The same, for async code only."""

    def __init__(self):
        self.plain = Plain()

    @classmethod
    async def afrom_texts(cls, texts, embedding, metadatas=None, *, ids=None, **kwargs):
        store = cls()
        await store.aadd_documents([Document(text) for text in texts])
        return store

    async def aadd_documents(self, documents, *, ids=None, **kwargs):
        await asyncio.sleep(0)
        return self.plain.add_texts([d.page_content for d in documents])

    async def asimilarity_search(self, query, k=4, *, shout=False, **kwargs):
        await asyncio.sleep(0)
        return self.plain.similarity_search(query, k)


@pytest.mark.parametrize("written", [Plain, Awaiting])
def test_a_store_is_written_in_one_colour_and_used_in_both(written, colour) -> None:
    store = written.from_texts(["rivers bend", "lamps"], None)
    assert store.add_texts(["rivers"]) == ["2"]
    assert store.add_documents([Document("river")]) == ["3"]
    assert [d.page_content for d in store.similarity_search("rivers")] == ["rivers bend", "rivers"]
    retriever = store.as_retriever(search_kwargs={"k": 1})
    assert isinstance(retriever, VectorStoreRetriever)
    assert [d.page_content for d in colour.invoke(retriever, "rivers")] == ["rivers bend"]

    async def used():
        other = await written.afrom_documents([Document("a")], None)
        assert await other.aadd_texts(["b"]) == ["1"]
        assert await other.aadd_documents([Document("c")]) == ["2"]
        return await other.asimilarity_search("")

    assert [d.page_content for d in asyncio.run(used())] == ["a", "b", "c"]


def test_what_a_store_has_not_written_is_said() -> None:
    with pytest.raises(NotImplementedError, match="Plain has neither delete nor adelete"):
        Plain().delete(["a"])
    with pytest.raises(NotImplementedError, match="Plain has neither get_by_ids nor aget_by_ids"):
        asyncio.run(Plain().aget_by_ids(["a"]))
    with pytest.raises(NotImplementedError, match="VectorStore has neither from_texts nor afrom_texts"):
        VectorStore.from_texts([], None)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="neither add_documents nor aadd_documents"):
        VectorStore().add_documents([])


def test_the_two_stores_find_the_same() -> None:
    texts = [f"{n % 7 - 3} {n % 5 - 2} {n}" for n in range(1, 50)]
    ours = [kind.from_texts(texts, Points(), ids=texts) for kind in (InMemoryVectorStore, FAISS)]
    for query in ("1 1 1", "-1 2 0", "0 0 1"):
        found = [store.similarity_search_with_score(query, k=49) for store in ours]
        assert [s for _, s in found[0]] == pytest.approx([s for _, s in found[1]], abs=1e-6)
        mmr = [store.max_marginal_relevance_search(query, k=5) for store in ours]
        assert mmr[0] == mmr[1]
        assert found[0][:5] == [(document, pytest.approx(s, abs=1e-6)) for document, s in found[1][:5]]
