"""Signals. The first Ctrl-C stops what is going on, a second one ends the program whatever it is at.

SIGTERM and SIGHUP end the program, but not in the middle of an answer: what came of it is kept first.
"""

import _thread
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

_interrupted = False
_ended_by: int | None = None
_stoppable = False
_stop: Callable[[], object] | None = None


class Terminated(KeyboardInterrupt):
    """The program was told to end: by its supervisor, or because its terminal is gone."""


def arm() -> None:
    """Make the next Ctrl-C a `KeyboardInterrupt`, and the one after that the program's end.

    Where interrupts are ignored (`nohup`, a script's background jobs) they stay ignored.
    """
    global _interrupted
    _interrupted = False
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def disarm() -> None:
    """Make the next Ctrl-C the program's end. What is left to do at exit needs no traceback."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted() -> bool:
    """Whether a Ctrl-C came since `arm`."""
    return _interrupted


@contextmanager
def stopping_by(stop: Callable[[], object]) -> Iterator[None]:
    """Let the first Ctrl-C in the block call `stop`, in a thread of its own, instead of being raised there.

    What is going on comes to its end, then; the block's end raises the `KeyboardInterrupt`.
    """
    global _stop
    _stop = stop
    try:
        yield
    except Exception as error:
        # What the stopping led to.
        if _interrupted:
            raise KeyboardInterrupt from error
        raise
    finally:
        _stop = None
    if _interrupted:
        raise KeyboardInterrupt


@contextmanager
def ending_late() -> Iterator[None]:
    """Hold back what ends the program until the end of the block, which then ends by that signal.

    Inside `stoppable` it is raised as `Terminated`. A second one of the same kind ends the program at once.
    """
    global _ended_by
    held = [number for number in _ENDINGS if signal.getsignal(number) is signal.SIG_DFL]
    _ended_by = None
    for number in held:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, signal.SIG_DFL)
        if _ended_by is not None:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            os.kill(os.getpid(), _ended_by)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let what ends the program be raised in the block, also if it came before."""
    global _stoppable
    _stoppable = True
    try:
        if ending():
            raise Terminated
        yield
    finally:
        _stoppable = False


def ending() -> bool:
    """Whether the program is about to end by a signal that was held back."""
    return _ended_by is not None


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _interrupted
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _interrupted = True
    if _stop is None:
        raise KeyboardInterrupt
    # Not here: this code may stand in the middle of what holds a lock that the stopping needs; or one that
    # `threading.Thread` needs.
    _thread.start_new_thread(_stop, ())


def _end(number: int, frame: FrameType | None) -> None:
    global _ended_by
    signal.signal(number, signal.SIG_DFL)
    # A session's end sends both, one right after the other.
    if _ended_by is None:
        _ended_by = number
        if _stoppable:
            raise Terminated
