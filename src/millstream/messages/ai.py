"""The model's messages: an answer with its tool calls and usage, and the chunks it streams in."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from millstream.messages.arguments import parse_arguments, write_arguments
from millstream.messages.base import BaseMessage, BaseMessageChunk
from millstream.messages.calls import (
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
    UsageMetadata,
    calls_on_read,
    usage_on_read,
)
from millstream.messages.fields import UNMADE, made_on_read
from millstream.messages.merge_calls import merge_tool_call_chunks, merge_usage


class AIMessage(BaseMessage, kw_only=True, tag="ai"):
    """What the model says, the tools it wants called, and what the call cost.

    Tool calls and usage may be given as plain dicts; they are read as structs.
    """

    type: ClassVar[str] = "ai"

    tool_calls: list[ToolCall] = UNMADE
    """The calls that the model wants made; of a chunk, with what there is of their arguments."""
    invalid_tool_calls: list[InvalidToolCall] = UNMADE
    """The calls that cannot be made: their arguments are no JSON object, or were cut off."""
    usage_metadata: UsageMetadata | None = None
    """What the call cost, in tokens. A model's answer has it always; of its chunks, mostly the last one."""

    def pretty_repr(self) -> str:
        """The message as a person reads it, with its tool calls."""
        lines = [super().pretty_repr().strip()]
        if self.tool_calls:
            lines.append("Tool Calls:")
        for call in self.tool_calls:
            lines.extend(_call_lines(call))
        if self.invalid_tool_calls:
            lines.append("Invalid Tool Calls:")
        for invalid in self.invalid_tool_calls:
            lines.extend(_call_lines(invalid))
        return "\n".join(lines).strip()


_CALLS = made_on_read(AIMessage, "tool_calls", calls_on_read(ToolCall))
_INVALID = made_on_read(AIMessage, "invalid_tool_calls", calls_on_read(InvalidToolCall))
_USAGE = made_on_read(AIMessage, "usage_metadata", usage_on_read)
# The slot under a name of its own: reading it costs a tenth of the property, and models ask once a chunk.
AIMessage._held_usage = _USAGE  # type: ignore[attr-defined]


class AIMessageChunk(AIMessage, BaseMessageChunk, kw_only=True, tag="AIMessageChunk"):
    """A piece of an `AIMessage`, as a model streams it. Pieces add up: `a + b`, or `merge_chunks(pieces)`.

    `tool_calls` and `invalid_tool_calls` are read from the fragments in `tool_call_chunks` when somebody
    asks.
    """

    type: ClassVar[str] = "AIMessageChunk"

    tool_call_chunks: list[ToolCallChunk] = UNMADE
    """The fragments of tool calls that came with this piece; in a sum, one for each call."""
    chunk_position: Literal["last"] | None = None
    """`"last"` on the piece that ends an answer."""

    @classmethod
    def _merged_fields(cls, items: Sequence[Any]) -> dict[str, Any]:
        fields = super()._merged_fields(items)
        with_calls = [item for item in items if _FRAGMENTS(item) or _calls(item) or _invalid(item)]
        fragments = [fragment for item in with_calls for fragment in item.tool_call_chunks]
        fields["tool_call_chunks"] = merge_tool_call_chunks(fragments) if fragments else UNMADE
        # What was read from the fragments of one piece says nothing about the whole.
        fields["tool_calls"] = fields["invalid_tool_calls"] = UNMADE
        usages = [item.usage_metadata for item in items if _usage(item) is not None]
        fields["usage_metadata"] = merge_usage([usage for usage in usages if usage is not None])
        fields["chunk_position"] = "last" if any(item.chunk_position for item in items) else None
        return fields


_calls, _invalid, _usage = _CALLS.__get__, _INVALID.__get__, _USAGE.__get__
_make_calls = calls_on_read(ToolCall)
_make_invalid = calls_on_read(InvalidToolCall)
_make_fragments = calls_on_read(ToolCallChunk)


def _read_fragments(chunk: AIMessageChunk, held: Any) -> list[ToolCallChunk]:
    if not held and (_calls(chunk) or _invalid(chunk)):
        # A chunk that was made with whole calls merges as if it had been made with their fragments.
        calls, invalid = _make_calls(chunk, _calls(chunk)), _make_invalid(chunk, _invalid(chunk))
        whole = [ToolCallChunk(call.name, write_arguments(call.args), call.id) for call in calls]
        return whole + [ToolCallChunk(call.name, call.args, call.id) for call in invalid]
    made: list[ToolCallChunk] = _make_fragments(chunk, held)
    return made


def _read_calls(chunk: AIMessageChunk, held: Any) -> list[ToolCall]:
    if not held and _FRAGMENTS(chunk):
        return _calls_so_far(chunk)[0]
    made: list[ToolCall] = _make_calls(chunk, held)
    return made


def _read_invalid(chunk: AIMessageChunk, held: Any) -> list[InvalidToolCall]:
    if not held and _FRAGMENTS(chunk):
        return _calls_so_far(chunk)[1]
    made: list[InvalidToolCall] = _make_invalid(chunk, held)
    return made


_FRAGMENTS = made_on_read(AIMessageChunk, "tool_call_chunks", _read_fragments).__get__
made_on_read(AIMessageChunk, "tool_calls", _read_calls, _CALLS)
made_on_read(AIMessageChunk, "invalid_tool_calls", _read_invalid, _INVALID)


def _calls_so_far(chunk: AIMessageChunk) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    # While an answer is written, its arguments are read as far as they go. Once it has ended, a call whose
    # arguments have not is one that cannot be made.
    return split_calls(chunk.tool_call_chunks, partial=chunk.chunk_position is None)


def split_calls(
    fragments: Sequence[ToolCallChunk], *, partial: bool = False
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """The calls whose arguments can be read, as far as they go if `partial`, and the others, in order."""
    good: list[ToolCall] = []
    bad: list[InvalidToolCall] = []
    for fragment in fragments:
        args = parse_arguments(fragment.args, partial=partial)
        if args is None:
            bad.append(InvalidToolCall(fragment.name, fragment.args, fragment.id))
        else:
            good.append(ToolCall(fragment.name or "", args, fragment.id))
    return good, bad


def _call_lines(call: ToolCall | InvalidToolCall) -> list[str]:
    lines = [f"  {call.name} ({call.id})", f" Call ID: {call.id}"]
    if isinstance(call, InvalidToolCall) and call.error:
        lines.append(f"  Error: {call.error}")
    lines.append("  Args:")
    if isinstance(call.args, dict):
        lines.extend(f"    {name}: {value}" for name, value in call.args.items())
    elif call.args is not None:
        lines.append(f"    {call.args}")
    return lines
