"""`millstream run`: a chain of the user's own, from the folder that the command is run in."""

import io
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from millstream.cli.main import main
from millstream.cli.run import find_chain, json_line
from millstream.cli.terminal import harmless
from tests.cli.running import REAL, SECONDS, Terminal, environment, run

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "command-line.md"
CHAINS = """
import time
from datetime import date

from millstream import AIMessageChunk, RunnableParallel, RunnableLambda
from millstream.errors import MissingDependency
from millstream.testing import FakeChatModel

model = FakeChatModel([["Two ", "words."]])
both = RunnableParallel(a=lambda x: x + 1, b=lambda x: date(2026, 1, 2))


def upper(text):
    return text.upper()


def mixed(items):
    yield "some "
    yield AIMessageChunk("text")
    yield {"é": 1}
    yield [1, 2]
    yield "end"


def failing(items):
    yield "Once"
    raise ZeroDivisionError("division by zero")


def missing(text):
    raise MissingDependency("it", command="get it")


def endless(items):
    try:
        while True:
            yield "word "
            time.sleep(0.01)
    finally:
        print("[closed]", flush=True)


def escapes(items):
    yield "\\x1b[2J"
    yield {"a": "\\x9b"}


class Space:
    inner = model


number = 3
failing_chain = RunnableLambda(upper) | failing
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is where the command is run."""
    (tmp_path / "chains.py").write_text(CHAINS)
    (tmp_path / "inner").mkdir()
    # With a neighbour, as a program that is run has it.
    (tmp_path / "inner" / "chains.py").write_text("from words import word\nnear = lambda x: f'{x} {word}'")
    (tmp_path / "inner" / "words.py").write_text("word = 'there'")
    (tmp_path / "broken.py").write_text("import surely_not_there")
    (tmp_path / "wrong.py").write_text("1 +")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("chains", "broken", "wrong", "words"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put this text where stdin is."""

    def put(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "piped", "written"),
    [
        (["chains:model", "hi"], "", "Two words.\n"),
        (["chains:Space.inner", "hi"], "", "Two words.\n"),
        (["chains:upper", "hi"], "ignored", "HI\n"),
        (["chains:upper", "-"], "piped\n", "PIPED\n"),
        (["chains:upper"], "piped\n", "PIPED\n"),
        (["chains:both", "--json", "1"], "", '{"a":2}\n{"b":"2026-01-02"}\n'),
        (["chains:both", "--json"], "1\n", '{"a":2}\n{"b":"2026-01-02"}\n'),
        (["chains.py:upper", "hi"], "", "HI\n"),
        (["inner/chains.py:near", "hi"], "", "hi there\n"),
        (["inner/chains:near", "hi"], "", "hi there\n"),
        (["chains:both", "--json-input", "1"], "", '{"a":2}\n{"b":"2026-01-02"}\n'),
        (["chains:mixed", "hi"], "", 'some text\n{"é":1}\n[1,2]\nend\n'),
    ],
)
def test_what_goes_in_and_what_comes_out(
    arguments: list[str],
    piped: str,
    written: str,
    stdin: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stdin(piped)
    assert main(["run", *arguments]) == 0
    shown = capsys.readouterr()
    # The branches of a parallel step say what they have as they have it.
    lines = sorted if "chains:both" in arguments else list
    assert (lines(shown.out.splitlines()), shown.err) == (written.splitlines(), "")


@pytest.mark.usefixtures("folder")
def test_the_folder_it_is_run_in_is_looked_in() -> None:
    # As the installed program, whose folder is another one.
    program = [
        sys.executable,
        "-c",
        "import sys; from millstream.cli.main import main; sys.path.remove(''); main()",
    ]
    ended = run(program, "run", "chains:upper", stdin="piped\n")
    assert (ended.stdout, ended.stderr) == ("PIPED\n", "")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["chains:uper", "x"], 2, "There is no 'uper' in the module 'chains'. Did you mean 'upper'?"),
        (["chains:Space.x", "x"], 2, "There is no 'Space.x' in the module 'chains'."),
        (["chians:upper", "x"], 2, "There is no module 'chians' in '"),
        (["chains.py:uper", "x"], 2, "There is no 'uper' in the module 'chains.py'. Did you mean 'upper'?"),
        (["a/b.py:upper", "x"], 2, "There is no file 'a/b.py' in '"),
        (["a/b:upper", "x"], 2, "There is no file 'a/b.py' in '"),
        (["wrong.py:x", "x"], 1, "SyntaxError: invalid syntax (wrong.py, line 1)."),
        (["chains", "x"], 2, "'chains' does not name a chain."),
        (["chains:number", "x"], 2, "'chains:number' is no chain. A step is a runnable, a function, "),
        (["chains:upper", "--json", "{"], 2, "The input is no JSON: "),
        (["chains:missing", "x"], 3, "it is not installed. Install it with: get it"),
        (
            ["broken:x", "x"],
            1,
            "ModuleNotFoundError: No module named 'surely_not_there'. It was raised when 'broken' was "
            "imported (broken.py, line 1). To see",
        ),
        (["wrong:x", "x"], 1, "SyntaxError: invalid syntax (wrong.py, line 1)."),
        (
            ["chains:failing_chain", "x"],
            1,
            "ZeroDivisionError: division by zero. It was raised in the step RunnableSequence > failing "
            "(chains.py, line 27). To see where it came from, set MILLSTREAM_DEBUG=1.",
        ),
    ],
)
def test_errors_are_a_sentence_and_a_code(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *arguments]) == code
    shown = capsys.readouterr()
    assert shown.err.startswith(f"millstream: {said}")
    assert shown.err.count("\n") == 1
    assert shown.out in ("", "Once\n")


@pytest.mark.usefixtures("folder")
def test_the_traceback_leads_to_the_users_line() -> None:
    failed = run(REAL, "run", "chains:failing", "x", MILLSTREAM_DEBUG="1")
    assert 'raise ZeroDivisionError("division by zero")' in failed.stderr
    assert "ChainFailed" not in failed.stderr
    assert failed.stderr.endswith("It was raised in the step failing (chains.py, line 27).\n")


def test_the_chains_of_the_guide_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# chains\.py\n.*?)```", guide, re.S)
    (tmp_path / "chains.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "chains", raising=False)
    for name in set(re.findall(r"millstream run chains:(\w+)", guide)):
        find_chain(f"chains:{name}")
    assert main(["run", "chains:counts", "some words"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == ['{"letters":9}', '{"words":2}']
    assert main(["run", "chains:shouted", "some words"]) == 0
    assert capsys.readouterr().out == "SOME WORDS!\n"
    monkeypatch.delitem(sys.modules, "chains")


@pytest.mark.usefixtures("folder")
def test_a_terminal_is_asked_for_nothing_and_cannot_be_driven() -> None:
    with Terminal(REAL, "run", "chains:upper") as terminal:
        assert terminal.end() == 2
        assert terminal.screen.startswith("millstream: There is no input. Write it, as in: millstream run")
    with Terminal(REAL, "run", "chains:escapes", "x") as terminal:
        assert terminal.end() == 0
        assert terminal.text == '␛[2J\n{"a":"\N{REPLACEMENT CHARACTER}"}\n'
        assert "waiting for the chain ..." in terminal.raw


@pytest.mark.usefixtures("folder")
def test_ctrl_c_closes_the_stream() -> None:
    command = [*REAL, "run", "chains:endless", "x"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(5) == b"word "
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=SECONDS)
            assert (process.returncode, said) == (130, b"")
            assert re.search(rb"\[closed\]", rest)
        finally:
            process.kill()


@pytest.mark.usefixtures("folder")
def test_the_interrupt_wins_if_it_has_ended_the_reader_too() -> None:
    command = [*REAL, "run", "chains:endless", "x"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(5) == b"word "
            process.send_signal(signal.SIGSTOP)
            process.stdout.close()
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGCONT)
            # The chain prints while it is closed.
            assert process.wait(SECONDS) == 130
            assert process.stderr.read() == b""
        finally:
            process.kill()


def test_anything_becomes_one_line() -> None:
    class Thing:
        def __str__(self) -> str:
            return "a thing"

    nested: list[object] = []
    nested.append(nested)
    assert json_line({"a": "x\ny", 1: None}) == '{"a":"x\\ny","1":null}'
    assert json_line([Thing()]) == '["a thing"]'
    assert json_line({(1,): 2}) == '{"(1,)":2}'
    assert json_line(nested) == "[[...]]"
    assert harmless(json_line("\x1b")) == '"\\u001b"'
