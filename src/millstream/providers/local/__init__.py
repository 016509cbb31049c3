"""Models that run in this process, on llama.cpp: no key, no account, no network."""

from millstream.providers.local.model import ChatLocal, LocalLLM

__all__ = ["ChatLocal", "LocalLLM"]
