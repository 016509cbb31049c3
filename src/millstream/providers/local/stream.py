"""The server's pieces, as bytes, to chunks and texts. Reads no more of a piece than is used.

A chat answers with these pieces, in this order (a completion likewise, with `text` for `delta`):

1. progress on the prompt, `choices[0].delta` without content and `prompt_progress` beside it;
2. one piece that names the role, its content null;
3. one piece a token, `choices[0].delta.content`; a token that ends inside a character is held back;
4. one piece with `finish_reason` ("stop", "length") and an empty delta;
5. if the request asked for it, `usage` with empty `choices` (a completion: in piece 4).

A refusal is one piece `{"error": {"code", "message", "type"}}`, alone or in the middle.
"""

from typing import Any

import msgspec

from millstream.errors import ContextLengthError, ModelError
from millstream.messages import AIMessageChunk, UsageMetadata
from millstream.outputs import GenerationChunk


class _Delta(msgspec.Struct):
    content: str | None = None


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
    """What one piece of a chat adds: text, the finish reason with the model's name, usage; else None.

    Raises `ModelError` if the piece is an error or cannot be read.
    """
    read = _read(piece)
    text, metadata = _text(read), _ending(read)
    if read.usage is not None:
        return AIMessageChunk(content=text, response_metadata=metadata, usage_metadata=read.usage.metadata())
    if metadata:
        return AIMessageChunk(content=text, response_metadata=metadata)
    return AIMessageChunk(content=text) if text else None


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
    """A chat's pieces gathered to what a model streams: chunks of text, and one last chunk with the rest.

    Usage and metadata are held back from `feed` for `last`, so that text chunks carry text alone.
    """

    def __init__(self) -> None:
        self._usage: UsageMetadata | None = None
        self._metadata: dict[str, Any] = {}

    def feed(self, piece: bytes) -> AIMessageChunk | None:
        """The chunk of text in this piece, or None if it has none. Raises as `parse_chat` does."""
        read = _read(piece)
        if read.usage is not None:
            self._usage = read.usage.metadata()
        self._metadata |= _ending(read)
        text = _text(read)
        return AIMessageChunk(content=text) if text else None

    def last(self) -> AIMessageChunk:
        """The empty chunk that ends the stream, with `usage_metadata` and `response_metadata` as far as told.

        Without a finish reason in it the answer was cut.
        """
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


def _ending(read: _Piece) -> dict[str, Any]:
    reason = read.choices[0].finish_reason if read.choices else None
    if reason is None:
        return {}
    named = {"model_name": read.model} if read.model is not None else {}
    return {"finish_reason": reason, **named}


def _shown(piece: bytes) -> str:
    return piece[:200].decode("utf-8", "replace")
