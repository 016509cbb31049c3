"""Messages and parameters to the body of a request, as the server reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from millstream.errors import InputError
from millstream.messages import AIMessage, BaseMessage, ChatMessage, ToolMessage

# Usage comes in the last pieces. Progress pieces come during the prompt: each is a chance to stop.
_STREAMING = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}

_ROLES = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "ToolMessageChunk": "tool",
}


def chat_request(
    messages: Sequence[BaseMessage],
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    stop: Sequence[str] | None = None,
    json_schema: Mapping[str, Any] | None = None,
    response_format: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of a chat that streams its answer to `messages`.

    What is None is left to the server: `max_tokens` goes as far as the context then. `json_schema` lets the
    model write nothing but JSON of that schema, and is short for the `response_format` of OpenAI's API that
    says so. `extra` holds further fields, and overrides all others. Raises `InputError` for a message of a
    kind that has no role, or for what JSON cannot hold.
    """
    if json_schema is not None:
        response_format = {"type": "json_schema", "json_schema": {"schema": json_schema}}
    body: dict[str, Any] = {"messages": [_message(message) for message in messages]}
    body |= _parameters(max_tokens, temperature, seed, stop)
    if response_format is not None:
        body["response_format"] = response_format
    return _encoded(body, extra)


def completion_request(
    prompt: str,
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    stop: Sequence[str] | None = None,
    json_schema: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of a completion that streams how `prompt` goes on. Arguments and errors as for a chat."""
    body: dict[str, Any] = {"prompt": prompt} | _parameters(max_tokens, temperature, seed, stop)
    if json_schema is not None:
        # The server ignores `response_format` here.
        body["json_schema"] = json_schema
    return _encoded(body, extra)


def _parameters(
    max_tokens: int | None, temperature: float | None, seed: int | None, stop: Sequence[str] | None
) -> dict[str, Any]:
    if isinstance(stop, str):
        stop = [stop]
    given = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed, "stop": stop or None}
    return {name: value for name, value in given.items() if value is not None}


def _message(message: BaseMessage) -> dict[str, Any]:
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(message.type)
    if role is None:
        raise InputError(f"A model takes no {type(message).__name__}: it has no role.")
    # The model's template joins text blocks and refuses others; strings between them are no blocks to it.
    content = message.content
    if isinstance(content, list):
        content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
    built: dict[str, Any] = {"role": role, "content": content}
    if message.name is not None:
        built["name"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        built["tool_calls"] = [_tool_call(call.id, call.name, call.args) for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        built["tool_call_id"] = message.tool_call_id
    return built


def _tool_call(call_id: str | None, name: str, args: dict[str, Any]) -> dict[str, Any]:
    arguments = msgspec.json.encode(args).decode()
    return {"id": call_id or "", "type": "function", "function": {"name": name, "arguments": arguments}}


def _encoded(body: dict[str, Any], extra: Mapping[str, Any] | None) -> bytes:
    try:
        return msgspec.json.encode(_STREAMING | body | dict(extra or {}))
    except TypeError as error:
        raise InputError(f"The request cannot be written as JSON: {error}.") from error
