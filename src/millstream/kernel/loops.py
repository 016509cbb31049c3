"""Private event loops: how a user's async code runs under a sync verb.

Normally the loop is stepped in the caller's own thread (`OwnLoop`). A thread that runs an event loop already
(a notebook's, say) cannot step a second one, so there the private loop lives in a worker thread
(`LoopThread`); what the user's code reads from earlier steps is still pulled by the caller's thread, which
waits meanwhile: a generator is advanced and closed by the thread that started it.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Protocol

from millstream.kernel import threads
from millstream.kernel.cancel import Cancellation
from millstream.kernel.drive import drive
from millstream.kernel.sources import Source


class LoopRunner(Protocol):
    """Runs coroutines of a user's to their end, from sync code."""

    def inside(self) -> bool:
        """Whether the code that runs now runs inside this loop, in this thread."""
        ...

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: contextvars.Context,
        cancellation: Cancellation | None,
    ) -> Any:
        """Block until the coroutine ended; a cancel of the run cancels it."""
        ...

    def reach(self, source: Source[Any], is_outside: bool) -> Source[Any]:
        """`source` as the user's code in the loop can read it; `is_outside`: it was begun out of the loop."""
        ...

    def close(self) -> None:
        """End the loop, and what the user's code left running in it."""
        ...


def new_runner() -> LoopRunner:
    """A private loop for the caller's thread."""
    return OwnLoop() if asyncio._get_running_loop() is None else LoopThread()


def _abortable(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], cancellation: Cancellation | None
) -> AbstractContextManager[None]:
    if cancellation is None:
        return nullcontext()
    return cancellation.aborting(lambda: call_in(loop, task.cancel))


def call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    """Have a loop call a function, from any thread; nothing happens if the loop has ended."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        if not loop.is_closed():
            raise


def settle(future: asyncio.Future[Any], value: Any = None, error: BaseException | None = None) -> None:
    """Inside its loop: have a future end so, if it has not ended, or been cancelled, meanwhile."""
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def _result(task: asyncio.Task[Any], cancellation: Cancellation | None) -> Any:
    if task.cancelled() and cancellation is not None:
        cancellation.check()
    return task.result()


class OwnLoop:
    """A private loop that the caller's thread steps."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # What code in the loop asked for, and its reply.
        self._asked: list[tuple[Callable[[], Coroutine[Any, Any, Any]], asyncio.Future[Any]]] = []

    def inside(self) -> bool:
        """See `LoopRunner`."""
        return asyncio._get_running_loop() is self._loop

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: contextvars.Context,
        cancellation: Cancellation | None,
    ) -> Any:
        """See `LoopRunner`."""
        loop = self._loop
        task = loop.create_task(coroutine, context=context)
        task.add_done_callback(self._stop)
        with _abortable(loop, task, cancellation):
            try:
                self._step(task)
            except BaseException:  # Ctrl-C: let the user's `finally` blocks run
                task.cancel()
                with suppress(KeyboardInterrupt, SystemExit):
                    self._step(task)
                if task.done() and not task.cancelled():
                    task.exception()  # seen: asyncio reports one that nobody asked for
                raise
        return _result(task, cancellation)

    def _stop(self, task: asyncio.Task[Any]) -> None:
        self._loop.stop()

    def _step(self, task: asyncio.Task[Any]) -> None:
        if asyncio._get_running_loop() is None:
            self._run_until(task)
        else:
            # The stream was begun outside of any loop, and is pulled inside one now.
            threads.start(lambda: self._run_elsewhere(task), contextvars.Context()).join()

    def _run_elsewhere(self, task: asyncio.Task[Any]) -> None:
        # The task keeps what it raised, and the caller raises it.
        with suppress(SystemExit, KeyboardInterrupt):
            self._run_until(task)

    def _run_until(self, task: asyncio.Task[Any]) -> None:
        # Not `run_until_complete`: after a Ctrl-C its own stop may still be on its way, and end the next.
        while not task.done():
            self._loop.run_forever()
            while self._asked:
                make, reply = self._asked.pop()
                settle(reply, *_driven(make))

    def reach(self, source: Source[Any], is_outside: bool) -> Source[Any]:
        """See `LoopRunner`: as it is, since the same thread reads it."""
        return _Remote(source, self) if is_outside else source

    async def ask(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Inside the loop: have a coroutine of the library's driven outside of it, while the loop stands."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._asked.append((make, reply))
        self._loop.stop()
        return await reply

    def close(self) -> None:
        """See `LoopRunner`."""
        try:
            task = self._loop.create_task(_wind_up())
            task.add_done_callback(self._stop)
            self._step(task)
            task.result()
        finally:
            self._loop.close()


class LoopThread:
    """A private loop in a worker thread, for a caller whose own thread runs one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ended = False
        self._job = threads.start(self._step, contextvars.Context())
        # One inbox for each `run` under way, the innermost last: what the loop asks of the caller.
        self._inboxes: list[queue.SimpleQueue[Any]] = []

    def _step(self) -> None:
        while not self._ended:
            # A SystemExit of the user's code stops the loop: it is the caller's to raise, through the task.
            with suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_forever()

    def _stop(self) -> None:
        self._ended = True
        self._loop.stop()

    def inside(self) -> bool:
        """See `LoopRunner`: the caller's thread never is, but code that the loop runs may ask."""
        return asyncio._get_running_loop() is self._loop

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        context: contextvars.Context,
        cancellation: Cancellation | None,
    ) -> Any:
        """See `LoopRunner`; serves the coroutine's reads meanwhile."""
        loop = self._loop
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        tasks: list[asyncio.Task[Any]] = []

        def begin() -> None:
            task = loop.create_task(coroutine, context=context)
            tasks.append(task)
            task.add_done_callback(inbox.put)

        def cancel() -> None:
            call_in(loop, lambda: tasks[0].cancel())

        self._inboxes.append(inbox)
        try:
            call_in(loop, begin)
            with nullcontext() if cancellation is None else cancellation.aborting(cancel):
                try:
                    self._serve(inbox)
                except BaseException:
                    cancel()
                    self._serve(inbox)
                    raise
        finally:
            self._inboxes.remove(inbox)
        return _result(tasks[0], cancellation)

    @staticmethod
    def _serve(inbox: queue.SimpleQueue[Any]) -> None:
        while True:
            message = inbox.get()
            if isinstance(message, asyncio.Task):
                return
            message()

    async def ask(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Inside the loop: have the caller's thread drive a coroutine of the library's."""
        loop = self._loop
        reply: asyncio.Future[Any] = loop.create_future()

        def serve() -> None:
            call_in(loop, settle, reply, *_driven(make))

        if not self._inboxes:
            raise RuntimeError("A step's input was read after the step had ended.")
        self._inboxes[-1].put(serve)
        return await reply

    def reach(self, source: Source[Any], is_outside: bool) -> Source[Any]:
        """See `LoopRunner`."""
        return _Remote(source, self)

    def close(self) -> None:
        """See `LoopRunner`."""
        loop = self._loop
        asyncio.run_coroutine_threadsafe(_wind_up(), loop).result()
        call_in(loop, self._stop)
        self._job.join()
        loop.close()


def _driven(make: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, BaseException | None]:
    try:
        return drive(make()), None
    except BaseException as error:
        return None, error


class _Remote:
    """A source whose items are pulled outside of the loop: in the thread that it belongs to."""

    __slots__ = ("_runner", "_source")

    def __init__(self, source: Source[Any], runner: OwnLoop | LoopThread) -> None:
        self._source = source
        self._runner = runner

    def __aiter__(self) -> _Remote:
        return self

    async def __anext__(self) -> Any:
        return await self._runner.ask(self._source.__anext__)

    async def aclose(self) -> None:
        await self._runner.ask(self._source.aclose)


async def _wind_up() -> None:
    loop = asyncio.get_running_loop()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
