"""Recorded answers of a provider's, as the bytes of their events: what both wires say of the same words."""

import json
from collections.abc import Sequence
from typing import Any


def openai_events(words: Sequence[str]) -> list[bytes]:
    """A chat of OpenAI's: a piece for each word, between the role and what it cost."""
    pieces = [_piece({"role": "assistant", "content": "", "refusal": None})]
    pieces += [_piece({"content": word}) for word in words]
    pieces += [_piece({}, finish="stop"), {**_piece({}), "choices": [], "usage": _COST}]
    return [_event(piece) for piece in pieces] + [b"data: [DONE]\n\n"]


def anthropic_events(words: Sequence[str]) -> list[bytes]:
    """A message of Anthropic's: a block of text, a delta for each word."""
    usage = {"input_tokens": 12, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
        for word in words
    ]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        block,
        {"type": "ping"},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": len(words)}},
        {"type": "message_stop"},
    ]
    return [b"event: %s\n" % event["type"].encode() + _event(event) for event in events]


_COST = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
_COST |= {"prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}}


def _piece(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-C9a8xS1b2d3e4f5g6h7i8j9k0l",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_44added55e",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "aX9kQ2",
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % json.dumps(value, separators=(",", ":")).encode()
