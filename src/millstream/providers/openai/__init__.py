"""OpenAI's models, and those of all servers that speak its wire."""

from millstream.providers.openai.embeddings import OpenAIEmbeddings
from millstream.providers.openai.model import ChatOpenAI, OpenAI

__all__ = ["ChatOpenAI", "OpenAI", "OpenAIEmbeddings"]
