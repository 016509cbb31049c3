"""What the same work costs with nothing around it: two hand-written generators that make the same struct."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from millstream import AIMessageChunk


def model(words: Sequence[str]) -> Iterator[AIMessageChunk]:
    for word in words:
        yield AIMessageChunk(content=word)


def parser(chunks: Iterator[AIMessageChunk]) -> Iterator[Any]:
    for chunk in chunks:
        yield chunk.content


async def amodel(words: Sequence[str]) -> AsyncIterator[AIMessageChunk]:
    for word in words:
        yield AIMessageChunk(content=word)


async def aparser(chunks: AsyncIterator[AIMessageChunk]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        yield chunk.content
