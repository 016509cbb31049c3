"""Embeddings of OpenAI's, and of all servers that have its `/v1/embeddings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import msgspec

from millstream.embeddings import Embeddings
from millstream.embeddings.colours import call_scope
from millstream.errors import EmbeddingError, InputError, ProviderError
from millstream.kernel.drive import run_sync
from millstream.kernel.host import SyncHost
from millstream.kernel.scope import Scope
from millstream.providers.api import Api, Body
from millstream.providers.openai.model import CLIENT, SDK, connection
from millstream.providers.openai.options import ALIASES
from millstream.providers.options import ConnectionOptions, Options
from millstream.runnables.runnable import async_host


class EmbeddingOptions(ConnectionOptions, total=False):
    """What `OpenAIEmbeddings` takes."""

    preset: str | None
    """A server by its name: see `ChatOpenAI`."""
    organization: str | None
    """The organization that pays; `OPENAI_ORG_ID` without."""
    project: str | None
    """The project; `OPENAI_PROJECT_ID` without."""
    dimensions: int | None
    """How many numbers a vector has, for models that can be asked."""
    chunk_size: int
    """How many texts go into one request: 1000 without."""
    model_kwargs: dict[str, Any] | None
    """Further fields of each request."""


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int = 0


class _Answer(msgspec.Struct):
    data: list[_Vector]


class OpenAIEmbeddings(Embeddings):
    """Vectors of OpenAI's, or of any server that has its `/v1/embeddings`.

    `model` is `text-embedding-3-small` without one; keys, servers and presets are as for `ChatOpenAI`, and
    so are errors. Raises `EmbeddingError` if the answer has not one vector for each text.
    """

    def __init__(self, model: str = "text-embedding-3-small", **options: Unpack[EmbeddingOptions]) -> None:
        known = Options(
            options,
            aliases=ALIASES,
            parameters=("dimensions",),
            client=CLIENT,
            own=("preset", "chunk_size", "model_kwargs"),
        )
        self.model = model
        self.chunk_size: int = known.own.get("chunk_size") or 1000
        self._fields = {**known.parameters, **(known.own.get("model_kwargs") or {})}
        self._api = Api(SDK, connection(known)[0], **known.http)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of texts, in their order."""
        scope = call_scope(SyncHost())
        return run_sync(scope, self._vectors(scope, texts))

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """`embed_documents`, for async code."""
        return await self._vectors(call_scope(async_host()), texts)

    async def _vectors(self, scope: Scope, texts: list[str]) -> list[list[float]]:
        if isinstance(texts, str):
            raise InputError("Several texts are expected, a list of them, and not one text.")
        found: list[list[float]] = []
        for start in range(0, len(texts), self.chunk_size):
            part = texts[start : start + self.chunk_size]
            _, answer = await self._api.whole(scope, _send, self._body(part))
            found += _vectors_of(answer, len(part))
        return found

    def _body(self, texts: list[str]) -> Body:
        # Numbers, since not all servers know base64.
        return {"model": self.model, "input": texts, "encoding_format": "float", **self._fields}


def _vectors_of(answer: bytes, count: int) -> list[list[float]]:
    try:
        vectors = msgspec.json.decode(answer, type=_Answer).data
    except msgspec.DecodeError as error:
        raise ProviderError(f"The provider's embeddings cannot be read: {error}") from error
    if len(vectors) != count:
        raise EmbeddingError(f"The provider gave {len(vectors)} vectors for {count} texts.")
    return [vector.embedding for vector in sorted(vectors, key=lambda each: each.index)]


def _send(client: Any, body: Mapping[str, Any]) -> Any:
    create = client.embeddings.with_streaming_response.create
    return create(model=body["model"], input=[], encoding_format="float", extra_body=body)
