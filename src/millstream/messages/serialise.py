"""Messages to plain dicts and back, and messages as lines of text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from millstream.errors import InputError
from millstream.messages.ai import AIMessage, AIMessageChunk
from millstream.messages.base import BaseMessage
from millstream.messages.calls import Keyed
from millstream.messages.kinds import (
    ChatMessage,
    ChatMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)

AnyMessage = (
    HumanMessage
    | AIMessage
    | SystemMessage
    | ToolMessage
    | ChatMessage
    | HumanMessageChunk
    | AIMessageChunk
    | SystemMessageChunk
    | ToolMessageChunk
    | ChatMessageChunk
)
"""Every kind of message there is: `msgspec.json.decode(data, type=AnyMessage)` reads what was encoded."""

_KINDS: dict[str, type[BaseMessage]] = {
    kind.type: kind
    for kind in (
        HumanMessage,
        AIMessage,
        SystemMessage,
        ToolMessage,
        ChatMessage,
        HumanMessageChunk,
        AIMessageChunk,
        SystemMessageChunk,
        ToolMessageChunk,
        ChatMessageChunk,
    )
}


def message_to_dict(message: BaseMessage) -> dict[str, Any]:
    """`{"type": ..., "data": {...}}`, which `messages_from_dict` reads; plain values, ready for JSON."""
    data = {name: _plain(getattr(message, name)) for name in message.__struct_fields__}
    return {"type": message.type, "data": {**data, "type": message.type}}


def messages_to_dict(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """`message_to_dict` of each."""
    return [message_to_dict(message) for message in messages]


def message_from_dict(data: Mapping[str, Any]) -> BaseMessage:
    """The message that `message_to_dict` gave. Fields it does not know are left out.

    Raises `InputError` if the dict has another shape, names an unknown type, or lacks a field.
    """
    kind = _KINDS.get(data.get("type", ""))
    fields = data.get("data")
    if kind is None or not isinstance(fields, Mapping):
        known = ", ".join(sorted(_KINDS))
        raise InputError(f'A message is read from {{"type": ..., "data": {{...}}}}, its type one of {known}.')
    try:
        return kind(**{name: fields[name] for name in kind.__struct_fields__ if name in fields})
    except TypeError as error:
        raise InputError(f"This dict is no {kind.__name__}: {error}.") from error


def messages_from_dict(messages: Iterable[Mapping[str, Any]]) -> list[BaseMessage]:
    """`message_from_dict` of each."""
    return [message_from_dict(message) for message in messages]


def get_buffer_string(
    messages: Sequence[BaseMessage],
    human_prefix: str = "Human",
    ai_prefix: str = "AI",
    *,
    system_prefix: str = "System",
    tool_prefix: str = "Tool",
    message_separator: str = "\n",
) -> str:
    """The messages as text for a model that takes no messages: "Human: ..." lines, one a message.

    Only the text of a content is shown; the tool calls of a model's message follow its text.
    """
    lines = []
    for message in messages:
        prefix, calls = message.type, ""
        if isinstance(message, HumanMessage):
            prefix = human_prefix
        elif isinstance(message, AIMessage):
            prefix, calls = ai_prefix, str(_plain(message.tool_calls)) if message.tool_calls else ""
        elif isinstance(message, SystemMessage):
            prefix = system_prefix
        elif isinstance(message, ToolMessage):
            prefix = tool_prefix
        elif isinstance(message, ChatMessage):
            prefix = message.role
        lines.append(f"{prefix}: {message.text}{calls}")
    return message_separator.join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, Keyed):
        return dict(value.items())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
