"""The messages of people, of the system, of tools and of any other role, and their chunks."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from millstream.errors import InputError
from millstream.messages.base import BaseMessage, BaseMessageChunk
from millstream.messages.merge_values import merge_any


class HumanMessage(BaseMessage, kw_only=True, tag="human"):
    """What a person says to the model."""

    type: ClassVar[str] = "human"


class HumanMessageChunk(HumanMessage, BaseMessageChunk, kw_only=True, tag="HumanMessageChunk"):
    """A piece of a `HumanMessage`."""

    type: ClassVar[str] = "HumanMessageChunk"


class SystemMessage(BaseMessage, kw_only=True, tag="system"):
    """What the application tells the model about how to behave."""

    type: ClassVar[str] = "system"


class SystemMessageChunk(SystemMessage, BaseMessageChunk, kw_only=True, tag="SystemMessageChunk"):
    """A piece of a `SystemMessage`."""

    type: ClassVar[str] = "SystemMessageChunk"


class ChatMessage(BaseMessage, kw_only=True, tag="chat"):
    """A message of any other role, which `role` names."""

    type: ClassVar[str] = "chat"

    role: str
    """Who speaks."""


class ChatMessageChunk(ChatMessage, BaseMessageChunk, kw_only=True, tag="ChatMessageChunk"):
    """A piece of a `ChatMessage`. Pieces of different roles do not merge."""

    type: ClassVar[str] = "ChatMessageChunk"

    @classmethod
    def _merged_fields(cls, items: Sequence[Any]) -> dict[str, Any]:
        _require_one("roles", {item.role for item in items})
        return super()._merged_fields(items)


class ToolMessage(BaseMessage, kw_only=True, tag="tool"):
    """What a tool answered to a call. A content that is neither text nor a list becomes text."""

    type: ClassVar[str] = "tool"

    tool_call_id: str
    """The id of the call that it answers."""
    artifact: Any = None
    """The result for the program, which the model does not see."""
    status: Literal["success", "error"] = "success"
    """Whether the tool failed."""

    def __post_init__(self) -> None:
        if not isinstance(self.content, (str, list)):
            content: Any = self.content
            self.content = list(content) if isinstance(content, tuple) else str(content)
        if not isinstance(self.tool_call_id, str):
            self.tool_call_id = str(self.tool_call_id)


class ToolMessageChunk(ToolMessage, BaseMessageChunk, kw_only=True, tag="ToolMessageChunk"):
    """A piece of a `ToolMessage`. Answers to different calls do not merge; one error makes all an error."""

    type: ClassVar[str] = "ToolMessageChunk"

    @classmethod
    def _merged_fields(cls, items: Sequence[Any]) -> dict[str, Any]:
        _require_one("tool calls", {item.tool_call_id for item in items})
        fields = super()._merged_fields(items)
        fields["artifact"] = merge_any([item.artifact for item in items])
        fields["status"] = "error" if any(item.status == "error" for item in items) else "success"
        return fields


def _require_one(what: str, found: set[str]) -> None:
    if len(found) > 1:
        raise InputError(f"Chunks of different {what} do not merge: {', '.join(sorted(found))}.")
