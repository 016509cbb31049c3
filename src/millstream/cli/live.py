"""What changes on the terminal, drawn while it does: an answer in Markdown, or the steps of a chain.

A thread of its own draws, so that a word which is followed by a pause is seen at once, and many words that
come together cost one drawing.
"""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, Protocol, Self, TypeVar

from rich.console import Console

from millstream.cli.markdown import MarkdownStream
from millstream.cli.terminal import terminal_size, waiting

#: How many times a second it is drawn at most,
DRAWINGS = 25
#: and how much longer than a drawing took it rests after it: a long table must not take the model's time.
REST = 4

Item = TypeVar("Item", contravariant=True)


class Drawing(Protocol[Item]):
    """What is drawn: it is fed, and says what to write to the terminal."""

    def feed(self, item: Item, /) -> None:
        """Take the next item."""
        ...

    def draw(self) -> str:
        """What to write now."""
        ...

    def finish(self) -> str:
        """What to write at the end."""
        ...

    def resize(self, width: int, height: int) -> None:
        """Go on with another size of the terminal."""
        ...


class Drawer(Generic[Item]):
    """Where items go that are drawn: `with Drawer(drawing) as drawer`. It ends with the block's end.

    It draws at most `drawings` times a second; with `tick`, at least once in so many seconds. `awaited` is
    what is waited for until the first item.
    """

    def __init__(
        self,
        drawing: Drawing[Item],
        *,
        awaited: str = "",
        drawings: int = DRAWINGS,
        tick: float | None = None,
    ) -> None:
        self._drawing = drawing
        self._awaited = awaited
        self._pause = 1 / drawings
        self._tick = tick
        self._out = sys.stdout
        # Entered again by code that runs within it, such as finalizers that print.
        self._lock = threading.RLock()
        self._news = threading.Event()
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._drawer = threading.Thread(target=self._keep_drawing, name="millstream-drawer", daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._awaited:
            self._stack.enter_context(waiting(f"waiting for {self._awaited} ..."))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stack.close()
        self._ended.set()
        self._news.set()
        if self._drawer.ident is not None:
            self._drawer.join()
        if self._error is None:
            with self._lock:
                self._put(self._drawing.finish)
        elif kind is None:
            raise self._error

    def write(self, item: Item) -> None:
        """Take an item; it is seen a moment later."""
        if self._error is not None:
            raise self._error
        if item:
            with self._lock:
                if self._drawer.ident is None:
                    self._stack.close()
                    self._drawer.start()
                self._drawing.feed(item)
            self._news.set()

    def _keep_drawing(self) -> None:
        try:
            while not self._ended.is_set():
                self._news.wait(self._tick)
                self._news.clear()
                began = time.monotonic()
                with self._lock:
                    if not self._ended.is_set():
                        self._put(self._drawing.draw)
                self._ended.wait(max(self._pause, REST * (time.monotonic() - began)))
        except Exception as error:
            # Raised where the items are read.
            self._error = error

    def _put(self, draw: Callable[[], str]) -> None:
        self._drawing.resize(*terminal_size())
        self._out.write(draw())
        self._out.flush()


class LiveScreen(Drawer[str]):
    """Where one answer goes: `with LiveScreen() as screen`. The rest of it is drawn with the block's end."""

    def __init__(self) -> None:
        width, height = terminal_size()
        console = Console(force_terminal=True, width=width)
        super().__init__(MarkdownStream(console, height), awaited="the model")
