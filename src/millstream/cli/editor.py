"""The line that a person types, with history, several lines and completion: prompt-toolkit's, set up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from millstream.cli.commands import COMMANDS
from millstream.cli.loading import beginnings
from millstream.cli.terminal import is_plain

PROMPT = "> "


class Editor(Protocol):
    """Reads what a person types."""

    def read(self, text: str = "") -> str:
        """One input, which begins as `text`. Raises `EOFError` for Ctrl-D, `KeyboardInterrupt` for Ctrl-C."""
        ...


class LineEditor:
    """An `Editor` on the terminal. What was typed is kept in the file `history`, or for this session only."""

    def __init__(self, history: Path | None) -> None:
        self._session: PromptSession[str] = PromptSession(
            FormattedText([("" if is_plain() else "bold", PROMPT)]),
            multiline=True,
            prompt_continuation=" " * len(PROMPT),
            history=InMemoryHistory() if history is None else FileHistory(str(history)),
            key_bindings=_keys(),
            completer=CommandCompleter(),
            complete_while_typing=Condition(lambda: get_app().current_buffer.text.startswith("/")),
            reserve_space_for_menu=len(COMMANDS),
            enable_suspend=True,
            tempfile_suffix=".md",
        )

    def read(self, text: str = "") -> str:
        """One input. Bytes that are no text become question marks."""
        return self._session.prompt(default=text).encode(errors="replace").decode()


class CommandCompleter(Completer):
    """Names of commands, and what may stand behind them."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What the text may go on with."""
        name, space, argument = document.text_before_cursor.partition(" ")
        if not name.startswith("/"):
            return
        if not space:
            for command in COMMANDS:
                for known in command.names:
                    if known.startswith(name[1:]):
                        yield Completion(f"/{known}", -len(name), display_meta=command.help)
        elif name == "/model":
            for model in beginnings():
                if model.startswith(argument):
                    yield Completion(model, -len(argument))
        elif name == "/save":
            yield from PathCompleter(expanduser=True).get_completions(Document(argument), complete_event)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.is_cursor_at_the_end and buffer.text.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-x", "c-e")
    def _(event: KeyPressEvent) -> None:
        # Back to the line: prompt-toolkit's own binding would send it.
        event.current_buffer.open_in_editor(validate_and_handle=False)

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt)

    return keys
