"""Tool calls while a model writes them: arguments that grow, each character of them read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from millstream.errors import JsonError
from millstream.events.schema import EventsMissed, RunEvent, ToolCallDelta, ToolCallReady, ToolCallStarted
from millstream.messages.merge_calls import GatheredCall
from millstream.wire import JsonScanner, JsonSnapshots


class StreamedToolCall(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A tool call as far as a model has written it."""

    run_id: str
    """The model's run."""
    index: int
    """Which call of the model's answer it is, from 0."""
    name: str
    """The tool."""
    args: dict[str, Any]
    """The arguments so far, by name. They never change: the next state is another object."""
    id: str | None = None
    """The call's id, if it has come."""
    is_complete: bool = False
    """Whether this is the whole call."""
    error: str | None = None
    """What is wrong with the arguments of a whole call, if they cannot be read; `args` is empty then."""


class CallSoFar:
    """A call that was begun: the fragments of its arguments, and the event that says that it is whole."""

    __slots__ = ("call", "ready", "run_id")

    def __init__(self, run_id: str, call: GatheredCall) -> None:
        self.run_id = run_id
        self.call = call
        self.ready: ToolCallReady | None = None


class _Reading:
    """One reader's reading of one call."""

    def __init__(self, call: CallSoFar) -> None:
        self.call = call
        self._pieces = 0
        self._scanner = JsonScanner(prose=False)
        self._snapshots = JsonSnapshots()
        self._broken = False
        self._shown: dict[str, Any] | None = None

    def grown(self, pieces: int) -> Iterator[StreamedToolCall]:
        """The state after so many pieces of the arguments, if it is another one."""
        new, self._pieces = self.call.call.args[self._pieces : pieces], max(pieces, self._pieces)
        try:
            if not self._broken:
                self._snapshots.take(self._scanner.feed("".join(new)))
        except JsonError:  # told when the call is whole
            self._broken = True
        value = self._snapshots.value()
        args = value if isinstance(value, dict) else {}
        if args != self._shown:
            self._shown = args
            yield self._state(args)

    def whole(self, ready: ToolCallReady) -> StreamedToolCall:
        """The whole call."""
        return self._state(ready.args, is_complete=True, error=ready.error)

    def _state(self, args: dict[str, Any], **more: Any) -> StreamedToolCall:
        call = self.call.call
        return StreamedToolCall(self.call.run_id, call.position, call.name or "", args, call.id, **more)


class CallsReader:
    """One reader's reading of all calls of a run."""

    def __init__(self, calls: Sequence[CallSoFar]) -> None:
        self._calls = calls
        self._seen = 0
        self._open: dict[tuple[str, int], _Reading] = {}

    def read(self, event: RunEvent) -> Iterator[StreamedToolCall]:
        """The states that an event leads to."""
        if isinstance(event, ToolCallStarted | ToolCallDelta | ToolCallReady):
            self._begin()
            reading = self._open.get((event.run_id, event.index))
            if reading is not None:
                yield from self._states(reading, event)
        elif isinstance(event, EventsMissed):
            self._begin()
            for reading in list(self._open.values()):
                if reading.call.ready is not None:
                    yield from self._states(reading, reading.call.ready)

    def _begin(self) -> None:
        for call in self._calls[self._seen :]:
            self._open[call.run_id, call.call.position] = _Reading(call)
        self._seen = len(self._calls)

    def _states(
        self, reading: _Reading, event: ToolCallStarted | ToolCallDelta | ToolCallReady
    ) -> Iterator[StreamedToolCall]:
        if isinstance(event, ToolCallReady):
            del self._open[event.run_id, event.index]
            yield reading.whole(event)
        else:
            yield from reading.grown(event.piece + 1 if isinstance(event, ToolCallDelta) else 0)
