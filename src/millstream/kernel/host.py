"""The host: the only place that knows sync from async. Combinators wait through it, and through nothing else.

Two implementations. The sync host blocks the caller's own thread; it starts a thread only for branches that
run at once, and an event loop (a private one, stepped in the caller's thread) only for a user's code that is
async. The async host (`async_host`) awaits, and gives a user's plain functions to worker threads, since
they may block.

One sync host serves one call of a sync verb. Code of a user's that runs inside its private loop is in an
async world: a step that is reached from there is given the async host (`here`).
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from millstream.kernel import threads
from millstream.kernel.cancel import Cancellation
from millstream.kernel.channel import READ_AHEAD, Channel, Closed, ThreadChannel
from millstream.kernel.clock import get_clock
from millstream.kernel.drive import drive, iterate
from millstream.kernel.scope import Scope, note_step, user_context
from millstream.kernel.sources import Source

if TYPE_CHECKING:
    from millstream.kernel.loops import LoopRunner

#: What stands for the end of a stream where an item could stand. Compare it with `is`: items may compare in
#: odd ways, or slowly.
END: Any = object()

Emit = Callable[[Any], None]
Produce = Callable[[Emit, Cancellation], None]


class Worker(Protocol):
    """A branch that runs beside the combinator that started it."""

    def stop(self) -> None:
        """Ask it to end; its cancellation was set before."""
        ...

    async def join(self) -> None:
        """Wait until it ended."""
        ...


class Host(Protocol):
    """How a step waits, and how a user's code of either colour is run."""

    is_async: bool
    """Whether waiting suspends a task; else it blocks the thread."""

    thread: int | None
    """The thread in which the sync verb was called that it serves."""

    def here(self) -> Host:
        """The host for code that runs now, in this thread."""
        ...

    async def sleep(self, scope: Scope, seconds: float) -> None:
        """Wait; a cancel cuts it short and is raised."""
        ...

    async def call(self, scope: Scope, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run a user's plain function."""
        ...

    async def wait(
        self, scope: Scope, function: Callable[..., Awaitable[Any]], /, *args: Any, **kw: Any
    ) -> Any:
        """Run a user's coroutine function."""
        ...

    def each(
        self, scope: Scope, function: Callable[..., Iterable[Any]], source: Source[Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """Run a user's generator function; with a source, on an iterator that reads it."""
        ...

    def aeach(
        self, scope: Scope, function: Callable[..., Any], source: Source[Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """Run a user's async generator function; with a source, on an async iterator that reads it."""
        ...

    def pump(self, scope: Scope, produce: Produce) -> AsyncGenerator[Any, None]:
        """Run a blocking function in a worker thread; yields what it hands to its `emit`.

        `emit` waits while the consumer is behind, and raises `Closed` when it has gone. Whatever else the
        function blocks in, it registers an abort for with the cancellation it is given.
        """
        ...

    def channel(self, bound: int = READ_AHEAD) -> Channel:
        """A bounded queue between this step and the branches that it spawns."""
        ...

    def spawn(self, body: Coroutine[Any, Any, None]) -> Worker:
        """Run a coroutine of the library's beside this one."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class SyncHost:
    """Blocks the caller's thread; one for each call of a sync verb."""

    __slots__ = ("_branches", "_loops", "thread")
    is_async = False

    def __init__(self) -> None:
        self.thread: int | None = threading.get_ident()
        # One private loop for the call itself, under None, from whatever thread it is pulled at the time; and
        # one for each branch, under its thread, since branches run at once.
        self._loops: dict[int | None, LoopRunner] | None = None
        self._branches: set[int] | None = None

    def here(self) -> Host:
        """See `Host`: the async host for a step that is reached from inside a private loop."""
        if self._loops:
            runner = self._loops.get(self._owner())
            if runner is not None and runner.inside():
                from millstream.kernel.async_host import ASYNC_HOST

                return ASYNC_HOST
        return self

    async def sleep(self, scope: Scope, seconds: float) -> None:
        """See `Host`."""
        woken = threading.Event()
        with scope.cancellation.aborting(woken.set):
            get_clock().sleep(seconds, woken)
        scope.cancellation.check()

    async def call(self, scope: Scope, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """See `Host`: in place."""
        answer = user_context(scope).run(function, *args, **kwargs)
        # What blocks in a user's code cannot be interrupted: a cancel is noticed when it returns.
        scope.cancellation.check()
        return answer

    async def wait(
        self, scope: Scope, function: Callable[..., Awaitable[Any]], /, *args: Any, **kw: Any
    ) -> Any:
        """See `Host`: on the private loop."""
        context = user_context(scope)

        async def run() -> Any:
            return await function(*args, **kw)

        answer = self._runner().run(run(), context, scope.cancellation)
        scope.cancellation.check()
        return answer

    async def each(
        self, scope: Scope, function: Callable[..., Iterable[Any]], source: Source[Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """See `Host`: in place, in a context of its own."""
        # Asked now and not when the chain was put together: who pulls first decides.
        host = self.here()
        if host is not self:
            async with scope.reading(host.each(scope, function, source)) as delegated:
                async for item in delegated:
                    yield item
            return
        feed = None if source is None else iterate(source, scope)
        try:
            with InPlace(scope, function if feed is None else partial(function, feed)) as advance:
                while (item := advance()) is not END:
                    yield item
        finally:
            if feed is not None and source is not None:
                feed.close()
                # A feed that was never read has not closed its source.
                await source.aclose()

    async def aeach(
        self, scope: Scope, function: Callable[..., Any], source: Source[Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """See `Host`: on the private loop, one step at a time."""
        host = self.here()
        if host is not self:
            async with scope.reading(host.aeach(scope, function, source)) as delegated:
                async for item in delegated:
                    yield item
            return
        runner = self._runner()
        context = user_context(scope)
        # The input of a watched step was begun out here: that is where it goes on.
        is_outside = bool(scope.watchers) or hasattr(source, "begin")
        feed = None if source is None else runner.reach(source, is_outside)
        items: Any = None
        try:
            items = context.run(function) if feed is None else context.run(function, feed)
            while True:
                item = runner.run(_next(items), context, scope.cancellation)
                if item is END:
                    return
                yield item
        except BaseException as error:
            note_step(error, scope)
            raise
        finally:
            runner.run(_close(items, feed), context, None)

    async def pump(self, scope: Scope, produce: Produce) -> AsyncGenerator[Any, None]:
        """See `Host`."""
        channel = ThreadChannel()
        with scope.part() as cancellation:
            job = threads.start(lambda: produce_into(produce, cancellation, channel), user_context(scope))
            cancellation.register(channel, channel.close)
            try:
                while True:
                    try:
                        item = await channel.get()
                    except Closed:
                        cancellation.check()
                        raise
                    if type(item) is Ended:
                        item.check()
                        cancellation.check()
                        return
                    yield item
            finally:
                cancellation.cancel()
                cancellation.unregister(channel)
                job.join()

    def channel(self, bound: int = READ_AHEAD) -> Channel:
        """See `Host`."""
        return ThreadChannel(bound)

    def spawn(self, body: Coroutine[Any, Any, None]) -> Worker:
        """See `Host`: in a worker thread."""
        return _Thread(threads.start(lambda: self._run_branch(body)))

    def close(self) -> None:
        """End the call's private loop. Branches have ended before, and theirs with them."""
        self._end_loop(None)

    def _end_loop(self, owner: int | None) -> None:
        runner = self._loops.pop(owner, None) if self._loops else None
        if runner is not None:
            runner.close()

    def _run_branch(self, body: Coroutine[Any, Any, None]) -> None:
        branch = threading.get_ident()
        if self._branches is None:
            self._branches = set()
        self._branches.add(branch)
        try:
            drive(body)
        finally:
            self._end_loop(branch)
            self._branches.discard(branch)

    def _owner(self) -> int | None:
        """Whose private loop the code that runs now would use: a branch's, or the call's."""
        if not self._branches:
            return None
        thread = threading.get_ident()
        return thread if thread in self._branches else None

    def _runner(self) -> LoopRunner:
        from millstream.kernel.loops import new_runner

        if self._loops is None:
            self._loops = {}
        owner = self._owner()
        runner = self._loops.get(owner)
        if runner is None:
            runner = self._loops[owner] = new_runner()
        return runner


class InPlace:
    """A user's plain generator, advanced in the caller's thread and in a context of its own.

    What `SyncHost.each` is made of; a step that is a loop over it anyway saves itself a generator a token.
    """

    __slots__ = ("_function", "_items", "_run", "_scope")

    def __init__(self, scope: Scope, function: Callable[[], Iterable[Any]]) -> None:
        self._scope = scope
        self._function = function

    def __enter__(self) -> Callable[[], Any]:
        """A function that gives the next item, and `END` after the last."""
        self._run = user_context(self._scope).run
        try:
            self._items: Any = iter(self._run(self._function))
        except BaseException as error:
            note_step(error, self._scope)
            raise
        return partial(self._run, next, self._items, END)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            note_step(error, self._scope)
        if hasattr(self._items, "close"):
            self._run(self._items.close)


class _Thread:
    __slots__ = ("_job",)

    def __init__(self, job: threads.Job) -> None:
        self._job = job

    def stop(self) -> None:
        """Nothing to do: the aborts of its cancellation have woken whatever can be woken."""

    async def join(self) -> None:
        self._job.join()


class Ended:
    """The last word of a producer or a branch: it ended, by itself or with an error."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def check(self) -> None:
        """Raise the error, bare, if it ended with one."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # the traceback holds this frame: let go of the circle


class _Outlet(Protocol):
    def emit(self, item: Any) -> None: ...
    def post(self, item: Any) -> None: ...


def produce_into(produce: Produce, cancellation: Cancellation, channel: _Outlet) -> None:
    """Run a producer to its end, and post how it ended: the body of a pump's thread."""
    error: BaseException | None = None
    try:
        produce(channel.emit, cancellation)
    except (Closed, GeneratorExit):
        pass  # closed from the other end
    except BaseException as raised:
        error = raised
    channel.post(Ended(error))


async def _next(items: Any) -> Any:
    # StopAsyncIteration would come out of the task all the same; a value is cheaper.
    try:
        return await items.__anext__()
    except StopAsyncIteration:
        return END


async def _close(items: Any, feed: Source[Any] | None) -> None:
    try:
        if hasattr(items, "aclose"):
            await items.aclose()
    finally:
        if feed is not None:
            await feed.aclose()
