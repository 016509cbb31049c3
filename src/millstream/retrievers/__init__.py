"""Retrievers: a question in, the documents that belong to it out."""

from millstream.retrievers.base import BaseRetriever

__all__ = ["BaseRetriever"]
