"""Models by name: `init_chat_model("local")`."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from millstream.errors import ConfigError
from millstream.language_models.chat_models import BaseChatModel

Factory = Callable[..., BaseChatModel]

# Where the library's own providers are; a module is imported when its provider is first asked for.
_PROVIDERS: dict[str, str | Factory] = {"local": "millstream.providers.local:ChatLocal"}


def register_chat_model(provider: str, factory: Factory) -> None:
    """Make `init_chat_model("<provider>:<model>")` call `factory(model=..., **kwargs)`."""
    _PROVIDERS[provider] = factory


def init_chat_model(
    model: str = "local", *, model_provider: str | None = None, **kwargs: Any
) -> BaseChatModel:
    """The chat model that a string names: `"local"`, or `"<provider>:<model>"`.

    `"local:/path/to/model.gguf"` loads a GGUF of your own. Further keywords go to the model. Raises
    `ConfigError` for a provider that nobody registered.
    """
    if model_provider is None:
        provider, _, model = model.partition(":")
    else:
        provider = model_provider
    factory = _PROVIDERS.get(provider)
    if factory is None:
        known = ", ".join(sorted(_PROVIDERS))
        raise ConfigError(
            f"No model provider is called {provider!r}. Known: {known}. Write '<provider>:<model>'."
        )
    if isinstance(factory, str):
        module, _, name = factory.partition(":")
        factory = getattr(import_module(module), name)
    return factory(model=model or None, **kwargs)
