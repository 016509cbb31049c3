"""The command line as a process: with pipes, or in a pseudo-terminal of its own."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

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

    `stdout` may go somewhere else; stdin and stderr are the terminal.
    """

    def __init__(self, command: list[str], *arguments: str, stdout: int | None = None, **more: str) -> None:
        self._master, slave = pty.openpty()
        self._seen = b""
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

    def until(self, wanted: str) -> None:
        """Read until this pattern is seen."""
        deadline = time.monotonic() + SECONDS
        while not re.search(wanted, self.raw):
            assert self._read(deadline), f"ended before {wanted!r} was seen: {self.raw!r}"

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._master, keys.encode())

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
        return bool(read)
