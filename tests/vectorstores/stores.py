"""The two stores, and embeddings whose vectors a test can read."""

from millstream import FAISS, Embeddings, InMemoryVectorStore

STORES = [InMemoryVectorStore, FAISS]


class Points(Embeddings):
    """A text such as `"3 4"` is the vector `[3, 4]`."""

    def embed_documents(self, texts):
        return [[float(number) for number in text.split()] for text in texts]


class AwaitedPoints(Embeddings):
    """The same, written for async code."""

    async def aembed_documents(self, texts):
        return Points().embed_documents(texts)
