"""Tool calls while a model writes them: arguments that grow, each character of them read once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from millstream.errors import JsonError
from millstream.events.schema import ToolCallReady
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


class _Reader:
    """One reader's reading of one call."""

    def __init__(self, call: CallSoFar) -> None:
        self._of = call
        self._fragments = 0
        self._scanner = JsonScanner(prose=False)
        self._snapshots = JsonSnapshots()
        self._broken = False
        self._shown: StreamedToolCall | None = None

    def states(self) -> Iterator[StreamedToolCall]:
        """The states since the last time: the one so far, or the whole call."""
        call, ready = self._of.call, self._of.ready
        new, self._fragments = call.args[self._fragments :], len(call.args)
        if ready is not None:
            yield self._state(ready.args, is_complete=True, error=ready.error)
        elif not self._broken:
            self._feed("".join(new))
            args = self._snapshots.value()
            state = self._state(args if isinstance(args, dict) else {})
            if state != self._shown:
                self._shown = state
                yield state

    def _feed(self, text: str) -> None:
        try:
            self._snapshots.take(self._scanner.feed(text))
        except JsonError:  # told when the call is whole
            self._broken = True

    def _state(self, args: dict[str, Any], **more: Any) -> StreamedToolCall:
        call = self._of.call
        return StreamedToolCall(self._of.run_id, call.position, call.name or "", args, call.id, **more)


class CallsReader:
    """One reader's reading of all calls of a run."""

    def __init__(self, calls: list[CallSoFar]) -> None:
        self._calls = calls
        self._seen = 0
        self._open: list[_Reader] = []

    def __call__(self) -> Iterator[StreamedToolCall]:
        """The states since the last time."""
        self._open += [_Reader(call) for call in self._calls[self._seen :]]
        self._seen = len(self._calls)
        for reader in list(self._open):
            for state in reader.states():
                if state.is_complete:
                    self._open.remove(reader)
                yield state
