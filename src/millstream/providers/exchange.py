"""One request and its response, while they are under way: what has to be known to end them from elsewhere.

Under async verbs a cancel arrives as an exception where the task waits. Under sync verbs the thread is
blocked in a read, and nothing but an end of its socket wakes it. HTTP clients have no call for that. Once
there is a response, it tells its socket. Before that, the socket is looked up in the tables of the client's
connection pool (httpx on httpcore, of either generation), where the request is found by a mark that it
carries. Whatever cannot be found there is left alone: then a cancel is noticed when the read ends.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from millstream.kernel.cancel import Cancellation
from millstream.kernel.clock import get_clock

#: The name that a request's mark goes by among its extensions.
MARK = "millstream"


class Exchange:
    """One request and its response."""

    def __init__(self, cancellation: Cancellation, http: Any) -> None:
        self.cancellation = cancellation
        self._http = http
        self._response: Any = None
        self._woken = threading.Event()

    def prepare(self, request: Any) -> None:
        """The SDK is about to send this request, the first time or again."""
        self.cancellation.check()
        request.extensions[MARK] = self

    def sleep(self, seconds: float) -> None:
        """Wait before a request is sent again; a cancel cuts it short, and is raised by `prepare`."""
        get_clock().sleep(seconds, self._woken)

    def answered(self, response: Any) -> None:
        """The head of the response has come: an `httpx.Response`."""
        self._response = response

    def abort(self) -> None:
        """End it, from any thread: a read that blocks comes back at once."""
        self._woken.set()
        # A courtesy: these are other libraries' objects, whose threads may be closing them.
        with suppress(Exception):
            stream = _stream_of(self._response) if self._response is not None else self._pending()
            if stream is not None:
                _shut_down(stream.get_extra_info("socket"))

    def _pending(self) -> Any:
        """The network stream of the request that has no response yet."""
        for pool in _pools_of(self._http):
            for waiting in list(pool._requests):
                if waiting.request.extensions.get(MARK) is self:
                    return _innermost(waiting)
        return None


CURRENT: ContextVar[Exchange | None] = ContextVar("millstream_exchange", default=None)


@contextmanager
def under_way(exchange: Exchange) -> Iterator[None]:
    """While the SDK's client sends, its hooks find the exchange."""
    token = CURRENT.set(exchange)
    try:
        yield
    finally:
        CURRENT.reset(token)


def interruptible(client: type[Any]) -> type[Any]:
    """The SDK's sync client, made so that a cancel reaches it while it sends, and while it waits to try
    again."""

    class Interruptible(client):  # type: ignore[misc]
        def _prepare_request(self, request: Any) -> None:
            super()._prepare_request(request)
            if (exchange := CURRENT.get()) is not None:
                exchange.prepare(request)

        def _sleep_for_retry(
            self, *, retries_taken: int, max_retries: int, options: Any, response: Any
        ) -> None:
            headers = response.headers if response is not None else None
            seconds = self._calculate_retry_timeout(max_retries - retries_taken, options, headers)
            if (exchange := CURRENT.get()) is not None:
                exchange.sleep(seconds)

    Interruptible.__name__ = client.__name__
    return Interruptible


def _pools_of(http: Any) -> list[Any]:
    transports = [http._transport, *http._mounts.values()]
    pools = [getattr(transport, "_pool", None) for transport in transports]
    return [pool for pool in pools if pool is not None]


def _innermost(waiting: Any) -> Any:
    connection = waiting.connection
    if connection is None:
        # It waits for a place in the pool. Woken without one it fails, and the pool forgets it.
        waiting._connection_acquired.set()
        return None
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    return _unless_shared(connection, getattr(connection, "_network_stream", None))


def _stream_of(response: Any) -> Any:
    if response.extensions.get("http_version") == b"HTTP/2":
        # Its connection carries other streams, too: closing the response resets this one alone.
        return None
    return response.extensions.get("network_stream")


def _unless_shared(connection: Any, stream: Any) -> Any:
    return None if hasattr(connection, "_h2_state") else stream


def _shut_down(sock: Any) -> None:
    if isinstance(sock, socket.socket):
        # Below TLS, whose own shutdown would change the object that another thread reads from.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
        return
    # What an event loop shows of its socket: of the same connection, by a descriptor of our own.
    with socket.socket(fileno=os.dup(sock.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)
