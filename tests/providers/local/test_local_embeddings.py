"""The real embeddings: small enough to be loaded in every run of the tests."""

import asyncio
import subprocess
import sys
import threading

import pytest

from millstream import ConfigError, InputError, LocalEmbeddings, MissingDependency
from millstream.providers.local import embeddings as module

pytestmark = pytest.mark.local

PAIRS = [
    ("Where did Harrison work?", "harrison worked at kensho"),
    ("Which food does he like?", "harrison likes spicy food"),
    ("How deep is the sea?", "The ocean floor lies four kilometres below the surface."),
    ("Who wrote the play?", "The drama's author was Shakespeare."),
]


def product(first, second):
    return sum(a * b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("dimensions", [64, 128, 256])
def test_a_question_is_nearest_to_what_answers_it(dimensions) -> None:
    model = LocalEmbeddings(dimensions=dimensions)
    documents = model.embed_documents([document for _, document in PAIRS])
    assert [len(vector) for vector in documents] == [dimensions] * len(PAIRS)
    for place, (question, _) in enumerate(PAIRS):
        vector = model.embed_query(question)
        assert product(vector, vector) == pytest.approx(1, abs=1e-5)
        scores = [product(vector, document) for document in documents]
        assert scores.index(max(scores)) == place


def test_numbers_are_pythons_and_odd_texts_do_no_harm() -> None:
    model = LocalEmbeddings()
    empty, japanese, long = model.embed_documents(["", "日本", "word " * 5000])
    assert empty == [0.0] * 256
    assert type(japanese[0]) is float
    assert product(long, long) == pytest.approx(1, abs=1e-5)
    assert model.embed_documents([]) == []
    assert model.embed_documents(["", ""]) == [[0.0] * 256] * 2
    assert model.embed_query("") == [0.0] * 256
    # Half of a character, as where a text was cut.
    assert model.embed_query("a river \ud83d") == model.embed_query("a river ?")


def test_what_is_no_list_of_texts_is_an_error() -> None:
    model = LocalEmbeddings()
    with pytest.raises(InputError, match="not one text"):
        model.embed_documents("rivers")
    for wrong in (None, 3, ["rivers"]):
        with pytest.raises(InputError, match=f"not {type(wrong).__name__}"):
            model.embed_query(wrong)


def test_async_code_gets_the_same() -> None:
    model = LocalEmbeddings()

    async def both():
        return await asyncio.gather(model.aembed_query("rivers"), model.aembed_documents(["rivers"]))

    query, [document] = asyncio.run(both())
    assert query == document == model.embed_query("rivers")


def test_it_is_loaded_once_by_whoever_asks_first(monkeypatch) -> None:
    loads = []
    real = module._load

    def load(dimensions):
        loads.append(dimensions)
        return real(dimensions)

    monkeypatch.setattr(module, "_models", {})
    monkeypatch.setattr(module, "_load", load)
    threads = [threading.Thread(target=lambda: LocalEmbeddings().embed_query("a")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    LocalEmbeddings().load()
    assert loads == [256]


def test_loading_leaves_logging_alone_and_prints_nothing() -> None:
    program = (
        "import logging\n"
        "from millstream import LocalEmbeddings\n"
        "LocalEmbeddings().embed_query('')\n"
        "print(logging.root.handlers, logging.root.level)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[] 30\n", "")


def test_without_the_package_the_command_is_told(monkeypatch) -> None:
    monkeypatch.setattr(module, "_models", {})
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(MissingDependency) as caught:
        LocalEmbeddings().embed_query("a")
    assert caught.value.command == "pip install 'millstream[embeddings]'"


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(ConfigError, match="dimensions is 64, 128, 256, not 100"):
        LocalEmbeddings(dimensions=100)
