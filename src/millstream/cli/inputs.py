"""What comes in from the shell: text that is piped in, and arguments that are no text."""

import sys

from millstream.cli.errors import WrongUse


def piped() -> bytes | None:
    """What was piped in; None if stdin is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        return None
    return sys.stdin.buffer.read()


def text_of(given: str | bytes, what: str = "prompt") -> str:
    """The text that this is. Raises `WrongUse` if it is none; `what` is what it was given as."""
    try:
        # Arguments that are no text arrive with lone surrogates in them, which cannot be encoded.
        return (given.encode() if isinstance(given, str) else given).decode("utf-8-sig")
    except UnicodeError as error:
        raise WrongUse(f"The {what} is no UTF-8 text. Convert it first, for example with iconv.") from error
