"""The two drivers.

Every combinator is one coroutine or one async generator that never touches an event loop: whatever can wait
is reached through the host. Async callers await it. Sync callers have it driven here by `send(None)`: under
the sync host each wait blocks the caller's thread and then completes, so nothing ever suspends.
"""

import sys
import types
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from millstream.kernel.cancel import Cancellation
from millstream.kernel.scope import Scope
from millstream.kernel.sources import Source

if TYPE_CHECKING:
    from millstream.kernel.host import Host

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _HiddenHooks:
    """Hides a running event loop's async-generator hooks while the sync driver steps.

    The loop would adopt the generators that are first iterated in its thread, and close them at its own
    end: a stream that outlives `asyncio.run` would come out empty.
    """

    __slots__ = ("_hooks",)

    def __enter__(self) -> None:
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)

    def __exit__(self, *_: object) -> None:
        sys.set_asyncgen_hooks(*self._hooks)


def _hook_probe() -> Callable[[], object]:
    """A function to ask, once a token, whether a loop's hooks may be in place in this thread: None if not.

    Asking asyncio for its running loop takes a quarter of the time that asking for the hooks does. Before
    asyncio is imported there is no loop of its; other frameworks have hooks too, and those are asked for.
    """
    if "trio" in sys.modules:
        return lambda: sys.get_asyncgen_hooks().firstiter
    asyncio = sys.modules.get("asyncio")
    return partial(sys.modules.get, "asyncio") if asyncio is None else asyncio._get_running_loop


def _suspended(what: object) -> RuntimeError:
    return RuntimeError(
        f"A step awaited {what!r} under a sync verb. A runnable's own coroutines wait through "
        "`scope.here` (sleep, call, wait); awaiting an event loop's objects works in functions and models."
    )


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end, in the caller's thread."""
    if sys.get_asyncgen_hooks().firstiter is None:
        return _finish(coroutine)
    with _HiddenHooks():
        return _finish(coroutine)


def _finish(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        what = coroutine.send(None)
        while True:
            # Raised where the step awaits, so that its own `finally` blocks run, and the traceback shows it.
            what = coroutine.throw(_suspended(what))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


@types.coroutine
def _pull(source: Source[T], cancellation: Cancellation) -> Generator[T, None, None]:
    """The items of a source, and whatever a step wrongly suspends on; `iterate` tells them apart.

    An item passes through here without the StopIteration that `send` would wrap it in: a third of the cost.
    """
    hooked = _hook_probe()
    above = cancellation.parent
    pull = source.__anext__
    try:
        while True:
            if cancellation.set_here is not None or (above is not None and above.reason is not None):
                cancellation.check()
            if hooked() is None:
                item = yield from pull()
            else:
                with _HiddenHooks():
                    item = yield from pull()
            yield item
    except StopAsyncIteration:
        return


def iterate(
    source: Source[T], scope: Scope, host: "Host | None" = None, given: Source[Any] | None = None
) -> Generator[T, None, None]:
    """Pull an async source from sync code. Closing this generator closes the source, then ends the host.

    `given` is the source at the very start, if it is the caller's: steps that never began close nothing.
    """
    # A plain generator, whatever the type of one that may delegate to coroutines says.
    items: Any = _pull(source, scope.cancellation)
    try:
        for item in items:
            while items.gi_yieldfrom is not None:
                try:
                    item = items.throw(_suspended(item))
                except StopIteration:
                    return
            yield item
    finally:
        try:
            items.close()
            drive(source.aclose())
            if given is not None:
                drive(given.aclose())
        finally:
            if host is not None:
                host.close()


def run_sync(scope: Scope, coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive one run's coroutine, then end the run's host."""
    try:
        return drive(coroutine)
    finally:
        scope.host.close()


def stream_sync(
    scope: Scope, source: Source[T], given: Source[Any] | None = None
) -> Generator[T, None, None]:
    """Drive one run's stream, then end the run's host: the iterator that `stream` returns."""
    return iterate(source, scope, scope.host, given)


class AsyncStream(AsyncIterator[T_co], Generic[T_co]):
    """What `astream` returns: an async iterator that can be closed, and aborts its I/O when it is dropped.

    Python announces no `break` in `async for`: the loop just lets go of the iterator. So losing the last
    reference aborts whatever the run is blocked in, before the next statement runs, and the event loop runs
    the `finally` blocks in its next turns. A stream that is kept in a variable is not let go of: close it
    with `async with`, `contextlib.aclosing` or `aclose()`.
    """

    __slots__ = ("_above", "_begun", "_cancellation", "_given", "_pull", "_source")

    def __init__(
        self,
        source: AsyncGenerator[T_co, None],
        cancellation: Cancellation,
        given: Source[Any] | None = None,
    ) -> None:
        self._source = source
        self._given = given
        self._pull = source.__anext__
        self._begun = False
        self._cancellation = cancellation
        self._above = cancellation.parent

    def __aiter__(self) -> "AsyncStream[T_co]":
        return self

    def __anext__(self) -> Coroutine[Any, Any, T_co]:
        cancellation = self._cancellation
        if cancellation.set_here is not None or (self._above is not None and self._above.reason is not None):
            cancellation.check()
        return self._pull() if self._begun else self._first(self._pull())

    async def _first(self, item: Coroutine[Any, Any, T_co]) -> T_co:
        # Holds the stream while it is awaited: `await anext(model.astream(...))` keeps nothing but this.
        self._begun = True
        return await item

    async def aclose(self) -> None:
        """End the stream now: every stage is closed, from the last to the first, when this returns.

        While another task waits for an item, it is that task's stream: the run is cancelled, and that task
        gets `Cancelled` when every stage is closed.
        """
        if getattr(self._source, "ag_running", False):
            self._cancellation.cancel()
            return
        await self._source.aclose()
        if self._given is not None:
            await self._given.aclose()

    async def __aenter__(self) -> "AsyncStream[T_co]":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # Not after the end: what a step started and left running still belongs to that run.
        if getattr(self._source, "ag_frame", self._source) is not None:
            self._cancellation.cancel()
