"""JSON that is read while it is written: pieces of text in, path events out.

How it works. `JsonScanner` is a state machine whose stack outlives the pieces: `feed` takes up where the
piece before ended, in the middle of a word, a number or an escape if need be. A state is a method that is
given the piece and a position, and returns the position behind what it has read; `_state` says which comes
next. Runs of plain characters are read by one regular expression, so a long text costs a match and a slice.
What a piece adds to a value that is still open is told at the piece's end (`_tell_open`), so a piece gives
one event for it, however many characters it holds.

    text              _prose, _fence (what stands around the value)
    a bracket in it   _candidate, _held_key, _held_colon, _held_mark, _passed_over
    values            _start, _first_item, _next_item, _value
    objects           _first_key, _next_key, _colon
    behind a value    _after_item, _after_root, _done
    inside a token    _in_string, _escape, _hex, _after_high, _in_number, _in_word, _in_bare_key, _comment ...

A value at the top that is no object or list (a bare text, number or word) is told by `finish`, since only the
end shows that it was the answer and not the first word of a sentence. So is the end of an empty list in
prose, which may be a checkbox.

A bracket that turns out to be prose is passed over, and its fault kept: it is raised at the end if there was
no JSON, and at once where the next value would be one that stands inside of that bracket, since a part of
what was meant is worse than an error.

    [1-5], [note]     a list whose first item is none; up to the next `]` no value may begin
    {word:            no JSON without `repair`; up to the next `}` no bracket and no quote may come
"""

import re
import sys
from collections.abc import Callable
from typing import Any, Literal, cast

import msgspec

from millstream.errors import ConfigError, JsonError, JsonLimitError

Path = tuple[str | int, ...]
State = Callable[["JsonScanner", str, int], int]

#: What a model wrote that is no JSON, and that was read as what it means.
Habit = Literal[
    "single quotes", "trailing comma", "comment", "word", "bare key", "escape that JSON does not have"
]

# Python converts no whole number of more digits (`sys.get_int_max_str_digits`).
MAX_DIGITS = 4300
MAX_DEPTH = 500
# A path is as long as its value is deep, so that the paths of 5,000 brackets take 100 MB.
DEEPEST = 5_000


def _run(pattern: str) -> Callable[..., re.Match[str]]:
    # All of these match the empty text too, so there always is a match.
    return cast("Callable[..., re.Match[str]]", re.compile(pattern).match)


_space = _run(r"[ \t\n\r]*")
_plain = {quote: _run(rf"[^{quote}\\]*") for quote in "\"'"}
_number_run = _run(r"[-+.0-9eE]*")
_hex_digits = _run(r"[0-9a-fA-F]*")
_bare_key = _run(r"[\w$-]*")
_no_value = _run(r"[^\[{`]*")
_no_value_in_brackets = _run(r"[^\[{`\]]*")
_passed_word = _run(r"[^\s:,\"\[{}]*")
_passed_gap = _run(r"[\s:,]*")
_no_end_of_fence_line = _run(r"[^\n\[{]*")
_no_line_end = _run(r"[^\n]*")
_no_star = _run(r"[^*]*")
# RFC 8259, section 6.
_number = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_LONGEST_WORD = 10
# Words of Python and JavaScript, read on request.
_HABIT_WORDS: dict[str, Any] = {
    "True": True,
    "False": False,
    "None": None,
    "undefined": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
# How an object or a list in the middle of a text goes on behind its bracket. Words are not among it:
# "[note]" is more common there than a list that begins with `null`.
_LIKELY = {"{": '"}', "[": '"]{[-0123456789'}
_WORD_STARTS = "tfn"
_HABIT_WORD_STARTS = "tfnTFNuI"
_HINT = " (`repair=True` may read it)"
_KEY_EXPECTED = "a key in double quotes"


class JsonEvent(msgspec.Struct, frozen=True):
    """What a piece of text did to one place of a JSON value.

    An object or a list opens with an event whose `value` is empty, and ends with one that is `complete`. A
    text comes in `delta`s; a number is told as far as it goes, and again when it is complete.

    To rebuild the value: where an event is `complete` or its `value` is not None, set it at `path`; otherwise
    append `delta` to the text that stands there.
    """

    path: Path
    """Where: keys and indices from the outside in; `()` is the whole value."""
    delta: str | None = None
    """What was added to a text; None where there is no text."""
    value: Any = None
    """The value if it is complete. Before that: the number so far, an empty object or list when it opens,
    what a text begins with; None for a text that goes on."""
    complete: bool = False
    """Whether nothing more comes for this path."""


class Repair(msgspec.Struct, frozen=True):
    """One place where a text was no JSON, and was read as what it means."""

    habit: Habit
    """What the model wrote instead of JSON."""
    path: Path
    """The value in question."""
    position: int
    """How many characters of the text came before it."""


class JsonScanner:
    """Reads JSON from pieces of text: `feed` each, then `finish`. Each gives the events of that piece.

    Each character is read once, so a piece costs what it holds, however long the text is.

    `prose`: text around the value is passed over, Markdown's code fences with it; the first object or list
    counts. Without it, anything but whitespace around the value is an error.
    `repair`: what models write instead of JSON is read as what it means, and listed in `repairs`: single
    quotes, trailing commas, comments (`//`, `/* */`, `#`), words of Python and JavaScript (`True`, `None`,
    `NaN`, `Infinity`, `undefined`, ...), keys without quotes, escapes that JSON does not have.
    `max_depth`: how deep objects and lists may be nested, at most 5,000. `max_digits`: how many characters a
    number may have; one that comes in many pieces is read anew with each, so a higher limit costs its square.
    `max_length`: how many the whole text may have; None for any number.

    Line breaks and other control characters inside strings are read as they are, always. Of equal keys the
    last one counts, and its value begins anew. Raises `JsonError`, with the path and the position, for text
    that is no JSON, and `JsonLimitError` beyond a limit. Nothing is read behind a fault: each further call
    raises it again.
    """

    def __init__(
        self,
        *,
        prose: bool = True,
        repair: bool = False,
        max_depth: int = MAX_DEPTH,
        max_digits: int = MAX_DIGITS,
        max_length: int | None = None,
    ) -> None:
        if type(max_depth) is not int or not 1 <= max_depth <= DEEPEST:
            raise ConfigError(f"max_depth is a whole number from 1 to {DEEPEST}, not {max_depth!r}.")
        if type(max_digits) is not int or max_digits < 1:
            raise ConfigError(f"max_digits is a whole number from 1 on, not {max_digits!r}.")
        if max_length is not None and (type(max_length) is not int or max_length < 0):
            raise ConfigError(f"max_length is a whole number from 0 on or None, not {max_length!r}.")
        self.repairs: list[Repair] = []
        self._accepts_prose = prose
        self._repairs = repair
        self._max_depth = max_depth
        self._max_digits = max_digits
        self._max_length = sys.maxsize if max_length is None else max_length
        self._state: State = JsonScanner._start
        #: What the last piece has given; when it raised, what it gave before the fault.
        self.events: list[JsonEvent] = []
        #: The characters of the pieces before this one.
        self._before = 0
        # What is open, from the outside in.
        self._containers: list[Any] = []
        self._paths: list[Path] = []
        self._key = ""
        # The token that is being read. The parts of a text since the last event, and those before.
        self._quote = '"'
        self._is_key = False
        self._parts: list[str] = []
        self._told: list[str] | None = None
        self._text_path: Path = ()
        self._high = ""
        self._token = ""
        self._token_at = 0
        self._shown = ""
        # What stands around the value: a bracket and what is behind it, until that shows what it is.
        self._bracket = ""
        self._mark = ""
        self._held_at = 0
        self._ticks = 0
        self._is_fenced = False
        self._is_in_prose = False
        #: Whether all that is open are lists without an item, which may turn out to be prose.
        self._may_be_prose = False
        #: An empty list in prose, with its repairs: the answer if no other JSON comes.
        self._empty: list[Repair] | None = None
        #: The fault of the brackets that are being passed over.
        self._inside: JsonError | None = None
        self._is_behind_gap = False
        #: The first fault that was taken for prose, and the one that ended the reading.
        self._fault: JsonError | None = None
        self._raised: JsonError | None = None
        self._behind_comment: State = JsonScanner._start
        # What may be the answer, and what was repaired in it.
        self._root: Any = None
        self._root_repairs: list[Repair] = []

    @property
    def open(self) -> bool:
        """Whether the text is inside an object or a list."""
        return bool(self._containers)

    @property
    def complete(self) -> bool:
        """Whether the value's end was read. A bare text, number or word is complete only with `finish`."""
        return self._state is JsonScanner._done

    def feed(self, text: str) -> list[JsonEvent]:
        """What this piece adds: one event for each value that it begins, goes on with or ends."""
        self.events = []
        if self._raised is not None:
            raise self._raised.with_traceback(None)
        room = self._max_length - self._before
        told = self._told
        if (
            told
            and self._state is JsonScanner._in_string
            and 0 < len(text) <= room
            and _plain[self._quote](text).end() == len(text)
        ):
            # Most pieces are more of a text that is open, and nothing else.
            told.append(text)
            self._before += len(text)
            self.events.append(JsonEvent(self._text_path, text))
            return self.events
        read = text[:room]
        at, end = 0, len(read)
        try:
            while at < end:
                at = self._state(self, read, at)
        except JsonError as fault:
            self._raised = fault
        # A fault takes back nothing of what came before it.
        if self._containers:
            self._tell_open()
        self._before += end
        if self._raised is None and len(text) > room:
            self._raised = JsonLimitError(
                f"The text is longer than {self._max_length} characters.",
                path=self._at_fault(),
                position=self._before,
            )
        if self._raised is not None:
            self._settle()
            raise self._raised
        return self.events

    def finish(self) -> list[JsonEvent]:
        """The events that only the text's end can give. Raises `JsonError` if the value is not complete."""
        self.events = []
        if self._raised is not None:
            raise self._raised.with_traceback(None)
        state = self._state
        if state is JsonScanner._done:
            return []
        if not self._containers and state is JsonScanner._in_number and not self._is_half_a_number():
            self._end_number(0)
            state = self._state
        if state is JsonScanner._after_root:
            self._tell_root()
        elif self._empty is not None and not self._containers:
            self._tell_empty(self._empty)
        else:
            self._settle()
            raise self._ended_early()
        return self.events

    # --- around the value ------------------------------------------------------------------------------

    def _start(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at == len(text):
            return at
        if text[at] == "\ufeff" and self._before + at == 0:
            return at + 1
        return self._value(text, at)

    def _prose(self, text: str, at: int) -> int:
        end = (_no_value if self._inside is None else _no_value_in_brackets)(text, at).end()
        if end > at:
            self._ticks = 0
        if end == len(text):
            return end
        if text[end] == "`":
            self._ticks += 1
            if self._ticks == 3:
                self._ticks = 0
                self._state = JsonScanner._fence
        elif text[end] == "]":
            self._ticks = 0
            self._inside = None
        else:
            self._ticks = 0
            self._bracket = text[end]
            self._state = JsonScanner._candidate
        return end + 1

    def _fence(self, text: str, at: int) -> int:
        # The rest of the fence's line names a language. Behind it may stand what could not open in prose.
        end = _no_end_of_fence_line(text, at).end()
        if end == len(text):
            return end
        if text[end] == "\n":
            self._is_fenced = True
            self._inside = None
            self._is_in_prose = False
            self._state = JsonScanner._start
            return end + 1
        self._state = JsonScanner._prose
        return end

    def _candidate(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at == len(text):
            return at
        char = text[at]
        self._held_at = self._before + at
        if char in _LIKELY[self._bracket] or (char == "'" and self._repairs):
            return self._open_in_prose(at)
        if char in "/#":
            self._mark = char
            self._state = JsonScanner._held_mark
            return at + 1
        if char == "'":
            return self._pass_over(char, at)
        is_key = self._bracket == "{" and _bare_key(text, at).end() > at
        self._state = JsonScanner._held_key if is_key else JsonScanner._prose
        return at

    def _held_key(self, text: str, at: int) -> int:
        end = _bare_key(text, at).end()
        self._parts.append(text[at:end])
        if end < len(text):
            self._state = JsonScanner._held_colon
        return end

    def _held_colon(self, text: str, at: int) -> int:
        # In "{word}" it is prose, in "{word:" an object without quotes.
        at = _space(text, at).end()
        if at == len(text):
            return at
        key, self._parts = "".join(self._parts), []
        if text[at] != ":":
            self._state = JsonScanner._prose
            return at
        if not (self._repairs and _begins_key(key[0])):
            return self._pass_over(key[0], at + 1)
        self._open_in_prose(at)
        if self._containers:
            self._repair("bare key", self._held_at - self._before)
            self._key = key
            self._state = JsonScanner._value
        return at + 1

    def _held_mark(self, text: str, at: int) -> int:
        # "[/INST]", "[#1]" and "{/if}" are no comments.
        char = text[at]
        is_comment = char in "/*" if self._mark == "/" else self._bracket == "{" or char.isspace()
        if not is_comment:
            self._state = JsonScanner._prose
        elif not self._repairs:
            return self._pass_over(self._mark, at)
        else:
            self._open_in_prose(at)
            if self._containers:
                self._begin_comment(self._mark, self._held_at - self._before)
        return at

    def _open_in_prose(self, at: int) -> int:
        if self._inside is not None:
            return self._refuse(self._inside, at)
        self._is_in_prose = True
        return self._open({} if self._bracket == "{" else [], at)

    def _pass_over(self, char: str, at: int) -> int:
        """The bracket begins what only `repair` could read, with `char`. Reading goes on at `at`."""
        is_object = self._bracket == "{"
        hint = "" if self._repairs else _HINT
        expected = _KEY_EXPECTED if is_object else "a value"
        fault = self._error(f"{expected} is expected, not {char!r}{hint}", self._held_at - self._before)
        if is_object and char in "'/":
            return self._refuse(fault, at)
        self._fault = self._fault or fault
        self._inside = fault
        self._is_behind_gap = True
        self._state = JsonScanner._passed_over if is_object else JsonScanner._prose
        return at

    def _passed_over(self, text: str, at: int) -> int:
        char = text[at]
        if char == "}":
            self._inside = None
            self._state = JsonScanner._prose
            return at + 1
        # Behind a gap these begin a text or a comment, in which a brace ends nothing.
        if char in '"[{' or (self._is_behind_gap and char in "'/#"):
            return self._refuse(cast(JsonError, self._inside), at)
        end = _passed_word(text, at).end()
        self._is_behind_gap = end == at
        return _passed_gap(text, at).end() if end == at else end

    def _refuse(self, fault: JsonError, at: int) -> int:
        """What comes next would be a part of what was passed over."""
        if self._empty is None:
            raise fault
        self._tell_empty(self._empty)
        return at

    def _tell_empty(self, repairs: list[Repair]) -> None:
        self._state = JsonScanner._done
        self.repairs += repairs
        self.events.append(JsonEvent((), None, [], True))

    def _after_root(self, text: str, at: int) -> int:
        # A bare value is the answer only if the text ends here, or its fence.
        at = _space(text, at).end()
        if at == len(text):
            return at
        if self._accepts_prose and text[at] == "`":
            if self._is_fenced:
                self._tell_root()
            return at + 1
        return self._no_json(f"nothing is expected behind the value, not {text[at]!r}", at)

    def _tell_root(self) -> None:
        self._state = JsonScanner._done
        self.repairs += self._root_repairs
        text = self._root if isinstance(self._root, str) else None
        self.events.append(JsonEvent((), text, self._root, True))

    def _done(self, text: str, at: int) -> int:
        if self._accepts_prose:
            return len(text)
        at = _space(text, at).end()
        if at < len(text):
            raise self._error(f"nothing is expected behind the value, not {text[at]!r}", at)
        return at

    # --- values ----------------------------------------------------------------------------------------

    def _value(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at == len(text):
            return at
        char = text[at]
        if char == '"':
            return self._open_string(char, at)
        if char == "{":
            return self._open({}, at) + 1
        if char == "[":
            return self._open([], at) + 1
        if char == "-" or "0" <= char <= "9":
            self._token = self._shown = ""
            self._token_at = self._before + at
            self._state = JsonScanner._in_number
            return at
        if char in (_HABIT_WORD_STARTS if self._repairs else _WORD_STARTS):
            self._token = ""
            self._token_at = self._before + at
            self._state = JsonScanner._in_word
            return at
        # In prose, an apostrophe at the beginning would swallow all behind it.
        if self._repairs and char == "'" and (self._containers or not self._accepts_prose):
            self._repair("single quotes", at)
            return self._open_string(char, at)
        return self._unexpected("a value", text, at)

    def _first_item(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at < len(text) and text[at] == "]":
            return self._close(at)
        return self._value(text, at)

    def _next_item(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at < len(text) and text[at] == "]" and self._repairs:
            self._state = JsonScanner._after_item
            self._repair("trailing comma", at)
            return self._close(at)
        return self._value(text, at)

    def _after_item(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at == len(text):
            return at
        char, is_list = text[at], type(self._containers[-1]) is list
        if char == ",":
            self._state = JsonScanner._next_item if is_list else JsonScanner._next_key
            return at + 1
        if char == ("]" if is_list else "}"):
            return self._close(at)
        expected = "a comma or the list's end" if is_list else "a comma or the object's end"
        return self._unexpected(expected, text, at)

    # --- objects ---------------------------------------------------------------------------------------

    def _first_key(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at < len(text) and text[at] == "}":
            return self._close(at)
        return self._begin_key(text, at)

    def _next_key(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at < len(text) and text[at] == "}" and self._repairs:
            self._repair("trailing comma", at)
            return self._close(at)
        return self._begin_key(text, at)

    def _begin_key(self, text: str, at: int) -> int:
        if at == len(text):
            return at
        char = text[at]
        if char == '"' or (self._repairs and char == "'"):
            if char == "'":
                self._repair("single quotes", at)
            self._is_key = True
            self._quote = char
            self._state = JsonScanner._in_string
            return at + 1
        if self._repairs and _begins_key(char):
            self._repair("bare key", at)
            self._state = JsonScanner._in_bare_key
            return at
        return self._unexpected(_KEY_EXPECTED, text, at)

    def _in_bare_key(self, text: str, at: int) -> int:
        end = _bare_key(text, at).end()
        self._parts.append(text[at:end])
        if end < len(text):
            self._end_key()
        return end

    def _end_key(self) -> None:
        self._key = "".join(self._parts)
        self._parts = []
        self._is_key = False
        self._state = JsonScanner._colon

    def _colon(self, text: str, at: int) -> int:
        at = _space(text, at).end()
        if at == len(text):
            return at
        if text[at] == ":":
            self._state = JsonScanner._value
            return at + 1
        return self._unexpected("a colon", text, at)

    # --- containers and finished values ----------------------------------------------------------------

    def _here(self) -> Path:
        """The path of the value that is being read."""
        if not self._containers:
            return ()
        container = self._containers[-1]
        return (*self._paths[-1], len(container) if type(container) is list else self._key)

    def _open(self, container: Any, at: int) -> int:
        if len(self._containers) == self._max_depth:
            raise JsonLimitError(
                f"Objects and lists are nested deeper than {self._max_depth} levels.",
                path=self._here(),
                position=self._before + at,
            )
        path = self._here()
        self.events.append(JsonEvent(path, None, container.copy()))
        is_list = type(container) is list
        if not is_list:
            self._settle()
        elif not self._containers:
            self._may_be_prose = self._accepts_prose
        self._containers.append(container)
        self._paths.append(path)
        self._state = JsonScanner._first_item if is_list else JsonScanner._first_key
        return at

    def _settle(self) -> None:
        """What is open is no prose."""
        if self._may_be_prose:
            self._may_be_prose = False
            self.repairs += self._root_repairs
            self._root_repairs = []

    def _close(self, at: int) -> int:
        container, path = self._containers.pop(), self._paths.pop()
        if self._may_be_prose and self._is_in_prose and not self._containers:
            self._empty, self._root_repairs = self._root_repairs, []
            self._may_be_prose = False
            self._state = JsonScanner._prose
            return at + 1
        self._settle()
        self.events.append(JsonEvent(path, None, container, True))
        if self._containers:
            self._put(container, path)
        else:
            self._state = JsonScanner._done
        return at + 1

    def _put(self, value: Any, path: Path) -> None:
        self._settle()
        outer = self._containers[-1]
        if type(outer) is list:
            outer.append(value)
        else:
            outer[path[-1]] = value
        self._state = JsonScanner._after_item

    def _end_scalar(self, value: Any, delta: str | None = None) -> None:
        if not self._containers:
            self._root = value
            self._state = JsonScanner._after_root
            return
        path = self._here()
        self.events.append(JsonEvent(path, delta, value, True))
        self._put(value, path)

    def _tell_open(self) -> None:
        """What the piece has added to the text or the number that is still open."""
        state = self._state
        if state is JsonScanner._in_number:
            found = _number.match(self._token)
            if found and not (found[1] or found[2]):
                # As far as Python reads it. Whether that is a fault, the number's end shows: 1...1.0 is none.
                found = _number.match(self._token, 0, (sys.get_int_max_str_digits() or len(self._token)))
            if found and found[0] != self._shown:
                self._shown = found[0]
                self.events.append(JsonEvent(self._here(), None, self._read_number(found)))
        elif self._told is not None and (self._parts or not self._told):
            delta = "".join(self._parts)
            if not self._told:
                self._text_path = self._here()
            self.events.append(JsonEvent(self._text_path, delta, None if self._told else delta))
            self._told.append(delta)
            self._parts = []

    # --- strings ---------------------------------------------------------------------------------------

    def _open_string(self, quote: str, at: int) -> int:
        self._quote = quote
        self._told = []
        self._state = JsonScanner._in_string
        return at + 1

    def _in_string(self, text: str, at: int) -> int:
        end = _plain[self._quote](text, at).end()
        if end > at:
            self._parts.append(text[at:end])
            if end == len(text):
                return end
        if text[end] == "\\":
            self._state = JsonScanner._escape
        elif self._is_key:
            self._end_key()
        else:
            delta = "".join(self._parts)
            whole = "".join([*self._told, delta]) if self._told else delta
            self._parts = []
            self._told = None
            self._end_scalar(whole, delta)
        return end + 1

    def _escape(self, text: str, at: int) -> int:
        char = text[at]
        if char == "u":
            self._token = ""
            self._state = JsonScanner._hex
            return at + 1
        meant = _ESCAPES.get(char)
        if meant is None:
            if not self._repairs:
                return self._no_json(f"JSON has no escape \\{char}", at)
            self._repair("escape that JSON does not have", at)
            meant = char
        self._add(meant)
        return at + 1

    def _hex(self, text: str, at: int) -> int:
        end = _hex_digits(text, at, at + 4 - len(self._token)).end()
        self._token += text[at:end]
        if len(self._token) < 4:
            if end < len(text):
                return self._no_json("an escape \\u has four hexadecimal digits", end)
            return end
        char = chr(int(self._token, 16))
        if self._high and "\udc00" <= char <= "\udfff":
            low, high = ord(char), ord(self._high)
            self._high = ""
            self._add(chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)))
        elif "\ud800" <= char <= "\udbff":
            # Half a character: it waits for its other half, as nothing that was told may change.
            if self._high:
                self._parts.append(self._high)
            self._high = char
            self._state = JsonScanner._after_high
        else:
            self._add(char)
        return end

    def _after_high(self, text: str, at: int) -> int:
        if text[at] == "\\":
            self._state = JsonScanner._escape
            return at + 1
        self._add("")
        return at

    def _add(self, text: str) -> None:
        """Add what an escape meant; a half character before it stands alone."""
        if self._high or text:
            self._parts.append(self._high + text)
            self._high = ""
        self._state = JsonScanner._in_string

    # --- numbers and words -----------------------------------------------------------------------------

    def _in_number(self, text: str, at: int) -> int:
        end = _number_run(text, at).end()
        room = self._max_digits - len(self._token)
        self._token += text[at : min(end, at + room)]
        if end - at > room:
            raise JsonLimitError(
                f"A number is longer than {self._max_digits} characters.",
                path=self._here(),
                position=self._token_at,
            )
        if end == len(text):
            return end
        if self._repairs and self._token == "-" and text[end] == "I":
            self._state = JsonScanner._in_word
            return end
        return self._end_number(end)

    def _end_number(self, at: int) -> int:
        found = _number.fullmatch(self._token)
        if found is None:
            return self._no_json(f"{self._token[:40]!r} is no number", at, self._token_at - self._before)
        self._end_scalar(self._read_number(found))
        return at

    def _is_half_a_number(self) -> bool:
        return not _number.fullmatch(self._token) and bool(_number.fullmatch(self._token + "0"))

    def _read_number(self, found: re.Match[str]) -> int | float:
        if found[1] or found[2]:
            return float(found[0])
        try:
            return int(found[0])
        except ValueError as error:
            raise JsonLimitError(
                f"A whole number has more digits than Python reads: {error}.",
                path=self._here(),
                position=self._token_at,
            ) from error

    def _in_word(self, text: str, at: int) -> int:
        begun = len(self._token)
        word_at = self._token_at - self._before
        word = self._token + text[at : at + _LONGEST_WORD]
        for known in (_WORDS, _HABIT_WORDS) if self._repairs else (_WORDS,):
            for meant, value in known.items():
                if word.startswith(meant):
                    if known is _HABIT_WORDS:
                        self._repair("word", word_at)
                    self._end_scalar(value)
                    return at + len(meant) - begun
                if meant.startswith(word):
                    self._token = word
                    return len(text)
        return self._no_json(f"a value is expected, not {word[0]!r}", at, word_at)

    # --- what is no JSON -------------------------------------------------------------------------------

    def _unexpected(self, expected: str, text: str, at: int) -> int:
        """Something else stands where a part of the structure is expected: a comment, or a fault."""
        char = text[at]
        if self._repairs and char in "/#" and self._containers:
            self._begin_comment(char, at)
            return at + 1
        hint = _HINT if not self._repairs and self._could_repair(char) else ""
        return self._no_json(f"{expected} is expected, not {char!r}{hint}", at)

    def _could_repair(self, char: str) -> bool:
        """Whether `repair` would read what begins like this here."""
        state = self._state
        if char in "/#":
            return bool(self._containers)
        if state in _KEYS:
            return char == "'" or _begins_key(char) or (char == "}" and state is JsonScanner._next_key)
        if state in _VALUES:
            return char in "'TFNIu" or (char == "]" and state is JsonScanner._next_item)
        return False

    def _begin_comment(self, mark: str, at: int) -> None:
        self._repair("comment", at)
        self._behind_comment = self._state
        self._state = JsonScanner._line_comment if mark == "#" else JsonScanner._slash

    def _slash(self, text: str, at: int) -> int:
        if text[at] not in "/*":
            return self._no_json("a comment begins with // or /*", at)
        self._state = JsonScanner._line_comment if text[at] == "/" else JsonScanner._block_comment
        return at + 1

    def _line_comment(self, text: str, at: int) -> int:
        end = _no_line_end(text, at).end()
        if end < len(text):
            self._state = self._behind_comment
        return end

    def _block_comment(self, text: str, at: int) -> int:
        end = _no_star(text, at).end()
        if end == len(text):
            return end
        self._state = JsonScanner._block_comment_star
        return end + 1

    def _block_comment_star(self, text: str, at: int) -> int:
        if text[at] == "/":
            self._state = self._behind_comment
        elif text[at] != "*":
            self._state = JsonScanner._block_comment
        return at + 1

    def _repair(self, habit: Habit, at: int) -> None:
        # What stands outside of objects and lists may turn out to be prose.
        repairs = self.repairs if self._containers and not self._may_be_prose else self._root_repairs
        repairs.append(Repair(habit, self._at_fault(), self._before + at))

    def _no_json(self, problem: str, at: int, fault_at: int | None = None) -> int:
        """The text at this place is no JSON: prose around the value, or a fault in it.

        `fault_at` is where the fault begins, if that is not here. In a list whose first item is not complete
        it is prose, too, as in "[note]" and "[1-5]"; but no list in prose begins with a quote.
        """
        fault = self._error(problem, at if fault_at is None else fault_at)
        if not self._accepts_prose or (
            self._containers and (not self._may_be_prose or self._told is not None)
        ):
            raise fault
        if self._containers:
            self._tell_open()
            self._fault = self._fault or fault
            self._inside = fault
            self._containers, self._paths = [], []
            self._may_be_prose = False
            if self._empty is not None:
                self.events.append(JsonEvent((), None, []))
        self._root_repairs = []
        self._parts = []
        self._told = None
        self._high = ""
        self._ticks = 0
        self._state = JsonScanner._prose
        return at

    def _error(self, problem: str, at: int) -> JsonError:
        position = self._before + at
        return JsonError(f"At character {position}, {problem}.", path=self._at_fault(), position=position)

    def _ended_early(self) -> JsonError:
        if self._fault is not None and not self._containers:
            return self._fault
        said = "The text ends before its JSON does." if self._containers else "The text holds no JSON."
        return JsonError(said, path=self._at_fault(), position=self._before, truncated=True)

    def _at_fault(self) -> Path:
        """The value that is being read; between values, the object or list that they are in."""
        if self._containers and (self._is_key or self._state in _BETWEEN):
            return self._paths[-1]
        return self._here()


def _begins_key(char: str) -> bool:
    return char.isalpha() or char in "_$"


_KEYS: frozenset[State] = frozenset({JsonScanner._first_key, JsonScanner._next_key})

_VALUES: frozenset[State] = frozenset(
    {JsonScanner._start, JsonScanner._value, JsonScanner._first_item, JsonScanner._next_item}
)

_BETWEEN: frozenset[State] = frozenset(
    {
        JsonScanner._first_key,
        JsonScanner._next_key,
        JsonScanner._in_bare_key,
        JsonScanner._colon,
        JsonScanner._after_item,
        JsonScanner._slash,
        JsonScanner._line_comment,
        JsonScanner._block_comment,
        JsonScanner._block_comment_star,
    }
)


def parse_partial_json(text: str, *, prose: bool = True, repair: bool = False, partial: bool = True) -> Any:
    """The value of a text whose JSON may not be complete, as a stream would show it; None if it has none yet.

    `prose` and `repair`: see `JsonScanner`. Raises `JsonError` for what is no JSON, such as `[note]` with no
    JSON behind it, and without `partial` for what is not complete.
    """
    from millstream.wire.snapshots import JsonSnapshots

    scanner, snapshots = JsonScanner(prose=prose, repair=repair), JsonSnapshots()
    snapshots.take(scanner.feed(text))
    try:
        snapshots.take(scanner.finish())
    except JsonError as fault:
        if not (partial and fault.truncated):
            raise
    return snapshots.value()
