"""The server's pieces, as bytes, to chunks and texts. Reads no more of a piece than is used.

A chat answers with these pieces, in this order (a completion likewise, with `text` for `delta`):

1. progress on the prompt, `choices[0].delta` without content and `prompt_progress` beside it;
2. one piece that names the role, its content null;
3. one piece a token, `choices[0].delta.content`; a token that ends inside a character is held back;
   or `delta.tool_calls`, fragments of calls, the first of each with its id and name;
4. one piece with `finish_reason` ("stop", "length", "tool_calls") and an empty delta;
5. if the request asked for it, `usage` with empty `choices` (a completion: in piece 4).

A refusal is one piece `{"error": {"code", "message", "type"}}`, alone or in the middle.
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec

from millstream.errors import ContextLengthError, ModelError
from millstream.messages import AIMessageChunk, ToolCallChunk, UsageMetadata
from millstream.outputs import GenerationChunk


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Fragment(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Fragment] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None

    def metadata(self) -> UsageMetadata:
        details = self.prompt_tokens_details
        return UsageMetadata(
            input_tokens=self.prompt_tokens,
            output_tokens=self.completion_tokens,
            total_tokens=self.total_tokens,
            input_token_details={"cache_read": details.cached_tokens} if details is not None else {},
        )


class _Piece(msgspec.Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


class _Error(msgspec.Struct):
    message: str = ""
    type: str | None = None


class _Refusal(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Piece).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode


def parse_error(piece: bytes) -> ModelError:
    """The error that a refusal stands for: `ContextLengthError` for a prompt too long, else `ModelError`."""
    try:
        error = _decode_refusal(piece).error
    except msgspec.DecodeError:
        return ModelError(f"The local model sent an error that cannot be read: {_shown(piece)}")
    kind = ContextLengthError if error.type == "exceed_context_size_error" else ModelError
    return kind(error.message or _shown(piece))


def parse_chat(piece: bytes) -> AIMessageChunk | None:
    """What one piece of a chat adds; None if that is nothing.

    That is text, fragments of calls, the finish reason with the model's name, or usage.

    Raises `ModelError` if the piece is an error or cannot be read.
    """
    read = _read(piece)
    chunk, metadata = _said(_text(read), _fragments(read)), _ending(read)
    if read.usage is None and not metadata:
        return chunk
    chunk = chunk or AIMessageChunk("")
    chunk.response_metadata = metadata
    chunk.usage_metadata = read.usage.metadata() if read.usage is not None else None
    return chunk


def parse_completion(piece: bytes) -> str | GenerationChunk | None:
    """What one piece of a completion adds: text, or a chunk that also says why it ended and what it cost.

    None if it adds nothing. Raises `ModelError` if the piece is an error or cannot be read.
    """
    read = _read(piece)
    text = (read.choices[0].text if read.choices else None) or ""
    info = _ending(read)
    if read.usage is not None:
        info["usage_metadata"] = read.usage.metadata()
    return GenerationChunk(text, info) if info else text or None


class ChatPieces:
    """A chat's pieces gathered to what a model streams: text and fragments of calls, and one last chunk.

    Usage and metadata are held back from `feed` for `last`, so that text chunks carry text alone. A call
    that came without an id gets one: its answer has to quote it.
    """

    def __init__(self) -> None:
        self._usage: UsageMetadata | None = None
        self._metadata: dict[str, Any] = {}
        self._calls: set[int | str | None] = set()

    def feed(self, piece: bytes) -> AIMessageChunk | None:
        """The text or the fragments in this piece, or None if it has neither. Raises as `parse_chat` does."""
        read = _read(piece)
        if read.usage is not None:
            self._usage = read.usage.metadata()
        self._metadata |= _ending(read)
        fragments = _fragments(read)
        for fragment in fragments:
            if fragment.index not in self._calls:
                self._calls.add(fragment.index)
                fragment.id = fragment.id or f"call_{uuid4().hex}"
        return _said(_text(read), fragments)

    def last(self) -> AIMessageChunk:
        """The empty chunk that ends the stream, with `usage_metadata` and `response_metadata` as far as told.

        Without a finish reason in it the answer was cut. That of an answer which ended with calls says so.
        """
        if self._calls and self._metadata.get("finish_reason") == "stop":
            self._metadata["finish_reason"] = "tool_calls"
        return AIMessageChunk(
            content="", chunk_position="last", usage_metadata=self._usage, response_metadata=self._metadata
        )


def _read(piece: bytes) -> _Piece:
    try:
        read = _decode(piece)
    except msgspec.DecodeError as error:
        raise ModelError(f"The local model sent a piece that cannot be read: {_shown(piece)}") from error
    if read.error is not None:
        raise parse_error(piece)
    return read


def _text(read: _Piece) -> str:
    delta = read.choices[0].delta if read.choices else None
    return (delta.content or "") if delta is not None else ""


def _fragments(read: _Piece) -> Sequence[ToolCallChunk]:
    delta = read.choices[0].delta if read.choices else None
    if delta is None or not delta.tool_calls:
        return ()
    return [_fragment(each, each.function or _Function()) for each in delta.tool_calls]


def _fragment(given: _Fragment, function: _Function) -> ToolCallChunk:
    return ToolCallChunk(function.name or None, function.arguments, given.id or None, given.index)


def _said(text: str, fragments: Sequence[ToolCallChunk]) -> AIMessageChunk | None:
    if fragments:
        return AIMessageChunk(text, tool_call_chunks=list(fragments))
    return AIMessageChunk(content=text) if text else None


def _ending(read: _Piece) -> dict[str, Any]:
    reason = read.choices[0].finish_reason if read.choices else None
    if reason is None:
        return {}
    named = {"model_name": read.model} if read.model is not None else {}
    return {"finish_reason": reason, **named}


def _shown(piece: bytes) -> str:
    return piece[:200].decode("utf-8", "replace")
