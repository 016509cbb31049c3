"""Embeddings: texts as vectors, so that texts which mean alike are near each other."""

from millstream.embeddings.base import Embeddings

__all__ = ["Embeddings"]
