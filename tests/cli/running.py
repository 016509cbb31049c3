"""The command line as a process: with pipes, or in a pseudo-terminal of its own."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte

import millstream

SECONDS = 60.0
REAL = [sys.executable, "-m", "millstream"]
FAKE = [sys.executable, str(Path(__file__).with_name("fake_main.py"))]

# Makes stdin the terminal that controls the process, so that \x03 becomes a signal; then becomes the command.
_TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios;"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**more: str) -> dict[str, str]:
    """This process's environment, in which millstream is found where this one found it."""
    source = str(Path(millstream.__file__).parents[1])
    path = [more.pop("PYTHONPATH", ""), os.environ.get("PYTHONPATH", ""), source]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))} | more


def run(
    command: list[str], *arguments: str, stdin: str | bytes = "", **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run it with pipes for stdin, stdout and stderr, to its end."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    ended = subprocess.run(
        [*command, *arguments], input=data, capture_output=True, env=environment(**more), timeout=SECONDS
    )
    return subprocess.CompletedProcess(
        ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode()
    )


class Terminal:
    """The command in a pseudo-terminal: `with Terminal(FAKE, "chat", "hi") as terminal`.

    `stdout` may go somewhere else; stdin and stderr are the terminal. What it shows is kept by an emulator,
    which also answers what a program asks of its terminal.
    """

    def __init__(
        self,
        command: list[str],
        *arguments: str,
        stdout: int | None = None,
        columns: int = 80,
        rows: int = 24,
        **more: str,
    ) -> None:
        self._master, slave = pty.openpty()
        self._seen = b""
        self.emulator = emulator(columns, rows)
        self.emulator.write_process_input = self.press
        self._stream = pyte.ByteStream(self.emulator)
        self._set_size(columns, rows)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-c", _TAKE_TERMINAL, *command, *arguments],
                stdin=slave,
                stdout=slave if stdout is None else stdout,
                stderr=slave,
                start_new_session=True,
                env=environment(**more),
            )
        finally:
            os.close(slave)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    @property
    def raw(self) -> str:
        """All that came to the terminal."""
        return self._seen.decode(errors="replace").replace("\r\n", "\n")

    @property
    def text(self) -> str:
        """What a person sees: without what was erased, and without escape sequences."""
        lines = (line.rpartition("\r\x1b[2K")[2] for line in self.raw.split("\n"))
        return _ESCAPE.sub("", "\n".join(lines))

    @property
    def screen(self) -> str:
        """What the emulator shows, with what has scrolled out of it."""
        return "\n".join(rows_of(self.emulator))

    def resize(self, columns: int, rows: int) -> None:
        """Give it another size, as a person does with the mouse."""
        self.emulator.resize(rows, columns)
        self._set_size(columns, rows)

    def until_shown(self, wanted: str) -> None:
        """Read until this pattern is on the screen."""
        deadline = time.monotonic() + SECONDS
        while not re.search(wanted, self.screen):
            assert self._read(deadline), f"ended before {wanted!r} was shown:\n{self.screen}"

    def until(self, wanted: str) -> None:
        """Read until this pattern is seen."""
        deadline = time.monotonic() + SECONDS
        while not re.search(wanted, self.raw):
            assert self._read(deadline), f"ended before {wanted!r} was seen: {self.raw!r}"

    def press(self, keys: str | bytes) -> None:
        """Type something."""
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing came in time after: {self.raw!r}"
        try:
            read = os.read(self._master, 4096)
        except OSError:
            # Linux's way to say that nobody holds the other end any more.
            return False
        self._seen += read
        self._stream.feed(read)
        return bool(read)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class _Display(pyte.HistoryScreen):
    """Shows dim text in grey: pyte knows no dim."""

    def select_graphic_rendition(self, *attributes: int, **kwargs: bool) -> None:
        grey = [90 if attribute == 2 else attribute for attribute in attributes]
        super().select_graphic_rendition(
            *(attributes if 38 in attributes or 48 in attributes else grey), **kwargs
        )


def emulator(columns: int, rows: int) -> pyte.HistoryScreen:
    """A terminal that remembers what has scrolled out of it."""
    return _Display(columns, rows, history=100_000)


def rows_of(screen: pyte.HistoryScreen) -> list[str]:
    """All its rows, without blanks at their ends and below the last one."""
    gone = ["".join(row[x].data for x in range(screen.columns)) for row in screen.history.top]
    rows = [row.rstrip() for row in (*gone, *screen.display)]
    while rows and not rows[-1]:
        rows.pop()
    return rows
