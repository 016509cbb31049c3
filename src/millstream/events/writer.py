"""Tells a run, and all that run inside it, as typed events: a watcher of the kernel's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Iterable
from typing import Any, Literal, Self

from millstream.errors import Cancelled, StreamTruncated
from millstream.events.calls import CallSoFar
from millstream.events.deltas import AnswerDeltas, ModelDeltas, ToolDeltas
from millstream.events.schema import (
    CustomEvent,
    RunCancelled,
    RunDone,
    RunEnd,
    RunEvent,
    RunFailed,
    RunReset,
    RunStarted,
    RunTruncated,
    StepFinished,
    StepStarted,
    TextDelta,
    ToolCallReady,
    ToolCallStarted,
    UsageReported,
)
from millstream.events.tree import OpenRun, RunTree, cut_short_by, input_of, left_behind
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING
from millstream.kernel.timeline import Timeline
from millstream.messages import BaseMessage, BaseMessageChunk, UsageMetadata, to_message
from millstream.messages.merge_calls import merge_usage

Status = Literal["done", "error", "cancelled", "truncated"]

Deltas = ModelDeltas | ToolDeltas | AnswerDeltas
_DELTAS: dict[str, type[ModelDeltas] | type[ToolDeltas]] = {
    "chat_model": ModelDeltas,
    "llm": ModelDeltas,
    "tool": ToolDeltas,
}


class _Live(OpenRun):
    """An open run: since when, and what its items tell."""

    __slots__ = ("began", "deltas", "first_item", "kind", "name", "scope")

    def __init__(self, run_id: str, parent: Self | None, scope: Scope, text: list[str]) -> None:
        super().__init__(run_id, parent)
        self.scope = scope
        self.name = scope.name
        self.kind = scope.step._run_type
        self.began = time.time()
        self.first_item: float | None = None
        of_kind = _DELTAS.get(self.kind)
        self.deltas: Deltas | None = None
        if of_kind is not None:
            self.deltas = of_kind(self, self.name, text if parent is None else None)
        elif parent is None:
            self.deltas = AnswerDeltas(self, text)


class RunWriter:
    """See the module. Also keeps what the run amounts to: its text, messages, calls, usage and output."""

    makes_stream = True

    def __init__(self, timeline: Timeline, root: Scope, input: Any) -> None:
        self.timeline = timeline
        self.text: list[str] = []
        self.messages: list[BaseMessage] = []
        self.calls: list[CallSoFar] = []
        self.status: Status | None = None
        self.output: Any = None
        self.error: BaseException | None = None
        self._tree: RunTree[_Live] = RunTree(root)
        self._usages: list[UsageMetadata] = []
        # The models that were left behind, and have not said yet what they took.
        self._unpaid: set[str] = set()
        self._calls: dict[tuple[str, int], CallSoFar] = {}
        # It begins here and ends with `conclude`, also if its step never comes to begin.
        self._root = self._begin(root)
        self._tell(
            self._root,
            [
                RunStarted(
                    run_id=root.run_id,
                    name=root.name,
                    kind=self._root.kind,
                    input=input,
                    tags=root.tags,
                    metadata=root.metadata,
                )
            ],
        )

    @property
    def usage(self) -> UsageMetadata | None:
        """What all models took that have ended; None if there were none."""
        return merge_usage(self._usages)

    def _begin(self, scope: Scope) -> _Live:
        return self._tree.begin(scope, lambda run_id, parent: _Live(run_id, parent, scope, self.text))

    # --- what the kernel tells --------------------------------------------------------------------------

    def sees_items(self, scope: Scope) -> bool:
        """See `Watcher`."""
        return True

    async def started(self, scope: Scope, input: Any) -> None:
        """See `Watcher`."""
        if scope is self._root.scope:
            self._tree.rename(self._root, scope)
            return
        run = self._begin(scope)
        event = StepStarted(
            run_id=run.run_id,
            parent_ids=run.parent_ids,
            name=run.name,
            kind=run.kind,
            input=None if input is NOTHING else input_of(scope, input),
            tags=scope.tags,
            metadata=scope.metadata,
        )
        if self._tell(run, [event]):
            await self.timeline.room(scope)

    def streamed(self, scope: Scope, item: Any) -> Awaitable[None] | None:
        """See `Watcher`."""
        run = self._tree.get(scope._run_id)
        if run is None:
            return None
        if run.first_item is None:
            run.first_item = time.time() - run.began
        if run.deltas is not None:
            replaces = scope.gives_whole or (scope.gives is not None and scope.gives.replaces)
            if self._tell(run, run.deltas.feed(item, replaces)):
                return self.timeline.room(scope)
        return None

    async def custom(self, scope: Scope, name: str, data: Any, *, may_await: bool) -> None:
        """See `Watcher`."""
        run = self._tree.get(scope._run_id)
        if run is not None:
            event = CustomEvent(run_id=run.run_id, parent_ids=run.parent_ids, name=name, data=data)
            if self._tell(run, [event]):
                await self.timeline.room(scope, may_await=may_await)

    async def retried(self, scope: Scope, attempt: int, error: BaseException) -> None:
        """See `Watcher`."""
        run = self._tree.get(scope._run_id)
        if run is not None:
            event = RunReset(run_id=run.run_id, parent_ids=run.parent_ids, attempt=attempt, error=error)
            if self._tell(run, [event]):
                await self.timeline.room(scope)

    async def ended(self, scope: Scope, input: Any, output: Any) -> None:
        """See `Watcher`."""
        run = self._tree.get(scope._run_id)
        if run is None:
            self._pay(scope)
            return
        if isinstance(output, BaseMessageChunk):
            output = to_message(output)
        if run.deltas is not None:
            self._tell(run, run.deltas.end(output))
        if isinstance(output, BaseMessage) and run.kind in _DELTAS:
            self.messages.append(output)
        if run.parent is None:
            self.output = output
        if self._finish(run, output=output):
            await self.timeline.room(scope)

    async def failed(self, scope: Scope, input: Any, error: BaseException) -> None:
        """See `Watcher`."""
        run = self._tree.get(scope._run_id)
        if run is not None:
            # It waits for no room: whoever was cancelled once would wait for a reader who has gone.
            self._finish(run, error=_to_keep(cut_short_by(error)))
        else:
            self._pay(scope)

    # --- what is told -----------------------------------------------------------------------------------

    def _tell(self, run: _Live, events: Iterable[RunEvent], *, is_last: bool = False) -> bool:
        """Tell these events of a run. Returns whether to wait for room."""
        is_full = False
        for event in events:
            event.time = time.time()
            self._keep(run, event)
            is_full = self.timeline.add(event, run, is_last=is_last)
        return is_full

    def _keep(self, run: _Live, event: RunEvent) -> None:
        """Keep what belongs to the outcome, before readers are told of it."""
        if isinstance(event, TextDelta):
            if event.is_answer:
                self.text.append(event.text)
        elif isinstance(event, ToolCallStarted) and isinstance(run.deltas, ModelDeltas):
            call = CallSoFar(run.run_id, run.deltas.calls.calls[event.index])
            self._calls[run.run_id, event.index] = call
            self.calls.append(call)
        elif isinstance(event, ToolCallReady):
            self._calls[run.run_id, event.index].ready = event
        elif isinstance(event, UsageReported):
            self._usages.append(event.usage)

    def _finish(self, run: _Live, output: Any = None, error: BaseException | None = None) -> bool:
        """End a run, and before it those that were left behind in it."""
        for inner in self._tree.left_behind(run):
            self._close(inner, None, left_behind())
            if isinstance(inner.deltas, ModelDeltas) and inner.scope.usage is None:
                self._unpaid.add(inner.run_id)
        return self._close(run, output, error)

    def _pay(self, scope: Scope) -> None:
        """A run that was left behind has really ended: nothing is told of it, but what it took is counted."""
        if scope._run_id in self._unpaid:
            self._unpaid.remove(scope._run_id)
            if scope.usage is not None:
                self._usages.append(scope.usage)

    def _close(self, run: _Live, output: Any, error: BaseException | None) -> bool:
        self._tree.end(run)
        usage = run.scope.usage if isinstance(run.deltas, ModelDeltas) else None
        ids: dict[str, Any] = {"run_id": run.run_id, "parent_ids": run.parent_ids}
        if usage is not None:
            self._tell(run, [UsageReported(usage=usage, **ids)])
        if run.parent is None:
            return False  # `conclude` has the last word
        finished = StepFinished(
            name=run.name,
            kind=run.kind,
            duration=time.time() - run.began,
            first_item=run.first_item,
            output=output,
            error=error,
            usage=usage,
            **ids,
        )
        return self._tell(run, [finished], is_last=True)

    def conclude(self, error: BaseException | None) -> None:
        """The run has ended: say so, once."""
        if self.status is not None:
            return
        if isinstance(error, GeneratorExit) or _is_cancel_of_task(error):
            # Whoever reads the run is no part of it: a cancel of its task is none of theirs.
            error = Cancelled("The run was cancelled.")
        if error is not None:
            error = _to_keep(error)
        end = self._last_event(error)
        self.status, self.error = end.type, error
        self._tell(self._root, [end], is_last=True)
        self.timeline.finish()

    def _last_event(self, error: BaseException | None) -> RunEnd:
        root = self._root
        about: dict[str, Any] = {
            "run_id": root.run_id,
            "duration": time.time() - root.began,
            "first_item": root.first_item,
            "usage": self.usage,
        }
        if error is None:
            return RunDone(output=self.output, **about)
        if isinstance(error, StreamTruncated):
            return RunTruncated(error=error, **about)
        if isinstance(error, Cancelled | KeyboardInterrupt):
            return RunCancelled(error=error, **about)
        return RunFailed(error=error, **about)


def _to_keep(error: BaseException) -> BaseException:
    """An error as events have it. They are kept: a cancel's frames would keep open what was left in them."""
    return Cancelled(*error.args) if type(error) is Cancelled else error


def _is_cancel_of_task(error: BaseException | None) -> bool:
    # By its name: asyncio is not imported for sync runs. That of a thread pool's future is an `Exception`.
    return type(error).__name__ == "CancelledError" and not isinstance(error, Exception)
