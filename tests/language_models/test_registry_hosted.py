"""Names of models behind HTTP: whose each is, and what is made of it."""

from typing import Any

import pytest

from millstream import ChatAnthropic, ChatOpenAI, ConfigError, init_chat_model
from millstream.language_models import registry
from millstream.providers.openai.presets import PRESETS
from millstream.testing import FakeChatModel


def test_the_registry_knows_the_presets_that_there_are() -> None:
    # Written out there, so that nothing of a provider is imported to know their names.
    assert sorted(PRESETS) == sorted(registry._PRESETS)
    assert {"local", "openai", "anthropic", *PRESETS} <= set(registry.providers())
    assert registry.providers() == sorted(registry.providers())


@pytest.mark.parametrize(
    ("name", "kind", "model"),
    [
        ("openai:gpt-4o", ChatOpenAI, "gpt-4o"),
        ("openai", ChatOpenAI, "gpt-4o-mini"),
        ("openai:", ChatOpenAI, "gpt-4o-mini"),
        ("openai:ft:gpt-4o:acme::id", ChatOpenAI, "ft:gpt-4o:acme::id"),
        ("anthropic:claude-sonnet-4-5", ChatAnthropic, "claude-sonnet-4-5"),
        ("anthropic", ChatAnthropic, "claude-haiku-4-5"),
        ("ollama:llama3.2:1b", ChatOpenAI, "llama3.2:1b"),
        ("openrouter:qwen/qwen3-8b:free", ChatOpenAI, "qwen/qwen3-8b:free"),
        # Without a provider, where the beginning tells.
        ("gpt-4o", ChatOpenAI, "gpt-4o"),
        ("chatgpt-4o-latest", ChatOpenAI, "chatgpt-4o-latest"),
        ("o3-mini", ChatOpenAI, "o3-mini"),
        ("claude-haiku-4-5", ChatAnthropic, "claude-haiku-4-5"),
    ],
)
def test_a_name_makes_a_model(name: str, kind: type, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-key-of-nobody")
    made: Any = init_chat_model(name, temperature=0)
    assert type(made) is kind
    assert made.model == model


def test_a_provider_may_be_named_apart() -> None:
    made: Any = init_chat_model("gpt-oss:20b", model_provider="ollama", max_tokens=3)
    assert (type(made), made.model) == (ChatOpenAI, "gpt-oss:20b")


@pytest.mark.parametrize("name", ["llama3.2", "mistral-large", "", "gemini-pro"])
def test_a_name_that_tells_no_provider(name: str) -> None:
    with pytest.raises(ConfigError, match=r"No model provider is called.*Write '<provider>:<model>'"):
        init_chat_model(name)


@pytest.mark.parametrize("name", ["openai:gpt-4o", "anthropic:claude-haiku-4-5", "ollama:llama3.2"])
def test_a_misspelt_option_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match="temprature"):
        init_chat_model(name, temprature=0)


def test_a_preset_can_be_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PROVIDERS", dict(registry._PROVIDERS))
    registry.register_chat_model("ollama", lambda model, **kwargs: FakeChatModel([f"I am {model}."]))
    assert init_chat_model("ollama:mine").invoke("?").text == "I am mine."
    assert registry.providers().count("ollama") == 1
