"""An answer of Anthropic's messages API, from bytes to chunks.

A stream has these events, each with its name in `data.type`, too:

1. `message_start`: the id, the model, the first usage;
2. for each block `content_block_start`, deltas, `content_block_stop`; llama.cpp sends all stops at the end;
3. `message_delta`, once or more: the stop reason, usage that takes the place of what was told before;
4. `message_stop`: without it the stream was cut. `ping` comes anywhere, an `error` ends it anywhere.

What becomes of content:

=====================  ===============================================================================
text                   is plain text, until a block comes that is anything else, or text with
                       citations; from then on, blocks of text
another block          is a block as the provider has it; its pieces carry its `index`, so that they merge
thinking, signature    are pieces of their block
a tool's arguments     are fragments in `tool_call_chunks`; when the block stops, they are its `input`
a server tool's        likewise, but without fragments: nobody is to call it
an unknown block       is kept as it is
an unknown event or    is passed over, as the API's documentation asks for
delta
=====================  ===============================================================================

So an answer that is nothing but text has a text for its content, and merged chunks have the very blocks that
the provider wants back. Usage and metadata come with the last chunk alone.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from millstream.errors import JsonLimitError, MillstreamError, ProviderError, StreamTruncated
from millstream.messages import AIMessage, AIMessageChunk, ToolCallChunk, UsageMetadata
from millstream.messages.arguments import parse_arguments, write_arguments
from millstream.messages.merge import gather_message
from millstream.providers.refusals import refused, words_and_names
from millstream.wire import SseParser
from millstream.wire.sse import MAX_EVENT_BYTES, SseEvent

#: How many characters may be held at a time: arguments of calls that are open, each counting as 256 more,
#: and all that was told of the message.
MAX_HELD = 16 * 1024 * 1024
_CALL_SIZE = 256

#: Why an answer ended, in the words of all providers. What is not here is kept as it is.
FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

#: Blocks with arguments of a tool, as `input`: the program's, and two kinds of the provider's own.
CALL_BLOCKS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})

# The deltas whose text is a piece of a field of their block: the block's type and the field's name.
_PIECES = {
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "compaction_delta": ("compaction", "content"),
}


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    content: str | None = None
    citation: Any = None


class _BlockDelta(msgspec.Struct):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    index: int = 0
    content_block: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    delta: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None
    request_id: str | None = None


_decode_delta = msgspec.json.Decoder(_BlockDelta).decode
_decode = msgspec.json.Decoder(_Event).decode


class _OpenCall:
    """A call of a tool whose arguments are being written."""

    def __init__(self, block: dict[str, Any]) -> None:
        self.kind = block["type"]
        #: Whether the program is to call the tool, and not the provider.
        self.is_ours = self.kind == "tool_use"
        self.given = block.get("input")
        self.parts: list[str] = []
        self.size = _CALL_SIZE


class MessageStream:
    """Reads the stream of one answer: `feed` each piece of bytes, then `finish`.

    With `blocks`, all text comes as blocks: for requests that ask for citations, which belong to a block of
    text, but may come behind it. An error that comes behind whole chunks of the same piece is raised by the
    next call.
    """

    def __init__(self, *, blocks: bool = False, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        #: Whether the answer has ended. What comes behind is passed over.
        self.ended = False
        #: What was told of the answer so far: its id, the model, why it stopped.
        self.metadata: dict[str, Any] = {}
        self._sse = SseParser(max_event_bytes=max_event_bytes)
        self._plain = not blocks
        self._usage: dict[str, Any] = {}
        self._open: dict[int, _OpenCall] = {}
        self._held = 0
        #: The error that the stream broke off with, which the next call raises.
        self.failed: MillstreamError | None = None
        self._does: dict[str, Callable[[_Event], AIMessageChunk | None]] = {
            "message_start": self._message_start,
            "content_block_start": self._block_start,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
        }

    @property
    def usage(self) -> UsageMetadata | None:
        """What the answer cost, as far as it was told."""
        return _usage_of(self._usage) if self._usage else None

    def feed(self, piece: bytes) -> list[AIMessageChunk]:
        """The chunks that this piece ends.

        Raises the typed error that an `error` event stands for, `ProviderError` for an event that cannot be
        read, `SseLimitError` and `JsonLimitError` for an event, or arguments of tools, beyond all measure.
        """
        self._raise_failure()
        if self.ended:
            return []
        found: list[AIMessageChunk] = []
        try:
            for event in self._sse.feed(piece):
                if not self.ended and (chunk := self._chunk_of(event)) is not None:
                    found.append(chunk)
        except MillstreamError as error:
            self.failed = error
            if not found:
                raise
        return found

    def finish(self) -> list[AIMessageChunk]:
        """The stream has ended; nothing was held back. Raises `StreamTruncated` if the answer had not ended,
        or what `feed` had to."""
        self._raise_failure()
        if not self.ended:
            self._sse.finish()
            raise StreamTruncated("The stream ended before the answer did: there was no message_stop.")
        return []

    def _raise_failure(self) -> None:
        if self.failed is not None:
            raise self.failed

    def _chunk_of(self, event: SseEvent) -> AIMessageChunk | None:
        if event.event == "content_block_delta":  # nearly all
            try:
                read = _decode_delta(event.data)
            except (msgspec.DecodeError, RecursionError) as error:
                raise _unreadable(event.data) from error
            return self._block_delta(read.index, read.delta) if read.delta is not None else None
        return self._other(event)

    def _other(self, event: SseEvent) -> AIMessageChunk | None:
        if event.event == "ping" or event.data == "[DONE]":
            return None
        try:
            read = _decode(event.data)
        except (msgspec.DecodeError, RecursionError) as error:
            if _is_unknown(event, {"content_block_delta", "error", *self._does}):
                return None
            raise _unreadable(event.data) from error
        kind = read.type or event.event
        if kind == "content_block_delta":
            return self._chunk_of(SseEvent(event.data, kind))
        if kind == "error" or read.error is not None:
            raise _broken_off(read.error, read.request_id)
        if kind in ("message_start", "message_delta"):
            self._hold(len(event.data))
        does = self._does.get(kind)
        return does(read) if does is not None else None

    def _message_start(self, event: _Event) -> None:
        message = event.message or {}
        self._take_usage(message.get("usage"))
        self._take_metadata(message)

    def _message_delta(self, event: _Event) -> None:
        self._take_usage(event.usage)
        self._take_metadata(event.delta or {})

    def _message_stop(self, event: _Event) -> AIMessageChunk | None:
        self.ended = True
        return AIMessageChunk(
            content="", chunk_position="last", usage_metadata=self.usage, response_metadata=self.metadata
        )

    def _take_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._usage.update({name: value for name, value in usage.items() if value is not None})

    def _take_metadata(self, told: dict[str, Any]) -> None:
        # All but what a message has fields for, since new ones are added: `stop_details`, `container`.
        known = ("type", "role", "content", "usage")
        new = {name: value for name, value in told.items() if name not in known and value is not None}
        if "model" in new:
            new["model_name"] = new.pop("model")
        if isinstance(reason := new.get("stop_reason"), str):
            new["finish_reason"] = FINISH_REASONS.get(reason, reason)
        self.metadata.update(new)

    def _block_start(self, event: _Event) -> AIMessageChunk | None:
        block, index = event.content_block or {}, event.index
        kind = block.get("type")
        if kind == "text" and block.get("citations") is None:
            return self._text(index, block.get("text"))
        if not isinstance(kind, str):
            return None
        self._plain = False
        if kind not in CALL_BLOCKS:
            return AIMessageChunk(content=[{**block, "index": index}])
        call = self._open[index] = _OpenCall(block)
        self._hold(_CALL_SIZE)
        named = {name: value for name, value in block.items() if name != "input"}
        if not call.is_ours:
            return AIMessageChunk(content=[{**named, "index": index}])
        name, call_id = _text_or_none(block.get("name")), _text_or_none(block.get("id"))
        return AIMessageChunk(
            content=[{**named, "index": index}], tool_call_chunks=[ToolCallChunk(name, "", call_id, index)]
        )

    def _block_delta(self, index: int, delta: _Delta) -> AIMessageChunk | None:
        kind = delta.type
        if kind == "text_delta":
            return self._text(index, delta.text)
        if kind == "input_json_delta":
            return self._fragment(index, delta.partial_json)
        if kind == "citations_delta":
            self._plain = False
            return AIMessageChunk(content=[{"type": "text", "citations": [delta.citation], "index": index}])
        if kind not in _PIECES:
            return None
        block, field = _PIECES[kind]
        piece = getattr(delta, field)
        return AIMessageChunk(content=[{"type": block, field: piece, "index": index}]) if piece else None

    def _text(self, index: int, text: Any) -> AIMessageChunk | None:
        if not text or not isinstance(text, str):
            return None
        if self._plain:
            return AIMessageChunk(content=text)
        return AIMessageChunk(content=[{"type": "text", "text": text, "index": index}])

    def _fragment(self, index: int, fragment: str | None) -> AIMessageChunk | None:
        call = self._open.get(index)
        if call is None or not fragment:
            return None
        self._hold(len(fragment))
        call.size += len(fragment)
        call.parts.append(fragment)
        if not call.is_ours:
            return None
        return AIMessageChunk(content="", tool_call_chunks=[ToolCallChunk(None, fragment, None, index)])

    def _block_stop(self, event: _Event) -> AIMessageChunk | None:
        call = self._open.pop(event.index, None)
        if call is None:
            return None
        self._held -= call.size
        # Some servers send all arguments with the start, and no fragments.
        given = call.given if isinstance(call.given, dict) else {}
        value = parse_arguments("".join(call.parts)) if call.parts else given
        # Arguments that were cut off are no input; what there is of them is in the message's invalid calls.
        content: Any = "" if value is None else [{"type": call.kind, "input": value, "index": event.index}]
        if call.parts or not given or not call.is_ours:
            return AIMessageChunk(content=content) if content else None
        fragment = ToolCallChunk(None, write_arguments(given), None, event.index)
        return AIMessageChunk(content=content, tool_call_chunks=[fragment])

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > MAX_HELD:
            raise JsonLimitError(
                f"The answer's metadata and open tool calls have more than {MAX_HELD:,} characters."
            )


def parse_message(body: bytes) -> AIMessage:
    """The message of a whole answer, one that was not streamed: what its stream would have amounted to.

    Raises the typed error if the answer is an error, `ProviderError` if it cannot be read.
    """
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:  # the last: it is no UTF-8
        raise _unreadable(body.decode("utf-8", "replace")) from error
    if not isinstance(read, dict):
        raise _unreadable(body.decode("utf-8", "replace"))
    if read.get("error") is not None:
        raise _broken_off(read["error"], _text_or_none(read.get("request_id")))
    if not isinstance(read.get("content"), list):
        raise _unreadable(body.decode("utf-8", "replace"))
    # As if it were streamed, so that both ways say the same.
    stream = MessageStream()
    stream._message_start(_Event(message=read))
    chunks: list[AIMessageChunk | None] = []
    for index, block in enumerate(read["content"]):
        if isinstance(block, dict):
            whole = _Event(index=index, content_block=block)
            chunks += [stream._block_start(whole), stream._block_stop(whole)]
    chunks.append(stream._message_stop(_Event()))
    return gather_message([chunk for chunk in chunks if chunk is not None])


def _usage_of(told: dict[str, Any]) -> UsageMetadata:
    """The three counts of input are apart on this wire; the sum is what the model was given."""
    read, created = _count(told, "cache_read_input_tokens"), _count(told, "cache_creation_input_tokens")
    details = {"cache_read": read, "cache_creation": created}
    by_lifetime = told.get("cache_creation")
    if isinstance(by_lifetime, dict):
        details |= {str(name): _count(by_lifetime, name) or None for name in by_lifetime}
    return UsageMetadata(
        input_tokens=(_count(told, "input_tokens") or 0) + (read or 0) + (created or 0),
        output_tokens=_count(told, "output_tokens") or 0,
        input_token_details={name: count for name, count in details.items() if count is not None},
    )


def _count(told: dict[str, Any], name: str) -> int | None:
    count = told.get(name)
    return count if type(count) is int else None


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _is_unknown(event: SseEvent, known: set[str]) -> bool:
    """Whether an event that has none of the expected forms is one that this code knows nothing of."""
    try:
        read = msgspec.json.decode(event.data)
    except (msgspec.DecodeError, RecursionError):
        return False
    kind = read.get("type") if isinstance(read, dict) else None
    return (kind if isinstance(kind, str) else event.event) not in known


def _unreadable(data: str) -> ProviderError:
    return ProviderError(f"The provider sent what cannot be read: {data[:200]}")


def _broken_off(error: Any, request_id: str | None) -> ProviderError:
    """The error that an `error` event stands for; `error` is what the event tells under that name."""
    message, names = words_and_names(error)
    return refused(message, names, request_id=request_id)
