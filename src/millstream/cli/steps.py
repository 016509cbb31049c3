"""The steps of a run, as a tree that is fed the run's events. What it keeps does not grow with how often a
step runs: many finished siblings of one name become one step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from millstream.errors import Cancelled
from millstream.events import (
    ReasoningDelta,
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
    ToolCallStarted,
    ToolOutputDelta,
    UsageReported,
)
from millstream.messages import UsageMetadata
from millstream.messages.merge_calls import merge_usage

State = Literal["running", "done", "error", "cancelled"]

#: So many finished siblings of one name are shown each for itself.
FOLD = 8
# Of what a model says, as much as a row may show.
_TAIL = 400
_BRANCH = "map:key:"


class Step:
    """One run; or `count` of them, all of one name, that ended alike."""

    def __init__(self, begin: RunStarted | StepStarted, around: Step | None = None) -> None:
        branch = next((tag.removeprefix(_BRANCH) for tag in begin.tags if tag.startswith(_BRANCH)), "")
        self.name = f"{branch}: {begin.name}" if branch else begin.name
        self.kind = begin.kind
        self.around = around
        self.inside: list[Step] = []
        self.state: State = "running"
        self.count = 1
        #: When it began, in seconds since the epoch.
        self.began = begin.time
        #: After how many seconds its first token (or item) came, and how many it took; of many, the longest.
        self.first: float | None = None
        self.duration: float | None = None
        #: What models took, inside too.
        self.usage: UsageMetadata | None = None
        #: The end of what it says.
        self.said = ""
        #: How often it has begun anew.
        self.resets = 0
        self.error: BaseException | None = None

    @property
    def is_cause(self) -> bool:
        """Whether it failed by itself, and not by what failed inside."""
        return self.state == "error" and all(inner.error is not self.error for inner in self.inside)

    def end(self, state: State, duration: float, error: BaseException | None = None) -> None:
        """It has ended so."""
        self.state, self.duration, self.error = state, duration, error
        self.said = ""

    def add(self, other: Step) -> None:
        """Stand for this one, too."""
        self.inside.clear()
        self.count += other.count
        self.resets += other.resets
        self.first = _longest(self.first, other.first)
        self.duration = _longest(self.duration, other.duration)
        self.usage = _sum(self.usage, other.usage)


class Steps:
    """Takes the events of one run with `feed`."""

    def __init__(self) -> None:
        self.root: Step | None = None
        #: The pieces of the run's own text.
        self.text: list[str] = []
        self.end: RunEnd | None = None
        self._open: dict[str, Step] = {}

    @property
    def is_done(self) -> bool:
        """Whether the run gave its answer."""
        return isinstance(self.end, RunDone)

    @property
    def output(self) -> Any:
        """What the run answered; None if it did not."""
        return self.end.output if isinstance(self.end, RunDone) else None

    def feed(self, event: RunEvent) -> None:
        """Take the next event into account."""
        match event:
            case RunStarted():
                self.root = self._open[event.run_id] = Step(event)
            case StepStarted():
                around = self._around(event)
                step = self._open[event.run_id] = Step(event, around)
                if around is not None:
                    around.inside.append(step)
            case RunDone() | RunFailed() | RunCancelled() | RunTruncated():
                self._conclude(event)
            case _ if event.run_id in self._open:
                self._tell(self._open[event.run_id], event)

    def _around(self, event: StepStarted) -> Step | None:
        return next((self._open[id] for id in reversed(event.parent_ids) if id in self._open), None)

    def _tell(self, step: Step, event: RunEvent) -> None:
        match event:
            case TextDelta():
                if step is self.root and event.is_answer:
                    self.text.append(event.text)
                self._say(step, event.time, event.text)
            case ReasoningDelta():
                self._say(step, event.time, event.text)
            case ToolCallStarted():
                self._say(step, event.time, f"\n{event.name} ...")
            case ToolOutputDelta():
                self._say(step, event.time, f"\n{event.output}")
            case UsageReported():
                for each in _from_in_to_out(step):
                    each.usage = _sum(each.usage, event.usage)
            case RunReset():
                step.resets += 1
                for each in _from_out_to_in(step):
                    each.said = ""
            case StepFinished():
                self._finish(step, event)

    def _say(self, step: Step, time: float, text: str) -> None:
        if step.first is None:
            step.first = time - step.began
        step.said = (step.said + text)[-_TAIL:]

    def _finish(self, step: Step, event: StepFinished) -> None:
        del self._open[event.run_id]
        if step.first is None:
            step.first = event.first_item
        step.end(_state(event.error), event.duration, event.error)
        if step.around is not None:
            _fold(step.around, step)

    def _conclude(self, event: RunEnd) -> None:
        self.end = event
        error = None if isinstance(event, RunDone) else event.error
        if self.root is not None and self.root.first is None:
            self.root.first = event.first_item
        # The root, and those whose end this reader has missed.
        for step in self._open.values():
            step.end(_state(error), event.time - step.began, error)
        self._open.clear()


def _fold(around: Step, ended: Step) -> None:
    """Make one of the siblings that ended like this one, if they are many."""
    key = (ended.name, ended.kind, ended.state)
    alike = [step for step in around.inside if (step.name, step.kind, step.state) == key]
    if sum(step.count for step in alike) > FOLD:
        first, *others = alike
        for step in others:
            first.add(step)
        around.inside = [step for step in around.inside if step not in others]


def _state(error: BaseException | None) -> State:
    if error is None:
        return "done"
    return "cancelled" if isinstance(error, Cancelled) or not isinstance(error, Exception) else "error"


def _from_in_to_out(step: Step | None) -> Iterator[Step]:
    while step is not None:
        yield step
        step = step.around


def _from_out_to_in(step: Step) -> Iterator[Step]:
    yield step
    for inner in step.inside:
        yield from _from_out_to_in(inner)


def _longest(one: float | None, other: float | None) -> float | None:
    known = [seconds for seconds in (one, other) if seconds is not None]
    return max(known, default=None)


def _sum(one: UsageMetadata | None, other: UsageMetadata | None) -> UsageMetadata | None:
    return merge_usage([usage for usage in (one, other) if usage is not None])
