"""A conversation in a file: its name says in which form, and it is whole at every moment."""

import os
import tempfile
from pathlib import Path

from millstream.cli.conversation import Conversation, as_json, as_markdown
from millstream.cli.errors import WrongUse
from millstream.errors import MillstreamError


class NotSaved(MillstreamError):
    """The conversation could not be written."""


def check(path: Path) -> None:
    """Raise `WrongUse` if a conversation cannot be written there."""
    if not path.name:
        raise WrongUse("There is no name of a file to save to. Write one, such as conversation.md.")
    if not path.parent.is_dir():
        raise WrongUse(f"There is no folder {str(path.parent)!r} to save to. Make it first, or name another.")
    if path.exists() and not path.is_file():
        raise WrongUse(f"{str(path)!r} is no file to save to. Name one, such as conversation.md.")
    if not os.access(path.parent, os.W_OK):
        raise WrongUse(f"The folder {str(path.parent)!r} may not be written to. Name another one.")


def save(conversation: Conversation, path: Path) -> None:
    """Write the conversation: JSON if the name ends with .json, else Markdown. Only its owner may read it."""
    messages = conversation.messages()
    written = as_json(messages) if path.suffix.lower() == ".json" else as_markdown(messages)
    # A link stays a link: what it leads to is written.
    target = path.resolve()
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            try:
                file.write(written)
                file.close()
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise NotSaved(f"The conversation is not saved in {str(path)!r}: {error.strerror}.") from error
