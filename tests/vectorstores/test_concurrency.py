"""Searches while others change the store: each sees one state of it, and waits for nobody."""

import asyncio
import itertools
import sys
import threading

import pytest

from millstream import Document
from millstream.testing import FakeEmbeddings
from tests.vectorstores.stores import STORES, Points

pytestmark = pytest.mark.parametrize("kind", STORES)

BATCH = 5


def run(*bodies) -> None:
    """Run functions in threads, and raise what one of them raised."""
    errors = []

    def guarded(body):
        try:
            body()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


@pytest.fixture(autouse=True)
def _hasty():
    """Threads take turns as often as they can, so that they meet in the middle of things."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def beside(change, search) -> None:
    """Change again and again (given 1, 2, ...) while three threads search.

    `search` returns what tells the state that it saw. It ends when there were enough searches, and enough
    different states among them: so they were beside each other.
    """
    begun = threading.Barrier(4, timeout=30)
    done = threading.Event()
    seen = []

    def changes() -> None:
        begun.wait()
        for turn in itertools.count(1):
            if done.is_set():
                return
            change(turn)

    def searches() -> None:
        begun.wait()
        try:
            while not done.is_set():
                seen.append(search())
                if len(seen) > 200 and len(set(seen)) > 8:
                    return
        finally:
            done.set()

    run(changes, searches, searches, searches)


def test_a_search_sees_all_of_an_add_or_nothing_of_it(kind) -> None:
    store = kind.from_texts([f"text {n}" for n in range(BATCH)], FakeEmbeddings(16))
    vectors = FakeEmbeddings(16).embed_documents([f"text {n}" for n in range(BATCH)])

    def add(turn: int) -> None:
        if turn % 50 == 0:
            store.delete([f"{before} {n}" for before in range(turn - 50, turn) for n in range(BATCH)])
        store._put([Document("text", id=f"{turn} {n}") for n in range(BATCH)], vectors)

    def search() -> int:
        found = store.similarity_search_with_score_by_vector(vectors[0], k=1000)
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)
        assert len(found) % BATCH == 0
        return len(found)

    beside(add, search)


def test_replacing_and_deleting_are_whole_too(kind) -> None:
    ids = [str(n) for n in range(BATCH)]
    store = kind.from_texts([f"{n} 0" for n in range(BATCH)], Points(), ids=ids)

    def change(turn: int) -> None:
        if turn % 10 == 0:
            store.delete(ids)
        store.add_texts([f"{n + 1} {turn}" for n in range(BATCH)], ids=ids)

    def search() -> str:
        found = store.similarity_search("1 1", k=100)
        assert len(found) in (0, BATCH)
        # All of one turn.
        turns = {d.page_content.split()[1] for d in found}
        assert len(turns) <= 1
        assert len(store.get_by_ids(ids)) in (0, BATCH)
        store.max_marginal_relevance_search("1 1", k=3)
        return "".join(turns)

    beside(change, search)


def test_a_search_under_way_keeps_its_state_and_holds_nobody_up(kind) -> None:
    store = kind.from_texts(["1 0", "0 1"], Points(), ids=["a", "b"])
    inside, go_on = threading.Event(), threading.Event()
    found = []

    def slowly(document) -> bool:
        inside.set()
        return go_on.wait(30)

    def search() -> None:
        found.extend(store.similarity_search("1 0", k=10, filter=slowly))

    def change() -> None:
        assert inside.wait(30)
        store.add_texts(["1 1"], ids=["c"])
        store.delete(["a"])
        assert [d.id for d in store.similarity_search("1 0", k=10)] == ["c", "b"]
        go_on.set()

    run(search, change)
    assert [d.id for d in found] == ["a", "b"]
    assert [d.id for d in store.similarity_search("1 0", k=10)] == ["c", "b"]


def test_adds_of_many_threads_all_count(kind) -> None:
    store = kind(FakeEmbeddings(8))

    def add(name: int) -> None:
        for number in range(20):
            store.add_texts([f"{name} {number}"])

    run(*(lambda name=name: add(name) for name in range(4)))
    assert len(store) == 80
    assert len(store.similarity_search("1 1", k=100)) == 80


def test_a_search_that_fails_lets_go(kind) -> None:
    store = kind.from_texts(["1 0"], Points())
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            store.similarity_search("1 0", filter=lambda document: 1 / 0)
    table = store._versions._table
    store.add_texts(["0 1"])
    assert store._versions._table is table, "nobody reads it, so it need not have been copied"


def test_tasks_search_and_add_at_once(kind) -> None:
    async def main() -> None:
        store = await kind.afrom_texts(["text 0"], FakeEmbeddings(8))
        adds = [store.aadd_texts([f"text {n}"]) for n in range(1, 20)]
        searches = [store.asimilarity_search("text", k=50) for _ in range(20)]
        await asyncio.gather(*adds, *searches)
        assert len(await store.asimilarity_search("text", k=50)) == 20

    asyncio.run(main())
