"""What the items of one run tell, as typed events: plain objects that are fed items and return events.

Of the run that was started, `answer` is the list of the texts that were told as its answer; of others None.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from millstream.events.schema import (
    ReasoningDelta,
    RunEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallReady,
    ToolCallStarted,
    ToolOutputDelta,
    ToolResult,
)
from millstream.events.tree import OpenRun
from millstream.kernel.sources import AddableDict
from millstream.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from millstream.messages.ai import split_calls
from millstream.messages.conversation import Conversation
from millstream.messages.merge_calls import GatheredCall, GatheredCalls

# Where providers put what a model thinks: the types of blocks, with the key of the text in them.
_REASONING_BLOCKS = {"thinking": "thinking", "reasoning": "reasoning"}


class ModelDeltas:
    """What a model's run tells: text, reasoning and tool calls."""

    def __init__(self, run: OpenRun, name: str, answer: list[str] | None) -> None:
        self._ids: dict[str, Any] = {"run_id": run.run_id, "parent_ids": run.parent_ids}
        self._is_answer = answer is not None
        self._fed = False
        self.calls = GatheredCalls()
        self._started: set[int] = set()

    def feed(self, item: Any, replaces: bool = False) -> Iterator[RunEvent]:
        """What a chunk tells."""
        self._fed = True
        is_message = isinstance(item, AIMessage)
        if is_message and (reasoning := _reasoning_of(item)):
            yield ReasoningDelta(text=reasoning, **self._ids)
        text = text_of(item)
        if text:
            yield TextDelta(text=text, is_answer=self._is_answer, **self._ids)
        if is_message:
            yield from self._calls_of(item)

    def end(self, output: Any) -> Iterator[RunEvent]:
        """What the whole answer tells that was not told yet."""
        if not self._fed:  # it was asked for its answer, and did not stream
            yield from self.feed(output)
        for call in self.calls.calls:
            yield from self._start(call)
            good, bad = split_calls([call.chunk()])
            args = good[0].args if good else {}
            error = None if good else bad[0].error or "The arguments are no JSON object, or were cut off."
            yield ToolCallReady(
                index=call.position, name=call.name or "", args=args, id=call.id, error=error, **self._ids
            )

    def _calls_of(self, message: AIMessage) -> Iterator[RunEvent]:
        if not isinstance(message, AIMessageChunk):
            message = AIMessageChunk(
                "", tool_calls=message.tool_calls, invalid_tool_calls=message.invalid_tool_calls
            )
        for fragment in message.tool_call_chunks:
            call = self.calls.add(fragment)
            if call is None:
                continue
            if call.position in self._started:
                if fragment.args:
                    yield self._delta(call, len(call.args) - 1)
            elif call.name:
                yield from self._start(call)

    def _start(self, call: GatheredCall) -> Iterator[RunEvent]:
        """That a call begins, and what came of its arguments before its name did."""
        if call.position not in self._started:
            self._started.add(call.position)
            yield ToolCallStarted(index=call.position, name=call.name or "", id=call.id, **self._ids)
            for piece, args in enumerate(call.args):
                if args:
                    yield self._delta(call, piece)

    def _delta(self, call: GatheredCall, piece: int) -> RunEvent:
        return ToolCallDelta(index=call.position, args=call.args[piece], piece=piece, **self._ids)


class ToolDeltas:
    """What a tool's run tells: pieces of its output, and the result."""

    def __init__(self, run: OpenRun, name: str, answer: list[str] | None) -> None:
        self._ids: dict[str, Any] = {"run_id": run.run_id, "parent_ids": run.parent_ids}
        self._name = name
        self._answer = None if answer is None else AnswerDeltas(run, answer)

    def feed(self, item: Any, replaces: bool = False) -> Iterator[RunEvent]:
        """What a piece of the output tells."""
        if self._answer is not None:
            yield from self._answer.feed(item, replaces)
        if not replaces:  # else it is the result behind the pieces
            yield ToolOutputDelta(name=self._name, output=item, **self._ids)

    def end(self, output: Any) -> Iterator[RunEvent]:
        """What the result tells."""
        call_id = output.tool_call_id if isinstance(output, ToolMessage) else None
        yield ToolResult(name=self._name, output=output, tool_call_id=call_id, **self._ids)


class AnswerDeltas:
    """What the items of the run's own answer tell, if they are text. `told` is the text that was told."""

    def __init__(self, run: OpenRun, told: list[str]) -> None:
        self._ids: dict[str, Any] = {"run_id": run.run_id, "parent_ids": run.parent_ids}
        self._told = told
        # The first of these texts, as one.
        self._joined, self._before = 0, ""

    def feed(self, item: Any, replaces: bool = False) -> Iterator[RunEvent]:
        """The text that an item adds; with `replaces`, it stands for all that came before."""
        text = text_of(item)
        if text and replaces:
            # Text that does not go on from what was told cannot be told as more of it.
            before = self._told_before()
            text = text[len(before) :] if text.startswith(before) else ""
        if text:
            yield TextDelta(text=text, **self._ids)

    def _told_before(self) -> str:
        self._before += "".join(self._told[self._joined :])
        self._joined = len(self._told)
        return self._before

    def end(self, output: Any) -> Iterator[RunEvent]:
        """Nothing: all was told."""
        yield from ()


def text_of(item: Any) -> str:
    """The text of an item of a stream; "" if it is none."""
    if type(item) is AIMessageChunk and type(item.content) is str:  # nearly all
        return item.content
    if isinstance(item, str):
        return str(item)
    if isinstance(item, AddableDict):  # an agent's, perhaps
        item = item.get("messages")
    return item.text if isinstance(item, (BaseMessage, Conversation)) else ""


def _reasoning_of(message: AIMessage) -> str:
    if isinstance(message.content, str):
        told = message.additional_kwargs.get("reasoning_content")
        return told if isinstance(told, str) else ""
    parts = [
        block.get(_REASONING_BLOCKS[block["type"]], "")
        for block in message.content
        if isinstance(block, dict) and block.get("type") in _REASONING_BLOCKS
    ]
    return "".join(part for part in parts if isinstance(part, str))
