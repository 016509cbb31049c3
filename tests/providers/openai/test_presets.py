"""Servers by name: where requests go, with which key, and in what they differ."""

from typing import Any

import pytest

from millstream import (
    AIMessage,
    AuthenticationError,
    ChatOpenAI,
    ConfigError,
    OpenAI,
    OpenAIEmbeddings,
    init_chat_model,
)
from millstream.providers.openai.presets import PRESETS
from millstream.testing import Reply, Request, ScriptedServer
from tests.providers.wires import OPENAI

VARIABLES = (
    *(preset.key_variable for preset in PRESETS.values() if preset.key_variable),
    *(preset.host_variable for preset in PRESETS.values() if preset.host_variable),
    *(f"OPENAI_{name}" for name in ("API_KEY", "BASE_URL", "API_BASE", "ORGANIZATION", "ORG_ID")),
)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def sent_by(model: Any, server: ScriptedServer, question: Any = "hi") -> Request:
    model.invoke(question)
    return server.requests[-1]


@pytest.fixture
def server() -> Any:
    with ScriptedServer([Reply.json(OPENAI.whole("Hello"))]) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("ollama", "http://127.0.0.1:11434/v1"),
        ("vllm", "http://127.0.0.1:8000/v1"),
        ("openrouter", "https://openrouter.ai/api/v1"),
        ("groq", "https://api.groq.com/openai/v1"),
        ("deepseek", "https://api.deepseek.com/v1"),
    ],
)
def test_where_each_is(name: str, url: str) -> None:
    assert PRESETS[name].base_url() == url


@pytest.mark.parametrize(
    ("name", "given", "url"),
    [
        # Ollama's own client reads it so, and its server binds to what it names.
        ("ollama", "10.0.0.9", "http://10.0.0.9:11434/v1"),
        ("ollama", "10.0.0.9:8080", "http://10.0.0.9:8080/v1"),
        ("ollama", "[::1]", "http://[::1]:11434/v1"),
        ("ollama", "[::1]:8080", "http://[::1]:8080/v1"),
        ("ollama", "https://ollama.example.org/", "https://ollama.example.org/v1"),
        ("azure", "https://acme.openai.azure.com/", "https://acme.openai.azure.com/openai/v1"),
        ("azure", "acme.openai.azure.com", "https://acme.openai.azure.com/openai/v1"),
    ],
)
def test_the_environment_says_where(name: str, given: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = PRESETS[name].host_variable
    assert variable
    monkeypatch.setenv(variable, given)
    assert PRESETS[name].base_url() == url


def test_a_request_goes_there(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url.removeprefix("http://"))
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key-of-azure")
    for name, path in (("ollama", "/v1/chat/completions"), ("azure", "/openai/v1/chat/completions")):
        request = sent_by(init_chat_model(f"{name}:a-model", max_tokens=3), server)
        assert (request.path, request.json()["model"]) == (path, "a-model")


@pytest.mark.parametrize("name", ["openrouter", "groq", "deepseek", "azure"])
def test_the_key_is_the_providers_own(
    name: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = PRESETS[name].key_variable
    assert variable
    # OpenAI's own is for OpenAI.
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    with pytest.raises(AuthenticationError, match=f"set {variable}"):
        ChatOpenAI("a-model", preset=name, base_url=server.url)
    monkeypatch.setenv(variable, "key-of-the-preset")
    request = sent_by(ChatOpenAI("a-model", preset=name, base_url=server.url), server)
    assert request.headers["authorization"] == "Bearer key-of-the-preset"
    request = sent_by(ChatOpenAI("a-model", preset=name, base_url=server.url, api_key="mine-alone"), server)
    assert request.headers["authorization"] == "Bearer mine-alone"


@pytest.mark.parametrize("name", ["ollama", "vllm"])
def test_a_server_of_ones_own_is_sent_no_key(
    name: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    request = sent_by(ChatOpenAI("a-model", preset=name, base_url=server.url), server)
    assert "key-of-openai" not in request.headers["authorization"]


def test_azure_has_to_be_told_where() -> None:
    with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        ChatOpenAI("a-model", preset="azure", api_key="a-key-of-azure")


def test_a_preset_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match=r"no preset 'olama'. There are: azure, .*ollama"):
        ChatOpenAI("a-model", preset="olama")


THOUGHT = AIMessage(
    "Let me see.",
    additional_kwargs={"reasoning_content": "Hm.", "reasoning_details": [{"text": "Hm."}]},
)


@pytest.mark.parametrize(
    ("preset", "bound", "echoed"),
    [
        ("azure", "max_completion_tokens", None),
        ("ollama", "max_tokens", None),
        ("vllm", "max_tokens", None),
        ("groq", "max_tokens", None),
        ("deepseek", "max_tokens", "reasoning_content"),
        ("openrouter", "max_tokens", "reasoning_details"),
    ],
)
def test_in_what_they_differ(preset: str, bound: str, echoed: str | None, server: ScriptedServer) -> None:
    model = ChatOpenAI("a-model", preset=preset, base_url=server.url, api_key="a-key-of-nobody", max_tokens=3)
    body = sent_by(model, server, [("human", "hi"), THOUGHT, ("human", "and?")]).json()
    assert body[bound] == 3
    assert {name for name in body["messages"][1] if name.startswith("reasoning")} == (
        {echoed} if echoed else set()
    )


# Without a preset


def test_openai_has_its_own_name_for_the_limit(server: ScriptedServer) -> None:
    model = ChatOpenAI("a-model", base_url=server.url, max_tokens=3)
    assert sent_by(model, server).json()["max_tokens"] == 3
    for made in (
        ChatOpenAI("a-model", api_key="a-key-of-nobody", max_tokens=3),
        ChatOpenAI("a-model", base_url="https://eu.api.openai.com/v1", max_tokens=3),
    ):
        body = made._body([], {}, stream=False)
        assert body["max_completion_tokens"] == 3


@pytest.mark.parametrize(("preset", "field"), [("azure", "max_completion_tokens"), ("vllm", "max_tokens")])
def test_the_limit_has_two_names_and_a_call_overrides_either(
    preset: str, field: str, server: ScriptedServer
) -> None:
    for of_model in ("max_tokens", "max_completion_tokens"):
        for of_call in ("max_tokens", "max_completion_tokens"):
            options: Any = {of_model: 6, "api_key": "a-key-of-nobody"}
            model = ChatOpenAI("a-model", preset=preset, base_url=server.url, **options)
            model.invoke("hi", **{of_call: 3})
            body = server.requests[-1].json()
            assert {name: body[name] for name in body if name.startswith("max")} == {field: 3}
    with pytest.raises(ConfigError, match="max_completion_tokens is another name of max_tokens"):
        ChatOpenAI(max_tokens=3, max_completion_tokens=6)


@pytest.mark.parametrize(
    ("given", "asked", "sent"), [({}, {}, 256), ({"max_tokens": 9}, {}, 9), ({}, {"max_tokens": 7}, 7)]
)
def test_a_text_may_be_longer_than_the_servers_16_tokens(given: Any, asked: Any, sent: int) -> None:
    answer = {"choices": [{"index": 0, "text": "They wander.", "finish_reason": "stop"}]}
    with ScriptedServer([Reply.json(answer)]) as server:
        assert OpenAI(base_url=server.url, **given).invoke("Rivers bend:", **asked) == "They wander."
        assert server.requests[0].json()["max_tokens"] == sent


def test_none_leaves_the_length_of_a_text_to_the_server() -> None:
    body = OpenAI(api_key="a-key-of-nobody", max_tokens=None)._body("Rivers bend:", {}, stream=False)
    assert "max_tokens" not in body


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_the_sdks_and_langchains_variables(
    variable: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-of-ours")
    request = sent_by(ChatOpenAI("a-model", max_tokens=3), server)
    assert request.headers["authorization"] == "Bearer key-of-openai"
    assert request.headers["openai-organization"] == "org-of-ours"
    assert request.json()["max_tokens"] == 3


def test_embeddings_take_presets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {"data": [{"index": 0, "embedding": [1.0, 2.0]}]}
    with ScriptedServer([Reply.json(vectors)]) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        assert OpenAIEmbeddings("nomic-embed-text", preset="ollama").embed_query("hi") == [1.0, 2.0]
        assert server.requests[0].path == "/v1/embeddings"
