"""The tree of steps on a terminal, with the run's text below it, drawn anew while they change.

Only as much as fits into the window is drawn while the run goes on. At the end the whole tree takes its place
and stays. What the chain prints itself comes above.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from millstream.cli.markdown import line_of
from millstream.cli.step_rows import rows
from millstream.cli.steps import Steps
from millstream.cli.terminal import harmless
from millstream.cli.window import Line, Window
from millstream.events import RunEvent, TextDelta

_STOPPING = "stopping ... Ctrl-C again ends the program at once"


class StepView:
    """Events go in with `feed`, and what the chain prints; `draw` returns what to write to the terminal."""

    def __init__(self, console: Console, height: int, clock: Callable[[], float] = time.time) -> None:
        self.steps = Steps()
        self.stopping = False
        self._console = console
        self._width = console.width
        self._height = height
        self._window = Window(height)
        self._clock = clock
        self._printed = ""
        # The end of the run's text: more than any window shows of it.
        self._tail = ""

    def feed(self, item: RunEvent | str) -> None:
        """Take the next event, or a piece of what the chain has printed."""
        if isinstance(item, str):
            self._printed += item
            return
        self.steps.feed(item)
        if isinstance(item, TextDelta) and item.is_answer:
            self._tail = (self._tail + harmless(item.text))[-self._width * self._height :]

    def draw(self) -> str:
        """What to write so that the terminal shows all that came."""
        *complete, self._printed = self._printed.split("\n")
        return self._show(complete, self._live())

    def finish(self) -> str:
        """What to write at the end: the whole tree, for good."""
        printed = self._printed.removesuffix("\n").split("\n") if self._printed else []
        self._printed = ""
        return self._show(printed, [], self.tree())

    def resize(self, width: int, height: int) -> None:
        """Go on with another size of the terminal."""
        rewrapped = width != self._width
        self._width, self._height = width, height
        self._window.resize(height, rewrapped=rewrapped)

    def _show(self, printed: list[str], live: list[Line], tree: list[Line] | None = None) -> str:
        above = [line for text in printed for line in self._lines(Text.from_ansi(text))]
        written = self._window.show([*above, *(tree or [])], live)
        # The row below holds what was typed meanwhile: it is erased.
        return f"\r\x1b[J{written}" if written else ""

    def _live(self) -> list[Line]:
        room = self._window.room
        says = self._lines(Text(self._tail.rstrip("\n"))) if self._tail.strip() else []
        if self.stopping:
            says += self._lines(Text(_STOPPING, "dim", no_wrap=True, overflow="ellipsis"))
        if says:
            says.insert(0, Line("", 0))
        tree = self.tree(max(room - len(says), room // 2))
        left = room - len(tree)
        return [*tree, *says[-left:]] if left > 0 else tree

    def tree(self, height: int | None = None) -> list[Line]:
        """The rows of the tree as it stands, at most so many."""
        root = self.steps.root
        if root is None:
            return []
        return [line for row in rows(root, self._width, self._clock(), height) for line in self._lines(row)]

    def _lines(self, text: Text) -> list[Line]:
        options = self._console.options.update(width=max(1, self._width))
        return [
            line_of(segments, self._console)
            for segments in self._console.render_lines(text, options, pad=False)
        ]
