"""`millstream run --events`: the steps of a chain while they run, as a tree, or an event a line as JSON."""

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console

from millstream.cli import interrupts
from millstream.cli.errors import ExitCode
from millstream.cli.live import Drawer
from millstream.cli.run import json_line, named, streamed_text
from millstream.cli.step_view import StepView
from millstream.cli.terminal import Screen, both_ends, columns_of, terminal_size, typing_hidden
from millstream.events import RunEvent, TextDelta, encode_event

if TYPE_CHECKING:
    from millstream.runnables import Runnable

#: How many times a second the tree is drawn at most, and after how many seconds the times in it move on.
DRAWINGS = 12
TICK = 0.25
#: How wide a tree may be that goes to no terminal.
WIDTH = 120


def print_events(chain: "Runnable[Any, Any]", given: Any) -> ExitCode:
    """One event a line, as JSON. What the chain prints itself goes to stderr."""
    with (
        Screen(awaited="the chain") as screen,
        redirect_stdout(sys.stderr),
        chain.start(given) as run,
        interrupts.stopping_by(run.cancel),
    ):
        for event in named(run.events):
            screen.write_line(encode_event(event).decode())
    return ExitCode.FINE


def show_steps(chain: "Runnable[Any, Any]", given: Any) -> ExitCode:
    """The tree of steps: while they run if stdout is a terminal, or else at the end, on stderr."""
    live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return _live(chain, given) if live else _beside(chain, given)


def _live(chain: "Runnable[Any, Any]", given: Any) -> ExitCode:
    width, height = terminal_size()
    view = StepView(Console(force_terminal=True, width=width), height)
    drawer: Drawer[RunEvent | str] = Drawer(view, drawings=DRAWINGS, tick=TICK)
    try:
        with ExitStack() as stack:
            if both_ends():
                stack.enter_context(typing_hidden())
            stack.enter_context(drawer)
            stack.enter_context(_printing_into(drawer))
            run = stack.enter_context(chain.start(given))

            def stop() -> None:
                view.stopping = True
                run.cancel()

            with interrupts.stopping_by(stop):
                for event in named(run.events):
                    drawer.write(event)
    finally:
        with Screen(awaited="") as screen:
            screen.write("".join(view.steps.text))
            _complete(screen, view)
    return ExitCode.FINE


def _beside(chain: "Runnable[Any, Any]", given: Any) -> ExitCode:
    width = columns_of(sys.stderr) if sys.stderr.isatty() else WIDTH
    view = StepView(Console(stderr=True, width=width), height=1)
    try:
        with Screen(awaited="the chain") as screen, chain.start(given) as run:
            with interrupts.stopping_by(run.cancel):
                for event in named(run.events):
                    view.feed(event)
                    if isinstance(event, TextDelta) and event.is_answer:
                        screen.write(event.text)
            _complete(screen, view)
    finally:
        # If nobody reads the answer any more, the run has not come to its end.
        if view.steps.end is not None:
            print(*(line.text for line in view.tree()), sep="\n", file=sys.stderr, flush=True)
    return ExitCode.FINE


def _complete(screen: Screen, view: StepView) -> None:
    """Write what an answer holds beside the text that was told of it."""
    said, output = "".join(view.steps.text), view.steps.output
    text = streamed_text(output)
    if text is not None:
        screen.write("" if said.endswith(text) else text.removeprefix(said))
    elif view.steps.is_done and not (output is None and said):
        screen.write_line(json_line(output))


class _Drawn(io.BufferedIOBase):
    """The bytes of what the chain prints, while its steps are drawn: shown above them."""

    def __init__(self, drawer: "Drawer[RunEvent | str]", out: TextIO) -> None:
        self.name = out.name
        self._drawer = drawer
        self._out = out
        # A character may come in two writes.
        self._text = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, data: Any) -> int:
        """Have this text shown."""
        self._drawer.write(self._text.decode(bytes(data)))
        return len(data)

    def isatty(self) -> bool:
        """It is shown by a terminal."""
        return True

    def fileno(self) -> int:
        """The terminal's."""
        return self._out.fileno()


@contextmanager
def _printing_into(drawer: "Drawer[RunEvent | str]") -> Iterator[None]:
    """Have what is printed in the block shown above the steps, and not in the midst of them."""
    # With all that a program may ask of its stdout: `buffer`, say, or `reconfigure`.
    printed = io.TextIOWrapper(_Drawn(drawer, sys.stdout), "utf-8", "replace", write_through=True)
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(printed))
        if sys.stderr.isatty():
            stack.enter_context(redirect_stderr(printed))
        yield
