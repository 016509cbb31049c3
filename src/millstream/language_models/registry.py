"""Models by name: `init_chat_model("local")`, `init_chat_model("openai:gpt-4o")`."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from millstream.errors import ConfigError
from millstream.language_models.chat_models import BaseChatModel

Factory = Callable[..., BaseChatModel]

# Where the library's own providers are; a module is imported when its provider is first asked for.
_PROVIDERS: dict[str, str | Factory] = {
    "local": "millstream.providers.local:ChatLocal",
    "openai": "millstream.providers.openai:ChatOpenAI",
    "anthropic": "millstream.providers.anthropic:ChatAnthropic",
}
# Servers that speak OpenAI's wire: `millstream.providers.openai.presets` says what they are.
_PRESETS = ("azure", "deepseek", "groq", "ollama", "openrouter", "vllm")

# LangChain's name of one.
_ALIASES = {"azure_openai": "azure"}

# Whose a model is that is named without its provider, by how its name begins.
_BEGINNINGS = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic",
    "deepseek": "deepseek",
}


def register_chat_model(provider: str, factory: Factory) -> None:
    """Make `init_chat_model("<provider>:<model>")` call `factory(model=..., **kwargs)`."""
    _PROVIDERS[provider] = factory


def providers() -> list[str]:
    """The names that stand before the colon, sorted."""
    return sorted({*_PROVIDERS, *_PRESETS})


def init_chat_model(
    model: str = "local", *, model_provider: str | None = None, **kwargs: Any
) -> BaseChatModel:
    """The chat model that a string names: `"local"`, or `"<provider>:<model>"`.

    Providers are `openai`, `anthropic`, the servers that `ChatOpenAI` knows as presets (`ollama`, `vllm`,
    `openrouter`, `groq`, `deepseek`, `azure`), and those that were registered. The provider may be left out
    for `gpt-...`, `claude-...` and other names that only one has. `"local:/path/to/model.gguf"` loads a GGUF
    of your own. Further keywords go to the model. Raises `ConfigError` for a provider that nobody registered.
    """
    if model_provider is None:
        provider, colon, rest = model.partition(":")
        guess = next((its for start, its in _BEGINNINGS.items() if model.startswith(start)), None)
        if colon or guess is None:
            model = rest
        else:
            provider = guess
    else:
        provider = model_provider
    return _factory(provider)(model=model or None, **kwargs)


def _factory(provider: str) -> Factory:
    provider = _ALIASES.get(provider, provider)
    if provider in _PRESETS and provider not in _PROVIDERS:
        return partial(_factory("openai"), preset=provider)
    factory = _PROVIDERS.get(provider)
    if factory is None:
        known = ", ".join(providers())
        raise ConfigError(
            f"No model provider is called {provider!r}. Known: {known}. Write '<provider>:<model>'."
        )
    if isinstance(factory, str):
        module, _, name = factory.partition(":")
        made: Factory = getattr(import_module(module), name)
        return made
    return factory
