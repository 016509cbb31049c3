"""Vectors in a FAISS index, which can be saved, and read again without pickle.

A saved store is two files. `index.json` holds the documents, and the name and the checksum of the other
one, which holds the vectors as FAISS writes them. The vectors are written first, under a name that was
never used, and `index.json` is put into its place at once when they are there. So whatever happens
meanwhile, what is found is the store before or the store after.
"""

from __future__ import annotations

import hashlib
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from millstream.documents import Document
from millstream.embeddings.base import Embeddings
from millstream.errors import MissingDependency, VectorStoreError
from millstream.vectorstores.files import (
    Saved,
    SavedDocument,
    decode,
    encode,
    file_paths,
    new_vectors_name,
    read,
    remove,
    vectors_named,
    write,
)
from millstream.vectorstores.indexed import IndexedStore
from millstream.vectorstores.table import Index, Table, Versions
from millstream.vectorstores.vectors import numpy

if TYPE_CHECKING:
    import os

    from millstream.vectorstores.vectors import Floats, Keys


def faiss() -> Any:
    """The package; `MissingDependency` without it."""
    try:
        return import_module("faiss")
    except ImportError as error:
        raise MissingDependency("faiss-cpu", command="pip install 'millstream[faiss]'") from error


class FaissIndex:
    """See `Index`. All vectors are compared (`IndexFlatIP`), so what is found is exact."""

    def __init__(self, inner: Any = None) -> None:
        self._faiss = faiss()
        self._inner: Any = inner

    @property
    def dimension(self) -> int | None:
        """See `Index`."""
        return int(self._inner.d) if self._inner is not None else None

    def add(self, keys: Keys, rows: Floats) -> None:
        """See `Index`."""
        if self._inner is None:
            self._inner = self._faiss.IndexIDMap2(self._faiss.IndexFlatIP(rows.shape[1]))
        self._inner.add_with_ids(rows, keys)

    def remove(self, keys: Keys) -> None:
        """See `Index`."""
        self._inner.remove_ids(keys)
        if not self._inner.ntotal:
            self._inner = None

    def nearest(self, query: Floats, k: int, among: Keys | None) -> tuple[Keys, Floats]:
        """See `Index`."""
        params, there = None, self._inner.ntotal
        if among is not None:
            params, there = self._faiss.SearchParameters(sel=self._faiss.IDSelectorBatch(among)), len(among)
        fetched = k
        while True:
            # FAISS takes any of those that are equally near: look on until one is less near.
            fetched = min(fetched + 1, there)
            [scores], [keys] = self._inner.search(query.reshape(1, -1), fetched, params=params)
            if fetched == there or scores[-1] < scores[k - 1]:
                best = numpy().lexsort((keys, -scores))[:k]
                return keys[best], scores[best]
            fetched *= 2

    def rows(self, keys: Keys) -> Floats:
        """See `Index`."""
        return self._inner.reconstruct_batch(keys)  # type: ignore[no-any-return]

    def copy(self) -> Self:
        """See `Index`."""
        return type(self)(None if self._inner is None else self._faiss.clone_index(self._inner))

    def to_bytes(self) -> bytes:
        """The vectors, as FAISS writes them."""
        if self._inner is None:
            return b""
        return bytes(self._faiss.serialize_index(self._inner).data)

    @classmethod
    def from_bytes(cls, data: bytes, documents: dict[int, Document]) -> Self:
        """The index that was written, if it is one for these documents; else a `ValueError`."""
        if not data and not documents:
            return cls()
        library, np = faiss(), numpy()
        try:
            inner = library.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except RuntimeError as error:
            raise ValueError(f"FAISS cannot read it: {error}") from error
        if not isinstance(inner, library.IndexIDMap2) or not isinstance(
            library.downcast_index(inner.index), library.IndexFlatIP
        ):
            raise ValueError("it is an index of another kind")
        if library.vector_to_array(inner.id_map).tolist() != list(documents):
            raise ValueError("its vectors are not those of the documents")
        return cls(inner)


class FAISS(IndexedStore):
    """Documents that are searched by meaning with FAISS, and can be saved. Needs `faiss-cpu`.

    A score is a cosine, as in an `InMemoryVectorStore`, which finds the same: 1 for the same direction, and
    the higher the nearer. Any number of threads may search while others add: each search sees the store as
    it was when it began.
    """

    def __init__(self, embedding: Embeddings) -> None:
        super().__init__(embedding)
        self._saving = threading.Lock()

    def _new_index(self) -> Index:
        return FaissIndex()

    def save_local(self, folder_path: str | os.PathLike[str], index_name: str = "index") -> None:
        """Write the store to a folder, in place of one that was saved there before under that name.

        It is as JSON and FAISS write it; the embeddings are not saved. Raises `VectorStoreError` if
        metadata hold anything that JSON does not, so that nothing comes back as something else, or if the
        folder cannot be written.
        """
        folder, path = file_paths(folder_path, index_name)
        with self._versions.reading() as table:
            documents = [
                SavedDocument(key, document.id or "", document.page_content, document.metadata)
                for key, document in table.documents.items()
            ]
            index = table.index
            assert isinstance(index, FaissIndex)
            vectors, dimension = index.to_bytes(), index.dimension
        name = new_vectors_name(index_name)
        checksum = hashlib.sha256(vectors).hexdigest()
        text = encode(Saved(name, checksum, dimension, documents), path)
        write(folder / name, vectors)
        before = None
        try:
            with self._saving:
                before = vectors_named(path)
                write(path, text)
        finally:
            # Whatever broke off, and wherever: which vectors are needed is what the file says.
            named = vectors_named(path)
            for other in (before, name):
                if named is not None and other is not None and other != named:
                    remove(folder / other)

    @classmethod
    def load_local(
        cls,
        folder_path: str | os.PathLike[str],
        embeddings: Embeddings,
        index_name: str = "index",
        *,
        allow_dangerous_deserialization: bool = False,
    ) -> Self:
        """The store that was saved in a folder. `embeddings` must be the model that it was made with.

        Raises `VectorStoreError` if there is none, if a file is damaged, or if it is of a later version.
        Nothing in the files is run. `allow_dangerous_deserialization` is for programs that were written for
        LangChain, and changes nothing.
        """
        folder, path = file_paths(folder_path, index_name)
        saved, vectors = _both(folder, path)
        documents = {
            document.key: Document(document.page_content, metadata=document.metadata, id=document.id)
            for document in saved.documents
        }
        if len({document.id for document in documents.values()}) != len(saved.documents):
            raise VectorStoreError(f"{path} is damaged: a document is there twice.", path=path)
        if hashlib.sha256(vectors).hexdigest() != saved.checksum:
            vectors_path = folder / saved.vectors
            raise VectorStoreError(
                f"{vectors_path} is damaged: its checksum is not the one in {path}.", path=vectors_path
            )
        try:
            index = FaissIndex.from_bytes(vectors, documents)
        except ValueError as error:
            raise VectorStoreError(f"{folder / saved.vectors} is damaged: {error}.", path=path) from error
        store = cls(embeddings)
        store._versions = Versions(Table(index, documents))
        return store


def _both(folder: Path, path: Path) -> tuple[Saved, bytes]:
    """What is in the two files. Who saves meanwhile removes the vectors of before: then it is read anew."""
    missed = None
    while True:
        saved = decode(read(path), path)
        try:
            return saved, read(folder / saved.vectors)
        except VectorStoreError:
            if saved.vectors == missed:
                raise
            missed = saved.vectors
