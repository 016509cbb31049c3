"""The interactive session, as a person meets it: in a pseudo-terminal, with a screen that is looked at."""

import ast
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from millstream.cli.history import history_file
from tests.cli.running import FAKE, REAL, Terminal

TALLY = r"tokens?, first after \d+\.\d\d s"
# The prompt stands on the last line, and nothing is typed there yet.
READY = r"(?:^|\n)>\Z"


def ready(terminal: Terminal) -> None:
    terminal.until_shown(READY)


def session(*options: str, command: list[str] = FAKE, columns: int = 150, **more: str) -> Terminal:
    """A session; its lines are long enough for what is looked for in them."""
    return Terminal(command, "chat", *options, columns=columns, **more)


def ask(terminal: Terminal, text: str, *, shown: str = TALLY) -> None:
    """Type a line, and wait until its answer is there and the next line can be typed."""
    terminal.press(f"{text}\r")
    terminal.until_shown(rf"(?s)> {re.escape(text)}\n(?:(?!\n> {re.escape(text)}\n).)*{shown}.*\n>\Z")


def echoed(terminal: Terminal) -> list[tuple[str, str]]:
    """The messages that the model saw last, as `fake:echo` says them."""
    said = re.findall(r"^\[\('.*?'\)\] (?=\[)", terminal.screen.replace("\n[]", " []"), re.M | re.S)
    messages: list[tuple[str, str]] = ast.literal_eval(said[-1])
    return messages


# --- the real model ---------------------------------------------------------------------------------------


@pytest.mark.local
def test_a_session_with_the_real_model_and_the_next_one_remembers() -> None:
    options = ("--temperature", "0", "--max-tokens", "400")
    with session(*options, "--system", "Answer in one short sentence.", command=REAL) as terminal:
        terminal.until("loading smollm2 ...")
        ready(terminal)
        assert "loading" not in terminal.screen
        ask(terminal, "What is the capital of France?")
        assert "Paris" in terminal.screen
        terminal.press("Tell me a very long story.\r")
        terminal.until_shown(r"long story\.\n(?!waiting)\s*\w+")
        terminal.press("\x03")
        terminal.until_shown(r"about \d+ tokens?, first .*stopped\n+>\Z")
        ask(terminal, "What is the capital of Italy?")
        terminal.press("\x04")
        assert terminal.end() == 0
    with session(*options, command=REAL) as terminal:
        ready(terminal)
        terminal.press("\x1b[A\x1b[A")
        terminal.until_shown(r"> Tell me a very long story\.\Z")
        terminal.press("\x03")
        ready(terminal)
        terminal.press("\x04")
        assert terminal.end() == 0


# --- what is typed ----------------------------------------------------------------------------------------


def test_a_question_can_have_many_lines() -> None:
    with session("--model", "fake:echo", "--system", "Be brief.", "--seed", "7") as terminal:
        ready(terminal)
        ask(terminal, "one")
        assert "[('seed', 7)]" in terminal.screen
        ask(terminal, "/new", shown="A new conversation begins")
        terminal.press("two\\\rlines\x1b\rthree\r")
        terminal.until_shown(r"(?s)> two\n  lines\n  three\n.*first after.*\n>\Z")
        assert echoed(terminal) == [("system", "Be brief."), ("human", "two\nlines\nthree")]
        ask(terminal, "/clear", shown="A new conversation begins")
        terminal.press("\x1b[200~pasted\nlines\x1b[201~\r")
        terminal.until_shown(r"(?s)> pasted\n  lines\n.*first after.*\n>\Z")
        assert echoed(terminal) == [("system", "Be brief."), ("human", "pasted\nlines")]
        ask(terminal, "/clear", shown="A new conversation begins")
        terminal.press("  \r")
        terminal.press(b"caf\xe9\r")
        terminal.until_shown(r"\('human', 'caf\?'\)\]")
        ready(terminal)
        terminal.press("\x04")
        assert terminal.end() == 0


def test_commands_complete_and_mistyped_ones_are_named() -> None:
    with session("--model", "fake:plain") as terminal:
        ready(terminal)
        terminal.press("/")
        terminal.until_shown("/retry +ask the last question again")
        terminal.press("mod")
        terminal.until_shown(r"> /mod\n +/model [^/]*\Z")
        terminal.press("\t")
        terminal.until_shown("> /model")
        terminal.press("\x03")
        ready(terminal)
        ask(terminal, "/modle", shown=r"There is no command /modle\. Did you mean /model\?")
        ask(terminal, "/retry", shown="Nothing was asked yet")
        ask(terminal, "/edit", shown="Nothing was asked yet")
        ask(terminal, "/help", shown=r"/save \[FILE\]")
        ask(
            terminal, "/model", shown=r"The model is fake:plain\. Known: local, smollm2, and provider:model\."
        )
        ask(terminal, "/model smollm", shown=r"Did you mean 'smollm2'\? Known: local, smollm2\.")
        ask(terminal, "/model nope:x", shown="There is no provider 'nope'")
        ask(terminal, "/model fake:broken", shown=r"It does not fit into memory\.")
        ask(terminal, "still there?", shown=r"Two words\.")
        terminal.press("/exit\r")
        assert terminal.end() == 0


def test_commands_change_the_conversation() -> None:
    with session("--model", "fake:plain") as terminal:
        ready(terminal)
        ask(terminal, "one")
        ask(terminal, "/system Be kind.", shown=r"The system prompt is: Be kind\.")
        ask(terminal, "/model fake:echo", shown="fake:echo goes on with the conversation")
        ask(terminal, "//two")
        assert echoed(terminal) == [
            ("system", "Be kind."),
            ("human", "one"),
            ("ai", "Two words."),
            ("human", "/two"),
        ]
        ask(terminal, "/system -", shown=r"No system prompt\.")
        ask(terminal, "/retry")
        assert echoed(terminal) == [("human", "one"), ("ai", "Two words."), ("human", "/two")]
        terminal.press("/edit\r")
        terminal.until_shown(r"/edit\n> /two\Z")
        terminal.press("\x01\x04edited \r")
        terminal.until_shown(r"(?s)> edited two\n.*first after.*\n>\Z")
        assert echoed(terminal) == [("human", "one"), ("ai", "Two words."), ("human", "edited two")]
        ask(terminal, "/clear", shown="A new conversation begins")
        ask(terminal, "three")
        assert echoed(terminal) == [("human", "three")]


# --- Ctrl-C and the ways out ------------------------------------------------------------------------------


def test_ctrl_c_stops_an_answer_and_what_came_of_it_stays() -> None:
    with session("--model", "fake:endless") as terminal:
        ready(terminal)
        terminal.press("go\r")
        terminal.until_shown("word word")
        terminal.press("\x03")
        terminal.until_shown(rf"{TALLY}.*, stopped\n\n>\Z")
        assert "[closed]" in terminal.raw
        assert "^C" not in terminal.screen
        ask(terminal, "/model fake:echo", shown="goes on")
        ask(terminal, "on")
        assert [kind for kind, _ in echoed(terminal)] == ["human", "ai", "human"]
        assert echoed(terminal)[1][1].startswith("word word")


def test_ctrl_c_clears_the_line_and_two_leave() -> None:
    with session("--model", "fake:plain") as terminal:
        ready(terminal)
        terminal.press("some words")
        terminal.until_shown("> some words")
        terminal.press("\x03")
        ready(terminal)
        assert "again" not in terminal.screen
        terminal.press("\x03")
        terminal.until_shown(r"Press Ctrl-C again, or Ctrl-D, to leave\.\n>\Z")
        ask(terminal, "hi")
        terminal.press("\x03")
        terminal.until_shown(r"(?s)again.*hi\n.*again.*\n>\Z")
        terminal.press("\x03")
        assert terminal.end() == 130


def test_a_second_ctrl_c_while_an_answer_stops_ends_the_program() -> None:
    with session("--model", "fake:stubborn") as terminal:
        ready(terminal)
        terminal.press("go\r")
        terminal.until_shown(r"go\nword")
        terminal.press("\x03")
        with pytest.raises(subprocess.TimeoutExpired):
            terminal.process.wait(0.3)
        terminal.press("\x03")
        assert terminal.end() == -signal.SIGINT


def test_ctrl_c_while_the_model_loads() -> None:
    with session("--model", "fake:heavy") as terminal:
        terminal.until("loading fake:heavy ...")
        terminal.press("\x03")
        assert terminal.end() == 130


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [("fake:broken", 1, "It does not fit into memory."), ("nope:x", 2, "There is no provider")],
)
def test_a_model_that_cannot_be_had_ends_it_before_anything_is_typed(
    model: str, code: int, said: str
) -> None:
    with session("--model", model) as terminal:
        assert terminal.end() == code
        assert terminal.screen.startswith(f"millstream: {said}")


# --- answers ----------------------------------------------------------------------------------------------


def test_an_error_is_a_sentence_and_the_question_can_be_asked_again() -> None:
    with session("--model", "fake:flaky") as terminal:
        ready(terminal)
        ask(terminal, "hi", shown=r"Once\nThe model fell over\.")
        ask(terminal, "/retry", shown=r"Better\.")
        ask(terminal, "/model fake:toolong", shown="goes on")
        ask(terminal, "more", shown=r"context of 4096\. /clear begins a new conversation, /edit shortens")
        ask(terminal, "/model fake:bug", shown="goes on")
        ask(terminal, "more?", shown=r"ZeroDivisionError: division by zero\.")


def test_markdown_is_rendered_and_drawn_in_one_piece() -> None:
    with session("--model", "fake:markdown") as terminal:
        ready(terminal)
        ask(terminal, "hi")
        shown = re.sub(r" +", " ", terminal.screen)
        assert "\n Rivers\n\nThey bend because:\n\n 1 water is lazy\n 2 banks are soft\n\n\n x = 1\n" in shown
        assert terminal.raw.count("\x1b[?2026h") == terminal.raw.count("\x1b[?2026l") > 0


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_plain_terminal_gets_plain_text(plain: dict[str, str]) -> None:
    with session("--model", "fake:markdown", **plain) as terminal:
        terminal.until(">")
        terminal.press("hi\r")
        terminal.until("first after")
        assert "# Rivers\n\nThey *bend* because:" in terminal.raw
        assert "\x1b[?2026h" not in terminal.raw


def test_another_size_in_the_middle_of_an_answer() -> None:
    with session("--model", "fake:long", columns=60, rows=12) as terminal:
        ready(terminal)
        terminal.press("hi\r")
        terminal.until_shown("para9 goes on")
        terminal.resize(30, 20)
        terminal.until_shown("para20 goes on")
        terminal.resize(90, 24)
        # Typed meanwhile, it is not shown, and waits for the next line.
        terminal.press("/model\r")
        terminal.until_shown("para30 goes on")
        assert "/model" not in terminal.screen
        terminal.until_shown(
            r"para39 goes on\.\n.*first after.*\n\n> /model\nThe model is fake:long\..*\n>\Z"
        )
        assert [f"para{n}" for n in range(40) if f"para{n} goes on." not in terminal.screen] == []


def test_json_grows_indented(tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    with session("--model", "fake:json", "--json-schema", str(schema)) as terminal:
        ready(terminal)
        ask(terminal, "hi")
        inside = (
            '{\n  "city": "Oslo",\n  "in": {\n    "a": [],\n    "b": [\n      1,\n      2\n    ]\n  }\n}\n'
        )
        assert inside in terminal.screen
        ask(terminal, "/model fake:echo", shown="goes on")
        ask(terminal, "again")
        assert "('json_schema',{'type':'object'})" in re.sub(r"\s", "", terminal.screen)


# --- what is kept -----------------------------------------------------------------------------------------


def test_the_conversation_is_saved_after_each_answer(tmp_path: Path) -> None:
    kept, other = tmp_path / "kept.json", tmp_path / "other.md"
    with session("--model", "fake:plain", "--save", str(kept)) as terminal:
        ready(terminal)
        ask(terminal, "hi")
        saved = [(message["type"], message["data"]["content"]) for message in json.loads(kept.read_text())]
        assert saved == [("human", "hi"), ("ai", "Two words.")]
        terminal.press(f"/save {other}\r")
        terminal.until_shown(r"(?s)The conversation is saved in .*\n>\Z")
        assert other.read_text() == "## Question\n\nhi\n\n## Answer\n\nTwo words.\n"
        terminal.press(f"/save {kept}\r")
        terminal.until_shown(r"(?s)is there already\. Choose another name.*\n>\Z")
        ask(terminal, "more")
        assert other.read_text().count("Two words.") == 2


def test_clear_ends_the_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with session("--model", "fake:plain", "--save", "talk.md") as terminal:
        ready(terminal)
        ask(terminal, "one")
        ask(terminal, "/clear all", shown=r"/clear stands alone\.")
        ask(terminal, "/clear", shown=r"talk\.md stays as it is; /save FILE saves")
        ask(terminal, "two")
        assert "two" not in (tmp_path / "talk.md").read_text()
        ask(terminal, "/save", shown="Say where to save")
        ask(terminal, "/save talk.md", shown="is there already")
        ask(terminal, "/save other.md", shown="is saved in other.md")
        ask(terminal, "/new", shown=r"other\.md stays as it is")
        ask(terminal, "three")
    assert "one" in (tmp_path / "talk.md").read_text()
    assert "two" in (tmp_path / "other.md").read_text()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "hangs up"])
def test_what_ends_the_program_keeps_what_came(how: str, tmp_path: Path) -> None:
    path = tmp_path / "talk.md"
    with session("--model", "fake:endless", "--save", str(path)) as terminal:
        ready(terminal)
        terminal.press("go\r")
        terminal.until_shown("word word")
        if how == "hangs up":
            with open(os.devnull) as nowhere:
                os.dup2(nowhere.fileno(), terminal._master)
            assert terminal.process.wait(60) == -signal.SIGHUP
        else:
            terminal.process.send_signal(signal.Signals[how])
            assert terminal.end() == -signal.Signals[how]
    assert "\n\nword word" in path.read_text()


def test_the_editor_hands_its_text_back_to_the_line(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "from the editor" > "$1"\n')
    editor.chmod(0o700)
    with session("--model", "fake:plain", EDITOR=str(editor)) as terminal:
        ready(terminal)
        terminal.press("\x18\x05")
        terminal.until_shown(r"> from the editor\Z")
        terminal.press(", sent\r")
        terminal.until_shown(r"(?s)> from the editor, sent\nTwo words\..*\n>\Z")


def test_ctrl_z_is_no_letter() -> None:
    with session("--model", "fake:plain") as terminal:
        ready(terminal)
        # Nobody could wake it up: it is not stopped here, where it has no shell.
        terminal.press("\x1a")
        ask(terminal, "hi")
        assert "^Z" not in terminal.screen


def test_a_narrow_window_gets_sentences_in_lines() -> None:
    with session("--model", "fake:plain", columns=40) as terminal:
        ready(terminal)
        ask(terminal, "/nothing", shown=r"There is no command /nothing\. /help\nlists the commands\.")


def test_history_is_for_its_owner_and_can_be_elsewhere_or_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state" / "millstream"
    assert history_file() == state / "history"
    assert os.stat(state).st_mode & 0o777 == 0o700
    assert os.stat(state / "history").st_mode & 0o777 == 0o600
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history_file() == tmp_path / ".local" / "state" / "millstream" / "history"
    monkeypatch.setenv("MILLSTREAM_HISTORY", "~/mine")
    assert history_file() == tmp_path / "mine"
    monkeypatch.setenv("MILLSTREAM_HISTORY", "")
    assert history_file() is None


def test_nothing_is_kept_if_that_is_wanted(tmp_path: Path) -> None:
    with session("--model", "fake:plain", MILLSTREAM_HISTORY="") as terminal:
        ready(terminal)
        ask(terminal, "hi")
        terminal.press("\x1b[A")
        terminal.until_shown(r"> hi\Z")
    assert not (tmp_path / "state").exists()


def test_a_history_that_cannot_be_kept_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with session("-m", "fake:plain", XDG_STATE_HOME=str(tmp_path / "file")) as terminal:
        ready(terminal)
        assert "What you ask will not be remembered" in terminal.screen
        ask(terminal, "hi")


def test_without_prompt_toolkit_it_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "prompt_toolkit.py").write_text("raise ModuleNotFoundError('gone', name='prompt_toolkit')")
    with session("--model", "fake:plain", PYTHONPATH=str(tmp_path)) as terminal:
        assert terminal.end() == 3
        assert "pip install 'millstream[cli]'" in terminal.screen.replace("\n", " ")
