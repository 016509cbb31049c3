"""What a vector store is: the methods that users call, each in two colours, and what follows from others."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from millstream.documents import Document
from millstream.embeddings.base import Embeddings
from millstream.embeddings.colours import blocking, in_thread, writes
from millstream.errors import ConfigError, InputError
from millstream.runnables.function import kind_of

if TYPE_CHECKING:
    from typing import Self

    from millstream.vectorstores.retriever import VectorStoreRetriever

T = TypeVar("T")

#: Which documents a search may find: a function of the document, or metadata that it must have.
Filter = Callable[[Document], bool] | Mapping[str, Any]
Scored = list[tuple[Document, float]]

#: The kinds of search, and the method of a store that does each.
SEARCHES = {
    "similarity": "similarity_search",
    "similarity_score_threshold": "similarity_search_with_relevance_scores",
    "mmr": "max_marginal_relevance_search",
}


class VectorStore:
    """Documents that are found by how near their vectors are to a query's.

    To write one for a database of yours, write `from_texts`, `add_texts` or `add_documents`, and
    `similarity_search`, and of the others what it can do. Each method has a twin whose name begins with an
    `a`, for async code; write one of the two, and the other follows.
    """

    @property
    def embeddings(self) -> Embeddings | None:
        """What it embeds with, if it does so itself."""
        return None

    # --- what is in it --------------------------------------------------------------------------------

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Sequence[Mapping[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Embed texts and keep them. Returns their ids: those given, or new ones."""
        if self._goes_through("add_documents", "aadd_documents", "aadd_texts"):
            return self.add_documents(documents_of(texts, metadatas, ids), **kwargs)
        found: list[str] = self._from_twin("add_texts", texts, metadatas, ids=ids, **kwargs)
        return found

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: Sequence[Mapping[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """`add_texts`, for async code."""
        if self._goes_through("aadd_documents", "add_documents", "add_texts"):
            return await self.aadd_documents(documents_of(texts, metadatas, ids), **kwargs)
        found: list[str] = await self._afrom_twin("add_texts", texts, metadatas, ids=ids, **kwargs)
        return found

    def add_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:
        """Embed documents and keep them. Returns their ids: those in `ids`, their own, or new ones."""
        if self._goes_through("add_texts", "aadd_texts", "aadd_documents"):
            texts, metadatas, ids = parts_of(documents, kwargs)
            return self.add_texts(texts, metadatas, ids=ids, **kwargs)
        found: list[str] = self._from_twin("add_documents", documents, **kwargs)
        return found

    async def aadd_documents(self, documents: Iterable[Document], **kwargs: Any) -> list[str]:
        """`add_documents`, for async code."""
        if self._goes_through("aadd_texts", "add_texts", "add_documents"):
            texts, metadatas, ids = parts_of(documents, kwargs)
            return await self.aadd_texts(texts, metadatas, ids=ids, **kwargs)
        found: list[str] = await self._afrom_twin("add_documents", documents, **kwargs)
        return found

    def delete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> bool | None:
        """Forget the documents with these ids. Those that are not there do not matter."""
        found: bool | None = self._from_twin("delete", ids, **kwargs)
        return found

    async def adelete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> bool | None:
        """`delete`, for async code."""
        deleted: bool | None = await self._afrom_twin("delete", ids, **kwargs)
        return deleted

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids, as far as they are there."""
        found: list[Document] = self._from_twin("get_by_ids", ids)
        return found

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """`get_by_ids`, for async code."""
        found: list[Document] = await self._afrom_twin("get_by_ids", ids)
        return found

    # --- searching ------------------------------------------------------------------------------------

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """The `k` documents that are nearest to a text, the nearest first."""
        found: list[Document] = self._from_twin("similarity_search", query, k, **kwargs)
        return found

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """`similarity_search`, for async code."""
        found: list[Document] = await self._afrom_twin("similarity_search", query, k, **kwargs)
        return found

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> Scored:
        """`similarity_search`, each document with its score."""
        found: Scored = self._from_twin("similarity_search_with_score", query, k, **kwargs)
        return found

    async def asimilarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> Scored:
        """`similarity_search_with_score`, for async code."""
        found: Scored = await self._afrom_twin("similarity_search_with_score", query, k, **kwargs)
        return found

    def similarity_search_by_vector(
        self, embedding: Sequence[float], k: int = 4, **kwargs: Any
    ) -> list[Document]:
        """The `k` documents that are nearest to a vector, the nearest first."""
        found: list[Document] = self._from_twin("similarity_search_by_vector", embedding, k, **kwargs)
        return found

    async def asimilarity_search_by_vector(
        self, embedding: Sequence[float], k: int = 4, **kwargs: Any
    ) -> list[Document]:
        """`similarity_search_by_vector`, for async code."""
        found: list[Document] = await self._afrom_twin("similarity_search_by_vector", embedding, k, **kwargs)
        return found

    def similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, *, score_threshold: float | None = None, **kwargs: Any
    ) -> Scored:
        """`similarity_search`, each document with how relevant it is: from 0, not at all, to 1.

        With `score_threshold`, only those that are at least so relevant.
        """
        return self._relevant(self.similarity_search_with_score(query, k, **kwargs), score_threshold)

    async def asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, *, score_threshold: float | None = None, **kwargs: Any
    ) -> Scored:
        """`similarity_search_with_relevance_scores`, for async code."""
        return self._relevant(await self.asimilarity_search_with_score(query, k, **kwargs), score_threshold)

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """`k` documents that are near a text and differ from each other, of the `fetch_k` nearest.

        `lambda_mult` weighs the two: at 1 only nearness counts, at 0 only the difference.
        """
        found: list[Document] = self._from_twin(
            "max_marginal_relevance_search", query, k, fetch_k, lambda_mult, **kwargs
        )
        return found

    async def amax_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """`max_marginal_relevance_search`, for async code."""
        found: list[Document] = await self._afrom_twin(
            "max_marginal_relevance_search", query, k, fetch_k, lambda_mult, **kwargs
        )
        return found

    def search(self, query: str, search_type: str, **kwargs: Any) -> list[Document]:
        """The search of that type: `"similarity"`, `"similarity_score_threshold"` or `"mmr"`."""
        return _without_scores(getattr(self, _method(search_type))(query, **kwargs))

    async def asearch(self, query: str, search_type: str, **kwargs: Any) -> list[Document]:
        """`search`, for async code."""
        return _without_scores(await getattr(self, f"a{_method(search_type)}")(query, **kwargs))

    def as_retriever(
        self,
        *,
        search_type: str = "similarity",
        search_kwargs: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        callbacks: Sequence[Any] | None = None,
        name: str | None = None,
    ) -> VectorStoreRetriever:
        """A step that searches here for the text that it is given.

        `search_type` is `"similarity"`, `"mmr"` (different ones), or `"similarity_score_threshold"`.
        `search_kwargs` go to the search: `k`, `filter`, `score_threshold`, and for mmr `fetch_k` and
        `lambda_mult`. Raises `ConfigError` for what the search would not take. Its runs are tagged with the
        store's class and that of its embeddings, unless `tags` are given.
        """
        from millstream.vectorstores.retriever import VectorStoreRetriever

        return VectorStoreRetriever(
            vectorstore=self,
            search_type=search_type,
            search_kwargs=search_kwargs,
            tags=tags,
            metadata=metadata,
            callbacks=callbacks,
            name=name,
        )

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
        """A store that holds these texts."""
        if cls.afrom_texts.__func__ is VectorStore.afrom_texts.__func__:  # type: ignore[attr-defined]
            raise _neither(cls, "from_texts")
        return blocking(cls.afrom_texts, texts, embedding, metadatas, ids=ids, **kwargs)

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
        if cls.from_texts.__func__ is VectorStore.from_texts.__func__:  # type: ignore[attr-defined]
            raise _neither(cls, "from_texts")
        return await in_thread(cls.from_texts, texts, embedding, metadatas, ids=ids, **kwargs)

    @classmethod
    def from_documents(cls, documents: Iterable[Document], embedding: Embeddings, **kwargs: Any) -> Self:
        """A store that holds these documents."""
        texts, metadatas, ids = parts_of(documents, kwargs)
        return cls.from_texts(texts, embedding, metadatas, ids=ids, **kwargs)

    @classmethod
    async def afrom_documents(
        cls, documents: Iterable[Document], embedding: Embeddings, **kwargs: Any
    ) -> Self:
        """`from_documents`, for async code."""
        texts, metadatas, ids = parts_of(documents, kwargs)
        return await cls.afrom_texts(texts, embedding, metadatas, ids=ids, **kwargs)

    # --- what follows from what -----------------------------------------------------------------------

    def _relevance(self, score: float) -> float:
        """How relevant a document with this score is, from 0 to 1."""
        return min(1.0, max(0.0, score))

    def _relevant(self, scored: Scored, least: float | None) -> Scored:
        relevant = [(document, self._relevance(score)) for document, score in scored]
        return [pair for pair in relevant if least is None or pair[1] >= least]

    def _writes(self, name: str) -> bool:
        return writes(self, VectorStore, name)

    def _goes_through(self, other: str, others_twin: str, twin: str) -> bool:
        """Whether to add by the other method: it is written, or its twin is and one's own is not."""
        return self._writes(other) or (self._writes(others_twin) and not self._writes(twin))

    def _from_twin(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if not self._writes(f"a{name}"):
            raise _neither(type(self), name)
        return blocking(getattr(self, f"a{name}"), *args, **kwargs)

    async def _afrom_twin(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if not self._writes(name):
            raise _neither(type(self), name)
        return await in_thread(getattr(self, name), *args, **kwargs)


def _neither(cls: type, name: str) -> NotImplementedError:
    return NotImplementedError(f"{cls.__name__} has neither {name} nor a{name}.")


def _method(search_type: str) -> str:
    try:
        return SEARCHES[search_type]
    except (KeyError, TypeError):
        known = ", ".join(repr(known) for known in SEARCHES)
        raise ConfigError(f"There is no search_type {search_type!r}. Known: {known}.") from None


def _without_scores(found: list[Any]) -> list[Document]:
    return [item[0] if isinstance(item, tuple) else item for item in found]


def documents_of(
    texts: Iterable[str],
    metadatas: Iterable[Mapping[str, Any] | None] | None = None,
    ids: Iterable[str | None] | None = None,
) -> list[Document]:
    """Texts, their metadata and their ids as documents. Raises `InputError` if one list is shorter."""
    texts = listed(texts, "texts")
    metadatas = _one_each(texts, metadatas, "metadatas")
    ids = _one_each(texts, ids, "ids")
    return [
        Document(text, metadata=dict(metadata or {}), id=id)
        for text, metadata, id in zip(texts, metadatas, ids, strict=True)
    ]


def listed(several: Iterable[T], what: str) -> list[T]:
    """As a list. Raises `InputError` for a text, whose letters cannot be meant."""
    if isinstance(several, str):
        raise InputError(
            f"Several {what} are expected, a list of them, and not one {what.removesuffix('s')}."
        )
    return list(several)


def _one_each(texts: list[str], given: Iterable[T] | None, what: str) -> list[T] | list[None]:
    found = listed(given, what) if given is not None else []
    if found and len(found) != len(texts):
        raise InputError(f"There are {len(texts)} texts, and {len(found)} {what}.")
    return found or [None] * len(texts)


def checked(documents: Iterable[Document]) -> list[Document]:
    """As a list. Raises `InputError` for what is no document."""
    found = list(documents)
    for thing in found:
        if not isinstance(thing, Document):
            # There are other libraries' documents.
            kind = f"{type(thing).__module__}.{type(thing).__qualname__}".removeprefix("builtins.")
            raise InputError(f"Documents are expected, not {kind}.")
    return found


def parts_of(
    documents: Iterable[Document], kwargs: dict[str, Any]
) -> tuple[list[str], list[dict[str, Any]], list[str | None] | None]:
    """The texts, metadata and ids of documents. `ids` is taken out of the keywords, where it is given."""
    documents = checked(documents)
    own = [document.id for document in documents]
    ids = kwargs.pop("ids", None) or (own if any(own) else None)
    return [d.page_content for d in documents], [d.metadata for d in documents], ids


def check_search(options: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for an option of a search that cannot be meant."""
    for name in ("k", "fetch_k"):
        value = options.get(name, 1)
        # numpy's numbers are numbers, too.
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 0:
            raise ConfigError(f"{name} is a whole number from 0, not {value!r}.")
    for name in ("lambda_mult", "score_threshold"):
        value = options.get(name)
        if value is not None and not _is_share(value):
            raise ConfigError(f"{name} is a number from 0 to 1, not {value!r}.")
    wanted = options.get("filter")
    if callable(wanted) and kind_of(wanted) != "call":
        raise ConfigError(
            "A filter is a plain function: what an async one or a generator answers is always true."
        )
    if wanted is not None and not callable(wanted) and not isinstance(wanted, Mapping):
        raise ConfigError(
            f"A filter is a function of a document, or a dict of metadata to have, not {wanted!r}."
        )


def _is_share(value: Any) -> bool:
    return isinstance(value, numbers.Real) and 0 <= float(value) <= 1


def chooser(wanted: Filter) -> Callable[[Document], bool]:
    """A filter as a function."""
    if not isinstance(wanted, Mapping):
        return wanted
    missing = object()
    items = list(wanted.items())
    return lambda document: all(document.metadata.get(key, missing) == value for key, value in items)
