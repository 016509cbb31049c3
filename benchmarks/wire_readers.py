"""The readers of a provider's answer that are compared, each as its users write it, for one address.

*Ours* is the model of this library, *peer* LangChain's, *sdk* the SDK's own iterator. *Raw* is the floor: the
SDK's transport, and a hand-written loop that finds the events in its bytes, decodes the fields that are used
with msgspec, and makes our chunks.
"""

import os
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any

# No tracer of its own may take part, whatever the environment says.
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")

import anthropic
import langchain_anthropic
import langchain_openai
import msgspec
import openai

from millstream import AIMessageChunk, ChatAnthropic, ChatOpenAI

_KEY = "sk-of-the-benchmark"
_QUESTION = "Why do rivers bend?"
_ASKED: Any = [{"role": "user", "content": _QUESTION}]

Read = Callable[[], int]
"""Reads an answer, and says in how many chunks or events it came."""
ARead = Callable[[], Coroutine[Any, Any, int]]


class OpenAI:
    """The readers of a chat."""

    name, wire = "openai", "OpenAI's wire"

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {"api_key": _KEY, "base_url": f"{url}/v1"}
        asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": _ASKED, "stream": True}
        self._client = client = openai.OpenAI(**options)
        self._aclient = aclient = openai.AsyncOpenAI(**options)
        self.ours = ours = ChatOpenAI("gpt-4o-mini", **options)
        self._peer = peer = langchain_openai.ChatOpenAI(model="gpt-4o-mini", stream_usage=True, **options)
        raw = client.chat.completions.with_streaming_response.create
        araw = aclient.chat.completions.with_streaming_response.create
        self.sync: dict[str, Read] = {
            "raw": lambda: _read_raw(raw(**asked), openai_chunk),
            "ours": lambda: _read(ours.stream(_QUESTION)),
            "sdk": lambda: _read(client.chat.completions.create(**asked)),
            "peer": lambda: _read(peer.stream(_QUESTION)),
        }

        async def sdk() -> int:
            return await _aread(await aclient.chat.completions.create(**asked))

        self.asynchronous: dict[str, ARead] = {
            "raw": lambda: _aread_raw(araw(**asked), openai_chunk),
            "ours": lambda: _aread(ours.astream(_QUESTION)),
            "sdk": sdk,
            "peer": lambda: _aread(peer.astream(_QUESTION)),
        }

    def close(self) -> None:
        self._client.close()
        self._peer.root_client.close()

    async def aclose(self) -> None:
        await self._aclient.close()
        await self._peer.root_async_client.close()


class Anthropic:
    """The readers of a message."""

    name, wire = "anthropic", "Anthropic's wire"

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {"api_key": _KEY, "base_url": url}
        asked: dict[str, Any] = {"model": "claude-x", "max_tokens": 4096, "messages": _ASKED, "stream": True}
        self._client = client = anthropic.Anthropic(**options)
        self._aclient = aclient = anthropic.AsyncAnthropic(**options)
        self.ours = ours = ChatAnthropic("claude-x", max_tokens=4096, **options)
        made: Any = langchain_anthropic.ChatAnthropic
        self._peer = peer = made(model="claude-x", max_tokens=4096, **options)
        raw = client.messages.with_streaming_response.create
        araw = aclient.messages.with_streaming_response.create
        self.sync: dict[str, Read] = {
            "raw": lambda: _read_raw(raw(**asked), anthropic_chunk),
            "ours": lambda: _read(ours.stream(_QUESTION)),
            "sdk": lambda: _read(client.messages.create(**asked)),
            "peer": lambda: _read(peer.stream(_QUESTION)),
        }

        async def sdk() -> int:
            return await _aread(await aclient.messages.create(**asked))

        self.asynchronous: dict[str, ARead] = {
            "raw": lambda: _aread_raw(araw(**asked), anthropic_chunk),
            "ours": lambda: _aread(ours.astream(_QUESTION)),
            "sdk": sdk,
            "peer": lambda: _aread(peer.astream(_QUESTION)),
        }

    def close(self) -> None:
        self._client.close()
        self._peer._client.close()

    async def aclose(self) -> None:
        await self._aclient.close()
        await self._peer._async_client.close()


def _read(stream: Iterable[Any]) -> int:
    count = 0
    for _ in stream:
        count += 1
    return count


async def _aread(stream: AsyncIterable[Any]) -> int:
    count = 0
    async for _ in stream:
        count += 1
    return count


def _read_raw(opening: Any, chunk_of: Callable[[bytes], AIMessageChunk]) -> int:
    rest, count = b"", 0
    with opening as response:
        for piece in response.iter_bytes():
            *events, rest = (rest + piece).split(b"\n\n")
            for _ in map(chunk_of, events):
                count += 1
    return count


async def _aread_raw(opening: Any, chunk_of: Callable[[bytes], AIMessageChunk]) -> int:
    rest, count = b"", 0
    async with opening as response:
        async for piece in response.iter_bytes():
            *events, rest = (rest + piece).split(b"\n\n")
            for _ in map(chunk_of, events):
                count += 1
    return count


class _Delta(msgspec.Struct):
    content: str | None = None
    text: str = ""


class _Choice(msgspec.Struct):
    delta: _Delta


class _Piece(msgspec.Struct):
    choices: list[_Choice] = []


class _BlockDelta(msgspec.Struct):
    delta: _Delta | None = None


_decode_piece = msgspec.json.Decoder(_Piece).decode
_decode_delta = msgspec.json.Decoder(_BlockDelta).decode


def openai_chunk(event: bytes) -> AIMessageChunk:
    """The chunk of an event, by hand."""
    data = event[6:]
    choices = _decode_piece(data).choices if data != b"[DONE]" else ()
    return AIMessageChunk(choices[0].delta.content or "" if choices else "")


def anthropic_chunk(event: bytes) -> AIMessageChunk:
    """The same, for an event that has a name."""
    delta = _decode_delta(event[event.index(b"\n") + 7 :]).delta
    return AIMessageChunk(delta.text if delta is not None else "")
