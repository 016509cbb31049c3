"""What a vector store holds, and how it is read while it is changed.

A `Table` is documents and an index of their vectors, tied by numbers that are never used twice: keys.
`Versions` holds the table that counts now. A search holds on to the table that it began with, so it sees
all of an `add` or nothing of it, and never waits for one that embeds. Who changes the store changes the
table in place if nobody reads it, and else a copy, which then takes its place: no reader is waited for, and
none is disturbed. That is cheap where it matters, since an index is copied at the speed of memory (100,000
vectors of 256 numbers: 60 ms).
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

from millstream.documents import Document
from millstream.vectorstores.vectors import as_keys, check_dimension

if TYPE_CHECKING:
    from millstream.vectorstores.vectors import Floats, Keys


class Index(Protocol):
    """Vectors of length 1 by their keys. Keys are added in rising order."""

    @property
    def dimension(self) -> int | None:
        """How many numbers each vector has; None while there are none."""
        ...

    def add(self, keys: "Keys", rows: "Floats") -> None:
        """Keep vectors."""
        ...

    def remove(self, keys: "Keys") -> None:
        """Forget vectors."""
        ...

    def nearest(self, query: "Floats", k: int, among: "Keys | None") -> "tuple[Keys, Floats]":
        """The keys of the `k` vectors nearest to the query, and the cosines, the nearest first."""
        ...

    def rows(self, keys: "Keys") -> "Floats":
        """The vectors with these keys."""
        ...

    def copy(self) -> Self:
        """Another index with the same vectors."""
        ...


class Table:
    """Documents by key, in rising order; the keys by the documents' ids; and the index."""

    def __init__(self, index: Index, documents: dict[int, Document] | None = None) -> None:
        self.index = index
        self.documents = documents or {}
        self.keys = {document.id: key for key, document in self.documents.items()}
        self._next = max(self.documents, default=-1) + 1
        #: How many searches hold on to it.
        self.readers = 0

    def put(self, documents: Sequence[Document], rows: "Floats") -> None:
        """Add documents with ids. One whose id is there, or came earlier, takes the other's place."""
        check_dimension(rows, self.index.dimension)
        last = {document.id: place for place, document in enumerate(documents)}
        replaced = [self.keys[id] for id in last if id in self.keys]
        first = self._next
        # First what may fail, for want of memory: nothing has changed then.
        self.index.add(as_keys(range(first, first + len(last))), rows[list(last.values())])
        self._next += len(last)
        for key, (id, place) in enumerate(last.items(), first):
            self.keys[id] = key
            self.documents[key] = documents[place]
        self._forget(replaced)

    def remove(self, ids: Sequence[str | None]) -> None:
        """Forget the documents with these ids, as far as they are there."""
        self._forget([self.keys.pop(id) for id in dict.fromkeys(ids) if id in self.keys])

    def _forget(self, keys: list[int]) -> None:
        if keys:
            for key in keys:
                del self.documents[key]
            self.index.remove(as_keys(keys))

    def copy(self) -> "Table":
        """Another table with the same documents, which nobody reads yet."""
        copied = Table(self.index.copy(), dict(self.documents))
        copied._next = self._next
        return copied


class Versions:
    """The table of a store, for any number of readers, and one at a time who changes it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._changing = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Table]:
        """The table as it is now; it stays so within the block."""
        with self._lock:
            table = self._table
            table.readers += 1
        try:
            yield table
        finally:
            with self._lock:
                table.readers -= 1

    @contextmanager
    def changing(self) -> Iterator[Table]:
        """A table to change, which counts when the block ends, and of which nobody sees half."""
        with self._changing:
            with self._lock:
                if not self._table.readers:
                    yield self._table
                    return
            copied = self._table.copy()
            yield copied
            with self._lock:
                self._table = copied
