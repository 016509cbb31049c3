"""The command line with models behind HTTP: what is sent and shown, how it is stopped, what can go wrong."""

import importlib.util
import io
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from millstream.cli.main import main
from millstream.testing import Hold, Reply, ScriptedServer
from tests.cli.running import REAL, Terminal, run
from tests.cli.test_session import ask, ready
from tests.providers import local_server as real
from tests.providers.wires import KEY, WIRES, Wire

wires = pytest.mark.parametrize("wire", WIRES, ids=repr)


def at(url: str, key: str = KEY) -> dict[str, str]:
    """The environment of somebody whose models are at `url`."""
    bases = {f"{wire.name.upper()}_BASE_URL": url + wire.base for wire in WIRES}
    return bases | {f"{wire.name.upper()}_API_KEY": key for wire in WIRES}


def asked(wire: Wire, *options: str, **environment: str) -> tuple[int, str, str]:
    """What came of one question: the exit code, the answer, and what was said beside it."""
    done = run(REAL, "chat", "hi", "--model", f"{wire.name}:a-model", *options, **environment)
    return done.returncode, done.stdout, done.stderr


@wires
def test_an_answer_is_streamed(wire: Wire) -> None:
    hold = Hold()
    *first, last = wire.parts(["Hel", "lo"])
    with ScriptedServer([Reply.sse(*first, hold, last)]) as server:
        options = ("--max-tokens", "9", "--temperature", "0.5", "--system", "Be brief.")
        with Terminal(
            REAL, "chat", "hi", "-m", f"{wire.name}:a-model", *options, **at(server.url)
        ) as terminal:
            # While the server has not ended.
            terminal.until("Hello")
            hold.release()
            assert terminal.end() == 0
            assert "5 tokens, first after" in terminal.text
        [request] = server.requests
    body = request.json()
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("a-model", 9, 0.5)
    assert "Be brief." in str(body)


@wires
@pytest.mark.parametrize("is_silent", [True, False], ids=["before the answer", "within it"])
def test_ctrl_c_reaches_the_server(wire: Wire, is_silent: bool) -> None:
    hold = Hold()
    reply = Reply.sse(*([] if is_silent else wire.parts(["Hel"], ended=False)), hold)
    with (
        ScriptedServer([reply]) as server,
        Terminal(REAL, "chat", "hi", "-m", f"{wire.name}:a-model", **at(server.url)) as terminal,
    ):
        assert hold.reached.wait(20)
        if not is_silent:
            terminal.until("Hel")
        terminal.press("\x03")
        server.wait_closed()
        assert terminal.end() == 130
        assert "stopped" in terminal.text
        assert "Traceback" not in terminal.text


@wires
def test_a_session_goes_from_one_model_to_another_and_survives_errors(wire: Wire) -> None:
    refused = Reply.json(wire.refusal(f"No such key: {KEY}", "invalid_api_key"), status=401)
    hold = Hold()
    replies = [wire.says("Hel", "lo"), refused, Reply.sse(*wire.parts(["Wai"], ended=False), hold)]
    with ScriptedServer([*replies, wire.says("Good", "bye")]) as server:
        command = ("chat", "--model", f"{wire.name}:one")
        with Terminal(REAL, *command, columns=150, **at(server.url)) as terminal:
            terminal.until_shown(f"{wire.name}:one is ready")
            ready(terminal)
            ask(terminal, "first", shown="Hello")
            ask(terminal, f"/model {wire.name}:two", shown=f"{wire.name}:two goes on with the conversation")
            ask(terminal, "second", shown=r"No such key: \[key\]")
            terminal.press("/retry\r")
            terminal.until_shown("Wai")
            terminal.press("\x03")
            terminal.until_shown(r"stopped\n+>\Z")
            ask(terminal, "third", shown="Goodbye")
            terminal.press("\x04")
            assert terminal.end() == 0
            assert KEY not in terminal.raw
        bodies = [request.json() for request in server.requests]
    assert [body["model"] for body in bodies] == ["one", "two", "two", "two"]
    assert "Hello" in str(bodies[1])


REFUSED = [
    (401, "invalid_api_key", f"Incorrect API key provided: {KEY}", "Incorrect API key provided: [key]."),
    (404, "not_found_error", "model: a-model", "model: a-model (HTTP 404 at {where})."),
    (
        400,
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, you requested 10007 tokens.",
        "10007 tokens do not fit into the model's context of 8192. Give it a shorter prompt.",
    ),
]


@wires
@pytest.mark.parametrize(("status", "name", "words", "said"), REFUSED, ids=[each[1] for each in REFUSED])
def test_a_refusal_is_a_sentence(wire: Wire, status: int, name: str, words: str, said: str) -> None:
    with ScriptedServer([Reply.json(wire.refusal(words, name), status=status)]) as server:
        said = said.format(where=server.url + wire.path)
        assert asked(wire, **at(server.url)) == (1, "", f"millstream: {said}\n")


@wires
def test_a_stream_that_breaks_off_fails_behind_what_came(wire: Wire) -> None:
    with ScriptedServer([Reply.sse(*wire.parts(["Hel"], ended=False))]) as server:
        code, answer, said = asked(wire, **at(server.url))
    assert (code, answer) == (1, "Hel\n")
    assert "ended" in said


@wires
def test_a_server_that_is_not_there_is_named(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    code, answer, said = asked(wire, **at(url))
    assert (code, answer) == (1, "")
    assert said.startswith(f"millstream: The provider cannot be reached at {url}: ")


@wires
def test_a_missing_key_is_named(wire: Wire) -> None:
    name = f"{wire.name.upper()}_API_KEY"
    said = f"millstream: There is no key: set {name}.\n"
    # A server of one's own at OPENAI_BASE_URL needs none.
    environment = {**at("http://127.0.0.1:1", key=""), "OPENAI_BASE_URL": "", "HOME": "/nonexistent"}
    assert asked(wire, **environment) == (1, "", said)


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("groq:a-model", 1, "There is no key: set GROQ_API_KEY."),
        ("azure:a-model", 2, "Where is the server? Set AZURE_OPENAI_ENDPOINT."),
    ],
)
def test_presets_that_miss_something(model: str, code: int, said: str) -> None:
    done = run(REAL, "chat", "hi", "-m", model, GROQ_API_KEY="", AZURE_OPENAI_ENDPOINT="")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"millstream: {said}\n")


@wires
def test_an_sdk_that_is_not_installed_comes_with_the_command(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def not_there(name: str, *rest: Any) -> Any:
        return None if name == wire.name else find(name, *rest)

    find = importlib.util.find_spec
    monkeypatch.setattr("millstream.providers.api.find_spec", not_there)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert main(["chat", "hi", "--model", f"{wire.name}:a-model"]) == 3
    assert capsys.readouterr().err == (
        f"millstream: {wire.name} is not installed. Install it with: pip install 'millstream[{wire.name}]'\n"
    )


@wires
@pytest.mark.parametrize(("words", "code"), [('{"city": "Oslo"}', 0), ("In Oslo.", 4)])
def test_an_answer_that_should_be_json(wire: Wire, words: str, code: int, tmp_path: Path) -> None:
    schema = tmp_path / "city.json"
    schema.write_text('{"type": "object", "properties": {"city": {"type": "string"}}}')
    with ScriptedServer([wire.says(words)]) as server:
        done = run(
            REAL,
            "chat",
            "hi",
            "-m",
            f"{wire.name}:a-model",
            "--json-schema",
            str(schema),
            **at(server.url),
        )
    assert done.returncode == code
    assert ("no JSON" in done.stderr) == (code == 4)


def test_a_parameter_that_the_provider_does_not_have() -> None:
    done = run(REAL, "chat", "hi", "-m", "anthropic:a-model", "--seed", "1", **at("http://127.0.0.1:1"))
    assert done.returncode == 2
    assert done.stderr.startswith("millstream: Anthropic takes no seed.")


@pytest.mark.local
@wires
def test_a_real_server_answers(wire: Wire, local_server: real.LocalServer) -> None:
    options = ("--max-tokens", "12", "--temperature", "0")
    environment = at(local_server.url, real.KEY)
    command = ("chat", "Name the capital of France.", "-m", f"{wire.name}:smollm2")
    done = run(REAL, *command, *options, **environment)
    assert "Paris" in done.stdout
    assert done.returncode in (0, 4)
    code, answer, said = asked(wire, *options, **at(local_server.url, "wrong-key-of-somebody"))
    assert (code, answer) == (1, "")
    assert said == "millstream: Invalid API Key.\n"
