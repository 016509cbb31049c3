"""What a `ScriptedServer` says: replies, and the bytes, silences and breaks that they are made of."""

import enum
import json
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Pause:
    """Silence for some seconds of real time: a virtual clock does not shorten it."""

    seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < float("inf"):
            raise ValueError(f"a pause takes a number of seconds, not {self.seconds!r}: see Hold")


class Hold:
    """Silence until the test ends it by `release()`.

    `reached` is a `threading.Event`, set when a connection has come to this place. Once released, it holds
    nobody any more.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._lock = threading.Lock()
        self._released = False
        self._waiting: list[socket.socket] = []

    def release(self) -> None:
        """Let everybody go on who waits here, or will come. From any thread; more than once is once."""
        with self._lock:
            self._released = True
            for wake in self._waiting:
                wake.send(b"\0")

    @contextmanager
    def wakes(self, wake: socket.socket) -> Iterator[None]:
        """For the server: while the block runs, a release writes to `wake`."""
        with self._lock:
            self._waiting.append(wake)
            if self._released:
                wake.send(b"\0")
        self.reached.set()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.remove(wake)


class Ending(enum.Enum):
    """How a script ends a connection, in the place of the reply's own end."""

    RESET = enum.auto()
    CUT = enum.auto()


RESET = Ending.RESET
"""The connection is reset (RST). What the client has not yet read of the reply may be lost with it."""

CUT = Ending.CUT
"""The connection is closed as it is, in the middle of the body: the last chunk never comes."""

Silence = Pause | Hold | Ending
Part = bytes | Silence


class Reply:
    """What a server says to one request: status, headers, and a body in parts.

    Parts are played in turn: `bytes` (one chunk each, sent at once), `Pause(seconds)`, a `Hold`, and as the
    last one `RESET` or `CUT`. `before` has such parts, without bytes, for the time before the status line:
    `before=[CUT]` closes without any reply. The body is chunked, unless `headers` has a `content-length`.
    A script that cannot be played is a `TypeError` or a `ValueError`.
    """

    def __init__(
        self,
        *parts: Part,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        before: Sequence[Silence] = (),
    ) -> None:
        self.parts = parts
        self.status = status
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.before = tuple(before)
        _check(self)

    @classmethod
    def sse(
        cls,
        *parts: Part,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        before: Sequence[Silence] = (),
    ) -> "Reply":
        """A reply whose content type is `text/event-stream`. The parts are the wire's bytes, as they are."""
        typed = {"content-type": "text/event-stream", **(headers or {})}
        return cls(*parts, status=status, headers=typed, before=before)

    @classmethod
    def json(
        cls,
        value: Any,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        before: Sequence[Silence] = (),
    ) -> "Reply":
        """A value as JSON, whole, with its length."""
        body = json.dumps(value).encode()
        typed = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        return cls(body, status=status, headers=typed, before=before)


def cut_at(body: bytes, positions: Iterable[int]) -> list[bytes]:
    """The pieces of a recording that is cut at these positions, in any order: parts for a `Reply`.

    Cuts at the ends and repeated ones make no empty pieces. `range(n, len(body), n)` cuts into pieces of `n`.
    A position outside of the body is a `ValueError`.
    """
    cuts = sorted({0, len(body), *positions})
    if cuts[0] < 0 or cuts[-1] > len(body):
        raise ValueError(f"a body of {len(body)} bytes is cut between 0 and {len(body)}, not at {cuts}")
    return [body[start:end] for start, end in pairwise(cuts)]


def steps_of(reply: Reply, method: str) -> list[Part]:
    """What to do in turn, up to an `Ending`, to give a reply to a request. Bytes are as on the wire."""
    is_chunked = "content-length" not in reply.headers and reply.status not in _NO_BODY
    headers = reply.headers | ({"transfer-encoding": "chunked"} if is_chunked else {})
    phrase = HTTPStatus(reply.status).phrase if reply.status in _KNOWN else ""
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    if method == "HEAD":
        return [*reply.before, head]
    if not is_chunked:
        return [*reply.before, head, *reply.parts]
    chunks = [_chunk(part) if isinstance(part, bytes) else part for part in reply.parts]
    return [*reply.before, head, *chunks, b"0\r\n\r\n"]


_KNOWN = {int(status) for status in HTTPStatus}
_NO_BODY = {204, 304}  # RFC 9110, 15.3.5 and 15.4.5


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _check(reply: Reply) -> None:
    """Raise if a reply cannot be played."""
    played = (*reply.before, *reply.parts)
    for part in played:
        if not isinstance(part, Part):
            raise TypeError(f"a reply is made of bytes, Pause(...), Hold(), RESET and CUT, not of {part!r}")
        if part == b"":
            raise ValueError("an empty part would end a chunked body")
    if any(isinstance(part, bytes) for part in reply.before):
        raise ValueError("before the status line there are no bytes, only Pause, Hold, RESET and CUT")
    if any(isinstance(part, Ending) for part in played[:-1]):
        raise ValueError("nothing can come after RESET or CUT")
    if not 200 <= reply.status <= 599:
        raise ValueError(f"a status is between 200 and 599, not {reply.status}")
    if "transfer-encoding" in reply.headers:
        raise ValueError("the server writes transfer-encoding itself; give a content-length to have none")
    for text in (text for header in reply.headers.items() for text in header):
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"a header is printable ASCII: {text!r}")
    size = sum(len(part) for part in reply.parts if isinstance(part, bytes))
    if size and reply.status in _NO_BODY:
        raise ValueError(f"a reply with the status {reply.status} has no body")
    promised = None if reply.status in _NO_BODY else reply.headers.get("content-length")
    is_cut = bool(played) and isinstance(played[-1], Ending)
    if promised not in (None, str(size)) and not is_cut:
        raise ValueError(f"content-length is not the body's {size} bytes, and no CUT or RESET ends it")
