"""The JSON of an answer, or of a piece of one, as structs that hold what is used of it.

Servers that speak OpenAI's wire disagree about the types of nearly all fields. So a leaf may be anything
and is looked at where it is used, and of an envelope that is not as it should be the rest is kept
(`read_piece`).
"""

import json
from typing import Any

import msgspec

from millstream.errors import ProviderError
from millstream.messages import UsageMetadata
from millstream.providers.refusals import refused, without_keys, words_and_names


class Delta(msgspec.Struct):
    """What a piece adds to a message; of a whole answer, the message."""

    content: Any = None
    reasoning_content: Any = None  # DeepSeek, vLLM, llama.cpp
    reasoning: Any = None  # OpenRouter, Groq, newer vLLM
    reasoning_details: Any = None  # OpenRouter
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None  # before tool calls
    annotations: Any = None
    audio: Any = None
    images: Any = None  # OpenRouter


class Choice(msgspec.Struct):
    """One of the answers: what a piece adds to it."""

    index: Any = 0
    delta: Delta | None = None
    message: Delta | None = None  # of a whole answer
    text: Any = None  # of a completion
    finish_reason: Any = None
    logprobs: Any = None
    usage: Any = None  # Moonshot
    error: Any = None  # OpenRouter


class Piece(msgspec.Struct):
    """A piece of a stream, or a whole answer."""

    choices: list[Choice] | None = None
    id: Any = None
    object: Any = None
    model: Any = None
    system_fingerprint: Any = None
    service_tier: Any = None
    usage: Any = None
    error: Any = None
    citations: Any = None  # Perplexity, xAI
    prompt_filter_results: Any = None  # Azure
    x_groq: Any = None  # Groq: usage and errors


_decode = msgspec.json.Decoder(Piece).decode
_decode_any = msgspec.json.Decoder().decode


def read_piece(data: str | bytes) -> Piece:
    """The piece that `data` is. Raises the error that it stands for; `ProviderError` if it is no JSON."""
    try:
        piece = _decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        piece = _mended(data)
    if piece.error or piece.object == "error" or piece.x_groq:
        _raise_error(piece, data)
    return piece


def error_of(data: str | bytes) -> ProviderError:
    """The typed error that an event stands for, whose name or content says that it is one."""
    try:
        told = _decode_any(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        told = shown(data)
    message, names = words_and_names(told)
    return refused(message or "The provider sent an error without words.", names)


def shown(data: str | bytes) -> str:
    """The beginning of what was sent, for a message."""
    return without_keys(data[:200] if isinstance(data, str) else data[:200].decode("utf-8", "replace"))


def usage_of(told: Any) -> UsageMetadata | None:
    """What an answer cost; None if `told` says nothing of it."""
    if not isinstance(told, dict):
        return None
    given = (told.get("prompt_tokens"), told.get("completion_tokens"), told.get("total_tokens"))
    counts = [_count(count) for count in given]
    if counts == [None, None, None]:
        return None
    asked = _details(told.get("prompt_tokens_details"), _ASKED_NAMES)
    cached = _count(told.get("prompt_cache_hit_tokens"))  # DeepSeek
    if cached is not None:
        asked.setdefault("cache_read", cached)
    said = _details(told.get("completion_tokens_details"), {})
    asked_tokens, said_tokens, total = (count or 0 for count in counts)
    return UsageMetadata(asked_tokens, said_tokens, total, asked, said)


# Under LangChain's names.
_ASKED_NAMES = {"cached_tokens": "cache_read", "cache_write_tokens": "cache_creation"}


def _details(told: Any, names: dict[str, str]) -> dict[str, int]:
    """The counts by their names: "audio_tokens" is "audio"."""
    found: dict[str, Any] = told if isinstance(told, dict) else {}
    return {
        names.get(name, name.removesuffix("_tokens")): count
        for name, given in found.items()
        if (count := _count(given)) is not None
    }


def _count(given: Any) -> int | None:
    return int(given) if isinstance(given, (int, float)) and 0 <= given < 2**63 else None


def _raise_error(piece: Piece, data: str | bytes) -> None:
    if piece.error or piece.object == "error":
        raise error_of(data)
    if not isinstance(piece.x_groq, dict):
        return
    if piece.x_groq.get("error"):
        message, names = words_and_names(piece.x_groq)
        raise refused(message, names)
    piece.usage = piece.usage or piece.x_groq.get("usage")


def _mended(data: str | bytes) -> Piece:
    """The piece without what is not as it should be."""
    try:
        held = _decode_loosely(data)
    except (RecursionError, ValueError) as error:
        raise ProviderError(f"The provider sent what is no JSON: {shown(data)}") from error
    if not isinstance(held, dict):
        return Piece()
    choices = held.get("choices")
    known = {name: held[name] for name in Piece.__struct_fields__ if name in held}
    known["choices"] = [
        _mended_choice(each)
        for each in (choices if isinstance(choices, list) else ())
        if isinstance(each, dict)
    ]
    return Piece(**known)


def _mended_choice(held: dict[str, Any]) -> Choice:
    known = {name: held[name] for name in Choice.__struct_fields__ if name in held}
    for name in ("delta", "message"):
        given = known.get(name)
        # All of its fields are of any type.
        known[name] = msgspec.convert(given, Delta) if isinstance(given, dict) else None
    return Choice(**known)


def _decode_loosely(data: str | bytes) -> Any:
    """The JSON, also with numbers that JSON has not, such as -Infinity; half characters are mended."""
    held = json.loads(data if isinstance(data, str) else data.decode("utf-8", "replace"))
    text = json.dumps(held, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
