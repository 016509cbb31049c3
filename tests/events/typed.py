"""Runs with projections of the random chains of `chains`, and what has to hold for their typed events."""

import asyncio
from random import Random
from typing import Any

from millstream import RunCancelled, RunDone, RunFailed, RunStarted, StepFinished, StepStarted
from millstream.errors import MillstreamError
from millstream.testing import check_leaks
from tests.chains import build, kinds_in
from tests.events.chains import KINDS, LEAVES_BEHIND, Broken, Case, Probe, Torn, make_case
from tests.events.opened import WAYS, Opened

_WAYS = {way.name: way for way in WAYS}


def check(events: list[Any], *, is_whole: bool = True) -> None:
    """Raise if these events, from the first on, break the contract. `is_whole`: up to the last one."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    root = events[0].run_id
    assert type(events[0]) is RunStarted
    open_runs = {root}
    for event in events[1:]:
        assert set(event.parent_ids) <= open_runs
        assert event.run_id == root or event.parent_ids[0] == root
        if type(event) is StepStarted:
            assert event.run_id not in open_runs
            open_runs.add(event.run_id)
        assert event.run_id in open_runs
        if type(event) is StepFinished:
            open_runs.remove(event.run_id)
    ends = [event for event in events if event.type in ("done", "error", "cancelled", "truncated")]
    if is_whole:
        assert open_runs == {root}
        assert ends == events[-1:]
        assert not ends[0].parent_ids
    else:
        assert ends in ([], events[-1:])


def make_run(random: Random) -> Case:
    """A case of any kind, which is read to its end, or left after so many events."""
    case = make_case(random)
    return case._replace(version="typed", leave=case.leave and (case.leave[0], "close"))


class Reading:
    """What a reader saw of a run."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.probe = Probe(case)
        self.events: list[Any] = []
        self.run: Opened | None = None
        self.left = False
        self.error: BaseException | None = None

    async def read(self) -> None:
        case, way = self.case, _WAYS[self.case.colour]
        chain = build(case.chain, KINDS, self.probe)
        try:
            async with way.start(chain, "a b c", buffer=case.buffer) as run:
                self.run = run
                async for event in run.each("events"):
                    self.events.append(event)
                    if case.leave is not None and len(self.events) >= case.leave[0]:
                        self.left = True
                        break
        except BaseException as error:
            self.error = error.with_traceback(None)
            if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
                raise


def check_run(case: Case) -> None:
    """Raise if the contract is broken in this case."""
    with check_leaks():
        # Of what the run keeps, the frames of errors hold streams that were left behind in them.
        _check(case)


def _check(case: Case) -> None:
    reading = Reading(case)
    try:
        _WAYS[case.colour].run(reading.read())
    except (KeyboardInterrupt, asyncio.CancelledError):
        # In a task of the users' own it ends the loop, and the reader with it.
        reading.left = True
    run, error = reading.run, reading.error
    assert run is not None
    check(reading.events, is_whole=not reading.left)
    if not isinstance(
        error, Broken | MillstreamError | Torn | KeyboardInterrupt | asyncio.CancelledError | None
    ):
        raise AssertionError(f"raised {error!r}") from error
    if reading.left:
        assert run.status in ("done", "error", "cancelled")
    else:
        last = reading.events[-1]
        assert run.status == last.type
        assert (error is None) == (type(last) is RunDone)
        if isinstance(last, RunFailed | RunCancelled):
            assert last.error is error
    if not kinds_in(case.chain) & LEAVES_BEHIND:
        assert reading.probe.open == 0, f"{reading.probe.open} generators open at the end"
