"""One connection of a `ScriptedServer`: requests are read from it, and the steps of replies played.

One thread reads, writes and waits, because the system does not reset a socket that another thread still
reads. Wherever it is silent it watches the socket, so a client that goes is seen at once. To end it from
outside the socket is shut down, which wakes whatever the thread does; only the thread itself closes it.
"""

import io
import json
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.client import parse_headers
from typing import Any

from millstream.testing.script import RESET, Ending, Hold, Part, Pause, Reply, steps_of


@dataclass(frozen=True)
class Request:
    """What a client sent to a `ScriptedServer`.

    `path` has the query. `headers` are asked by name in any case, and `None` is one that is not there. `body`
    is without its chunks. `connection` is the number of the connection it came on, from 0; `time` is the
    `time.monotonic()` at which it was whole.
    """

    method: str
    path: str
    headers: "Message[str, str]"
    body: bytes
    connection: int
    time: float

    def json(self) -> Any:
        """The body, read as JSON. A `ValueError` if it is none."""
        return json.loads(self.body)


class _ClientGone(Exception):
    """The client closed its side, or reset the connection."""


class Connection:
    """A client's connection, played in a thread of its own.

    `answer` gives the reply to a request, `report` is told of errors, `changed` is notified when it is over.
    """

    def __init__(
        self,
        number: int,
        client: socket.socket,
        answer: Callable[[Request], Reply],
        report: Callable[[BaseException], None],
        changed: threading.Condition,
    ) -> None:
        self.is_over = False
        #: The `time.monotonic()` when the client was seen to have gone; None if it did not end it.
        self.gone: float | None = None
        self._number = number
        self._socket = client
        self._answer = answer
        self._report = report
        self._changed = changed
        self._is_stopped = False
        self._received = bytearray()
        self.thread = threading.Thread(target=self._run, name=f"scripted-connection-{number}", daemon=True)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def stop(self) -> None:
        """End it, from another thread that holds `changed`. Its own `thread` ends soon after."""
        self._is_stopped = True
        if not self.is_over:
            with suppress(OSError):  # the client's reset may have come first
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        gone = None
        try:
            while self._exchange():
                pass
        except _ClientGone:
            gone = time.monotonic()
        except Exception as error:
            self._report(error)
        with self._changed:
            self.gone = None if self._is_stopped else gone
            self.is_over = True
            self._socket.close()
            self._changed.notify_all()

    def _exchange(self) -> bool:
        """Read a request and play its reply; True if another can follow."""
        method = "GET"
        try:
            request = self._request()
            method = request.method
            reply = self._answer(request)
            is_last = "close" in (request.headers.get("connection"), reply.headers.get("connection"))
        except _ClientGone:
            raise
        except BaseException as error:  # also what test frameworks raise to fail a test
            self._report(error)
            words = f"The script of the ScriptedServer failed: {error!r}"
            reply, is_last = Reply(words.encode(), status=500, headers={"connection": "close"}), True
        return self._play(steps_of(reply, method)) and not is_last

    def _play(self, steps: list[Part]) -> bool:
        """Do the steps; False if one of them ends the connection."""
        for step in steps:
            match step:
                case bytes():
                    self._send(step)
                case Pause():
                    self._watch(step.seconds)
                case Hold():
                    wake, waker = socket.socketpair()
                    with wake, waker, step.wakes(waker):
                        self._watch(None, wake)
                case Ending():
                    if step is RESET:
                        # Closing with a linger of 0 seconds resets.
                        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return False
        return True

    def _request(self) -> Request:
        line, _, fields = self._until(b"\r\n\r\n").partition(b"\r\n")
        method, _, rest = line.decode("latin-1").partition(" ")
        path, _, version = rest.partition(" ")
        if version != "HTTP/1.1":
            raise ValueError(f"not a request of HTTP/1.1: {line!r}")
        headers = parse_headers(io.BytesIO(fields))
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self._exactly(int(headers.get("content-length", "0")))
        return Request(method, path, headers, body, self._number, time.monotonic())

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            yield self._exactly(size)
            self._until(b"\r\n")
        while self._until(b"\r\n"):
            pass  # a trailer

    def _until(self, mark: bytes) -> bytes:
        while (size := self._received.find(mark)) < 0:
            self._receive()
        return self._exactly(size + len(mark))[:size]

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _watch(self, seconds: float | None, wake: socket.socket | None = None) -> None:
        """Be silent for so long, or until something comes by `wake`. What the client sends is kept."""
        until = None if seconds is None else time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            if wake is not None:
                selector.register(wake, selectors.EVENT_READ)
            while True:
                ready = selector.select(None if until is None else max(0.0, until - time.monotonic()))
                readable = [key.fileobj for key, _ in ready]
                if self._socket in readable:
                    self._receive()
                if not readable or wake in readable:
                    return

    def _receive(self) -> None:
        try:
            data = self._socket.recv(65536)
        except OSError as error:
            raise _ClientGone from error
        if not data:
            raise _ClientGone
        self._received += data

    def _send(self, data: bytes) -> None:
        self._watch(0)
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _ClientGone from error
