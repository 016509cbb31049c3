"""The async host: awaits in the caller's event loop, and runs a user's plain code in worker threads.

It has no state, so there is one. A user's coroutines and async generators are awaited in place. A plain
function may block, so it gets a worker thread; a plain generator gets one that runs ahead of its consumer by
a bounded queue, since a switch of threads for each token would cost forty times as much.

A cancel comes as an exception at whatever a task waits for, and a second one would cut short the `finally`
blocks that run because of the first. So each task gets one for each cause: of several aborts that would wake
it the outermost does, and a worker is told to end once, by an abort or by `stop`, and not while it closes a
generator of the user's.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from millstream.kernel import threads
from millstream.kernel.async_channel import BridgeChannel, TaskChannel
from millstream.kernel.cancel import Cancellation
from millstream.kernel.channel import READ_AHEAD, Channel, Closed
from millstream.kernel.clock import get_clock
from millstream.kernel.host import Emit, Ended, Host, Produce, Worker, produce_into
from millstream.kernel.loops import call_in, settle
from millstream.kernel.scope import CURRENT, Around, Scope, note_step, user_context
from millstream.kernel.sources import Source


class AsyncHost:
    """See the module."""

    __slots__ = ()
    is_async = True
    thread: int | None = None

    def here(self) -> Host:
        """See `Host`."""
        return self

    async def sleep(self, scope: Scope, seconds: float) -> None:
        """See `Host`."""
        abort = _TaskAbort(scope.cancellation)
        try:
            await abort.watch(get_clock().asleep(seconds))
        finally:
            abort.end()
        scope.cancellation.check()

    async def call(self, scope: Scope, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """See `Host`: in a worker thread. A cancel is raised when the function returns."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()

        def work() -> None:
            try:
                outcome: Any = function(*args, **kwargs)
            except BaseException as raised:
                # As a value: a future that ends in a StopIteration is never done. Raised in the coroutine
                # below, that becomes a RuntimeError with its cause (PEP 479).
                outcome = Ended(raised)
            call_in(loop, settle, reply, outcome)

        with scope.part() as cancellation:
            threads.start(work, user_context(scope))
            outcome = await _outlast(reply, cancellation)
            if type(outcome) is Ended:
                outcome.check()
            cancellation.check()
        return outcome

    async def wait(
        self, scope: Scope, function: Callable[..., Awaitable[Any]], /, *args: Any, **kw: Any
    ) -> Any:
        """See `Host`: in place."""
        abort = _TaskAbort(scope.cancellation)
        enter, leave = _doors(scope)
        token = enter(scope)
        try:
            answer = await abort.watch(function(*args, **kw))
            scope.cancellation.check()
            return answer
        finally:
            abort.end()
            leave(token)

    async def each(
        self, scope: Scope, function: Callable[..., Iterable[Any]], source: Source[Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """See `Host`: in a worker thread, at most `READ_AHEAD` items ahead."""
        asks = _Asks() if source is not None else None

        def produce(emit: Emit, cancellation: Cancellation) -> None:
            feed = () if asks is None else (asks.read(emit),)
            items: Any = iter(function(*feed))
            try:
                for item in items:
                    emit(item)
            finally:
                for each in (items, *feed):
                    if hasattr(each, "close"):
                        each.close()

        items = self.pump(scope, produce, asks)
        try:
            async for item in items:
                if type(item) is _Ask:
                    await item.serve(source)
                else:
                    yield item
        except BaseException as error:
            note_step(error, scope)
            raise
        finally:
            try:
                await items.aclose()
            finally:
                if source is not None:
                    await source.aclose()

    async def aeach(
        self, scope: Scope, function: Callable[..., Any], source: Source[Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """See `Host`: in place."""
        abort = _TaskAbort(scope.cancellation)
        (enter, leave), current_task = _doors(scope), abort.current_task
        items: Any = None
        try:
            token = enter(scope)
            try:
                items = function() if source is None else function(source)
            finally:
                leave(token)
            pull = items.__anext__
            while True:
                if abort.missed:
                    scope.cancellation.check()
                token = enter(scope)
                abort.task = current_task()
                try:
                    item = await pull()
                except StopAsyncIteration:
                    return
                except asyncio.CancelledError:
                    abort.check()
                    raise
                finally:
                    abort.leave()
                    leave(token)
                yield item
        except BaseException as error:
            note_step(error, scope)
            raise
        finally:
            abort.end()
            token = enter(scope)
            worker = _workers.get(id(current_task()))
            if worker is not None:
                worker.close_begins()
            try:
                if hasattr(items, "aclose"):
                    await items.aclose()
            finally:
                leave(token)
                try:
                    if source is not None:
                        await source.aclose()
                finally:
                    if worker is not None:
                        worker.close_ends()

    async def pump(
        self, scope: Scope, produce: Produce, asks: _Asks | None = None
    ) -> AsyncGenerator[Any, None]:
        """See `Host`."""
        channel = BridgeChannel()
        ended = asyncio.get_running_loop().create_future()

        def close() -> None:
            channel.close()
            if asks is not None:
                asks.close()

        with scope.part() as cancellation:

            def run() -> None:
                produce_into(produce, cancellation, channel)
                call_in(channel.loop, settle, ended)

            threads.start(run, user_context(scope))
            if asks is None:
                # A leaf: what reads another step's items ends when that one does, in its turn.
                cancellation.register(channel, close)
            try:
                while True:
                    if not channel:
                        await channel.more()
                    item = channel.take()
                    if type(item) is Ended:
                        item.check()
                        cancellation.check()
                        return
                    yield item
            finally:
                cancellation.cancel()
                cancellation.unregister(channel)
                close()
                await _outlast(ended, cancellation)

    def channel(self, bound: int = READ_AHEAD) -> Channel:
        """See `Host`."""
        return TaskChannel(bound)

    def spawn(self, body: Coroutine[Any, Any, None]) -> Worker:
        """See `Host`: as a task, owned by whoever spawns it."""
        return _Task(asyncio.get_running_loop().create_task(body))

    def close(self) -> None:
        """Nothing is held."""


ASYNC_HOST = AsyncHost()


class _Task:
    """A worker: a task that is told once to end."""

    __slots__ = ("__weakref__", "_closing", "_late", "_task", "_told")

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task
        self._told = False
        self._closing = 0
        self._late = False
        _workers[id(task)] = self

    def stop(self) -> None:
        """See `Worker`."""
        self.tell()

    def tell(self) -> bool:
        """Cancel the task, if that was not done before; True if it is done now."""
        if self._told:
            return False
        self._told = True
        if self._closing:
            self._late = True
            return False
        self._task.cancel()
        return True

    def close_begins(self) -> None:
        """Generators of the user's are closed: they are let finish."""
        self._closing += 1

    def close_ends(self) -> None:
        """Now it can be cancelled, if it was to be meanwhile."""
        self._closing -= 1
        if self._late and not self._closing:
            self._late = False
            self._task.cancel()

    async def join(self) -> None:
        await _outlast(self._task, None)


#: The workers that there are, by the `id` of their tasks, which they keep.
_workers: weakref.WeakValueDictionary[int, _Task] = weakref.WeakValueDictionary()


def _doors(scope: Scope) -> tuple[Callable[[Scope], Any], Callable[[Any], object]]:
    """How a user's code is entered in the task's own context, and how it is left."""
    return (_enter_around, _leave_around) if scope.around else (CURRENT.set, _leave)


def _leave(token: contextvars.Token[Scope | None]) -> bool:
    try:  # `suppress` would cost more than all the rest: this runs once a token
        CURRENT.reset(token)
    except ValueError:
        # A task that is destroyed with its loop is closed in another context, with nothing to take back.
        return False
    return True


def _enter_around(scope: Scope) -> tuple[Any, list[tuple[Around, Any]]]:
    return CURRENT.set(scope), [(each, each.enter()) for each in scope.around]


def _leave_around(entered: tuple[Any, list[tuple[Around, Any]]]) -> None:
    token, around = entered
    if _leave(token):
        for each, taken in reversed(around):
            each.leave(taken)


async def _outlast(future: asyncio.Future[Any], cancellation: Cancellation | None) -> Any:
    """Wait for a future even if the task is cancelled meanwhile; the cancel is raised afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
            if cancellation is not None:
                cancellation.cancel()
    if cancelled is not None:
        raise cancelled
    return None if future.cancelled() else future.result()


class _TaskAbort:
    """Wakes a task that awaits a user's code, when its run is cancelled from elsewhere.

    `task` is set only while the task is inside the user's code, so that nobody else's await is cancelled.
    """

    __slots__ = ("_around", "_cancellation", "_fired", "_loop", "current_task", "missed", "task")

    def __init__(self, cancellation: Cancellation) -> None:
        self.task: asyncio.Task[Any] | None = None
        self._cancellation = cancellation
        self._fired = False
        #: Whether it was called while the task was elsewhere: it would wait in vain at the next pull.
        self.missed = False
        #: The run whose user's code reads this step, if any does.
        self._around = CURRENT.get()
        self._loop = asyncio.get_running_loop()
        #: The task that runs now. Asked once a token.
        self.current_task: Callable[[], asyncio.Task[Any] | None] = asyncio.current_task
        if sys.version_info < (3, 12):
            # There it is written in Python, at ten times the cost of the look-up that it does.
            self.current_task = partial(asyncio.tasks._current_tasks.get, self._loop)  # type: ignore[attr-defined]
        cancellation.register(self, self._abort)

    async def watch(self, awaitable: Awaitable[Any]) -> Any:
        """Await something, with this task to be woken."""
        self.task = self.current_task()
        try:
            return await awaitable
        except asyncio.CancelledError:
            self.check()
            raise
        finally:
            self.leave()

    def leave(self) -> None:
        """The task is out of the user's code. A cancel of ours that never arrived there is taken back."""
        if self._fired:
            self._fired = False
            if self.task is not None:
                self.task.uncancel()
        self.task = None

    def check(self) -> None:
        """If it was this abort that cancelled the task, take that back and raise the reason instead."""
        task = self.task
        if self._fired and task is not None:
            self._fired = False
            if task.uncancel() == 0:
                self._cancellation.check()

    def end(self) -> None:
        """The user's code is over."""
        self._cancellation.unregister(self)

    def _abort(self) -> None:
        call_in(self._loop, self._wake)

    def _wake(self) -> None:
        task = self.task
        if task is None:
            self.missed = True
            return
        around = self._around
        if around is not None and around.cancellation.reason is not None and task.cancelling():
            # The code that reads this step was cancelled as a whole: by its own abort, which comes first.
            return
        worker = _workers.get(id(task))
        if worker is None or not self._cancellation.branch_is_over:
            task.cancel()
        elif not worker.tell():
            return
        self._fired = True


class _Ask:
    """A worker thread's request for the next item of its input, which the event loop's side owns."""

    __slots__ = ("answered", "end", "error", "value")

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self.end = False

    async def serve(self, source: Source[Any] | None) -> None:
        """Pull the item, in the task that owns the source."""
        assert source is not None
        try:
            self.value = await source.__anext__()
        except StopAsyncIteration:
            self.end = True
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.error = error
        self.answered.set()


class _Asks:
    """The requests of one generator for its input."""

    def __init__(self) -> None:
        self._open: _Ask | None = None
        self._closed = False

    def read(self, emit: Emit) -> Generator[Any, None, None]:
        """The input, as the generator in the thread reads it."""
        while True:
            ask = self._open = _Ask()
            with suppress(Closed):
                emit(ask)
                ask.answered.wait()
            if self._closed:
                # As if the generator were closed where it stands: its `finally` blocks run.
                raise GeneratorExit
            if ask.end:
                return
            if ask.error is not None:
                raise ask.error
            yield ask.value

    def close(self) -> None:
        """Wake the generator, and end it."""
        self._closed = True
        if self._open is not None:
            self._open.answered.set()
