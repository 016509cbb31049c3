"""The bounded queues that end in an event loop: task to task, and thread to task. See `channel`."""

import asyncio
import threading
from collections import deque
from typing import Any

from millstream.kernel.channel import READ_AHEAD, Closed
from millstream.kernel.loops import call_in


class TaskChannel:
    """Tasks put, a task gets, all of one event loop."""

    def __init__(self, bound: int = READ_AHEAD) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: deque[Any] = deque()
        self._bound = bound
        self._getter: asyncio.Future[None] | None = None
        self._putters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def put(self, item: Any) -> None:
        """See `Channel`."""
        while len(self._items) >= self._bound and not self._closed:
            turn = asyncio.get_running_loop().create_future()
            self._putters.append(turn)
            await turn
        if self._closed:
            raise Closed
        self.post(item)

    def post(self, item: Any) -> None:
        """See `Channel`."""
        self._items.append(item)
        _resolve(self._getter)

    async def get(self) -> Any:
        """See `Channel`."""
        while not self._items:
            if self._closed:
                raise Closed
            self._getter = asyncio.get_running_loop().create_future()
            try:
                await self._getter
            finally:
                self._getter = None
        item = self._items.popleft()
        if self._putters and len(self._items) <= self._bound // 2:
            self._let_go()
        return item

    def close(self) -> None:
        """See `Channel`."""
        self._closed = True
        self._let_go()
        _resolve(self._getter)

    def abort(self) -> None:
        """See `Channel`."""
        call_in(self._loop, self.close)

    def _let_go(self) -> None:
        while self._putters:
            _resolve(self._putters.popleft())


class BridgeChannel:
    """One thread emits, a task reads: `await more()`, then `take()` while there are items.

    Taking costs no coroutine, and no switch of threads until the producer is let go on.
    """

    def __init__(self, bound: int = READ_AHEAD) -> None:
        self.loop = asyncio.get_running_loop()
        self._items: deque[Any] = deque()
        self._bound = bound
        self._room = threading.Event()
        self._getter: asyncio.Future[None] | None = None
        self._blocked = False
        self._closed = False

    def emit(self, item: Any) -> None:
        """Add an item from the producer's thread, waiting for room; `Closed` if nobody reads any more."""
        while len(self._items) >= self._bound and not self._closed:
            self._room.clear()
            self._blocked = True
            # The consumer may have made room, or gone, before it could see the flag.
            if len(self._items) >= self._bound and not self._closed:
                self._room.wait()
            self._blocked = False
        if self._closed:
            raise Closed
        self.post(item)

    def post(self, item: Any) -> None:
        """Add an item whatever the bound: the last word of a producer."""
        self._items.append(item)
        if self._getter is not None:
            self._wake()

    async def more(self) -> None:
        """Wait until there is an item."""
        while not self._items:
            getter = self._getter = self.loop.create_future()
            try:
                # The producer may have added one before it could see the future.
                if not self._items:
                    await getter
            finally:
                self._getter = None

    def __len__(self) -> int:
        return len(self._items)

    def take(self) -> Any:
        """The next item, which is there."""
        item = self._items.popleft()
        if self._blocked and len(self._items) <= self._bound // 2:
            self._room.set()
        return item

    def close(self) -> None:
        """Let the producer go. From any thread."""
        self._closed = True
        self._room.set()

    def _wake(self) -> None:
        # Taken away, so that one wait is answered by one wake-up, however many items come meanwhile.
        getter, self._getter = self._getter, None
        if getter is None:
            return
        if self.loop.is_closed():  # nobody waits any more
            self.close()
        else:
            call_in(self.loop, _resolve, getter)


def _resolve(future: "asyncio.Future[None] | None") -> None:
    if future is not None and not future.done():
        future.set_result(None)
