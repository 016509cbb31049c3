"""Vectors in one matrix: a search multiplies it with the query. Quick up to some hundred thousand."""

from typing import TYPE_CHECKING, Any, Self

from millstream.vectorstores.indexed import IndexedStore
from millstream.vectorstores.table import Index
from millstream.vectorstores.vectors import highest, numpy

if TYPE_CHECKING:
    from millstream.vectorstores.vectors import Floats, Keys


class NumpyIndex:
    """See `Index`. The matrix has spare rows, so that adding one vector does not copy all the others."""

    def __init__(self) -> None:
        self._np = numpy()
        self._count = 0
        self._keys: Any = self._np.zeros(0, self._np.int64)
        self._rows: Any = self._np.zeros((0, 0), self._np.float32)

    @property
    def dimension(self) -> int | None:
        """See `Index`."""
        return int(self._rows.shape[1]) if self._count else None

    def add(self, keys: "Keys", rows: "Floats") -> None:
        """See `Index`."""
        count = self._count + len(keys)
        if not self._count:
            self._rows, self._keys = rows.copy(), keys.copy()
        elif count > len(self._keys):
            grown = 2 * count
            self._rows = self._grown(self._rows, (grown, rows.shape[1]))
            self._keys = self._grown(self._keys, (grown,))
        self._rows[self._count : count] = rows
        self._keys[self._count : count] = keys
        self._count = count

    def _grown(self, array: Any, shape: tuple[int, ...]) -> Any:
        grown = self._np.empty(shape, array.dtype)
        grown[: self._count] = array[: self._count]
        return grown

    def remove(self, keys: "Keys") -> None:
        """See `Index`."""
        stay = self._np.ones(self._count, bool)
        stay[self._places(keys)] = False
        self._rows, self._keys = self._rows[: self._count][stay], self._keys[: self._count][stay]
        self._count = len(self._keys)

    def nearest(self, query: "Floats", k: int, among: "Keys | None") -> "tuple[Keys, Floats]":
        """See `Index`."""
        rows, keys = self._rows[: self._count], self._keys[: self._count]
        if among is not None:
            places = self._places(among)
            rows, keys = rows[places], keys[places]
        scores = rows @ query
        best = highest(scores, k)
        return keys[best], scores[best]

    def rows(self, keys: "Keys") -> "Floats":
        """See `Index`."""
        return self._rows[self._places(keys)]  # type: ignore[no-any-return]

    def _places(self, keys: "Keys") -> Any:
        return self._np.searchsorted(self._keys[: self._count], keys)

    def copy(self) -> Self:
        """See `Index`."""
        copied = type(self)()
        copied._count = self._count
        copied._rows, copied._keys = self._rows[: self._count].copy(), self._keys[: self._count].copy()
        return copied


class InMemoryVectorStore(IndexedStore):
    """Documents that are searched by meaning, kept in memory. Needs numpy.

    A score is a cosine: see `similarity_search_with_score`. Of documents that are equally near, the one
    that was added first comes first. Any number of threads may search while others add: each search sees
    the store as it was when it began.
    """

    def _new_index(self) -> Index:
        return NumpyIndex()
