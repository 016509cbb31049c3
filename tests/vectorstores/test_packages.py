"""numpy and faiss come when they are needed, and without them the way to get them is told."""

import subprocess
import sys

import pytest

from millstream import FAISS, InMemoryVectorStore, MissingDependency
from tests.vectorstores.stores import Points


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_names_are_imported_without_the_packages() -> None:
    program = (
        "import sys\n"
        "from millstream import BaseRetriever, Document, Embeddings, FAISS, InMemoryVectorStore\n"
        "from millstream import LocalEmbeddings, VectorStore, VectorStoreRetriever\n"
        "assert 'asyncio' not in sys.modules\n"
        "from millstream.testing import FakeEmbeddings\n"
        "LocalEmbeddings(), FakeEmbeddings().embed_query('a')\n"
        "print(sorted({'numpy', 'faiss', 'wordllama', 'pydantic'} & sys.modules.keys()))"
    )
    assert run(program) == "[]"


def test_the_store_in_memory_needs_no_faiss() -> None:
    program = (
        "import sys\n"
        "from millstream import InMemoryVectorStore\n"
        "from millstream.testing import FakeEmbeddings\n"
        "store = InMemoryVectorStore.from_texts(['a b', 'c'], FakeEmbeddings())\n"
        "print(store.similarity_search('a', k=1), 'faiss' in sys.modules)"
    )
    assert run(program) == "[Document(page_content='a b')] False"


@pytest.mark.parametrize(
    ("kind", "package", "extra"),
    [(InMemoryVectorStore, "numpy", "vectors"), (FAISS, "faiss", "faiss")],
)
def test_without_the_package_the_command_is_told(monkeypatch, kind, package, extra) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependency) as caught:
        kind(Points())
    assert caught.value.command == f"pip install 'millstream[{extra}]'"
