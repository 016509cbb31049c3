"""How a tool is asked, and what it answers: pure functions of the input and the result."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from millstream.errors import ToolInputError
from millstream.messages import ToolMessage
from millstream.messages.calls import is_tool_call

Status = Literal["success", "error"]

# What a list of content may hold, as models take it.
_BLOCKS = frozenset({"text", "image", "image_url", "file", "document", "json", "search_result"})


def given_by(input: Any, tool: str) -> Mapping[str, Any] | str:
    """The arguments that an input holds, by name or as one text. Raises `ToolInputError` if it holds none."""
    given = (input.get("args") or {}) if is_tool_call(input) else input
    if isinstance(given, (str, Mapping)):
        return given
    kind = type(given).__name__
    said = f"The tool {tool!r} takes its arguments as a dict, as one text, or in a ToolCall, not as {kind}."
    raise ToolInputError(said, tool=tool)


def named(text: str, names: Sequence[str], required: Sequence[str], tool: str) -> dict[str, str]:
    """A text as an argument: the only one, or the first if the others can be left away."""
    if not names:  # nothing to say, and many a model says it as a text
        return {}
    first = names[0]
    if set(required) - {first}:
        listed = ", ".join(names)
        said = f"The tool {tool!r} takes several arguments ({listed}): give a dict, and not one text."
        raise ToolInputError(said, tool=tool)
    return {first: text}


def answered(input: Any, name: str, content: Any, artifact: Any = None, status: Status = "success") -> Any:
    """What the caller gets: a `ToolMessage` for a `ToolCall`, the content itself for anything else."""
    if not is_tool_call(input) or isinstance(content, ToolMessage) or _all_messages(content):
        return content
    return ToolMessage(
        content=content_of(content),
        tool_call_id=input.get("id") or "",
        name=name,
        artifact=artifact,
        status=status,
    )


def content_of(result: Any) -> str | list[Any]:
    """A result as a message's content: texts and lists of blocks as they are, else JSON, else `str`."""
    if isinstance(result, str):
        return result
    if isinstance(result, (list, tuple)) and all(_is_block(each) for each in result):
        return list(result)
    try:
        return json.dumps(result, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(result)


def _is_block(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and value.get("type") in _BLOCKS)


def _all_messages(content: Any) -> bool:
    return isinstance(content, list) and bool(content) and all(isinstance(e, ToolMessage) for e in content)
