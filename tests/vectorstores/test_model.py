"""Random adds, replacements and deletes, beside a plain dict."""

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream import FAISS
from tests.vectorstores.stores import STORES, Points

NAMES = st.sampled_from("abcdefgh")
VECTORS = st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9)).map(
    lambda numbers: " ".join(map(str, numbers))
)
ADD = st.tuples(st.just("add"), st.lists(st.tuples(NAMES, VECTORS), max_size=6))
DELETE = st.tuples(st.just("delete"), st.lists(NAMES, max_size=4))


def cosine(first, second):
    a, b = ([float(number) for number in text.split()] for text in (first, second))
    length = (sum(x * x for x in a) * sum(x * x for x in b)) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / length


def check(store, held, query):
    assert len(store) == len(held)
    assert {d.id: d.page_content for d in store.get_by_ids(list("abcdefgh"))} == held
    found = store.similarity_search_with_score(query, k=100)
    assert {d.id: d.page_content for d, _ in found} == held
    assert [score for _, score in found] == pytest.approx(
        sorted((cosine(query, text) for text in held.values()), reverse=True), abs=1e-5
    )
    for document, score in found:
        assert score == pytest.approx(cosine(query, document.page_content), abs=1e-5)
    few = store.similarity_search_with_score(query, k=2, filter=lambda document: document.id > "c")
    best = sorted((cosine(query, text) for name, text in held.items() if name > "c"), reverse=True)[:2]
    assert [score for _, score in few] == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(ADD | DELETE, max_size=8), query=VECTORS)
def test_a_store_holds_what_a_dict_holds(kind, steps, query) -> None:
    store, held = kind(Points()), {}
    for what, items in steps:
        if what == "add":
            store.add_texts([text for _, text in items], ids=[name for name, _ in items])
            held.update(items)
        else:
            store.delete(items)
            for name in items:
                held.pop(name, None)
        check(store, held, query)
    if kind is FAISS:
        with tempfile.TemporaryDirectory() as folder:
            store.save_local(folder)
            check(FAISS.load_local(folder, Points()), held, query)
