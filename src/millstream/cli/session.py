"""An interactive session: read a line, do what it says, and answer, until the person leaves."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.cli import interrupts, saving
from millstream.cli.answer import Writer, stream_answer
from millstream.cli.commands import Called, read_line
from millstream.cli.conversation import Conversation
from millstream.cli.errors import ExitCode, sentence, show_traceback
from millstream.cli.json_stream import Indenter
from millstream.cli.loading import loaded_model, shown_name
from millstream.cli.schema import naming
from millstream.cli.terminal import Screen, is_plain, note, say, typing_hidden
from millstream.errors import MissingDependency

if TYPE_CHECKING:
    from millstream.cli.editor import Editor

LEAVING = "Press Ctrl-C again, or Ctrl-D, to leave."


class Session:
    """The state of a session, which the commands change, and its loop (`run`).

    `edit` is what the next line begins with, to replace the last turn; `left` ends the loop.
    """

    def __init__(
        self,
        editor: "Editor",
        model_name: str,
        parameters: dict[str, Any],
        system: str | None,
        file: Path | None,
        schema: Path | None = None,
    ) -> None:
        self.conversation = Conversation(system)
        self.model_name = model_name
        self.file = file
        self.edit: str | None = None
        self.left = False
        self._editor = editor
        self._parameters = parameters
        self._schema = schema
        self._model = loaded_model(model_name)

    def run(self) -> ExitCode:
        """Go on until the person leaves."""
        note(f"{shown_name(self.model_name)} is ready. /help lists the commands, Ctrl-D leaves.")
        warned = False
        while not self.left:
            edited, self.edit = self.edit, None
            try:
                text = self._editor.read(edited or "")
            except EOFError:
                break
            except KeyboardInterrupt:
                if warned:
                    return ExitCode.STOPPED
                warned = True
                note(LEAVING)
                continue
            warned = False
            self._guarded(text, replaces=edited is not None)
        return ExitCode.FINE

    def say(self, text: str) -> None:
        """Tell the person something."""
        say(text)

    def use_model(self, name: str) -> None:
        """Go on with another model. If it cannot be loaded, the one before stays."""
        self._model = loaded_model(name)
        self.model_name = name

    def answer(self) -> None:
        """Let the model answer the last question, and save the conversation if that is asked for."""
        with interrupts.ending_late(), naming(self._schema):
            with typing_hidden():
                answer = stream_answer(
                    self._model, self.conversation.messages(), self._parameters, self._screen()
                )
            # It has stopped, if that was asked for: another Ctrl-C is not a second one.
            interrupts.arm()
            if not interrupts.ending():
                self.say("")
            self.conversation.answer(answer.message)
            if self.file is not None:
                saving.save(self.conversation, self.file)

    def _guarded(self, text: str, *, replaces: bool) -> None:
        # The editor has put a handler of its own in place.
        interrupts.arm()
        try:
            self._take(text, replaces=replaces)
        except KeyboardInterrupt:
            # While a model was loading, or just after an answer's end.
            note("stopped")
        except Exception as error:
            show_traceback(error)
            say(sentence(error, in_session=True), sys.stderr)

    def _take(self, text: str, *, replaces: bool) -> None:
        text = text.lstrip("\n").rstrip()
        if not text:
            return
        match read_line(text):
            case Called(command, argument):
                command.run(self, argument)
            case question:
                if replaces:
                    self.conversation.turns.pop()
                self.conversation.ask(question)
                self.answer()

    def _screen(self) -> AbstractContextManager[Writer]:
        if "json_schema" in self._parameters:
            return Screen(Indenter().feed)
        if is_plain():
            return Screen()
        from millstream.cli.live import LiveScreen

        return LiveScreen()


def open_session(
    model_name: str,
    parameters: dict[str, Any],
    system: str | None,
    file: Path | None,
    schema: Path | None = None,
) -> Session:
    """A session at the terminal, its model loaded."""
    try:
        from millstream.cli.editor import LineEditor
        from millstream.cli.history import history_file
    except ImportError as error:
        what = f"{error.name or 'prompt_toolkit'}, which the session needs,"
        raise MissingDependency(what, command="pip install 'millstream[cli]'") from error
    try:
        history = history_file()
    except OSError as error:
        note(f"What you ask will not be remembered: {error}.")
        history = None
    return Session(LineEditor(history), model_name, parameters, system, file, schema)
