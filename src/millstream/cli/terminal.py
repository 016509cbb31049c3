"""What goes to the terminal: an answer's text as it comes, and notes beside it.

The text goes to stdout. Notes (that the model is awaited, the line of statistics) go to stderr, and only if
that is a terminal and stdout is no pipe: the program at a pipe's other end may be writing to the same
terminal.
"""

import os
import re
import stat
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO

from millstream.cli.errors import ReaderGone

# A model's answer must not drive the terminal: no colours, no cursor, no title, no clipboard. Controls are
# shown by their pictures (those of C1, which have none, as U+FFFD), and carriage returns are left out.
_HARMLESS: dict[int, int | str | None] = {
    code: 0x2400 + code for code in range(0x20) if code not in b"\t\n\r"
}
_HARMLESS |= {0x0D: None, 0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
# Unicode's own ends of lines and paragraphs: some programs break lines at them, and others do not.
_HARMLESS |= {0x2028: "\n", 0x2029: "\n"}
# What turns the direction of text around is left out, or text could be shown as another one than it is.
_HARMLESS |= dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])

_INDENT = re.compile(" *")
_ROW = re.compile(r" +\S.*? {2,}")


def harmless(text: str) -> str:
    """The text without control characters but newline and tab: they are made visible, or left out."""
    return text.translate(_HARMLESS)


def notes_wanted() -> bool:
    """Whether anybody would see notes, and nobody be disturbed by them."""
    return sys.stderr.isatty() and not _is_pipe()


def both_ends() -> bool:
    """Whether a person is at both ends: types at stdin, and reads stdout."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def is_plain() -> bool:
    """Whether the terminal is to get text and nothing else."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def terminal_size() -> tuple[int, int]:
    """Columns and rows, now. Some terminals do not say, and are taken for one of 80 x 24."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    return columns or 80, rows or 24


@contextmanager
def typing_hidden() -> Iterator[None]:
    """Do not show what is typed while the block runs: it waits for whoever reads next.

    Ctrl-C is still a signal.
    """
    try:
        import termios
    except ImportError:
        # Not on Windows.
        yield
        return
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)
    hidden = [*before]
    hidden[0] &= ~termios.ICRNL
    hidden[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(stdin, termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        # A terminal that is gone has nothing to restore.
        with suppress(termios.error):
            termios.tcsetattr(stdin, termios.TCSADRAIN, before)


@contextmanager
def waiting(text: str) -> Iterator[Callable[[], None]]:
    """Show that something is awaited, until the block ends or the function it gets is called.

    It stands still: while llama.cpp loads a model no Python code runs that could turn a spinner.
    """
    if not notes_wanted() or os.environ.get("TERM") == "dumb":
        yield lambda: None
        return
    # On one row, with the "^C" that a terminal may write behind it: no more than a row is erased.
    shown = [_dim(text[: max(1, columns_of(sys.stderr) - 3)])]

    def erase() -> None:
        if shown:
            shown.clear()
            _tell("\r\x1b[2K")

    try:
        _tell(shown[0])
        yield erase
    finally:
        erase()


class Screen:
    """Where one answer goes: `with Screen() as screen`. Its last line is ended with the block.

    On a terminal the text goes through `shape` first, piece by piece. `awaited` is what is waited for.
    """

    def __init__(self, shape: Callable[[str], str] | None = None, *, awaited: str = "the model") -> None:
        # What stdout is now: it may become something else for the chain's own code.
        self._out = sys.stdout
        self._is_terminal = self._out.isatty()
        self._shape = shape
        self._awaited = awaited
        self._inside_line = False
        self._first = True
        self._stack = ExitStack()
        self._arrived: Callable[[], None] = lambda: None

    def __enter__(self) -> "Screen":
        if self._awaited:
            self._arrived = self._stack.enter_context(waiting(f"waiting for {self._awaited} ..."))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stack.close()
        if kind is KeyboardInterrupt:
            self._break_line()
        if self._inside_line:
            # The Ctrl-C that stopped the answer may have ended its reader, too.
            stopped = kind is not None and issubclass(kind, KeyboardInterrupt)
            with suppress(*([ReaderGone] if stopped else [])):
                self._put("\n")

    def write(self, text: str) -> None:
        """Show a piece of the answer, now."""
        if text:
            if self._first:
                self._first = False
                self._arrived()
            self._put(self._shown(text) if self._is_terminal else text)

    def write_line(self, text: str) -> None:
        """Show a line of its own."""
        self.write(f"\n{text}\n" if self._inside_line else f"{text}\n")

    def _shown(self, text: str) -> str:
        return harmless(text if self._shape is None else self._shape(text))

    def _break_line(self) -> None:
        # Go on below the line on which the terminal has echoed "^C". If nothing was written yet, the echo
        # was erased with the note before it.
        if self._is_terminal and not (self._first and notes_wanted()):
            self._inside_line = True
        elif not self._first and notes_wanted():
            _tell("\n")

    def _put(self, text: str) -> None:
        # Before it is written: a Ctrl-C in between would leave the line without its end.
        self._inside_line = not text.endswith("\n") if text else self._inside_line
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError as error:
            self._inside_line = False
            raise ReaderGone from error


def note(line: str) -> None:
    """Show a dim line beside the answer, if notes are wanted."""
    if notes_wanted():
        _tell(f"{_dim(wrapped(line, columns_of(sys.stderr)))}\n")


def say(text: str, to: TextIO | None = None) -> None:
    """Tell the person something: on a terminal in lines that end between words, elsewhere as it is."""
    stream = to or sys.stdout
    if stream.isatty():
        text = wrapped(harmless(text), columns_of(stream))
    print(text, file=stream, flush=True)


def wrapped(text: str, columns: int) -> str:
    """The text in lines of so many columns, as far as its words allow it; indented lines stay so."""
    return "\n".join(_wrapped(line, columns) for line in text.split("\n"))


def _wrapped(line: str, columns: int) -> str:
    if len(line) <= columns:
        return line
    # A row of two columns goes on in its second one, if there is room for that.
    indents = [len(found[0]) for pattern in (_ROW, _INDENT) if (found := pattern.match(line))]
    indent = next((indent for indent in indents if indent <= columns // 2), 0)
    return textwrap.fill(
        line,
        columns,
        subsequent_indent=" " * indent,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )


def columns_of(stream: TextIO) -> int:
    """How wide the terminal is that this goes to; 80 if it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _dim(text: str) -> str:
    return text if is_plain() else f"\x1b[2m{text}\x1b[0m"


def _tell(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _is_pipe() -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        return False
