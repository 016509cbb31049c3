"""What both stores do, in both colours."""

import asyncio
import functools
import math

import numpy as np
import pytest

from millstream import ConfigError, Document, EmbeddingError, InputError
from millstream.testing import FakeEmbeddings
from tests.vectorstores.stores import STORES, AwaitedPoints, Points

pytestmark = pytest.mark.parametrize("kind", STORES)

# The directions of a clock's hands, with the hour as the text's end.
HOURS = {hour: f"{math.sin(hour * math.pi / 6)} {math.cos(hour * math.pi / 6)}" for hour in range(1, 13)}


def call(colour, store, method, *args, **kwargs):
    """Call a method, or its twin under async code."""
    if colour.name == "sync":
        return getattr(store, method)(*args, **kwargs)

    async def run():
        if colour.name == "async":
            return await getattr(store, f"a{method}")(*args, **kwargs)
        return getattr(store, method)(*args, **kwargs)

    return asyncio.run(run())


@pytest.fixture(params=[Points, AwaitedPoints], ids=["def", "async def"])
def embedding(request):
    return request.param()


@pytest.fixture
def clock(kind):
    store = kind(Points())
    store.add_texts(
        HOURS.values(),
        metadatas=[{"hour": hour, "odd": hour % 2 == 1} for hour in HOURS],
        ids=[str(hour) for hour in HOURS],
    )
    return store


def hours(found):
    return [document.metadata["hour"] for document in found]


def test_the_nearest_come_first(kind, colour, clock) -> None:
    assert hours(call(colour, clock, "similarity_search", "0 1", k=1)) == [12]
    found = call(colour, clock, "similarity_search", HOURS[3], k=3)
    assert hours(found)[0] == 3
    assert set(hours(found)) == {2, 3, 4}
    assert len(call(colour, clock, "similarity_search", "1 0")) == 4
    vector = [0.1, 1.0]
    assert hours(call(colour, clock, "similarity_search_by_vector", vector, k=2)) == [12, 1]


def test_a_score_is_the_cosine_whatever_the_lengths(kind, colour) -> None:
    store = kind.from_texts(["3 4", "4 3", "-3 -4", "-4 3"], Points())
    found = call(colour, store, "similarity_search_with_score", "6 8")
    assert [(d.page_content, pytest.approx(score, abs=1e-6)) for d, score in found] == [
        ("3 4", 1),
        ("4 3", 0.96),
        ("-4 3", 0),
        ("-3 -4", -1),
    ]
    assert all(type(score) is float for _, score in found)


def test_relevance_is_between_0_and_1_and_has_a_threshold(kind, colour) -> None:
    store = kind.from_texts(["3 4", "4 3", "-3 -4"], Points())
    search = "similarity_search_with_relevance_scores"
    scores = [score for _, score in call(colour, store, search, "6 8")]
    assert scores == [pytest.approx(1), pytest.approx(0.96), 0]
    assert max(scores) <= 1
    [only] = call(colour, store, search, "6 8", score_threshold=0.97)
    assert only[0].page_content == "3 4"


def test_adding_and_finding_in_either_colour(kind, colour, embedding) -> None:
    store = call(colour, kind, "from_texts", ["1 0"], embedding, [{"n": 1}], ids=["a"])
    assert call(colour, store, "add_texts", ["0 1"], [{"n": 2}], ids=["b"]) == ["b"]
    [new] = call(colour, store, "add_documents", [Document("1 1", metadata={"n": 3})])
    assert len(store) == 3
    found = call(colour, store, "similarity_search", "1 1", k=1)
    assert found == [Document("1 1", metadata={"n": 3}, id=new)]
    assert call(colour, store, "get_by_ids", ["b", "nobody", "a"]) == [
        Document("0 1", metadata={"n": 2}, id="b"),
        Document("1 0", metadata={"n": 1}, id="a"),
    ]
    call(colour, store, "delete", ["b", "nobody"])
    assert len(store) == 2
    again = call(colour, kind, "from_documents", found, embedding)
    assert again.get_by_ids([new]) == found


def test_mmr_finds_different_ones(kind, colour) -> None:
    # Two that are the same but for a hair, and one further away on the other side.
    store = kind.from_texts(["1 0.1", "1 0.11", "1 -0.5", "-1 0"], Points())

    def found(**options):
        search = "max_marginal_relevance_search"
        return [d.page_content for d in call(colour, store, search, "1 0", k=2, **options)]

    assert found() == ["1 0.1", "1 -0.5"]
    assert found(lambda_mult=1) == ["1 0.1", "1 0.11"]
    assert found(lambda_mult=0) == ["1 0.1", "-1 0"]
    assert found(fetch_k=2) == ["1 0.1", "1 0.11"]
    assert found(fetch_k=1) == ["1 0.1"]
    assert found(filter=lambda d: d.page_content != "1 -0.5", lambda_mult=0.9) == ["1 0.1", "1 0.11"]


@pytest.mark.parametrize(
    "chosen", [{"odd": True}, lambda document: document.metadata["odd"]], ids=["dict", "function"]
)
def test_a_filter_comes_before_the_search(kind, colour, clock, chosen) -> None:
    assert set(hours(call(colour, clock, "similarity_search", "0 1", k=2, filter=chosen))) == {1, 11}
    found = call(colour, clock, "similarity_search", "0 1", k=50, filter=chosen)
    assert sorted(hours(found)) == [1, 3, 5, 7, 9, 11]
    vector = [0.0, 1.0]
    assert len(call(colour, clock, "similarity_search_by_vector", vector, filter=chosen)) == 4


def test_a_dict_filter_asks_for_all_of_its_keys(kind, clock) -> None:
    assert hours(clock.similarity_search("0 1", filter={"odd": True, "hour": 7})) == [7]
    assert clock.similarity_search("0 1", filter={"odd": False, "hour": 7}) == []
    assert clock.similarity_search("0 1", filter={"unknown": None}) == []
    assert len(clock.similarity_search("0 1", filter={})) == 4


def test_what_a_filter_raises_arrives_as_it_is(kind, clock) -> None:
    with pytest.raises(KeyError, match="year"):
        clock.similarity_search("0 1", filter=lambda document: document.metadata["year"])
    assert len(clock.similarity_search("0 1")) == 4


def test_a_filter_may_use_the_store(kind, clock) -> None:
    def curious(document):
        clock.add_texts(["1 1"], [{"hour": 0}], ids=["new"])
        return clock.get_by_ids([document.id]) == [document]

    assert len(clock.similarity_search("0 1", k=50, filter=curious)) == 12
    assert len(clock) == 13


def test_k_may_be_larger_than_the_store_or_nothing(kind, colour, clock) -> None:
    assert len(call(colour, clock, "similarity_search", "0 1", k=100)) == 12
    assert call(colour, clock, "similarity_search", "0 1", k=0) == []
    found = call(colour, clock, "max_marginal_relevance_search", "0 1", k=100, fetch_k=100)
    assert len(found) == 12


def test_an_empty_store_finds_nothing(kind, colour) -> None:
    store = call(colour, kind, "from_texts", [], Points())
    assert call(colour, store, "similarity_search", "1 0") == []
    assert call(colour, store, "max_marginal_relevance_search", "1 0") == []
    assert store.add_texts([]) == []
    assert store.get_by_ids(["a"]) == []
    store.delete(["a"])
    store.delete()
    assert len(store) == 0
    assert store


def test_a_store_that_was_emptied_takes_vectors_of_any_length(kind) -> None:
    store = kind.from_texts(["1 0"], Points(), ids=["a"])
    store.delete(["a"])
    assert store.similarity_search("1 0") == []
    store.add_texts(["1 0 0"])
    assert len(store.similarity_search("1 0 0")) == 1


def test_an_id_that_is_there_is_replaced(kind) -> None:
    store = kind.from_texts(["1 0", "0 1"], Points(), ids=["a", "b"])
    assert store.add_texts(["-1 0"], ids=["a"]) == ["a"]
    assert len(store) == 2
    assert [d.page_content for d in store.similarity_search("1 0", k=2)] == ["0 1", "-1 0"]
    assert store.get_by_ids(["a"])[0].page_content == "-1 0"


def test_of_one_id_twice_in_a_call_the_last_counts(kind) -> None:
    store = kind(Points())
    assert store.add_texts(["1 0", "0 1", "1 1"], ids=["a", "b", "a"]) == ["a", "b", "a"]
    assert len(store) == 2
    assert store.get_by_ids(["a"]) == [Document("1 1", id="a")]
    assert [d.id for d in store.similarity_search("1 1", k=5)] == ["a", "b"]


def test_ids_given_count_more_than_the_documents_own_and_new_ones_are_made(kind) -> None:
    store = kind(Points())
    documents = [Document("1 0", id="own"), Document("0 1")]
    first, second = store.add_documents(documents)
    assert first == "own"
    assert second
    assert documents[1].id is None
    assert store.add_documents(documents, ids=["x", None])[0] == "x"
    assert len(store) == 4


def test_many_adds_and_deletes_leave_what_should_be_there(kind) -> None:
    store = kind(Points())
    for number in range(1, 60):
        store.add_texts([f"{number} 1"], ids=[str(number)])
        if number % 3 == 0:
            store.delete([str(number - 2), str(number - 1)])
    found = store.similarity_search("1 0", k=100)
    assert [int(d.id) for d in found] == sorted(
        (n for n in range(1, 60) if n % 3 == 0 or n > 57), reverse=True
    )


def test_nor_does_what_is_done_inside_of_its_metadata(kind) -> None:
    metadata = {"pages": [1], "of": {"name": "atlas"}, "where": object()}
    metadata["itself"] = metadata
    store = kind.from_texts(["1 0"], Points(), [metadata])
    metadata["pages"].append(2)
    [found] = store.similarity_search("1 0")
    assert (found.metadata["pages"], found.metadata["where"]) == ([1], metadata["where"])
    found.metadata["pages"].append(3)
    found.metadata["of"]["name"] = "other"
    [again] = store.similarity_search("1 0")
    assert (again.metadata["pages"], again.metadata["of"]) == ([1], {"name": "atlas"})


def test_what_a_caller_does_to_a_document_does_not_reach_the_store(kind) -> None:
    given = Document("1 0", metadata={"n": 1}, id="a")
    store = kind.from_documents([given], Points())
    given.metadata["n"] = 2
    [found] = store.similarity_search("1 0")
    found.metadata["n"] = 3
    assert store.get_by_ids(["a"])[0].metadata == {"n": 1}


@pytest.mark.parametrize("text", ["日本の川は曲がる", "reka 🏞️ teče", "a\x00b\n\u2028", "🇳🇴"])
def test_unicode(kind, text) -> None:
    store = kind.from_texts([text, "something else"], FakeEmbeddings(), ids=["ü", "b"])
    assert store.similarity_search(text, k=1, filter=lambda d: d.id == "ü") == [Document(text, id="ü")]


# --- mistakes ------------------------------------------------------------------------------------------


def test_vectors_of_another_length_are_an_error(kind, colour) -> None:
    store = kind.from_texts(["1 0", "0 1"], Points())
    for method, argument in (("similarity_search", "1 0 0"), ("add_texts", ["1 0 0"])):
        with pytest.raises(EmbeddingError, match="3 numbers .* in the store have 2"):
            call(colour, store, method, argument)
    assert len(store) == 2
    assert len(store.similarity_search("1 0")) == 2


class Answers(Points):
    def __init__(self, vectors):
        self.vectors = vectors

    def embed_documents(self, texts):
        return self.vectors


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0]], "2 texts were embedded, and 1 vectors"),
        ([[1.0], [1.0, 2.0]], "not all of one length"),
        ([["a"], ["b"]], "no lists of numbers"),
        ([1.0, 2.0], "lists of numbers"),
        (None, "not NoneType"),
        ([[], []], "lists of numbers"),
        ([[1.0], [math.nan]], "infinite, or none"),
        ([[1.0], [math.inf]], "infinite, or none"),
    ],
)
def test_vectors_that_are_none_are_an_error(kind, vectors, message) -> None:
    store = kind(Answers(vectors))
    with pytest.raises(EmbeddingError, match=message):
        store.add_texts(["a", "b"])
    assert len(store) == 0


def test_a_vector_of_zeros_is_near_nothing(kind) -> None:
    store = kind.from_texts(["0 0", "1 0"], Points())
    assert [score for _, score in store.similarity_search_with_score("1 0")] == [1, 0]
    assert [score for _, score in store.similarity_search_with_score("0 0")] == [0, 0]


def test_lists_that_do_not_fit_are_an_error(kind, colour) -> None:
    store = kind(Points())
    with pytest.raises(InputError, match="2 texts, and 1 metadatas"):
        call(colour, store, "add_texts", ["1 0", "0 1"], [{}])
    with pytest.raises(InputError, match="2 texts, and 1 ids"):
        call(colour, store, "add_texts", ["1 0", "0 1"], ids=["a"])
    with pytest.raises(InputError, match="1 documents, and 2 ids"):
        call(colour, store, "add_documents", [Document("1 0")], ids=["a", "b"])
    with pytest.raises(InputError, match="not one text"):
        call(colour, store, "add_texts", "1 0")
    with pytest.raises(InputError, match="not one id"):
        call(colour, store, "delete", "abc")
    with pytest.raises(InputError, match="Documents are expected, not str"):
        call(colour, store, "add_documents", ["1 0"])


def test_lists_may_be_any_iterables(kind, colour) -> None:
    store = kind(Points())
    metadatas = (each for each in [{"a": 1}, None])
    call(colour, store, "add_texts", iter(["1 0", "0 1"]), metadatas, ids=iter(["x", None]))
    assert [each.metadata for each in store.similarity_search("1 0")] == [{"a": 1}, {}]
    call(colour, store, "add_documents", (Document(text) for text in ["1 1"]), ids=iter(["y"]))
    assert [each.page_content for each in store.get_by_ids(iter(["x", "y"]))] == ["1 0", "1 1"]


def test_ids_that_are_numbers_are_texts_everywhere(kind, colour) -> None:
    store = kind(Points())
    assert call(colour, store, "add_texts", ["1 0", "0 1"], ids=[1, 2]) == ["1", "2"]
    assert [each.page_content for each in call(colour, store, "get_by_ids", [2, "1"])] == ["0 1", "1 0"]
    call(colour, store, "delete", [1])
    assert [each.id for each in store.similarity_search("1 0")] == ["2"]


def test_one_id_in_place_of_a_list_is_an_error(kind, colour) -> None:
    store = kind.from_texts(["1 0", "0 1"], Points(), ids=["a", "b"])
    with pytest.raises(InputError, match="not one id"):
        call(colour, store, "add_texts", ["1 1", "1 2"], ids="ab")
    with pytest.raises(InputError, match="not one id"):
        call(colour, store, "get_by_ids", "ab")
    with pytest.raises(InputError, match="Documents are expected, not str"):
        call(colour, kind, "from_documents", ["1 0"], Points())


def test_what_does_not_embed_is_said_at_once(kind) -> None:
    for wrong in (None, lambda text: [1.0], ["1 0"]):
        with pytest.raises(ConfigError, match="needs embeddings, and not"):
            kind(wrong)
    with pytest.raises(ConfigError, match="needs embeddings"):
        kind.from_texts(Points(), ["1 0"])


def test_numbers_of_numpy_are_numbers(kind, colour, clock) -> None:
    assert hours(call(colour, clock, "similarity_search", "0 1", k=np.int64(1))) == [12]
    found = call(
        colour, clock, "max_marginal_relevance_search", "0 1", k=np.int32(2), lambda_mult=np.float32(1)
    )
    assert hours(found)[0] == 12
    least = {"score_threshold": np.float64(0.99)}
    assert len(call(colour, clock, "similarity_search_with_relevance_scores", "0 1", **least)) == 1


async def _wanted(document) -> bool:
    return False


def _yielding(document):
    yield False


def test_a_filter_whose_answer_is_always_true_is_an_error(kind, colour, clock) -> None:
    for wrong in (_wanted, _yielding, functools.partial(_wanted)):
        with pytest.raises(ConfigError, match="a plain function"):
            call(colour, clock, "similarity_search", "0 1", filter=wrong)
        with pytest.raises(ConfigError, match="a plain function"):
            clock.as_retriever(search_kwargs={"filter": wrong})


def test_vectors_may_be_of_any_length(kind) -> None:
    store = kind.from_texts(["3e307 4e307", "5e-324 0", "-1e308 1e308"], Points())
    found = store.similarity_search_with_score("1e308 0")
    assert [score for _, score in found] == pytest.approx([1, 0.6, -math.sqrt(0.5)])


def test_of_equally_near_ones_the_first_come_first(kind, colour) -> None:
    store = kind.from_texts(["0 1", *["1 0", "0 0", "2 0"] * 40], Points())
    for k in (1, 2, 39, 80, 81, 121):
        found = [each.page_content for each in call(colour, store, "similarity_search", "1 0", k=k)]
        assert found == [*["1 0", "2 0"] * 40, "0 1", *["0 0"] * 40][:k]
    store.delete([store.similarity_search("1 0", k=1)[0].id])
    assert store.similarity_search("1 0", k=1)[0].page_content == "2 0"
    chosen = call(
        colour, store, "similarity_search", "1 0", 3, filter=lambda each: each.page_content == "0 0"
    )
    assert [each.page_content for each in chosen] == ["0 0"] * 3


@pytest.mark.parametrize(
    "options",
    [{"k": -1}, {"k": 1.5}, {"k": True}, {"filter": "odd"}, {"filter": ["odd"]}],
)
def test_options_that_cannot_be_meant_are_an_error(kind, colour, clock, options) -> None:
    with pytest.raises(ConfigError):
        call(colour, clock, "similarity_search", "0 1", **options)
    with pytest.raises(ConfigError):
        call(colour, clock, "max_marginal_relevance_search", "0 1", **options)
    with pytest.raises(ConfigError, match="lambda_mult"):
        call(colour, clock, "max_marginal_relevance_search", "0 1", lambda_mult=2)


def test_a_keyword_that_is_not_known_is_an_error(kind, colour, clock) -> None:
    with pytest.raises(TypeError, match="namespace"):
        call(colour, clock, "similarity_search", "0 1", namespace="a")


def test_an_add_that_fails_changes_nothing(kind, monkeypatch) -> None:
    store = kind.from_texts(["1 0", "0 1"], Points(), ids=["a", "b"])

    def full(*args):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(type(store._versions._table.index), "add", full)
        with pytest.raises(MemoryError):
            store.add_texts(["1 1", "-1 0"], ids=["a", "c"])
    assert [d.page_content for d in store.similarity_search("1 0")] == ["1 0", "0 1"]
    store.add_texts(["1 1"], ids=["c"])
    assert [d.id for d in store.similarity_search("1 0")] == ["a", "c", "b"]
