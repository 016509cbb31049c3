"""What begins with "/" in a session: the table of commands, and what each does to the session."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from millstream.cli import saving
from millstream.cli.errors import WrongUse
from millstream.cli.loading import known_models, shown_name

if TYPE_CHECKING:
    from millstream.cli.session import Session


class Command(NamedTuple):
    """A command: its names, of which the first is shown, what may stand behind it, and what it does."""

    names: tuple[str, ...]
    argument: str
    help: str
    run: "Callable[[Session, str], None]"


class Called(NamedTuple):
    """A command with the text behind it."""

    command: Command
    argument: str


def read_line(text: str) -> Called | str:
    """The command that was typed, or the question. "//" at the beginning is a slash of the question's own.

    Raises `WrongUse` for a command that there is not, and for words behind one that takes none.
    """
    if text.startswith("//") or not text.startswith("/"):
        return text.removeprefix("/")
    name, *rest = text[1:].split(maxsplit=1) or ("",)
    command = _BY_NAME.get(name)
    if command is None:
        near = difflib.get_close_matches(name, _BY_NAME, n=1)
        hint = f"Did you mean /{near[0]}?" if near else "/help lists the commands."
        raise WrongUse(f"There is no command /{name}. {hint} To ask a question that begins with /, type //.")
    argument = "".join(rest).strip()
    if argument and not command.argument:
        raise WrongUse(f"/{name} stands alone. Nothing was done because of what is behind it: {argument!r}.")
    return Called(command, argument)


def help_text() -> str:
    """The commands and the keys, for /help."""
    rows = [
        (f"{', '.join(f'/{name}' for name in command.names)} {command.argument}".strip(), command.help)
        for command in COMMANDS
    ]
    width = max(len(row[0]) for row in [*rows, *KEYS]) + 2
    lines = [f"  {name:<{width}}{text}" for name, text in rows]
    keys = [f"  {name:<{width}}{text}" for name, text in KEYS]
    return "\n".join([*lines, "", *keys])


def _model(session: "Session", name: str) -> None:
    if not name:
        known = ", ".join(known_models())
        session.say(f"The model is {shown_name(session.model_name)}. Known: {known}, and provider:model.")
        return
    session.use_model(name)
    session.say(f"{shown_name(name)} goes on with the conversation.")


def _system(session: "Session", text: str) -> None:
    conversation = session.conversation
    if text:
        conversation.system = None if text == "-" else text
    session.say(
        f"The system prompt is: {conversation.system}" if conversation.system else "No system prompt."
    )


def _save(session: "Session", name: str) -> None:
    path = Path(name).expanduser() if name else session.file
    if path is None:
        raise WrongUse("Say where to save, as in: /save conversation.md")
    if path.exists() and path != session.file:
        raise WrongUse(f"{str(path)!r} is there already. Choose another name, or remove it first.")
    saving.check(path)
    saving.save(session.conversation, path)
    session.file = path
    session.say(f"The conversation is saved in {path}, also after each answer from now on.")


def _retry(session: "Session", _: str) -> None:
    if session.conversation.question is None:
        raise WrongUse("Nothing was asked yet that could be asked again.")
    session.conversation.answer(None)
    session.answer()


def _edit(session: "Session", _: str) -> None:
    if session.conversation.question is None:
        raise WrongUse("Nothing was asked yet that could be edited.")
    session.edit = session.conversation.question


def _clear(session: "Session", _: str) -> None:
    session.conversation.turns.clear()
    session.say("A new conversation begins.")
    if session.file is not None:
        session.say(f"{session.file} stays as it is; /save FILE saves the new conversation to another file.")
        session.file = None


def _help(session: "Session", _: str) -> None:
    session.say(help_text())


def _exit(session: "Session", _: str) -> None:
    session.left = True


COMMANDS = (
    Command(("model",), "[NAME]", "show the model, or go on with another", _model),
    Command(("system",), "[TEXT]", "show or set how the model is to behave; - for nothing", _system),
    Command(("save",), "[FILE]", "save the conversation: .json, or else Markdown", _save),
    Command(("retry",), "", "ask the last question again", _retry),
    Command(("edit",), "", "change the last question, and ask that instead", _edit),
    Command(("clear", "new"), "", "begin a new conversation", _clear),
    Command(("help",), "", "show this", _help),
    Command(("exit", "quit"), "", "leave", _exit),
)
KEYS = (
    ("Enter", "send"),
    ("Alt-Enter, or \\ Enter", "begin a new line"),
    ("Up, Down, Ctrl-R", "what was asked before, in past sessions too"),
    ("Tab", "complete a command, a model or a file"),
    ("Ctrl-X Ctrl-E", "write the question in your $EDITOR"),
    ("Ctrl-C", "stop the answer, or clear the line"),
    ("Ctrl-Z", "suspend, until fg in the shell"),
    ("Ctrl-D", "leave"),
)
_BY_NAME = {name: command for command in COMMANDS for name in command.names}
