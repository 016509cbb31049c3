"""The verbs in one colour each, so that one test is run under both."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from millstream.embeddings import Embeddings
from millstream.language_models.base import LanguageModel
from millstream.outputs import LLMResult
from millstream.runnables import Runnable


class Colour(Protocol):
    """One way to run a step, and what came of it."""

    name: str
    """What it is called in the names of tests."""

    def invoke(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> Any:
        """The answer."""
        ...

    def stream(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """The items of the stream."""
        ...

    def batch(self, step: Runnable[Any, Any], inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The answers to several inputs."""
        ...

    def transform(self, step: Runnable[Any, Any], items: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The items of the stream that comes of a stream of `items`."""
        ...

    def events(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """The events of a run."""
        ...

    def generate(
        self, model: LanguageModel[Any, Any], inputs: Sequence[Any], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """What a model's `generate` returns."""
        ...

    def embed(self, embeddings: Embeddings, texts: list[str]) -> list[list[float]]:
        """The vectors of texts."""
        ...

    def embed_query(self, embeddings: Embeddings, text: str) -> list[float]:
        """The vector of a question."""
        ...


class Sync:
    """The sync verbs, in the test's own thread."""

    name = "sync"

    def invoke(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> Any:
        """By `invoke`."""
        return step.invoke(input, *args, **kwargs)

    def stream(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """By `stream`."""
        return list(step.stream(input, *args, **kwargs))

    def batch(self, step: Runnable[Any, Any], inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """By `batch`."""
        return step.batch(inputs, *args, **kwargs)

    def transform(self, step: Runnable[Any, Any], items: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """By `transform`."""
        return list(step.transform(iter(items), *args, **kwargs))

    def events(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """By `stream_events`."""
        return list(step.stream_events(input, *args, **kwargs))

    def generate(
        self, model: LanguageModel[Any, Any], inputs: Sequence[Any], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """By `generate`."""
        return model.generate(inputs, *args, **kwargs)

    def embed(self, embeddings: Embeddings, texts: list[str]) -> list[list[float]]:
        """By `embed_documents`."""
        return embeddings.embed_documents(texts)

    def embed_query(self, embeddings: Embeddings, text: str) -> list[float]:
        """By `embed_query`."""
        return embeddings.embed_query(text)


class Async:
    """The async verbs, each call under an `asyncio.run` of its own."""

    name = "async"

    def invoke(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> Any:
        """By `ainvoke`."""

        async def run() -> Any:
            return await step.ainvoke(input, *args, **kwargs)

        return asyncio.run(run())

    def stream(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """By `astream`."""

        async def run() -> list[Any]:
            return [item async for item in step.astream(input, *args, **kwargs)]

        return asyncio.run(run())

    def batch(self, step: Runnable[Any, Any], inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """By `abatch`."""

        async def run() -> list[Any]:
            return await step.abatch(inputs, *args, **kwargs)

        return asyncio.run(run())

    def transform(self, step: Runnable[Any, Any], items: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """By `atransform`."""

        async def run() -> list[Any]:
            async def source() -> AsyncIterator[Any]:
                for item in items:
                    yield item

            return [item async for item in step.atransform(source(), *args, **kwargs)]

        return asyncio.run(run())

    def events(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """By `astream_events`."""

        async def run() -> list[Any]:
            return [event async for event in step.astream_events(input, *args, **kwargs)]

        return asyncio.run(run())

    def generate(
        self, model: LanguageModel[Any, Any], inputs: Sequence[Any], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """By `agenerate`."""

        async def run() -> LLMResult:
            return await model.agenerate(inputs, *args, **kwargs)

        return asyncio.run(run())

    def embed(self, embeddings: Embeddings, texts: list[str]) -> list[list[float]]:
        """By `aembed_documents`."""

        async def run() -> list[list[float]]:
            return await embeddings.aembed_documents(texts)

        return asyncio.run(run())

    def embed_query(self, embeddings: Embeddings, text: str) -> list[float]:
        """By `aembed_query`."""

        async def run() -> list[float]:
            return await embeddings.aembed_query(text)

        return asyncio.run(run())


COLOURS: list[Colour] = [Sync(), Async()]
"""Both colours, for `pytest.mark.parametrize`."""
