"""What every provider has to show, as classes of pytest tests: `class TestMine(ChatModelSuite): ...`."""

from millstream.testing.conformance.chat import ChatModelSuite
from millstream.testing.conformance.embeddings import EmbeddingsSuite
from millstream.testing.conformance.text import TextModelSuite

__all__ = ["ChatModelSuite", "EmbeddingsSuite", "TextModelSuite"]
