"""A provider in a process of its own, so that it does not share this one's interpreter: prepared bytes.

The first part of a request's path says how the answer is played:

=============  ==============================================================================
`/bursts`      events as a busy network delivers them, `BURST` in a chunk of HTTP's
`/single`      each event in a chunk and a `send` of its own, without delay
`/sending`     a few events, then one each millisecond, until the client closes
`/silent`      a few events, then nothing, until the client closes
=============  ==============================================================================

When a client closes, the server notes the time (`time.monotonic`, the same clock in all processes), and
`/closed` gives it.
"""

import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import BinaryIO

from benchmarks.wire_answers import anthropic_events, openai_events

#: How many words an answer has, and how many events stand in a chunk of a burst.
WORDS = 2000
BURST = 16
#: How many words come before the server sends slowly, or falls silent.
BEFORE = 5

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"x-request-id: req_1\r\ntransfer-encoding: chunked\r\n\r\n"
)
_END = b"0\r\n\r\n"


def words(count: int = WORDS) -> list[str]:
    """What the answer says."""
    return [f"word{number} " for number in range(count)]


class Server:
    """Listens on a port of its own, and serves each connection in a thread."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closed: SimpleQueue[float] = SimpleQueue()
        said = words()
        self._events = {"chat": openai_events(said), "messages": anthropic_events(said)}
        self._plays = {"bursts": self._bursts, "single": self._single}
        self._stays = {"sending": 0.001, "silent": None}

    def serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests, suppress(ConnectionError):
            while (path := _path(requests)) is not None:
                self._answer(connection, path)

    def _answer(self, connection: socket.socket, path: str) -> None:
        how = path.split("/")[1]
        if how == "closed":
            body = repr(self._closed.get()).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            return
        events = self._events["chat" if "completions" in path else "messages"]
        if how in self._stays:
            self._stay(connection, events, self._stays[how])
        else:
            self._plays[how](connection, events)

    def _bursts(self, connection: socket.socket, events: Sequence[bytes]) -> None:
        bursts = [b"".join(events[at : at + BURST]) for at in range(0, len(events), BURST)]
        connection.sendall(b"".join([_HEAD, *map(_chunk, bursts), _END]))

    def _single(self, connection: socket.socket, events: Sequence[bytes]) -> None:
        connection.sendall(_HEAD)
        for event in events:
            connection.sendall(_chunk(event))
        connection.sendall(_END)

    def _stay(self, connection: socket.socket, events: list[bytes], interval: float | None) -> None:
        """Send the beginning, go on or not, and note when the client has closed."""
        first = next(at for at, event in enumerate(events) if b"word0" in event)
        gone = threading.Event()

        def watch() -> None:
            with suppress(ConnectionError):
                connection.recv(1)
            self._closed.put(time.monotonic())
            gone.set()

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        connection.sendall(_HEAD + b"".join(map(_chunk, events[: first + BEFORE])))
        try:
            while not gone.wait(interval):
                connection.sendall(_chunk(events[first]))
        finally:
            watching.join()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _path(requests: BinaryIO) -> str | None:
    """The path of the next request, which is read to its end; None if there is none."""
    line = next(requests, b"")
    length = 0
    for header in requests:
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif not header.strip():
            break
    requests.read(length)
    return line.split()[1].decode() if line.strip() else None


@contextmanager
def running() -> Iterator[str]:
    """The server, for the length of a block: its address."""
    command = [sys.executable, "-m", "benchmarks.wire_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def closed_at(address: str) -> float:
    """When the server saw the next client close; waits until it does."""
    with urllib.request.urlopen(f"{address}/closed", timeout=30) as answer:
        return float(answer.read())


if __name__ == "__main__":
    server = Server()
    print(server.port, flush=True)
    server.serve()
