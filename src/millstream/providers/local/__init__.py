"""Models that run in this process: no key, no account, no network."""

from millstream.providers.local.embeddings import LocalEmbeddings
from millstream.providers.local.model import ChatLocal, LocalLLM

__all__ = ["ChatLocal", "LocalEmbeddings", "LocalLLM"]
