"""Runs with projections: `with chain.start(x) as run`, and each thing of interest as a stream of its own.

The run has a worker of its own (a thread, or a task), which tells everything as typed events to a timeline.
All projections are readers of that; none of them runs anything.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, cast

from millstream.errors import Cancelled, ConfigError, InputError
from millstream.events.calls import CallsReader, StreamedToolCall
from millstream.events.schema import EventsMissed, RunEvent
from millstream.events.writer import RunWriter, Status
from millstream.kernel.branches import join_all
from millstream.kernel.cancel import Cancellation
from millstream.kernel.drive import AsyncStream, drive, iterate
from millstream.kernel.host import Worker
from millstream.kernel.scope import Scope
from millstream.kernel.sources import Single
from millstream.kernel.stage import Step, run_stream
from millstream.kernel.timeline import Timeline
from millstream.messages import BaseMessage, UsageMetadata

T = TypeVar("T")
Output = TypeVar("Output", covariant=True)

#: How many events a run may be ahead of who reads it, and how many that were read are kept for others.
BUFFER = 256


class _Run(Generic[Output]):
    """What runs of both colours share: the worker, and the projections as async generators."""

    def __init__(
        self, step: Step, input: Any, scope: Scope, kwargs: Mapping[str, Any], buffer: int = BUFFER
    ) -> None:
        if type(buffer) is not int or buffer < 1:
            raise ConfigError(f"buffer is a whole number of events from 1, not {buffer!r}.")
        self._step, self._input, self._scope, self._kwargs = step, input, scope, kwargs
        self._buffer = buffer
        self._cancellation = Cancellation(scope.cancellation)
        self._cancellation.branch = True
        self._writer: RunWriter | None = None
        self._worker: Worker | None = None
        self._error_is_known = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._scope.name!r}: {self.status}>"

    # --- what is known of it ----------------------------------------------------------------------------

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._scope.run_id

    @property
    def status(self) -> Literal["pending", "running"] | Status:
        """`pending` before the block, `running`, and then `done`, `error`, `cancelled` or `truncated`."""
        if self._writer is None:
            return "pending"
        return "running" if self._writer.status is None else self._writer.status

    @property
    def usage(self) -> UsageMetadata:
        """The tokens that the models inside have taken that have ended. Of one that was cut short, that is an
        estimate.
        """
        return (self._writer.usage if self._writer is not None else None) or UsageMetadata()

    @property
    def overflow(self) -> int:
        """How many events were kept beyond the buffer, since the steps that told them could not wait: those
        of a sync verb in an async function.
        """
        return self._timeline.overflow

    def cancel(self, reason: BaseException | None = None) -> None:
        """End the run, from any thread or task. Whoever reads it gets `Cancelled`, or `reason`, raised."""
        if reason is not None and not isinstance(reason, BaseException):
            raise InputError(f"The reason of a cancel is an exception, which is raised, not {reason!r}.")
        self._cancellation.cancel(reason)

    # --- running ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._writer is not None:
            raise InputError("This run was started already: each block needs a `start` of its own.")
        scope = self._scope.branch(self._cancellation)
        timeline = Timeline(self._scope, self._buffer)
        writer = self._writer = RunWriter(timeline, scope, self._input)
        scope.watched_by(writer)
        self._cancellation.register(timeline, timeline.abort)
        self._worker = scope.host.spawn(self._work(scope, writer))

    async def _work(self, scope: Scope, writer: RunWriter) -> None:
        try:
            scope.cancellation.check()  # it may have been cancelled before it began
            stream = run_stream(self._step, Single(self._input), scope, self._kwargs)
            async with scope.reading(stream) as items:
                async for _ in items:
                    scope.cancellation.check()
        except BaseException as error:
            writer.conclude(error)
        else:
            writer.conclude(None)

    async def _end(self, in_flight: BaseException | None) -> None:
        """The block is left: the run ends now, and an error that nobody was told of is raised."""
        writer, worker = self._writer, self._worker
        if writer is None or worker is None:
            return
        try:
            self._cancellation.cancel()
            await join_all([worker])
        finally:
            # A task that never came to run has told nothing; nor has a thread for which Ctrl-C did not wait.
            writer.conclude(Cancelled("The run was left."))
            self._cancellation.unregister(writer.timeline)
            self._scope.host.close()
            if isinstance(self._cancellation.set_here, Cancelled):
                # The run may be kept for long, and the frames that this passed through hold much.
                self._cancellation.set_here = Cancelled(*self._cancellation.set_here.args)
        unknown = None if self._error_is_known or isinstance(writer.error, Cancelled) else writer.error
        if in_flight is None and unknown is not None:
            raise unknown

    # --- reading ----------------------------------------------------------------------------------------

    @property
    def _timeline(self) -> Timeline:
        return self._begun().timeline

    def _begun(self) -> RunWriter:
        if self._writer is None:
            raise InputError("The run has not begun: use it in a block, `with chain.start(...) as run:`.")
        return self._writer

    def _check(self, writer: RunWriter) -> None:
        """Raise what ended the run, if it did not give its answer."""
        if writer.error is not None:
            self._error_is_known = True
            raise writer.error

    async def _events(self) -> AsyncGenerator[RunEvent, None]:
        writer, position = self._begun(), 0
        timeline = writer.timeline
        while True:
            # Asked before the item: the last ones may come in between.
            ended = timeline.ended
            event, missed = timeline.at(position)
            if missed:
                position += missed
                yield EventsMissed(run_id=self.run_id, missed=missed, seq=position, time=time.time())
            if event is not None:
                position += 1
                yield event
            elif ended:
                break
            else:
                await timeline.more(position)
        self._check(writer)

    async def _reading(self, new: Callable[[RunEvent], Iterator[T]]) -> AsyncGenerator[T, None]:
        """What there is of something, and what comes with the events."""
        async with aclosing(self._events()) as events:
            async for event in events:
                for item in new(event):
                    yield item

    def _text(self) -> AsyncGenerator[str, None]:
        # The outcome is kept, so a reader that missed events misses nothing of it.
        return self._reading(_new_of(self._begun().text))

    def _messages(self) -> AsyncGenerator[BaseMessage, None]:
        return self._reading(_new_of(self._begun().messages))

    def _tool_calls(self) -> AsyncGenerator[StreamedToolCall, None]:
        return self._reading(CallsReader(self._begun().calls).read)

    async def _output(self) -> Any:
        writer = self._begun()
        await writer.timeline.finished()
        self._check(writer)
        return writer.output


def _new_of(items: list[T]) -> Callable[[RunEvent], Iterator[T]]:
    """A function that gives what a list has got since it was last called."""
    told = 0

    def new(event: RunEvent) -> Iterator[T]:
        nonlocal told
        while told < len(items):
            told += 1
            yield items[told - 1]

    return new


class LiveRun(_Run[Output]):
    """A run in a worker thread, and its projections: what `start` returns. Use it in a `with` block.

    Any number of readers, in any threads, read what they like; each sees all that happens. The run is at most
    `buffer` events (256) ahead of the reader that is furthest. Leaving the block ends the run and closes
    everything; an error that nobody was told of by then is raised there.

    A reader ends with the run's error, if there is one, behind all that was said before.
    """

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        drive(self._end(error))

    def _read(self, items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        return iterate(items, self._scope.aside())

    @property
    def text(self) -> Generator[str, None, None]:
        """The text of the answer, as it comes. What is no text is left out."""
        return self._read(self._text())

    @property
    def events(self) -> Generator[RunEvent, None, None]:
        """All that happens, as typed events: see `RunEvent`. The last one says how the run ended."""
        return self._read(self._events())

    @property
    def messages(self) -> Generator[BaseMessage, None, None]:
        """The messages of models and tools inside, each when it is whole."""
        return self._read(self._messages())

    @property
    def tool_calls(self) -> Generator[StreamedToolCall, None, None]:
        """The tool calls that models write, in states whose arguments grow."""
        return self._read(self._tool_calls())

    @property
    def output(self) -> Output:
        """The answer, as `invoke` returns it. Waits for the end of the run; raises its error."""
        return cast("Output", drive(self._output()))


class AsyncLiveRun(_Run[Output]):
    """A run in a task, and its projections: what `astart` returns. Use it in an `async with` block.

    See `LiveRun`: the same, with `async for` and `await run.output`.
    """

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._end(error)

    def _read(self, items: AsyncGenerator[T, None]) -> AsyncStream[T]:
        return AsyncStream(items, Cancellation())

    @property
    def text(self) -> AsyncStream[str]:
        """The text of the answer, as it comes. What is no text is left out."""
        return self._read(self._text())

    @property
    def events(self) -> AsyncStream[RunEvent]:
        """All that happens, as typed events: see `RunEvent`. The last one says how the run ended."""
        return self._read(self._events())

    @property
    def messages(self) -> AsyncStream[BaseMessage]:
        """The messages of models and tools inside, each when it is whole."""
        return self._read(self._messages())

    @property
    def tool_calls(self) -> AsyncStream[StreamedToolCall]:
        """The tool calls that models write, in states whose arguments grow."""
        return self._read(self._tool_calls())

    @property
    def output(self) -> Awaitable[Output]:
        """The answer, as `ainvoke` returns it, to be awaited at the end of the run; raises its error."""
        return _Output(self._output)


class _Output(Awaitable[Output]):
    """Awaits what a coroutine function answers; nothing is begun if nobody does."""

    def __init__(self, wait: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._wait = wait

    def __await__(self) -> Generator[Any, None, Output]:
        return self._wait().__await__()
