"""Bounded queues between a combinator and the threads or tasks that it started.

Three, by who stands at each end: thread to thread (here), task to task and thread to task (`async_channel`,
apart since it needs asyncio). All are bounded, so a consumer that stops pulling stops its producers;
wake-ups are batched (a producer that was stopped goes on when half of the room is free), since each costs a
switch between threads.
"""

import threading
from collections import deque
from typing import Any, Protocol

# How many items a producer in a thread or task of its own may be ahead of its consumer.
READ_AHEAD = 64


class Closed(Exception):
    """Raised in a producer: its consumer has gone."""


class Channel(Protocol):
    """A bounded queue between a combinator and its branches."""

    async def put(self, item: Any) -> None:
        """Add an item, waiting for room; `Closed` if nobody reads any more."""
        ...

    def post(self, item: Any) -> None:
        """Add an item whatever the bound: a producer's last word."""
        ...

    async def get(self) -> Any:
        """The next item, waiting for one; `Closed` if there is none and the channel was closed."""
        ...

    def close(self) -> None:
        """Let every producer go, any number of times."""
        ...

    def abort(self) -> None:
        """`close`, from any thread."""
        ...


class ThreadChannel:
    """Threads put, a thread gets."""

    def __init__(self, bound: int = READ_AHEAD) -> None:
        self._items: deque[Any] = deque()
        self._bound = bound
        # Reentrant: a stream that the garbage collector finds in here, in this very thread, may close it.
        self._lock = threading.RLock()
        self._more = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._waiting = 0
        self._closed = False

    def emit(self, item: Any) -> None:
        """`put`, for code that is no coroutine."""
        with self._lock:
            while len(self._items) >= self._bound and not self._closed:
                self._waiting += 1
                self._room.wait()
                self._waiting -= 1
            if self._closed:
                raise Closed
            self._items.append(item)
            self._more.notify()

    def post(self, item: Any) -> None:
        """Add an item whatever the bound: the last word of a producer."""
        with self._lock:
            self._items.append(item)
            self._more.notify()

    async def put(self, item: Any) -> None:
        """See `Channel`; blocks the thread."""
        self.emit(item)

    async def get(self) -> Any:
        """See `Channel`; blocks the thread."""
        with self._lock:
            while not self._items:
                if self._closed:
                    raise Closed
                self._more.wait()
            item = self._items.popleft()
            if self._waiting and len(self._items) <= self._bound // 2:
                self._room.notify_all()
            return item

    def close(self) -> None:
        """See `Channel`."""
        with self._lock:
            self._closed = True
            self._room.notify_all()
            self._more.notify_all()

    def abort(self) -> None:
        """See `Channel`."""
        self.close()
