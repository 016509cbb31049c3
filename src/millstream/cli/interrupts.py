"""Ctrl-C: the first one stops what is going on, a second one ends the program whatever it is at."""

import signal
from types import FrameType
from typing import NoReturn


def arm() -> None:
    """Make the next Ctrl-C a `KeyboardInterrupt`, and the one after that the program's end.

    Where interrupts are ignored (`nohup`, a script's background jobs) they stay ignored.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def disarm() -> None:
    """Make the next Ctrl-C the program's end. What is left to do at exit needs no traceback."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt
