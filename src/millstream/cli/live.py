"""An answer in Markdown on the terminal, drawn while it is written.

A thread of its own draws, so that a word which is followed by a pause is seen at once, and many words that
come together cost one drawing.
"""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console

from millstream.cli.markdown import MarkdownStream
from millstream.cli.terminal import terminal_size, waiting

#: How many times a second it is drawn at most,
DRAWINGS = 25
#: and how much longer than a drawing took it rests after it: a long table must not take the model's time.
REST = 4


class LiveScreen:
    """Where one answer goes: `with LiveScreen() as screen`. The rest of it is drawn with the block's end."""

    def __init__(self) -> None:
        width, height = terminal_size()
        self._stream = MarkdownStream(Console(force_terminal=True, width=width), height)
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._drawer = threading.Thread(target=self._keep_drawing, name="millstream-drawer", daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> "LiveScreen":
        self._stack.enter_context(waiting("waiting for the model ..."))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stack.close()
        self._ended.set()
        self._news.set()
        if self._drawer.ident is not None:
            self._drawer.join()
        if self._error is None:
            with self._lock:
                self._put(self._stream.finish)
        elif kind is None:
            raise self._error

    def write(self, text: str) -> None:
        """Take a piece of the answer; it is seen a moment later."""
        if self._error is not None:
            raise self._error
        if text:
            if self._drawer.ident is None:
                self._stack.close()
                self._drawer.start()
            with self._lock:
                self._stream.feed(text)
            self._news.set()

    def _keep_drawing(self) -> None:
        try:
            while not self._ended.is_set():
                self._news.wait()
                self._news.clear()
                began = time.monotonic()
                with self._lock:
                    if not self._ended.is_set():
                        self._put(self._stream.draw)
                self._ended.wait(max(1 / DRAWINGS, REST * (time.monotonic() - began)))
        except Exception as error:
            # Raised where the answer is read.
            self._error = error

    def _put(self, draw: Callable[[], str]) -> None:
        self._stream.resize(*terminal_size())
        sys.stdout.write(draw())
        sys.stdout.flush()
