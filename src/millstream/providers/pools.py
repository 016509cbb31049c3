"""The HTTP clients under the providers' SDKs: one for all threads, and one for each event loop.

An async client's connections belong to the loop that they were opened in: kept beyond it, the next request
fails with "Event loop is closed". So each loop has a client of its own, which is closed with it. The end of a
loop is seen by an async generator that was begun in it: loops close those that are still open before they end
(`loop.shutdown_asyncgens`, which `asyncio.run` calls). A loop that ends in another way is noticed when the
next one asks for a client.

All models of an SDK share the clients, so that one made for each request finds the connections of the one
before.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from millstream.providers.sockets import idle_sockets


class LoopClient:
    """An async HTTP client, and what was made on it: the SDK's clients, by whoever made them."""

    def __init__(self, http: Any) -> None:
        self.http = http
        self.made: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._end: AsyncGenerator[None, None] | None = None

    async def until_loop_ends(self) -> None:
        """Have it closed when the loop that runs now ends."""
        self._end = self._closing()
        await self._end.__anext__()

    async def _closing(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.http.aclose()


class Pools:
    """The clients of one SDK, made when they are first asked for."""

    def __init__(self, make: Callable[[], Any], make_async: Callable[[], Any]) -> None:
        self._make = make
        self._make_async = make_async
        self._sync: Any = None
        self._of_loops: dict[asyncio.AbstractEventLoop, LoopClient] = {}
        self._lock = threading.Lock()
        _all.add(self)
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def sync(self) -> Any:
        """The client of all threads."""
        with self._lock:
            if self._sync is None:
                self._sync = self._make()
            return self._sync

    async def of_loop(self) -> LoopClient:
        """The client of the loop that runs now."""
        loop = asyncio.get_running_loop()
        with self._lock:
            client = self._of_loops.get(loop)
            is_new = client is None
            if client is None:
                self._of_loops = {each: its for each, its in self._of_loops.items() if not each.is_closed()}
                client = self._of_loops[loop] = LoopClient(self._make_async())
        if is_new:
            await client.until_loop_ends()
        return client

    def idle_sockets(self) -> Iterator[Any]:
        """The sockets of all connections that are kept to be used again."""
        clients = [self._sync, *(client.http for client in self._of_loops.values())]
        for http in clients:
            yield from idle_sockets(http)

    def close(self) -> None:
        """The interpreter exits: connections that are kept say goodbye."""
        if self._sync is not None:
            with suppress(Exception):
                self._sync.close()

    def _after_fork(self) -> None:
        # The connections are the parent's; two processes would read each other's answers.
        self._lock = threading.Lock()
        self._sync = None
        self._of_loops = {}


_all: WeakSet[Pools] = WeakSet()


def kept_sockets() -> list[Any]:
    """The sockets that this process keeps to use them again, of all SDKs."""
    return [sock for pools in list(_all) for sock in pools.idle_sockets()]


def is_keeper(generator: Any) -> bool:
    """Whether an async generator is what waits here for the end of its loop."""
    return generator.ag_code is LoopClient._closing.__code__
