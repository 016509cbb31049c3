"""What the shell completes, and what each `--help` says, at the width that terminals have."""

import re
import sys
from collections.abc import Callable

import pytest

from millstream.cli.main import main
from tests.cli.running import run

Complete = Callable[..., str]


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """What the shell is told, with the cursor behind the last word."""

    def complete(*words: str, instruction: str = "complete_bash") -> str:
        line = ["millstream", *words]
        monkeypatch.setenv("COMP_WORDS", " ".join(line))
        monkeypatch.setenv("COMP_CWORD", str(len(line) - 1))
        monkeypatch.setenv("_MILLSTREAM_COMPLETE", instruction)
        with pytest.raises(SystemExit, match="0"):
            main([])
        shown = capsys.readouterr()
        assert shown.err == ""
        return shown.out

    return complete


def test_commands_options_and_models_complete(complete: Complete) -> None:
    assert complete("").split() == ["chat", "run", "models"]
    assert complete("chat", "--ma").split() == ["--max-tokens"]
    assert complete("chat", "--model", "").split()[:3] == ["local", "smollm2", "anthropic:"]
    assert complete("chat", "--model", "ol").split() == ["ollama:"]
    assert complete("models", "add", "s").split() == ["smollm2"]


def test_completion_loads_nothing_heavy() -> None:
    completed = run(
        [sys.executable, "-X", "importtime", "-m", "millstream"],
        _MILLSTREAM_COMPLETE="complete_bash",
        COMP_WORDS="millstream chat --model s",
        COMP_CWORD="3",
    )
    assert completed.stdout.split() == ["smollm2"]
    assert "typer" in completed.stderr
    assert not re.search(r"xllamacpp|prompt_toolkit|markdown_it|openai|anthropic", completed.stderr)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, complete: Complete) -> None:
    assert "_MILLSTREAM_COMPLETE=complete_" in complete(instruction=f"source_{shell}")


@pytest.mark.parametrize("command", ["", "chat", "run", "models", "models add"])
def test_help_fits_a_terminal_and_has_examples(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in shown.splitlines()) == 80
    assert re.search(rf"^ Examples: *\n millstream {command}", shown, re.M)
