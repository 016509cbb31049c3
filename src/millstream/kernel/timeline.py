"""The timeline: what the steps of one run tell, for any number of readers, in any threads or tasks.

Each reader has a position of its own. The steps wait while they are `bound` items ahead of the reader that is
furthest; so one reader slows the run down, and never misses anything. Items stay until that one has read
them, and the last `bound` stay anyway: a reader that falls further behind misses some, and is told how many.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from millstream.kernel.channel import READ_AHEAD
from millstream.kernel.scope import Scope
from millstream.kernel.sink import Sink, _waiter


class Timeline(Sink):
    """See the module. Its items are objects with a `seq`."""

    def __init__(self, scope: Scope, bound: int = READ_AHEAD) -> None:
        super().__init__(scope, bound)
        if self._reader_is_async:
            # Its readers are tasks of the loop that runs in this thread.
            self._reader_thread = threading.get_ident()
        #: The position of the first item that is there, and of the first that nobody has read.
        self._first = self._unread = 0
        self._readers: list[Callable[[], object]] = []
        # What wakes those who wait for the end alone.
        self._waiting_for_end: list[Callable[[], object]] = []
        self._runs_free = False
        #: Whether nothing more will come.
        self.ended = False

    def _take(self, item: Any) -> None:
        self._count += 1
        item.seq = self._count
        self._items.append(item)
        if self._runs_free:
            self._unread = self._first + len(self._items)
            self._forget()

    def _ahead(self) -> int:
        return self._first + len(self._items) - self._unread

    def _wake_all(self) -> None:
        with self._lock:
            readers, self._readers = self._readers, []
        for wake in readers:
            wake()

    def at(self, position: int) -> tuple[Any, int]:
        """The item at a reader's position, None if it has not come; and how many are gone before it."""
        with self._lock:
            missed = max(0, self._first - position)
            position += missed
            place = position - self._first
            if place >= len(self._items):
                return None, missed
            item = self._items[place]
            if position >= self._unread:
                self._unread = position + 1
            self._forget()
        if self._waiting and self._ahead() <= self._bound // 2:
            self._let_go()
        return item, missed

    async def more(self, position: int) -> None:
        """Wait for an item at this position, or for the end."""
        wait, wake = _waiter(self._reader_is_async)
        with self._lock:
            if self.ended or self._first + len(self._items) > position:
                return
            self._readers.append(wake)
            self._reader = self._wake_all
        await wait()

    def finish(self) -> None:
        """Nothing more comes."""
        with self._lock:
            # Nor is anything taken of a thread for which Ctrl-C did not wait.
            self.ended = self._closed = True
            waiting, self._waiting_for_end = self._waiting_for_end, []
        self._wake_reader()
        for wake in waiting:
            wake()

    async def finished(self) -> None:
        """Wait for the end alone. The run does not wait for readers any more, or it might never end."""
        wait, wake = _waiter(self._reader_is_async)
        with self._lock:
            self._runs_free = True
            self._unread = self._first + len(self._items)
            self._forget()
            if self.ended:
                wake()
            else:
                self._waiting_for_end.append(wake)
        self._let_go()
        await wait()

    def _forget(self) -> None:
        while self._first < self._unread and len(self._items) > self._bound:
            self._items.popleft()
            self._first += 1
