"""`millstream run --events`: the steps as a live tree, and as JSON."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from millstream.cli.main import main
from millstream.events import RunEvent
from tests.cli.running import REAL, SECONDS, Terminal, environment, run

ROOT = Path(__file__).parents[2]
CHAINS = """
import sys
import time
from pathlib import Path

from millstream import ChatPromptTemplate, RunnableGenerator, RunnableLambda, RunnableParallel
from millstream import StrOutputParser
from millstream.errors import ModelError
from millstream.testing import FakeChatModel

print("imported")
answer = ChatPromptTemplate.from_template("{x}") | FakeChatModel([["Two ", "words."]]) | StrOutputParser()
both = RunnableParallel(a=answer, b=len)


def talking(x):
    print("said", x)
    print("aside", file=sys.stderr)
    return x


talks = RunnableLambda(talking) | answer


def raw(x):
    sys.stdout.reconfigure(line_buffering=True)
    for byte in "süß\\n".encode():
        sys.stdout.buffer.write(bytes([byte]))
    sys.stderr.buffer.write(b"aside\\n")
    sys.stdout.writelines(["one\\n", "two\\n"])
    return sys.stdout.isatty()


def wait(name):
    while not Path(name).exists():
        time.sleep(0.005)


@RunnableGenerator
def gated(items):
    for item in items:
        yield f"before {item} "
        wait("go")
        yield "after"


gated_chain = answer | gated
failing = RunnableLambda(str.upper) | FakeChatModel([["Once", ModelError("The model fell over.")]])


def fail_late(x):
    wait("go")
    raise ModelError("The model fell over.")


fails = RunnableParallel(a=fail_late, b=answer)


@RunnableGenerator
def endless(items):
    try:
        while True:
            yield "word "
            time.sleep(0.002)
    finally:
        print("[closed]", file=sys.stderr)


endless_chain = endless | StrOutputParser()


def stubborn(x):
    Path("began").touch()
    wait("go")
    return x


def embed(n):
    if n == 199:
        wait("go")
    return n


many = RunnableLambda(lambda x: list(range(200))) | RunnableLambda(embed).map()
long = FakeChatModel([[f"line {n} of a long text\\n" for n in range(60)]], delay=0.001)
escapes = FakeChatModel([["\\x1b[2J", "\\x9b31m"]])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is where the command is run."""
    (tmp_path / "chains.py").write_text(CHAINS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "chains", raising=False)
    return tmp_path


def events(text: str) -> list[dict[str, Any]]:
    """The events of these lines, which are whole: numbered without a gap, with one end, behind all others."""
    found = [json.loads(line) for line in text.splitlines()]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    ends = [event["type"] in ("done", "error", "cancelled", "truncated") for event in found]
    assert ends == [False] * (len(found) - 1) + [True]
    return found


# --- JSON ---------------------------------------------------------------------------------------------


def test_json_is_an_event_a_line_and_nothing_else() -> None:
    ended = run(REAL, "run", "chains:talks", "hi", "--events", "--json")
    assert ended.returncode == 0
    found = events(ended.stdout)
    assert (found[0]["type"], found[0]["version"]) == ("run_started", 1)
    assert found[-1]["output"] == "Two words."
    assert "".join(event["text"] for event in found if event.get("is_answer")) == "Two words."
    # What the chain prints goes where it disturbs nobody.
    assert ended.stderr.splitlines() == ["imported", "said hi", "aside"]


def test_json_is_that_of_the_schema() -> None:
    ended = run(REAL, "run", "chains:both", "hi", "--events", "--json")
    fields = {kind.__struct_config__.tag: set(kind.__struct_fields__) for kind in RunEvent.__args__}
    for event in events(ended.stdout):
        assert set(event) == fields[event["type"]] | {"type"}


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (['{"a": [1]}', "--json"], {"a": [1]}),
        (["[1, 2]", "--json"], [1, 2]),
        (["[1, 2", "--json"], "[1, 2"),
        (["17", "--json"], "17"),
        (["17", "--json", "--json-input"], 17),
    ],
)
def test_the_input_beside_json_events(
    arguments: list[str], given: Any, capfdbinary: pytest.CaptureFixture[bytes], folder: Path
) -> None:
    (folder / "chains.py").write_text("def same(x): return x")
    assert main(["run", "chains:same", "--events", *arguments]) == 0
    assert json.loads(capfdbinary.readouterr().out.splitlines()[0])["input"] == given


def test_json_of_an_error_ends_with_it() -> None:
    ended = run(REAL, "run", "chains:failing", "x", "--json", "--events")
    assert ended.returncode == 1
    last = events(ended.stdout)[-1]
    assert (last["type"], last["error"]["type"]) == ("error", "ModelError")
    assert ended.stderr.startswith("imported\nmillstream: The model fell over. It was raised in the step ")


def test_json_of_an_interrupted_run_ends_with_that() -> None:
    command = [*REAL, "run", "chains:endless_chain", "x", "--events", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment()) as process:
        try:
            assert process.stdout is not None
            first = b"".join(process.stdout.readline() for _ in range(6))
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=SECONDS)
            assert process.returncode == 130
            assert events((first + rest).decode())[-1]["type"] == "cancelled"
            assert said == b"imported\n[closed]\n"
        finally:
            process.kill()


@pytest.mark.parametrize("more", [["--json"], []])
def test_a_reader_that_goes_away_ends_the_run_quietly(more: list[str]) -> None:
    command = [*REAL, "run", "chains:endless_chain", "x", "--events", *more]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.read(20)
            process.stdout.close()
            assert process.wait(SECONDS) == 0
            assert process.stderr.read().removeprefix(b"imported\n") == b"[closed]\n"
        finally:
            process.kill()


def test_json_cannot_drive_a_terminal() -> None:
    with Terminal(REAL, "run", "chains:escapes", "x", "--events", "--json", columns=1000) as terminal:
        assert terminal.end() == 0
        assert "\x9b" not in terminal.raw
        assert "\x1b[2J" not in terminal.raw
        assert r"\u001b[2J" in terminal.raw


# --- beside the answer --------------------------------------------------------------------------------


def test_without_a_terminal_the_tree_comes_at_the_end_on_stderr() -> None:
    ended = run(REAL, "run", "chains:answer", "hi", "--events")
    assert (ended.returncode, ended.stdout) == (0, "imported\nTwo words.\n")
    rows = ended.stderr.splitlines()
    assert re.fullmatch(r"  step +kind +first +time +tokens", rows[0])
    assert [row.split()[:3] for row in rows[1:]] == [
        ["✓", "RunnableSequence", "chain"],
        ["✓", "├", "ChatPromptTemplate"],
        ["✓", "├", "FakeChatModel"],
        ["✓", "└", "StrOutputParser"],
    ]
    assert re.search(r"FakeChatModel +chat_model +\d+ ms +\d+ ms +~1 → ~3$", rows[3])


def test_an_answer_that_is_no_text_is_a_line_of_json() -> None:
    ended = run(REAL, "run", "chains:both", "hi", "--events")
    printed, answer = ended.stdout.splitlines()
    assert (printed, json.loads(answer)) == ("imported", {"a": "Two words.", "b": 2})
    assert "a: RunnableSequence" in ended.stderr
    assert "b: len" in ended.stderr or "b: RunnableLambda" in ended.stderr


def test_an_error_comes_below_the_tree() -> None:
    ended = run(REAL, "run", "chains:failing", "x", "--events")
    assert (ended.returncode, ended.stdout) == (1, "imported\nOnce\n")
    *rows, said = ended.stderr.splitlines()
    assert [row[0] for row in rows] == [*" ✗✓✗"]
    assert rows[-1].endswith("ModelError: The model fell over.")
    assert said.startswith("millstream: The model fell over. It was raised in the step RunnableSequence > ")


def test_an_interrupt_shows_what_was_cancelled() -> None:
    command = [*REAL, "run", "chains:endless_chain", "x", "--events"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(14) == b"imported\nword "
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=SECONDS)
            assert process.returncode == 130
            closed, _, *rows = said.decode().splitlines()
            assert closed == "[closed]"
            assert [row[0] for row in rows] == [*"○○○"]
            assert rest.endswith(b"word \n")
        finally:
            process.kill()


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"TERM": "dumb", "NO_COLOR": "1"}])
def test_a_dumb_terminal_gets_rows_and_nothing_else(more: dict[str, str]) -> None:
    with Terminal(REAL, "run", "chains:answer", "hi", "--events", **more) as terminal:
        assert terminal.end() == 0
        assert "\x1b" not in terminal.raw
        assert terminal.raw.startswith("imported\nTwo words.\n  step ")


# --- live ---------------------------------------------------------------------------------------------


def test_the_tree_lives(folder: Path) -> None:
    with Terminal(REAL, "run", "chains:gated_chain", "hi", "--events") as terminal:
        terminal.until_shown(r"● └ gated")
        terminal.until_shown(r"\n\nbefore Two$")
        # The times of what is going on move, although nothing comes.
        terminal.until_shown(r"● ├ FakeChatModel +chat_model +\d+ ms +1\.\d\d s  Two\n")
        (folder / "go").touch()
        assert terminal.end() == 0
        rows = terminal.screen.splitlines()
        assert rows[0] == "imported"
        assert rows[1].startswith("  step ")
        assert [row[0] for row in rows[2:7]] == [*"✓✓✓✓✓"]
        assert re.search(r"✓ ├ FakeChatModel +chat_model +\d+ ms +[\d.]+ s +~1 → ~3", terminal.screen)
        assert rows[7:] == ["before Two  afterbefore words. afterbefore  after"]


def test_colours_are_left_out_where_nobody_wants_them(folder: Path) -> None:
    (folder / "go").touch()
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with Terminal(REAL, "run", "chains:gated_chain", "hi", "--events", **more) as terminal:
            assert terminal.end() == 0
            assert bool(re.search(r"\x1b\[(\d+;)*3[0-9]m", terminal.raw)) == coloured


def test_a_long_text_does_not_flood_what_was_there() -> None:
    with Terminal(REAL, "run", "chains:long", "hi", "--events", rows=10) as terminal:
        assert terminal.end() == 0
        rows = terminal.screen.splitlines()
        assert [row.split()[0] for row in rows[:3]] == ["imported", "step", "✓"]
        assert rows[3:] == [f"line {n} of a long text" for n in range(60)]
        # It takes no drawing for each of the 60 pieces: they come within a tenth of a second.
        assert terminal.raw.count("\x1b[?2026h") < 20


def test_many_siblings_are_one_row(folder: Path) -> None:
    with Terminal(REAL, "run", "chains:many", "hi", "--events", rows=12) as terminal:
        terminal.until_shown(r"✓ +├ embed ×199 ")  # noqa: RUF001
        (folder / "go").touch()
        assert terminal.end() == 0
        tree, _, answer = terminal.screen.partition("\n[0,1,2,")
        assert tree.splitlines()[-1].startswith("✓   └ embed ×200 ")  # noqa: RUF001
        assert len(tree.splitlines()) == 6
        assert "".join(answer.split("\n")).endswith(",198,199]")


def test_another_size_of_the_window(folder: Path) -> None:
    with Terminal(REAL, "run", "chains:gated_chain", "hi", "--events", columns=90) as terminal:
        terminal.until_shown(r"● └ gated +chain")
        terminal.resize(40, 12)
        terminal.until_shown(r"● └ gated +\d+ ms")
        assert max(map(len, terminal.screen.splitlines())) <= 40
        (folder / "go").touch()
        assert terminal.end() == 0
        assert terminal.screen.count("✓ └ gated ") == 1


def test_what_the_chain_prints_stands_above() -> None:
    with Terminal(REAL, "run", "chains:talks", "hi", "--events") as terminal:
        assert terminal.end() == 0
        rows = terminal.screen.splitlines()
        assert rows[:3] == ["imported", "said hi", "aside"]
        assert [row[0] for row in rows[3:-1]] == [*" ✓✓✓✓✓"]
        assert rows[-1] == "Two words."


def test_stdout_has_all_that_a_program_asks_of_it() -> None:
    with Terminal(REAL, "run", "chains:raw", "hi", "--events") as terminal:
        assert terminal.end() == 0
        rows = terminal.screen.splitlines()
        assert rows[:5] == ["imported", "süß", "aside", "one", "two"]
        assert rows[5].split() == ["step", "kind", "first", "time"]
        assert rows[-1] == "true"


def test_a_failure_is_marked_and_told(folder: Path) -> None:
    with Terminal(REAL, "run", "chains:fails", "hi", "--events", columns=120) as terminal:
        terminal.until_shown(r"✓ +[├└] b: RunnableSequence")
        (folder / "go").touch()
        assert terminal.end() == 1
        assert re.search(r"✗ +[├└] a: fail_late +.*ModelError: The model fell over\.\n", terminal.screen)
        assert "millstream: The model fell over. It was raised in the step " in terminal.screen


def test_ctrl_c_cancels_what_is_going_on() -> None:
    with Terminal(REAL, "run", "chains:endless_chain", "x", "--events") as terminal:
        terminal.until_shown(r"\n\nword word")
        terminal.press("\x03")
        assert terminal.end() == 130
        rows = terminal.screen.splitlines()
        assert rows[:2] == ["imported", "[closed]"]
        assert [row[0] for row in rows[2:6]] == [*" ○○○"]
        assert all(row.endswith("cancelled") for row in rows[3:6])
        assert rows[6].startswith("word word ")
        assert "^C" not in terminal.screen


def appears(path: Path) -> None:
    """Wait until a step's function is at work: its row is there before."""
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ctrl_c_says_what_it_waits_for_and_a_second_one_does_not_wait(folder: Path) -> None:
    with Terminal(REAL, "run", "chains:stubborn", "x", "--events") as terminal:
        terminal.until_shown("● stubborn")
        appears(folder / "began")
        terminal.press("\x03")
        terminal.until_shown("stopping ... Ctrl-C again ends the program at once")
        terminal.press("\x03")
        assert terminal.end() == -signal.SIGINT
    (folder / "began").unlink()
    with Terminal(REAL, "run", "chains:stubborn", "x", "--events") as terminal:
        terminal.until_shown("● stubborn")
        appears(folder / "began")
        terminal.press("\x03")
        terminal.until_shown("stopping ...")
        (folder / "go").touch()
        assert terminal.end() == 130
        assert re.search(r"^[○✓] stubborn", terminal.screen, re.MULTILINE)
        assert "stopping" not in terminal.screen


# --- the real model -----------------------------------------------------------------------------------


@pytest.mark.local
def test_the_example_with_the_real_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ended = run(REAL, "run", "examples/steps.py:chain", "rivers", "--events")
    assert (ended.returncode, ended.stdout[-12:]) == (0, "(6 letters)\n")
    assert re.search(r"✓ │ │ ├ ChatLocal +chat_model +[\d.]+ m?s +[\d.]+ m?s +\d+ → 24\n", ended.stderr), (
        ended.stderr
    )
    assert re.search(r"✓ │ └ letters: count +chain", ended.stderr)

    ended = run(REAL, "run", "examples/steps.py:chain", "rivers", "--events", "--json")
    found = events(ended.stdout)
    assert found[-1]["usage"]["output_tokens"] == 24
    text = "".join(event["text"] for event in found if event.get("is_answer") is False)
    assert found[-1]["output"] == f"{text} (6 letters)"
    assert ended.stderr == ""
