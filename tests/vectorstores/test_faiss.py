"""Saving and reading: what comes back, and what is said of files that are no store."""

import datetime
import hashlib
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import faiss as library
import numpy as np
import pytest

from millstream import FAISS, ConfigError, Document, EmbeddingError, VectorStoreError
from millstream.testing import FakeEmbeddings
from millstream.vectorstores import files
from tests.vectorstores.stores import Points

METADATA = {"page": 1, "share": 0.5, "of": "日本 🏞️", "none": None, "yes": True, "list": [1, {"a": []}]}


@pytest.fixture
def store():
    store = FAISS(Points())
    store.add_documents(
        [Document("3 4", metadata=METADATA, id="ü"), Document("4 3", id="b"), Document("1 0", id="gone")]
    )
    store.delete(["gone"])
    return store


def vectors_of(folder, name="index"):
    return folder / json.loads((folder / f"{name}.json").read_bytes())["vectors"]


def test_what_was_saved_comes_back(store, tmp_path) -> None:
    store.save_local(tmp_path / "new" / "folder")
    again = FAISS.load_local(tmp_path / "new" / "folder", Points())
    assert again.similarity_search_with_score("6 8") == store.similarity_search_with_score("6 8")
    assert again.get_by_ids(["ü"]) == [Document("3 4", metadata=METADATA, id="ü")]
    again.add_texts(["1 1"], ids=["new"])
    again.delete(["b"])
    assert [d.id for d in again.similarity_search("1 1")] == ["new", "ü"]
    assert len(store) == 2


def test_a_folder_may_be_text_and_hold_several(store, tmp_path) -> None:
    store.save_local(str(tmp_path))
    FAISS(Points()).save_local(str(tmp_path), index_name="empty")
    assert len(FAISS.load_local(str(tmp_path), Points(), allow_dangerous_deserialization=True)) == 2
    empty = FAISS.load_local(str(tmp_path), Points(), "empty")
    assert len(empty) == 0
    empty.add_texts(["1 0 0"])
    assert len(empty.similarity_search("1 0 0")) == 1


def test_saving_again_replaces_and_leaves_nothing_behind(store, tmp_path) -> None:
    for number in range(3):
        store.add_texts([f"1 {number}"])
        store.save_local(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(["index.json", vectors_of(tmp_path).name])
    assert len(FAISS.load_local(tmp_path, Points())) == 5


def test_nothing_is_pickled(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pickle", None)
    store.save_local(tmp_path)
    assert len(FAISS.load_local(tmp_path, Points())) == 2
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".faiss"}
    json.loads((tmp_path / "index.json").read_bytes())
    assert library.read_index(str(vectors_of(tmp_path))).ntotal == 2


@pytest.mark.parametrize("step", ["vectors", "json"])
def test_a_save_that_breaks_off_leaves_what_was_there(store, tmp_path, monkeypatch, step) -> None:
    store.save_local(tmp_path)
    store.add_texts(["1 1"])
    real = os.fsync
    calls = []

    def fsync(file):
        calls.append(file)
        if len(calls) == (1 if step == "vectors" else 2):
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(VectorStoreError, match="No space left on device"):
        store.save_local(tmp_path)
    assert len(FAISS.load_local(tmp_path, Points())) == 2
    assert len(os.listdir(tmp_path)) == 2


def test_an_interrupt_behind_the_last_step_loses_nothing(store, tmp_path, monkeypatch) -> None:
    store.save_local(tmp_path)
    store.add_texts(["1 1"])
    real = files.Path.replace

    def replace(beside, path):
        real(beside, path)
        if path.suffix == ".json":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(files.Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            store.save_local(tmp_path)
    assert len(FAISS.load_local(tmp_path, Points())) == 3
    assert len(os.listdir(tmp_path)) == 2


def test_threads_that_save_at_once_leave_one_store(store, tmp_path) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: store.save_local(tmp_path), range(40)))
    assert len(FAISS.load_local(tmp_path, Points())) == 2
    assert len(os.listdir(tmp_path)) == 2


def test_reading_while_it_is_saved_gives_one_state(store, tmp_path) -> None:
    store.save_local(tmp_path)
    done = threading.Event()
    sizes = [2]

    def save() -> None:
        while not done.is_set():
            store.add_texts(["1 1"])
            store.save_local(tmp_path)

    thread = threading.Thread(target=save)
    thread.start()
    try:
        while len(set(sizes)) < 12:
            sizes.append(len(FAISS.load_local(tmp_path, Points())))
    finally:
        done.set()
        thread.join()
    assert sizes == sorted(sizes)
    assert len(FAISS.load_local(tmp_path, Points())) == len(store)


class Odd:
    pass


@pytest.mark.parametrize(
    ("metadata", "where"),
    [
        ({"when": datetime.date(2026, 1, 1)}, r"metadata\['when'\] is datetime.date\(2026, 1, 1\) \(date\)"),
        ({"a": [1, {"b": (1, 2)}]}, r"metadata\['a'\]\[1\]\['b'\] is \(1, 2\) \(tuple\)"),
        ({"a": {1, 2}}, r"set"),
        ({"a": b"x"}, r"bytes"),
        ({"a": Odd()}, r"Odd"),
        ({"a": float("nan")}, r"nan"),
        ({"a": {1: "x"}}, r"metadata\['a'\] has the key 1"),
        ({2: "x"}, r"metadata has the key 2"),
        ({"a": "\ud800"}, r"no character"),
    ],
)
def test_metadata_that_json_does_not_have_are_an_error(tmp_path, metadata, where) -> None:
    store = FAISS.from_texts(["1 0"], Points(), [metadata], ids=["x"])
    with pytest.raises(VectorStoreError, match=where) as caught:
        store.save_local(tmp_path)
    assert caught.value.path == str(tmp_path / "index.json")
    assert os.listdir(tmp_path) == []
    assert len(store.similarity_search("1 0")) == 1


def test_metadata_that_hold_themselves_are_an_error(tmp_path) -> None:
    metadata = {}
    metadata["self"] = metadata
    store = FAISS.from_texts(["1 0"], Points(), [metadata])
    with pytest.raises(VectorStoreError, match="nested too deep, or holds itself"):
        store.save_local(tmp_path)


def test_where_there_is_none_is_said(tmp_path) -> None:
    with pytest.raises(VectorStoreError, match="There is no saved vector store") as caught:
        FAISS.load_local(tmp_path, Points())
    assert caught.value.path == str(tmp_path / "index.json")


def test_where_it_cannot_be_written_is_said(store, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(VectorStoreError, match="cannot be written"):
        store.save_local(tmp_path / "file")


def test_what_langchain_saved_is_told_apart(tmp_path) -> None:
    (tmp_path / "index.pkl").write_bytes(b"\x80\x04.")
    (tmp_path / "index.faiss").write_bytes(b"IxFI")
    with pytest.raises(
        VectorStoreError, match=r"index.json: .* LangChain saved there is pickled, and is not read"
    ):
        FAISS.load_local(tmp_path, Points(), allow_dangerous_deserialization=True)


@pytest.mark.parametrize("name", ["", "a/b", "../index", "/tmp/x", "a\0b"])
def test_a_name_is_no_path(store, tmp_path, name) -> None:
    with pytest.raises(ConfigError, match="index_name"):
        store.save_local(tmp_path, name)
    with pytest.raises(ConfigError, match="index_name"):
        FAISS.load_local(tmp_path, Points(), name)


def changed(folder, **fields):
    path = folder / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": "other"}', b"[" * 100_000, b'{"vectors": 1}'],
)
def test_a_damaged_file_of_documents_is_said(store, tmp_path, text) -> None:
    store.save_local(tmp_path)
    (tmp_path / "index.json").write_bytes(text)
    with pytest.raises(VectorStoreError, match="damaged|no saved vector store"):
        FAISS.load_local(tmp_path, Points())
    store.save_local(tmp_path)
    assert len(FAISS.load_local(tmp_path, Points())) == 2


def test_each_way_of_cutting_the_file_of_documents_is_said(store, tmp_path) -> None:
    store.save_local(tmp_path)
    whole = (tmp_path / "index.json").read_bytes()
    for end in range(len(whole)):
        (tmp_path / "index.json").write_bytes(whole[:end])
        with pytest.raises(VectorStoreError):
            FAISS.load_local(tmp_path, Points())


def test_damaged_vectors_are_said(store, tmp_path) -> None:
    store.save_local(tmp_path)
    path = vectors_of(tmp_path)
    whole = path.read_bytes()
    for data in (b"", whole[:-1], whole[:20], whole + b"x", bytes([whole[0] ^ 1]) + whole[1:]):
        path.write_bytes(data)
        with pytest.raises(VectorStoreError, match="its checksum is not the one") as caught:
            FAISS.load_local(tmp_path, Points())
        assert caught.value.path == str(path)
    path.unlink()
    with pytest.raises(VectorStoreError, match="There is no saved"):
        FAISS.load_local(tmp_path, Points())


def put_vectors(folder, data):
    """Vectors with a checksum that fits: somebody wrote both files by hand."""
    vectors_of(folder).write_bytes(data)
    changed(folder, checksum=files_checksum(data))


def files_checksum(data):
    return hashlib.sha256(data).hexdigest()


def test_vectors_that_are_no_index_of_these_documents_are_said(store, tmp_path) -> None:
    store.save_local(tmp_path)
    whole = vectors_of(tmp_path).read_bytes()
    flat = library.IndexFlatL2(2)
    flat.add(np.zeros((2, 2), np.float32))
    other = library.IndexIDMap2(library.IndexFlatIP(2))
    other.add_with_ids(np.zeros((2, 2), np.float32), np.array([0, 7]))
    for data in (
        b"",
        b"no index",
        whole[:40],
        bytes(library.serialize_index(flat)),
        bytes(library.serialize_index(other)),
    ):
        put_vectors(tmp_path, data)
        with pytest.raises(VectorStoreError, match="is damaged"):
            FAISS.load_local(tmp_path, Points())


def test_a_later_version_is_said(store, tmp_path) -> None:
    store.save_local(tmp_path)
    changed(tmp_path, version=2, documents="in another way")
    with pytest.raises(VectorStoreError, match="of version 2; update millstream"):
        FAISS.load_local(tmp_path, Points())


def test_another_format_and_a_path_out_of_the_folder_are_no_store(store, tmp_path) -> None:
    store.save_local(tmp_path)
    changed(tmp_path, vectors="../../etc/passwd")
    with pytest.raises(VectorStoreError, match="no saved vector store"):
        FAISS.load_local(tmp_path, Points())
    store.save_local(tmp_path)
    changed(tmp_path, format="another")
    with pytest.raises(VectorStoreError, match="no saved vector store"):
        FAISS.load_local(tmp_path, Points())


def test_a_document_that_is_there_twice_is_said(store, tmp_path) -> None:
    store.save_local(tmp_path)
    documents = json.loads((tmp_path / "index.json").read_bytes())["documents"]
    changed(tmp_path, documents=[documents[0], [documents[1][0], *documents[0][1:]]])
    with pytest.raises(VectorStoreError, match="twice"):
        FAISS.load_local(tmp_path, Points())


def test_embeddings_of_another_length_are_found_out_by_the_first_search(store, tmp_path) -> None:
    store.save_local(tmp_path)
    again = FAISS.load_local(tmp_path, FakeEmbeddings(8))
    with pytest.raises(EmbeddingError, match="of another model"):
        again.similarity_search("a")
