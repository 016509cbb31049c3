"""The exit codes, and the sentence that a person reads when something went wrong."""

import os
import re
import traceback
from collections.abc import Iterable
from enum import IntEnum

from millstream.errors import ConfigError, ContextLengthError, MillstreamError, MissingDependency, ModelError

#: Set to anything but 0, it shows where an error came from.
DEBUG_VARIABLE = "MILLSTREAM_DEBUG"
# In the words of llama.cpp, OpenAI and Anthropic: how many tokens there are and may be, in either order.
_TOO_MANY = re.compile(r"(\d+) tokens\D+(\d+)")

# What only a program can do.
_FOR_PROGRAMS = re.compile(r", or give `\w+`")


class ExitCode(IntEnum):
    """How a command ended."""

    FINE = 0
    FAILED = 1
    WRONG_USE = 2
    MISSING = 3
    INCOMPLETE = 4
    STOPPED = 130


class WrongUse(MillstreamError):
    """The command was not given what it needs. The message says what to type."""


class ReaderGone(Exception):
    """Whoever read the output has had enough (`| head`): no failure, and a reason to stop."""


class InstallFailed(MillstreamError):
    """A model's weights could not be installed. `output` holds the installer's last lines."""

    def __init__(self, name: str, command: str, output: Iterable[str]) -> None:
        self.output = list(output)
        said = "".join(f"\n  {line}" for line in self.output)
        super().__init__(f"{name} could not be installed. To try again by hand: {command}{said}")


class ChainFailed(MillstreamError):
    """A chain of the user's raised `error`; `where` says in which of its steps."""

    def __init__(self, error: Exception, where: str) -> None:
        self.error = error
        said = f"{_ended(_said(error))} It was raised {where}."
        own = isinstance(error, MillstreamError)
        super().__init__(said if own else said + _hint())


def exit_code(error: BaseException) -> ExitCode:
    """The code to exit with after this error."""
    match error:
        case KeyboardInterrupt():
            return ExitCode.STOPPED
        case ReaderGone():
            return ExitCode.FINE
        case WrongUse() | ConfigError():
            return ExitCode.WRONG_USE
        case MissingDependency():
            return ExitCode.MISSING
        case _:
            return ExitCode.FAILED


def sentence(error: BaseException, *, in_session: bool = False) -> str:
    """What to tell a person about this error; empty if there is nothing to tell."""
    match error:
        case KeyboardInterrupt() | ReaderGone():
            return ""
        case ContextLengthError():
            if in_session:
                return f"{_said(error)} /clear begins a new conversation, /edit shortens the last question."
            return f"{_said(error)} Give it a shorter prompt."
        case ModelError():
            return _ended(_said(error))
        case MillstreamError():
            return _said(error)
        case _:
            return _ended(_said(error)) + _hint()


def show_traceback(error: BaseException) -> None:
    """Show where the error came from, to those who asked for it."""
    if _debugging():
        # That of the chain's own error: who reads it looks for a line of theirs.
        traceback.print_exception(error.error if isinstance(error, ChainFailed) else error)


def _debugging() -> bool:
    return os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0")


def _hint() -> str:
    return "" if _debugging() else f" To see where it came from, set {DEBUG_VARIABLE}=1."


def _said(error: BaseException) -> str:
    if isinstance(error, ContextLengthError):
        found = _TOO_MANY.search(str(error))
        if found is None:
            return _ended(str(error).removesuffix(", try increasing it"))
        room, wanted = sorted(map(int, found.groups()))
        return f"{wanted} tokens do not fit into the model's context of {room}."
    if isinstance(error, MillstreamError):
        return _FOR_PROGRAMS.sub("", str(error))
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
