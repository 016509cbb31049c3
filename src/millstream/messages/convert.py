"""Everything that people write for messages, into messages."""

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.errors import InputError
from millstream.messages.ai import AIMessage
from millstream.messages.arguments import parse_arguments
from millstream.messages.base import BaseMessage
from millstream.messages.calls import InvalidToolCall, ToolCall
from millstream.messages.kinds import HumanMessage, SystemMessage, ToolMessage
from millstream.messages.prompt_value import PromptValue
from millstream.messages.serialise import message_from_dict

MessageLike = BaseMessage | str | tuple[str, Any] | list[Any] | dict[str, Any]
"""One message as people write it. See `convert_to_messages`."""

_ROLES: dict[str, type[BaseMessage]] = {
    "human": HumanMessage,
    "user": HumanMessage,
    "ai": AIMessage,
    "assistant": AIMessage,
    "system": SystemMessage,
    "developer": SystemMessage,
    "tool": ToolMessage,
}

_ACCEPTED = (
    "Messages are given as a text, a message, a (role, content) pair, a dict with 'role' and 'content', "
    "a prompt value, or a list of these"
)


def convert_to_messages(given: Any) -> list[BaseMessage]:
    """The messages that `given` stands for, in a new list.

    Accepts a text (a human message), a message, a pair `("human", "hi")`, a dict with `role` and `content`
    (the shape of OpenAI's API, tool calls and tool answers included), what `message_to_dict` gives, a prompt
    value or anything else with `to_messages()`, and any iterable of these. Raises `InputError` otherwise.
    """
    if isinstance(given, PromptValue):  # first, since a chain's model asks this at each call
        return given.to_messages()
    if isinstance(given, (str, BaseMessage, Mapping)) or hasattr(given, "to_messages"):
        return _convert(given)
    if isinstance(given, tuple) and _is_pair(given):
        return _convert(given)
    if not isinstance(given, Iterable):
        raise _refusal(given)
    items = list(given)
    if all(isinstance(item, BaseMessage) for item in items):
        return items
    return [message for item in items for message in _convert(item)]


def _convert(item: Any) -> list[BaseMessage]:
    if isinstance(item, BaseMessage):
        return [item]
    if isinstance(item, str):
        return [HumanMessage(item)]
    if isinstance(item, Mapping):
        return [_from_mapping(item)]
    if _is_pair(item):
        return [_make(item[0], item[1], {})]
    if hasattr(item, "to_messages"):
        return list(item.to_messages())
    raise _refusal(item)


def _refusal(item: Any) -> InputError:
    return InputError(f"{_ACCEPTED}; this is {type(item).__name__}: {item!r:.80}.")


def _is_pair(item: Any) -> bool:
    return isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], str)


def _from_mapping(item: Mapping[str, Any]) -> BaseMessage:
    if "data" in item and "role" not in item:
        return message_from_dict(item)
    rest = dict(item)
    role = rest.pop("role", None) or rest.pop("type", None)
    if not isinstance(role, str) or "content" not in rest:
        keys = ", ".join(map(repr, item))
        raise InputError(f"A message's dict has a 'role' and a 'content'; this one has {keys or 'nothing'}.")
    return _make(role, rest.pop("content"), rest)


def _make(role: str, content: Any, rest: dict[str, Any]) -> BaseMessage:
    kind = _ROLES.get(role)
    if kind is None:
        raise InputError(f"{role!r} is no role of a message. The roles are {', '.join(_ROLES)}.")
    calls = rest.pop("tool_calls", None) or []
    fields = {name: rest.pop(name) for name in kind.__struct_fields__ if rest.get(name) is not None}
    # What no field takes travels on for the provider, as OpenAI's `refusal` or `audio`.
    extra = {name: value for name, value in rest.items() if value is not None}
    if role == "developer":
        extra["__openai_role__"] = "developer"
    if extra:
        fields["additional_kwargs"] = {**fields.get("additional_kwargs", {}), **extra}
    if kind is AIMessage and calls:
        _take_calls(fields, calls)
    elif kind is ToolMessage and "tool_call_id" not in fields:
        raise InputError("A message of the role 'tool' needs the 'tool_call_id' that it answers.")
    return kind(content="" if content is None else content, **fields)


def _take_calls(fields: dict[str, Any], calls: Iterable[Any]) -> None:
    good: list[ToolCall] = []
    bad: list[InvalidToolCall] = list(fields.get("invalid_tool_calls", ()))
    for call in calls:
        if not (isinstance(call, Mapping) and "function" in call):
            good.append(ToolCall.of(call))
            continue
        function, call_id = call["function"], call.get("id")
        written = function.get("arguments")
        args = dict(written) if isinstance(written, Mapping) else parse_arguments(written)
        if args is None:
            bad.append(InvalidToolCall(function.get("name"), str(written), call_id))
        else:
            good.append(ToolCall(function.get("name") or "", args, call_id))
    fields["tool_calls"] = good
    if bad:
        fields["invalid_tool_calls"] = bad
