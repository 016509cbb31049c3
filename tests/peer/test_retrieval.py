"""Documents, embeddings, retrievers and the vector store in memory, beside langchain-core's."""

import asyncio
import random
import warnings

import langchain_core.documents
import langchain_core.embeddings
import langchain_core.retrievers
import langchain_core.vectorstores
import pytest
from pydantic import Field, PrivateAttr

import millstream
from millstream.testing import FakeEmbeddings
from tests.peer.compare import COLOURS, run_in
from tests.peer.libraries import OURS, PEER

PARTS = {
    OURS: (
        millstream.Document,
        millstream.Embeddings,
        millstream.BaseRetriever,
        millstream.InMemoryVectorStore,
    ),
    PEER: (
        langchain_core.documents.Document,
        langchain_core.embeddings.Embeddings,
        langchain_core.retrievers.BaseRetriever,
        langchain_core.vectorstores.InMemoryVectorStore,
    ),
}
LIBRARIES = list(PARTS)

WORDS = ["river", "bend", "slow", "water", "stone", "bridge", "boat", "fish", "rain", "sea", "hill", "mill"]


def texts(seed, count=40):
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(2, 8))) + f" {n}" for n in range(count)]


def built(lib, embedding=None, seed=1):
    """A store with documents, ids and metadata."""
    some = texts(seed)
    return PARTS[lib][3].from_texts(
        some,
        embedding or FakeEmbeddings(16),
        [{"n": n, "odd": n % 2 == 1} for n in range(len(some))],
        ids=[str(n) for n in range(len(some))],
    )


def plain(found):
    """Documents, with or without scores, as tuples."""
    if isinstance(found, tuple):
        return (*plain(found[0]), pytest.approx(found[1], abs=1e-5))
    return (found.id, found.page_content, found.metadata)


def odd(document):
    return document.metadata["odd"]


CALLS = [
    ("similarity_search", {}),
    ("similarity_search", {"k": 1}),
    ("similarity_search", {"k": 100}),
    ("similarity_search", {"k": 0}),
    ("similarity_search", {"k": 7, "filter": odd}),
    ("similarity_search", {"filter": lambda document: False}),
    ("similarity_search_with_score", {"k": 40}),
    ("similarity_search_with_score", {"k": 9, "filter": odd}),
    ("max_marginal_relevance_search", {}),
    ("max_marginal_relevance_search", {"k": 8, "fetch_k": 12}),
    ("max_marginal_relevance_search", {"k": 5, "fetch_k": 3}),
    ("max_marginal_relevance_search", {"k": 40, "fetch_k": 40, "lambda_mult": 0.2}),
    ("max_marginal_relevance_search", {"k": 6, "lambda_mult": 0.0}),
    ("max_marginal_relevance_search", {"k": 6, "lambda_mult": 1.0}),
    ("max_marginal_relevance_search", {"k": 6, "filter": odd}),
    ("search", {"search_type": "mmr", "k": 3}),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("method", "options"), CALLS)
def test_searches_find_the_same_in_the_same_order(method, options, asynchronous, seed):
    found = []
    for lib in LIBRARIES:
        store = built(lib, seed=seed)
        query = texts(seed + 10, 1)[0]
        if asynchronous:
            answer = asyncio.run(getattr(store, f"a{method}")(query, **options))
        else:
            answer = getattr(store, method)(query, **options)
        found.append([plain(item) for item in answer])
    assert found[0] == found[1]


def test_searches_by_a_vector_find_the_same():
    vector = FakeEmbeddings(16).embed_query("a river")
    for method in (
        "similarity_search_by_vector",
        "similarity_search_with_score_by_vector",
        "max_marginal_relevance_search_by_vector",
    ):
        ours, peer = ([plain(d) for d in getattr(built(lib), method)(vector, k=5)] for lib in LIBRARIES)
        assert ours == peer


def test_adding_replacing_and_deleting_leave_the_same():
    left = []
    for lib in LIBRARIES:
        document, _, _, store_class = PARTS[lib]
        store = store_class(FakeEmbeddings(16))
        told = [store.add_texts(["a b", "b c"], ids=["1", "2"])]
        told.append(store.add_documents([document(page_content="c d", id="2"), document("e", id="3")]))
        told.append(store.add_documents([document("f g", id="own")], ids=["given"]))
        told.append(store.add_texts(["x", "y"], [{"a": 1}, {"a": 2}], ids=["4", "4"]))
        store.delete(["1", "nobody"])
        store.delete()
        told.append([plain(d) for d in store.get_by_ids(["4", "nobody", "2", "4"])])
        told.append(sorted(d.id for d in store.similarity_search("c", k=50)))
        told.append(len(store.add_texts(["z"])[0]))
        told.append(store.add_texts([]))
        left.append(told)
    assert left[0] == left[1]


def test_an_empty_store_finds_nothing_in_both():
    for lib in LIBRARIES:
        store = PARTS[lib][3].from_texts([], FakeEmbeddings(16))
        assert store.similarity_search("a") == []
        assert store.max_marginal_relevance_search("a") == []


RETRIEVERS = [
    {},
    {"search_kwargs": {"k": 2}},
    {"search_type": "mmr", "search_kwargs": {"k": 3, "fetch_k": 10, "lambda_mult": 0.3}},
    {"search_kwargs": {"k": 3, "filter": odd}},
]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("verb", ["invoke", "stream", "batch"])
@pytest.mark.parametrize("options", RETRIEVERS)
def test_retrievers_of_stores(options, verb, colour):
    told = []
    for lib in LIBRARIES:
        found = []
        retriever = built(lib).as_retriever(**options)
        assert isinstance(retriever, lib.Runnable)
        step = retriever.with_config(run_name="Docs")

        def run(step=step, found=found):
            if verb == "batch":
                found.extend(step.batch(["river water", "mill"]))
            else:
                found.extend([step.invoke("river")] if verb == "invoke" else step.stream("river"))

        async def arun(step=step, found=found):
            if verb == "batch":
                found.extend(await step.abatch(["river water", "mill"]))
            elif verb == "invoke":
                found.append(await step.ainvoke("river"))
            else:
                found.extend([item async for item in step.astream("river")])

        run_in(colour, run, arun)
        told.append([[plain(document) for document in each] for each in found])
        assert retriever.get_name() == "VectorStoreRetriever"
        assert retriever.tags == ["InMemoryVectorStore", "FakeEmbeddings"]
    assert told[0] == told[1]


def retriever_classes(lib):
    document, _, base, _ = PARTS[lib]

    class Plain(base):
        def _get_relevant_documents(self, query):
            return [document(page_content=query.upper())]

    class Managed(base):
        def _get_relevant_documents(self, query, *, run_manager):
            assert run_manager.run_id
            inner = lib.RunnableLambda(str.upper)
            return [document(page_content=inner.invoke(query, {"callbacks": run_manager.get_child()}))]

    class Both(base):
        def _get_relevant_documents(self, query, *, run_manager=None):
            return [document(page_content="sync")]

        async def _aget_relevant_documents(self, query, *, run_manager=None):
            return [document(page_content="async")]

    class Failing(base):
        def _get_relevant_documents(self, query):
            raise LookupError(query)

    class Described(base):
        suffix: str = Field("!", description="behind each")
        seen: list[str] = []
        counts: list[int] = Field(default_factory=list)
        _calls: int = PrivateAttr(default=1)

        def _get_relevant_documents(self, query, *, run_manager=None):
            self.seen.append(query)
            self.counts.append(len(self.seen) + self._calls)
            return [document(page_content=f"{self.seen} {self.counts} {self.suffix}")]

    return {kind.__name__: kind for kind in (Plain, Managed, Both, Failing, Described)}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", retriever_classes(OURS))
def test_retrievers_that_users_write(name, colour):
    told = []
    for lib in LIBRARIES:
        found = []
        retriever = retriever_classes(lib)[name](tags=["t"], metadata={"m": 1})
        assert (retriever.get_name(), retriever.tags, retriever.metadata) == (name, ["t"], {"m": 1})

        def run(retriever=retriever, found=found):
            found.append(retriever.invoke("ab", k=2))
            found.extend(retriever.stream("ab"))

        async def arun(retriever=retriever, found=found):
            found.append(await retriever.ainvoke("ab", k=2))
            found.extend([item async for item in retriever.astream("ab")])

        try:
            run_in(colour, run, arun)
        except LookupError as error:
            found.append(error.args)
        told.append([[getattr(d, "page_content", d) for d in each] for each in found])
    assert told[0] == told[1]


@pytest.mark.parametrize("lib", LIBRARIES, ids=repr)
def test_attributes_of_a_retriever_are_keywords(lib):
    kind = retriever_classes(lib)["Described"]
    found = [kind(**given).invoke("a")[0].page_content for given in ({}, {"suffix": "?", "seen": ["b"]}, {})]
    assert found == ["['a'] [2] !", "['b', 'a'] [3] ?", "['a'] [2] !"]


def test_documents_are_made_and_shown_alike():
    for fields in ({}, {"metadata": {"a": "it's"}}, {"metadata": {"a": 1}, "id": "x"}, {"id": 7}):
        ours, peer = (PARTS[lib][0]("a 'text'", **fields) for lib in LIBRARIES)
        assert (ours.page_content, ours.metadata, ours.id) == (peer.page_content, peer.metadata, peer.id)
        assert str(ours) == str(peer)
        assert ours == PARTS[OURS][0](page_content="a 'text'", **fields)
    for lib in LIBRARIES:
        assert PARTS[lib][0]("a", id="1") != PARTS[lib][0]("a", id="2")


# --- what differs on purpose -----------------------------------------------------------------------------


@pytest.mark.differs("one-method-of-either-colour")
def test_difference_one_method_of_either_colour():
    def made(lib):
        document, embeddings, base, _ = PARTS[lib]

        class Awaiting(base):
            async def _aget_relevant_documents(self, query):
                return [document(page_content=query)]

        class Embedding(embeddings):
            async def aembed_documents(self, texts):
                return [[1.0] for _ in texts]

        return Awaiting, Embedding

    awaiting, embedding = made(OURS)
    assert awaiting().invoke("a")[0].page_content == "a"
    assert embedding().embed_query("a") == [1.0]
    for kind in made(PEER):
        with pytest.raises(TypeError, match="abstract"):
            kind()


@pytest.mark.differs("documents-as-text")
def test_difference_documents_as_text():
    ours, peer = (PARTS[lib][0](page_content="a", id="x") for lib in LIBRARIES)
    assert repr(ours) == "Document(page_content='a')"
    assert repr(peer) == "Document(id='x', metadata={}, page_content='a')"


@pytest.mark.differs("equal-scores")
def test_difference_equal_scores():
    found = []
    for lib in LIBRARIES:
        store = PARTS[lib][3].from_texts(["a"] * 3, FakeEmbeddings(16), ids=["1", "2", "3"])
        found.append([document.id for document in store.similarity_search("a")])
    assert found == [["1", "2", "3"], ["3", "2", "1"]]


@pytest.mark.differs("filters-as-dicts")
def test_difference_filters_as_dicts():
    assert [d.id for d in built(OURS).similarity_search("river", filter={"n": 3})] == ["3"]
    with pytest.raises(TypeError):
        built(PEER).similarity_search("river", filter={"n": 3})


@pytest.mark.differs("filters-that-wait")
def test_difference_filters_that_wait():
    async def nothing(document):
        return False

    with pytest.raises(TypeError, match="a plain function"):
        built(OURS).similarity_search("river", filter=nothing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was never awaited
        assert len(built(PEER).similarity_search("river", filter=nothing)) == 4


@pytest.mark.differs("relevance-in-memory")
def test_difference_relevance_in_memory():
    options = {"search_type": "similarity_score_threshold", "search_kwargs": {"score_threshold": 0.99}}
    text = texts(1)[5]
    assert [d.id for d in built(OURS).as_retriever(**options).invoke(text)] == ["5"]
    with pytest.raises(NotImplementedError):
        built(PEER).as_retriever(**options).invoke(text)


@pytest.mark.differs("search-options")
def test_difference_search_options():
    ours, peer = (built(lib) for lib in LIBRARIES)
    with pytest.raises(millstream.ConfigError):
        ours.as_retriever(search_kwargs={"kk": 2})
    assert len(peer.as_retriever(search_kwargs={"kk": 2}).invoke("river")) == 4
    with pytest.raises(TypeError):
        ours.similarity_search("river", kk=2)
    assert len(peer.similarity_search("river", kk=2)) == 4
    with pytest.raises(millstream.ConfigError):
        ours.similarity_search("river", k=-1)
    assert len(peer.similarity_search("river", k=-1)) == 39
    whole = {"search_type": "similarity_score_threshold", "search_kwargs": {"score_threshold": 1}}
    assert ours.as_retriever(**whole)
    with pytest.raises(ValueError):
        peer.as_retriever(**whole)


@pytest.mark.differs("search-options", "wrong-input")
def test_difference_a_search_type_that_there_is_not():
    ours, peer = (built(lib) for lib in LIBRARIES)
    with pytest.raises(TypeError):
        ours.as_retriever(search_type="similar")
    with pytest.raises(ValueError):
        peer.as_retriever(search_type="similar")
    with pytest.raises(TypeError):
        ours.add_texts(["a", "b"], [{}])
    with pytest.raises(ValueError):
        peer.add_texts(["a", "b"], [{}])


class Changing(FakeEmbeddings):
    """Gives vectors of another length after the first call, or with a number that is none."""

    def __init__(self, then):
        super().__init__(3)
        self.then = then
        self.calls = 0

    def embed_documents(self, texts):
        self.calls += 1
        return super().embed_documents(texts) if self.calls == 1 else [self.then for _ in texts]

    def embed_query(self, text):
        return FakeEmbeddings(3).embed_query(text)


@pytest.mark.differs("vectors-that-do-not-fit")
@pytest.mark.parametrize("then", [[1.0, 2.0], [1.0, 2.0, float("nan")]], ids=["shorter", "no number"])
def test_difference_vectors_that_do_not_fit(then):
    ours, peer = (PARTS[lib][3].from_texts(["a", "b"], Changing(then)) for lib in LIBRARIES)
    with pytest.raises(millstream.EmbeddingError):
        ours.add_texts(["c"])
    assert len(ours.similarity_search("a")) == 2
    peer.add_texts(["c"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, RuntimeWarning)):
            peer.similarity_search("a")


@pytest.mark.differs("too-few-ids")
def test_difference_too_few_ids():
    ours, peer = (PARTS[lib][3](FakeEmbeddings(16)) for lib in LIBRARIES)
    with pytest.raises(millstream.InputError):
        ours.add_texts(["a", "b"], ids=["1"])
    assert peer.add_texts(["a", "b"], ids=["1"]) == ["1"]


@pytest.mark.differs("retriever-keywords")
def test_difference_retriever_keywords():
    def keywords(lib):
        document, _, base, _ = PARTS[lib]

        class Keywords(base):
            def _get_relevant_documents(self, query, *, run_manager, k=1, **kwargs):
                return [document(page_content=query)] * k

        return Keywords()

    for lib in LIBRARIES:
        assert len(keywords(lib).invoke("a", k=2)) == 2
    assert len(asyncio.run(keywords(OURS).ainvoke("a", k=2))) == 2
    with pytest.raises(TypeError):
        asyncio.run(keywords(PEER).ainvoke("a", k=2))


def test_what_a_step_does_to_a_document_does_not_reach_the_store():
    for lib in LIBRARIES:
        store = built(lib)
        store.get_by_ids(["1"])[0].metadata["n"] = "changed"
        assert store.get_by_ids(["1"])[0].metadata["n"] == 1


@pytest.mark.differs("retriever-answers")
def test_difference_retriever_answers():
    def forgetful(lib):
        class Forgetful(PARTS[lib][2]):
            def _get_relevant_documents(self, query):
                pass

        return Forgetful()

    with pytest.raises(millstream.InputError):
        forgetful(OURS).invoke("a")
    assert forgetful(PEER).invoke("a") is None
