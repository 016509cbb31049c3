"""One request and its response, while they are under way: what has to be known to end them from elsewhere.

Under async verbs a cancel arrives as an exception where the task waits. Under sync verbs the thread is
blocked in a read, and nothing but an end of its socket wakes it. HTTP clients have no call for that. Once
there is a response, it tells its socket. Before that, the socket is looked up in the tables of the client's
connection pool, where the request is found by a mark that it carries (`sockets.py`). If it cannot be found, a
cancel is noticed when the read ends; while a connection is being made, when that is done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from millstream.kernel.cancel import Cancellation
from millstream.kernel.clock import get_clock
from millstream.providers.sockets import shut_down, stream_of_connection, stream_of_response, waiting_in

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
            response = self._response
            stream = self._pending() if response is None else stream_of_response(response)
            if stream is not None:
                shut_down(stream.get_extra_info("socket"))

    def _pending(self) -> Any:
        """The network stream of the request that has no response yet."""
        waiting = waiting_in(self._http, MARK, self)
        if waiting is None:
            return None
        if waiting.connection is None:
            # It waits for a place in the pool. Woken without one it fails, and the pool forgets it.
            waiting._connection_acquired.set()
            return None
        return stream_of_connection(waiting.connection)


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
