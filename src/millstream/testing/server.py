"""A small HTTP server that says what a test tells it to, byte by byte, over a real socket."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from millstream.testing.connection import Connection, Request
from millstream.testing.script import Reply

# How long `close` waits for a function of the script's that is still running.
CLOSE_SECONDS = 5.0

_HOST = "127.0.0.1"


class ScriptedServer:
    """A server on 127.0.0.1 that plays replies: `with ScriptedServer([Reply(...), ...]) as server`.

    Requests get the replies in turn, in the order in which they were whole, and the last reply again and
    again after that; count `requests` to know that nobody asked twice. In place of the list there may be a
    function that is given each `Request` and returns its `Reply`; it is called in the threads of connections,
    by several at once.

    It serves HTTP/1.1, on connections that are kept and have a thread each, from when it is made until
    `close()`. If its function fails, or what comes in is no request, the client gets the status 500 with
    words, and `close()` (so the end of the `with` block, too) raises the error.
    """

    def __init__(self, replies: Sequence[Reply] | Callable[[Request], Reply]) -> None:
        if not callable(replies):
            replies = list(replies)
            if not replies or not all(isinstance(reply, Reply) for reply in replies):
                raise ValueError(f"replies is a list of Reply, or a function that returns one: {replies!r}")
        self._replies = replies
        # Guards what follows, and is notified when a connection is over.
        self._changed = threading.Condition()
        self._connections: list[Connection] = []
        self._requests: list[Request] = []
        self._errors: list[BaseException] = []
        self._is_closed = False
        self._listener = socket.create_server((_HOST, 0), backlog=128)
        self._port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="scripted-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> "ScriptedServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is: `http://127.0.0.1:` and the port, without a slash at the end."""
        return f"http://{_HOST}:{self._port}"

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order in which they were whole."""
        with self._changed:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """How many connections were accepted in all."""
        return len(self._connections)

    @property
    def open_connections(self) -> int:
        """How many of them are open now."""
        with self._changed:
            return sum(not connection.is_over for connection in self._connections)

    def wait_closed(self, connection: int = 0, timeout: float = 5.0) -> float:
        """Wait until a client has closed or reset its connection; the `time.monotonic()` when that was seen.

        Connections are numbered from 0. It is seen at once while the server sends, pauses, holds or waits for
        a request, but not while the script's function runs. An `AssertionError` if the connection is still
        open after `timeout` seconds, or was ended by the server.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_over(connection), timeout):
                raise AssertionError(
                    f"connection {connection} was not closed within {timeout} seconds: "
                    f"{self.connections} were accepted, {self.open_connections} are open"
                )
            gone = self._connections[connection].gone
        if gone is None:
            raise AssertionError(f"connection {connection} was ended by the server, not by the client")
        return gone

    def close(self) -> None:
        """End all connections, whatever they do, and all threads. Raises the first error of the script's."""
        with self._changed:
            was_closed, self._is_closed = self._is_closed, True
            for connection in self._connections:
                connection.stop()
        if was_closed:
            return
        # Closing a socket does not wake who accepts on it, but a client does.
        socket.create_connection((_HOST, self._port)).close()
        until = time.monotonic() + CLOSE_SECONDS
        for thread in (self._thread, *(connection.thread for connection in self._connections)):
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                self._report(RuntimeError(f"the script's function does not return, in {thread.name}"))
        self._listener.close()
        if self._errors:
            raise self._errors[0]

    def _is_over(self, connection: int) -> bool:
        return connection < len(self._connections) and self._connections[connection].is_over

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with self._changed:
                if self._is_closed:
                    client.close()
                    return
                number = len(self._connections)
                connection = Connection(number, client, self._answer, self._report, self._changed)
                self._connections.append(connection)
                connection.thread.start()

    def _answer(self, request: Request) -> Reply:
        with self._changed:
            turn = len(self._requests)
            self._requests.append(request)
        if not callable(self._replies):
            return self._replies[min(turn, len(self._replies) - 1)]
        reply = self._replies(request)
        if not isinstance(reply, Reply):
            raise TypeError(f"the script's function returned no Reply: {reply!r}")
        return reply

    def _report(self, error: BaseException) -> None:
        with self._changed:
            self._errors.append(error)
