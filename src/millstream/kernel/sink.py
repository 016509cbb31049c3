"""The sink: what the steps of one run tell, from any thread and any loop, to one reader.

A step that tells something waits while the reader is behind, wherever it runs: a task awaits, a thread
blocks. One cannot: a sync verb on the very thread whose event loop runs the reader, with all that it runs
elsewhere. The reader would wait for it, and it for the reader, so there the sink grows beyond its bound, and
counts by how much (`overflow`).

The garbage collector may close a stream that a step dropped wherever Python code runs, and that tells
something: also in a thread that holds the sink's lock. So the lock can be taken twice by one thread, and what
is done under it is done in steps that the collector cannot come between.

A run that is cancelled tells so: the sink takes its last words, which wait for no room, and the reader gets
them before the reason is raised.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from millstream.kernel.channel import READ_AHEAD
from millstream.kernel.scope import Scope


class Teller(Protocol):
    """Whose items they are: a run. Behind its last one nothing more is taken of it."""

    closed: bool


class Sink:
    """A bounded queue from the steps of a run to its reader: see `Channel`; steps use `add`.

    Its items are dicts, which get their number in the order of the sink, from 1, as `seq`.
    """

    def __init__(self, scope: Scope, bound: int = READ_AHEAD) -> None:
        self._bound = bound
        self._reader_is_async = scope.here.is_async
        #: The run around the one that is told of.
        self._around = scope.parent
        self._items: deque[Any] = deque()
        self._lock = threading.RLock()
        # What wakes the reader, and those who wait for room. Called outside the lock.
        self._reader: Callable[[], object] | None = None
        self._waiting: list[Callable[[], object]] = []
        self._reader_thread: int | None = None
        # Whether the reader has gone; and whether nobody waits for room any more: the reader has gone, or the
        # run was cancelled.
        self._closed = False
        self._over = False
        self._count = 0
        #: How many items were taken beyond the bound, since nobody could wait.
        self.overflow = 0

    def add(self, item: Any, teller: Teller, *, is_last: bool = False) -> bool:
        """Take an item, unless its teller or the reader has gone. Returns whether to ask for `room` now."""
        with self._lock:
            if self._closed or teller.closed:
                return self._over
            teller.closed = is_last
            self._take(item)
            reader, self._reader = self._reader, None
        if reader is not None:
            reader()
        # Once a token: whether it is full is asked for only if it may be.
        return self._over or (len(self._items) >= self._bound and self._ahead() >= self._bound)

    def _take(self, item: Any) -> None:
        self._count += 1
        item["seq"] = self._count
        self._items.append(item)

    def _ahead(self) -> int:
        """How many items the steps are ahead of the reader."""
        return len(self._items)

    def end(self, teller: Teller) -> None:
        """Take nothing more of this teller."""
        with self._lock:
            teller.closed = True

    async def room(self, scope: Scope, *, may_await: bool = True) -> None:
        """Wait for room, if that can be; `may_await` says that whoever calls can be suspended.

        Raises the step's reason to end if it has one: a step that only tells would never notice.
        """
        if self._over:
            scope.cancellation.check()
            return
        awaits = may_await and _running_loop() is not None and scope.here.is_async
        if self._reader_is_async and self._holds_up_the_reader(scope, awaits):
            self.overflow += 1
            return
        wait, wake = _waiter(awaits)
        if self._queue(wake):
            with scope.cancellation.aborting(wake):
                await wait()
            scope.cancellation.check()

    def _holds_up_the_reader(self, scope: Scope, awaits: bool) -> bool:
        """Whether the reader's thread is held until this step goes on."""
        reader = self._reader_thread
        if not awaits and threading.get_ident() == reader:
            return True
        above: Scope | None = scope
        while above is not None and above is not self._around:
            if above.host.thread == reader:
                return True
            above = above.parent
        return False

    async def put(self, item: Any) -> None:
        """See `Channel`: without waiting."""
        self.post(item)

    def post(self, item: Any) -> None:
        """See `Channel`."""
        self._items.append(item)
        self._wake_reader()

    def _wake_reader(self) -> None:
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader()

    def pop(self) -> Any:
        """The next item, if there is one now; else None."""
        if not self._items:
            return None
        item = self._items.popleft()
        if self._waiting and len(self._items) <= self._bound // 2:
            self._let_go()
        return item

    async def get(self) -> Any:
        """See `Channel`."""
        while not self._items:
            await self._more()
        return self.pop()

    async def _more(self) -> None:
        self._reader_thread = threading.get_ident()
        wait, wake = _waiter(self._reader_is_async)
        with self._lock:
            if self._items:
                return
            self._reader = wake
        await wait()

    def close(self) -> None:
        """See `Channel`: the reader has gone."""
        self._closed = True
        self.abort()

    def abort(self) -> None:
        """See `Channel`: the run is cancelled. Its reader goes on until it has ended."""
        with self._lock:
            self._over = True
        self._let_go()

    def _queue(self, wake: Callable[[], object]) -> bool:
        """Have `wake` called when there is room; False if there is some already."""
        with self._lock:
            if self._over or self._ahead() < self._bound:
                return False
            self._waiting.append(wake)
            return True

    def _let_go(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()


# In seconds: how late Ctrl-C may be seen.
_BIT = 0.1


def _running_loop() -> Any:
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()


def _waiter(is_async: bool) -> tuple[Callable[[], Any], Callable[[], object]]:
    """A coroutine function that waits, as a task or as a thread, and what wakes it from any thread."""
    if not is_async:
        event = threading.Event()

        async def block() -> None:
            # In bits: Python does not see a signal that comes just as a wait begins, until that wait ends.
            while not event.wait(_BIT):
                pass

        return block, event.set

    from millstream.kernel.loops import call_in, settle

    loop = _running_loop()
    future = loop.create_future()

    async def wait() -> None:
        await future

    def wake() -> None:
        # From the loop's own thread without its pipe, which costs more than ten events.
        if _running_loop() is loop:
            settle(future)
        else:
            call_in(loop, settle, future)

    return wait, wake
