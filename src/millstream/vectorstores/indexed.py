"""What the library's own stores share: everything but the index."""

# A store of a user's may take any keyword. To these, one that they do not know is a mistake.
# mypy: disable-error-code="override"
# pyright: reportIncompatibleMethodOverride=false

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from millstream.documents import Document
from millstream.embeddings.base import Embeddings
from millstream.embeddings.colours import in_thread
from millstream.errors import ConfigError, InputError
from millstream.kernel.scope import new_id
from millstream.vectorstores.base import (
    Filter,
    Scored,
    VectorStore,
    check_search,
    checked,
    chooser,
    documents_of,
    listed,
)
from millstream.vectorstores.table import Index, Table, Versions
from millstream.vectorstores.vectors import as_keys, check_dimension, diverse, unit_rows

if TYPE_CHECKING:
    from millstream.vectorstores.vectors import Floats


class _Found(NamedTuple):
    """The documents nearest to a query, with their scores and vectors, and the query's vector."""

    scored: Scored
    query: "Floats"
    rows: "Floats"


class IndexedStore(VectorStore):
    """Documents in memory, and an index of their vectors.

    What waits is the embedding, so it is all that the two colours of a method do differently.
    """

    def __init__(self, embedding: Embeddings) -> None:
        if not hasattr(embedding, "embed_documents") or not hasattr(embedding, "embed_query"):
            raise ConfigError(f"A vector store needs embeddings, and not {embedding!r}.")
        self.embedding = embedding
        self._versions = Versions(Table(self._new_index()))

    def _new_index(self) -> Index:
        raise NotImplementedError

    @property
    def embeddings(self) -> Embeddings:
        """What it embeds with."""
        return self.embedding

    def __len__(self) -> int:
        """How many documents there are."""
        with self._versions.reading() as table:
            return len(table.documents)

    def __bool__(self) -> bool:
        # An empty store is a store.
        return True

    # --- what is in it --------------------------------------------------------------------------------

    def add_documents(
        self, documents: Iterable[Document], *, ids: Sequence[str | None] | None = None
    ) -> list[str]:
        """Embed documents and keep them. Returns their ids: those in `ids`, their own, or new ones.

        A document whose id is there already takes the other's place. Raises `EmbeddingError` for vectors
        that do not fit those in the store.
        """
        own = _owned(documents, ids)
        self._put(own, self.embedding.embed_documents([d.page_content for d in own]) if own else [])
        return _ids(own)

    async def aadd_documents(
        self, documents: Iterable[Document], *, ids: Sequence[str | None] | None = None
    ) -> list[str]:
        """`add_documents`, for async code."""
        own = _owned(documents, ids)
        vectors = await self.embedding.aembed_documents([d.page_content for d in own]) if own else []
        await in_thread(self._put, own, vectors)
        return _ids(own)

    def _put(self, documents: list[Document], vectors: list[list[float]]) -> None:
        if documents:
            rows = unit_rows(vectors, len(documents))
            with self._versions.changing() as table:
                table.put(documents, rows)

    def delete(self, ids: Sequence[str] | None = None) -> None:
        """Forget the documents with these ids. Those that are not there do not matter."""
        if ids:
            known = _as_ids(ids)
            with self._versions.changing() as table:
                table.remove(known)

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, in that order, as far as they are there."""
        known = _as_ids(ids)
        with self._versions.reading() as table:
            return [_copy(table.documents[table.keys[id]]) for id in known if id in table.keys]

    # --- searching ------------------------------------------------------------------------------------

    def similarity_search(self, query: str, k: int = 4, *, filter: Filter | None = None) -> list[Document]:
        """The `k` documents that are nearest to a text, the nearest first.

        `filter` is a function of a document, or a dict of the metadata that it must have. It is applied
        before the search, which finds `k` of those that are left.
        """
        return self.similarity_search_by_vector(self.embedding.embed_query(query), k, filter=filter)

    async def asimilarity_search(
        self, query: str, k: int = 4, *, filter: Filter | None = None
    ) -> list[Document]:
        """`similarity_search`, for async code."""
        vector = await self.embedding.aembed_query(query)
        return await self.asimilarity_search_by_vector(vector, k, filter=filter)

    def similarity_search_with_score(self, query: str, k: int = 4, *, filter: Filter | None = None) -> Scored:
        """`similarity_search`, each document with its score.

        That is the cosine of the angle between its vector and the query's: 1 for the same direction, about
        0 for what has nothing to do with it, -1 for the opposite.
        """
        return self.similarity_search_with_score_by_vector(
            self.embedding.embed_query(query), k, filter=filter
        )

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, *, filter: Filter | None = None
    ) -> Scored:
        """`similarity_search_with_score`, for async code."""
        vector = await self.embedding.aembed_query(query)
        return await in_thread(self.similarity_search_with_score_by_vector, vector, k, filter=filter)

    def similarity_search_by_vector(
        self, embedding: Sequence[float], k: int = 4, *, filter: Filter | None = None
    ) -> list[Document]:
        """The `k` documents that are nearest to a vector, the nearest first."""
        scored = self.similarity_search_with_score_by_vector(embedding, k, filter=filter)
        return [document for document, _ in scored]

    def similarity_search_with_score_by_vector(
        self, embedding: Sequence[float], k: int = 4, *, filter: Filter | None = None
    ) -> Scored:
        """`similarity_search_by_vector`, each document with its score."""
        check_search({"k": k, "filter": filter})
        found = self._nearest(embedding, k, filter)
        return found.scored if found else []

    def similarity_search_with_relevance_scores(
        self,
        query: str,
        k: int = 4,
        *,
        score_threshold: float | None = None,
        filter: Filter | None = None,
    ) -> Scored:
        """`similarity_search`, each document with how relevant it is: its score, from 0 to 1.

        With `score_threshold`, only those that are at least so relevant.
        """
        return super().similarity_search_with_relevance_scores(
            query, k, score_threshold=score_threshold, filter=filter
        )

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,
    ) -> list[Document]:
        """`k` documents that are near a text and differ from each other, of the `fetch_k` nearest.

        `lambda_mult` weighs the two: at 1 only nearness counts, at 0 only the difference.
        """
        vector = self.embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, filter=filter)

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,
    ) -> list[Document]:
        """`max_marginal_relevance_search`, for async code."""
        vector = await self.embedding.aembed_query(query)
        return await in_thread(
            self.max_marginal_relevance_search_by_vector, vector, k, fetch_k, lambda_mult, filter=filter
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: Sequence[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,
    ) -> list[Document]:
        """`max_marginal_relevance_search`, for a vector."""
        check_search({"k": k, "fetch_k": fetch_k, "lambda_mult": lambda_mult, "filter": filter})
        found = self._nearest(embedding, fetch_k, filter)
        if not found:
            return []
        return [found.scored[place][0] for place in diverse(found.query, found.rows, k, lambda_mult)]

    def _nearest(self, vector: Sequence[float], k: int, wanted: Filter | None) -> _Found | None:
        [query] = queries = unit_rows([vector], 1)
        with self._versions.reading() as table:
            check_dimension(queries, table.index.dimension)
            among, left = None, len(table.documents)
            if wanted is not None:
                fits = chooser(wanted)
                among = as_keys([key for key, document in table.documents.items() if fits(document)])
                left = len(among)
            k = min(int(k), left)
            if not k:
                return None
            keys, scores = table.index.nearest(query, k, among)
            documents = [_copy(table.documents[key]) for key in keys.tolist()]
            return _Found(list(zip(documents, scores.tolist(), strict=True)), query, table.index.rows(keys))

    # --- making one -----------------------------------------------------------------------------------

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings,
        metadatas: Sequence[Mapping[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store that holds these texts, with their metadata and ids."""
        store = cls(embedding, **kwargs)
        store.add_documents(documents_of(texts, metadatas, ids))
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings,
        metadatas: Sequence[Mapping[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> Self:
        """`from_texts`, for async code."""
        store = cls(embedding, **kwargs)
        await store.aadd_documents(documents_of(texts, metadatas, ids))
        return store


def _owned(documents: Iterable[Document], ids: Sequence[str | None] | None) -> list[Document]:
    """Copies of documents, each with an id: the store's own, whatever becomes of the caller's."""
    documents = checked(documents)
    ids = listed(ids or (), "ids")
    if ids and len(ids) != len(documents):
        raise InputError(f"There are {len(documents)} documents, and {len(ids)} ids.")
    ids = ids or [document.id for document in documents]
    return [
        Document(document.page_content, metadata=_own(dict(document.metadata), {}), id=id or new_id())
        for document, id in zip(documents, ids, strict=True)
    ]


def _copy(document: Document) -> Document:
    return Document(document.page_content, metadata=_own(dict(document.metadata), {}), id=document.id)


def _own(value: Any, copies: dict[int, Any]) -> Any:
    """A value with its dicts and lists copied, all the way down. `copies`: those that were begun, by id."""
    kind = type(value)
    if kind not in (dict, list):
        return value
    made: Any = copies.get(id(value))
    if made is None:
        made = copies[id(value)] = kind()
        if kind is dict:
            made.update((key, _own(item, copies)) for key, item in value.items())
        else:
            made.extend(_own(item, copies) for item in value)
    return made


def _as_ids(ids: Iterable[str]) -> list[str]:
    """Ids as documents have them: text, where a number was given."""
    return [str(id) if isinstance(id, int) else id for id in listed(ids, "ids")]


def _ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents if document.id is not None]
