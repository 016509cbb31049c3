"""What an embedding model is, and what one has to write to add one."""

from collections.abc import Sequence

from millstream.embeddings.colours import blocking, in_thread, writes


class Embeddings:
    """Turns texts into vectors.

    To write one, write `embed_documents(self, texts)`, which returns one list of numbers for each text, or
    `async def aembed_documents(self, texts)`: either serves both colours of code. Write `embed_query(self,
    text)` or `aembed_query` too if questions are embedded in another way than documents.
    """

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of texts that are to be found, in their order."""
        if not writes(self, Embeddings, "aembed_documents"):
            raise self._unwritten()
        return blocking(self.aembed_documents, texts)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """`embed_documents`, for async code; a plain one runs in a worker thread."""
        if not writes(self, Embeddings, "embed_documents"):
            raise self._unwritten()
        return await in_thread(self.embed_documents, texts)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text that is searched with."""
        if writes(self, Embeddings, "aembed_query"):
            return blocking(self.aembed_query, text)
        return _only(self.embed_documents([text]))

    async def aembed_query(self, text: str) -> list[float]:
        """`embed_query`, for async code; a plain one runs in a worker thread."""
        if writes(self, Embeddings, "embed_query"):
            return await in_thread(self.embed_query, text)
        return _only(await self.aembed_documents([text]))

    def _unwritten(self) -> TypeError:
        return TypeError(
            f"{type(self).__name__} has neither embed_documents nor aembed_documents: write one."
        )


def _only(vectors: Sequence[list[float]]) -> list[float]:
    [vector] = vectors
    return vector
