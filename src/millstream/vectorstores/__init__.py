"""Vector stores: documents that are found by what they mean, in memory or on FAISS."""

from millstream.vectorstores.base import VectorStore
from millstream.vectorstores.faiss import FAISS
from millstream.vectorstores.in_memory import InMemoryVectorStore
from millstream.vectorstores.retriever import VectorStoreRetriever

__all__ = ["FAISS", "InMemoryVectorStore", "VectorStore", "VectorStoreRetriever"]
