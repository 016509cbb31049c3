"""An answer of a provider's, from a body that is sent to the items that a model yields: for both wires."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from io import StringIO
from typing import Any, Protocol

from millstream.errors import MillstreamError, ModelError, StreamTruncated
from millstream.kernel.scope import Scope
from millstream.messages import AIMessage, AIMessageChunk
from millstream.messages.merge import gather_message, text_alone
from millstream.outputs import GenerationChunk
from millstream.providers.api import Api, Body, Head, Send, joined


class AnswerStream(Protocol):
    """What reads the bytes of a streamed answer, and never waits."""

    ended: bool
    failed: MillstreamError | None
    metadata: dict[str, Any]

    def feed(self, piece: bytes) -> list[Any]:
        """The items that a piece ends."""
        ...

    def finish(self) -> list[Any]:
        """What was held back, when the bytes have ended."""
        ...


#: Reads a whole answer: the answers that it holds.
Parse = Callable[[bytes], list[Any]]


async def streamed(
    api: Api, scope: Scope, send: Send, body: Body, stream: AnswerStream, parse: Parse
) -> AsyncGenerator[Any, None]:
    """The items of a streamed answer. An error on the way carries what had arrived (`partial`)."""
    arrived = _Arrived()
    try:
        async with scope.reading(api.pieces(scope, send, body, lambda: stream.ended)) as pieces:
            head: Head = await anext(pieces)
            piece = await _start(pieces)
            if piece and not _begins_events(piece):
                for item in _whole(head, piece + await joined(pieces), parse):
                    yield item
                return
            stream.metadata.update(head.told())
            cut: StreamTruncated | None = None
            try:
                while piece:
                    for item in stream.feed(piece):
                        arrived.take(item)
                        yield item
                    if stream.failed is not None:
                        break  # raised by `finish`
                    piece = await anext(pieces, b"")
            except StreamTruncated as error:
                cut = error
            for item in _rest(stream, cut):
                yield item
    except ModelError as error:
        api.secrets.hide_in(error)
        if error.partial is None:
            error.partial = arrived.together()
        raise


# How lines of a stream of events begin. What begins in another way is JSON, a page, or a proxy's last words;
# content types are no help, since servers and gateways have many words for either, and some have none.
_FIELDS = (b"data", b"event", b"id", b"retry", b":")
_BLANK = b"\xef\xbb\xbf \t\r\n"


def _begins_events(piece: bytes) -> bool:
    return any(piece.startswith(field) or field.startswith(piece) for field in _FIELDS)


async def _start(pieces: AsyncIterator[bytes]) -> bytes:
    """The first of a body that says what it is; empty if nothing does."""
    async for piece in pieces:
        if start := piece.lstrip(_BLANK):
            return start
    return b""


async def answered(api: Api, scope: Scope, send: Send, body: Body, parse: Parse) -> list[Any]:
    """The answers to a request that asked for them whole."""
    try:
        return _whole(*await api.whole(scope, send, body), parse)
    except ModelError as error:
        api.secrets.hide_in(error)
        raise


def _whole(head: Head, body: bytes, parse: Parse) -> list[Any]:
    answers = parse(body)
    first = answers[0]
    if isinstance(first, AIMessage):
        first.response_metadata = head.told() | first.response_metadata
    return answers


def _rest(stream: AnswerStream, cut: StreamTruncated | None) -> list[Any]:
    """What was held back. Some servers cut the connection instead of ending it: no fault, after the end."""
    try:
        return stream.finish()
    except StreamTruncated as error:
        if cut is None or error.args == cut.args:
            raise
        raise cut from cut.__cause__


class _Arrived:
    """What came so far of an answer, the first of several.

    Text is kept as text: that is nearly all, and there may be much.
    """

    def __init__(self) -> None:
        self._is_text = False
        self._chunks: list[AIMessageChunk] = []
        self._text = StringIO()

    def take(self, item: str | GenerationChunk | AIMessageChunk) -> None:
        if not isinstance(item, AIMessageChunk):
            self._is_text = True
            if isinstance(item, str) or not (item.generation_info or {}).get("choice_index"):
                self._text.write(item if isinstance(item, str) else item.text)
            return
        text = text_alone(item)
        if text is not None:
            self._text.write(text)
        elif not item.response_metadata.get("choice_index"):
            self._flush()
            self._chunks.append(item.__copy__())  # type: ignore[attr-defined]

    def together(self) -> AIMessage | str | None:
        """The message, or the text; None if nothing came."""
        if self._is_text:
            return self._text.getvalue()
        self._flush()
        return gather_message(self._chunks) if self._chunks else None

    def _flush(self) -> None:
        if text := self._text.getvalue():
            self._chunks.append(AIMessageChunk(text))
            self._text = StringIO()
