"""A vector store as a step of a chain."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from millstream.documents import Document
from millstream.errors import ConfigError, InputError
from millstream.retrievers.base import BaseRetriever
from millstream.vectorstores.base import VectorStore, _method, check_search


class VectorStoreRetriever(BaseRetriever):
    """Finds documents in a vector store. `store.as_retriever()` makes one; see there."""

    def __init__(
        self,
        *,
        vectorstore: VectorStore,
        search_type: str = "similarity",
        search_kwargs: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        callbacks: Sequence[Any] | None = None,
        name: str | None = None,
    ) -> None:
        tags = tags or _tags(vectorstore)
        super().__init__(name=name, tags=tags, metadata=metadata, callbacks=callbacks)
        self.vectorstore = vectorstore
        self.search_type = search_type
        self.search_kwargs = dict(search_kwargs or {})
        _check(vectorstore, search_type, self.search_kwargs)

    def _get_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
        return self.vectorstore.search(_text(query), self.search_type, **{**self.search_kwargs, **kwargs})

    async def _aget_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
        found = self.vectorstore.asearch(_text(query), self.search_type, **{**self.search_kwargs, **kwargs})
        return await found

    def add_documents(self, documents: Sequence[Document], **kwargs: Any) -> list[str]:
        """Add documents to the store."""
        return self.vectorstore.add_documents(documents, **kwargs)

    async def aadd_documents(self, documents: Sequence[Document], **kwargs: Any) -> list[str]:
        """`add_documents`, for async code."""
        return await self.vectorstore.aadd_documents(documents, **kwargs)


def _tags(store: VectorStore) -> list[str]:
    embeddings = store.embeddings
    return [type(thing).__name__ for thing in (store, embeddings) if thing is not None]


def _check(store: VectorStore, search_type: str, options: dict[str, Any]) -> None:
    method = getattr(store, _method(search_type))
    check_search(options)
    if search_type == "similarity_score_threshold" and options.get("score_threshold") is None:
        raise ConfigError("This search needs search_kwargs={'score_threshold': <a number from 0 to 1>}.")
    try:
        inspect.signature(method).bind("", **options)
    except TypeError as error:
        raise ConfigError(f"{type(store).__name__}.{method.__name__} does not take that: {error}.") from error


def _text(query: Any) -> str:
    if isinstance(query, str):
        return query
    raise InputError(f"A vector store is searched with text, not with {type(query).__name__}.")
