"""Server-sent events, from bytes as they come: WHATWG HTML, section 9.2.6, "Interpreting an event stream".

Bytes are gathered to lines, which end with LF, CR or CRLF, and lines to events, which end with an empty line.
A piece of the stream may end anywhere: inside a character, between CR and LF. So only whole lines are
decoded; and a line that ends with CR is one at once, while an LF behind it, in the next piece, is skipped.

================  =============================================================
a line            does this
================  =============================================================
(empty)           ends the event, which is given if it has data; its name and data begin anew
``: ...``         is a comment: counted, and passed over
``data: x``       adds a line to the data
``event: x``      names the event
``id: x``         is the id of this event and of those behind it, unless a NUL is in it
``retry: 12``     sets the time to wait before connecting again, if it is all digits
``other: x``      is passed over
================  =============================================================

One space behind the colon is not part of the value; a line without a colon is a field without a value. An
event that the stream breaks off in is never given, and `finish` says that there was one.
"""

import msgspec

from millstream.errors import ConfigError, SseLimitError

_BOM = b"\xef\xbb\xbf"

#: How many bytes one event may have: more than any provider sends, and less than would hurt.
MAX_EVENT_BYTES = 16 * 1024 * 1024


class SseEvent(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One event."""

    data: str
    """Its data; several lines are joined by line breaks."""
    event: str = "message"
    """Its name."""
    id: str = ""
    """The last id that the stream has named, this event's or an earlier one's: what `Last-Event-ID` sends."""


class SseParser:
    """Reads a stream of events: `feed` each piece of bytes, then `finish`.

    A piece costs what it holds, however long an event is. Bytes that are no UTF-8 become U+FFFD, as the
    specification has it. `max_event_bytes` is how many bytes one event may have, with its comments, the end
    of a line counting as one. For more, `SseLimitError` is raised, behind the events that were whole before,
    and by each further call.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        if type(max_event_bytes) is not int or max_event_bytes < 1:
            raise ConfigError(f"max_event_bytes is a whole number from 1, not {max_event_bytes!r}.")
        #: How many comments came: they keep a connection open, and are no sign that a model goes on.
        self.comments = 0
        #: The last id that the stream has named: what `Last-Event-ID` sends.
        self.last_id = ""
        #: How long to wait before connecting again, in milliseconds, if the stream has said so.
        self.retry: int | None = None
        self._limit = max_event_bytes
        self._size = 0
        # The pieces of a line that has not ended; whether LF may follow a CR; whether a BOM may still come.
        self._parts: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        # What the event so far holds.
        self._data: list[str] = []
        self._event = self._id = ""
        self._failed: SseLimitError | None = None

    def feed(self, piece: bytes) -> list[SseEvent]:
        """The events that this piece ends."""
        if self._failed is not None:
            raise self._failed
        if self._after_cr and piece:
            self._after_cr = False
            if piece[0] == 0x0A:
                piece = piece[1:]
        if not piece:
            return []
        found: list[SseEvent] = []
        try:
            self._read(piece, found)
        except SseLimitError as error:
            self._failed = error
            if not found:
                raise
        return found

    def finish(self) -> bool:
        """The stream has ended. Returns whether it broke off inside of an event, which is lost then."""
        if self._failed is not None:
            raise self._failed
        return bool(self._data or self._event or self._parts)

    def _read(self, piece: bytes, found: list[SseEvent]) -> None:
        lines = piece.splitlines()
        is_whole = piece.endswith((b"\n", b"\r"))
        rest = b"" if is_whole else lines.pop()
        self._after_cr = piece.endswith(b"\r")
        for line in lines:
            # An end of a line counts as one, whether it is one byte or two: they may come apart.
            self._count(len(line) + 1)
            if self._parts:
                self._parts.append(line)
                line = b"".join(self._parts)
                self._parts.clear()
            if self._at_start:
                self._at_start = False
                line = line.removeprefix(_BOM)
            if line[:6] == b"data: ":  # nearly all
                self._data.append(line[6:].decode("utf-8", "replace"))
            elif line:
                self._line(line)
            else:
                self._dispatch(found)
        if rest:
            self._count(len(rest))
            self._parts.append(rest)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise SseLimitError(
                f"An event of the stream has more than {self._limit:,} bytes. "
                "If that is right, give max_event_bytes=."
            )

    def _line(self, line: bytes) -> None:
        if line[0] == 0x3A:
            self.comments += 1
            return
        name, _, value = line.partition(b":")
        self._field(name, value.removeprefix(b" ").decode("utf-8", "replace"))

    def _field(self, name: bytes, value: str) -> None:
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id":
            if "\0" not in value:
                self._id = value
        elif name == b"retry" and value.isascii() and value.isdigit():
            self.retry = int(value[:9])  # a week; more digits are an attack on int()

    def _dispatch(self, found: list[SseEvent]) -> None:
        self._size = 0
        data, event = self._data, self._event
        self._event = ""
        self.last_id = self._id
        if data:
            self._data = []
            found.append(
                SseEvent(data[0] if len(data) == 1 else "\n".join(data), event or "message", self._id)
            )
