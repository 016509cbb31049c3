"""JSON indented while it streams: nothing that was written is ever changed, only more is written."""

_OPENERS, _CLOSERS = "{[", "}]"
_STEP = "  "


class Indenter:
    """Pieces of JSON in, pieces of the same JSON out, with lines and indentation for people.

    It looks at brackets, commas, colons and the ends of texts only, so it needs no valid JSON: what is not
    inside brackets goes through as it is.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._in_text = False
        self._escaped = False
        # A bracket was opened, and it is not known yet whether anything is inside.
        self._opened = False

    def feed(self, piece: str) -> str:
        """What to write for the next piece."""
        return "".join(map(self._take, piece))

    def _take(self, character: str) -> str:
        if self._in_text:
            return self._inside_text(character)
        if self._depth and character.isspace():
            return ""
        if character in _CLOSERS and self._depth:
            return self._close(character)
        before = self._line() if self._opened else ""
        self._opened = False
        if character in _OPENERS:
            self._depth += 1
            self._opened = True
        elif self._depth:
            self._in_text = character == '"'
            if character == ",":
                return character + self._line()
            if character == ":":
                return ": "
        return before + character

    def _inside_text(self, character: str) -> str:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_text = False
        return character

    def _close(self, character: str) -> str:
        self._depth -= 1
        before = "" if self._opened else self._line()
        self._opened = False
        return before + character

    def _line(self) -> str:
        return "\n" + _STEP * self._depth
