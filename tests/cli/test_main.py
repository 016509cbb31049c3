"""The program itself: help, version, wrong use, and a core install without the extra."""

import signal
import time
from pathlib import Path

import pytest

from millstream import __version__
from millstream.cli import main as program
from millstream.cli.errors import ChainFailed, ExitCode, ReaderGone, exit_code, sentence
from millstream.cli.main import main
from millstream.errors import ConfigError, ContextLengthError, MissingDependency, ModelError
from tests.cli.fake_main import FULL
from tests.cli.running import FAKE, REAL, run


def test_the_version() -> None:
    asked = run(REAL, "--version")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, f"millstream {__version__}\n", "")


def test_help_is_quick() -> None:
    began = time.monotonic()
    shown = run(REAL, "--help")
    took = time.monotonic() - began
    assert shown.returncode == 0
    assert "chat" in shown.stdout
    assert "models" in shown.stdout
    # It takes 0.3 s; this is room for a machine that is busy with other things.
    assert took < 3


def test_help_imports_no_model() -> None:
    imported = run([*REAL[:1], "-X", "importtime", *REAL[1:]], "--help").stderr
    assert "typer" in imported
    assert not [name for name in ("xllamacpp", "millstream.runnables", "asyncio") if f"{name}\n" in imported]


def test_one_question_imports_nothing_that_only_a_session_needs() -> None:
    imported = run([FAKE[0], "-X", "importtime", FAKE[1]], "chat", "hi", "--model", "fake:plain").stderr
    assert "millstream.cli.answer" in imported
    assert not [name for name in ("prompt_toolkit", "markdown_it", "pygments") if f" {name}\n" in imported]


@pytest.mark.parametrize("arguments", [[], ["-h"]])
def test_without_a_command_there_is_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "Usage: millstream" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chta", "hi"], "No such command 'chta'. Did you mean 'chat'? See: millstream --help"),
        (["chat", "one", "two"], "(two). See: millstream chat --help"),
        (["chat", "hi", "--max-tokens", "0"], "See: millstream chat --help"),
        (["chat", "hi", "--modle", "x"], "--model"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("millstream: ")
    assert shown.err.count("\n") == 1
    assert said in shown.err


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('gone', name='typer')")
    failed = run(REAL, "chat", "hi", PYTHONPATH=str(tmp_path))
    assert (failed.returncode, failed.stdout) == (3, "")
    assert failed.stderr == (
        "millstream: typer, which the command line needs, is not installed. "
        "Install it with: pip install 'millstream[cli]'\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), ExitCode.STOPPED, ""),
        (ReaderGone(), ExitCode.FINE, ""),
        (ConfigError("Not so."), ExitCode.WRONG_USE, "Not so."),
        (ModelError("It fell over."), ExitCode.FAILED, "It fell over."),
        (
            MissingDependency("it", command="get it"),
            ExitCode.MISSING,
            "it is not installed. Install it with: get it",
        ),
        (ValueError(), ExitCode.FAILED, "ValueError. To see where it came from, set MILLSTREAM_DEBUG=1."),
    ],
)
def test_codes_and_sentences(error: BaseException, code: ExitCode, said: str) -> None:
    assert (exit_code(error), sentence(error)) == (code, said)


def test_a_conversation_that_is_too_long() -> None:
    assert sentence(ContextLengthError(FULL), in_session=True) == (
        "5012 tokens do not fit into the model's context of 4096. "
        "/clear begins a new conversation, /edit shortens the last question."
    )
    assert (
        sentence(ContextLengthError("Too long, try increasing it")) == "Too long. Give it a shorter prompt."
    )


def test_who_has_asked_for_the_traceback_is_not_told_how_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_DEBUG", "1")
    assert sentence(ValueError("no")) == "ValueError: no."
    assert str(ChainFailed(ValueError("no"), "in the chain")) == "ValueError: no. It was raised in the chain."


def test_an_interrupt_wins_over_a_reader_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ReaderGone from None
        raise AssertionError

    monkeypatch.setattr(program, "_run", interrupted)
    assert main([]) == 130

    def gone(_: object) -> int:
        raise ReaderGone

    monkeypatch.setattr(program, "_run", gone)
    assert main([]) == 0
    monkeypatch.setattr(program, "show_traceback", lambda _: signal.raise_signal(signal.SIGINT))
    assert main([]) == 130


def test_ignored_interrupts_stay_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
