"""What a typed line is, what completes in it, and that the guide tells of every command and option."""

import re
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from millstream.cli.commands import COMMANDS, Called, help_text, read_line
from millstream.cli.editor import CommandCompleter
from millstream.cli.errors import WrongUse
from tests.cli.running import REAL, run

ALONE = ("clear", "new", "quit", "exit", "retry", "edit", "help")
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "command-line.md"


@pytest.mark.parametrize(
    ("typed", "question"), [("why?", "why?"), ("//etc", "/etc"), (" /help", " /help"), ("a /b", "a /b")]
)
def test_questions(typed: str, question: str) -> None:
    assert read_line(typed) == question


@pytest.mark.parametrize(
    ("typed", "name", "argument"),
    [
        ("/help", "help", ""),
        ("/new", "clear", ""),
        ("/model  x ", "model", "x"),
        ("/system Be kind.\nAlways.", "system", "Be kind.\nAlways."),
    ],
)
def test_commands(typed: str, name: str, argument: str) -> None:
    called = read_line(typed)
    assert isinstance(called, Called)
    assert (called.command.names[0], called.argument) == (name, argument)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/hlep", "no command /hlep. Did you mean /help?"),
        ("/xyz 1", "/help lists the commands."),
        ("/", "type //"),
        *((f"/{name} x", f"/{name} stands alone.") for name in ALONE),
    ],
)
def test_what_is_no_command(typed: str, said: str) -> None:
    with pytest.raises(WrongUse, match=re.escape(said)):
        read_line(typed)


def completed(text: str) -> list[str]:
    return [found.text for found in CommandCompleter().get_completions(Document(text), CompleteEvent())]


def test_completion(tmp_path: Path) -> None:
    (tmp_path / "talk.md").touch()
    assert completed("/s") == ["/system", "/save"]
    assert completed("/model s") == ["smollm2"]
    assert completed("/model an") == ["anthropic:"]
    assert completed(f"/save {tmp_path}/ta") == ["lk.md"]
    assert completed("why /s") == completed("/help x") == []


def test_the_guide_and_the_help_tell_of_everything() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    for command in COMMANDS:
        assert [name for name in command.names if f"/{name}" not in help_text()] == []
        assert [name for name in command.names if f"`/{name}" not in guide] == []
    options = re.findall(r"--[a-z-]+", run(REAL, "chat", "--help", COLUMNS="200").stdout)
    assert {option for option in options if f"`{option}`" not in guide} == {"--help"}
