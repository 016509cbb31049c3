"""Models by the names that people type, and loading one while a line says so."""

import difflib
import os
from typing import TYPE_CHECKING, Any

from millstream.cli.errors import WrongUse
from millstream.cli.terminal import waiting
from millstream.errors import ConfigError

if TYPE_CHECKING:
    from millstream.language_models import BaseChatModel


def known_models() -> list[str]:
    """The names to choose from."""
    from millstream.providers.local.weights import KNOWN_MODELS

    return ["local", *sorted(KNOWN_MODELS)]


def beginnings() -> list[str]:
    """What names begin with: those of known models, and the providers with the colon behind them."""
    from millstream.language_models.registry import providers

    return [*known_models(), *(f"{name}:" for name in providers() if name != "local")]


def model_name(name: str) -> str:
    """The name as `init_chat_model` takes it: known models and bare paths of .gguf files are local ones."""
    from millstream.providers.local.weights import KNOWN_MODELS

    is_local = name in KNOWN_MODELS or name.lower().endswith(".gguf")
    return f"local:{name}" if is_local and not name.startswith("local:") else name


def shown_name(name: str) -> str:
    """What a person calls the model: `local` is the one that the environment says."""
    from millstream.providers.local.weights import DEFAULT_MODEL, MODEL_VARIABLE

    shown = name.removeprefix("local:")
    return os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL if shown == "local" else shown


def chat_model(name: str) -> "BaseChatModel":
    """The model of this name. One that loads does so at its first answer.

    Raises `WrongUse` for a name that nobody knows.
    """
    from millstream.language_models import init_chat_model

    try:
        return init_chat_model(model_name(name))
    except ConfigError as error:
        if not str(error).startswith("No model provider"):
            raise
        raise WrongUse(_unknown(name)) from error


def _unknown(name: str) -> str:
    from millstream.language_models.registry import providers

    provider, colon, model = name.partition(":")
    if colon:
        near = difflib.get_close_matches(provider.lower(), providers(), n=1)
        hint = f" Did you mean '{near[0]}:{model}'?" if near else ""
        return f"There is no provider {provider!r}.{hint} Known: {', '.join(providers())}."
    known = known_models()
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"There is no model {name!r}.{hint} Known: {', '.join(known)}. A file's name ends with .gguf; any "
        "other model is '<provider>:<model>', as in 'openai:gpt-4o-mini'."
    )


def loaded_model(name: str) -> "BaseChatModel":
    """The model of this name, ready to answer; a line on the terminal says what is being loaded."""
    model = chat_model(name)
    load: Any = getattr(model, "load", None)
    if load is not None:
        with waiting(f"loading {shown_name(name)} ..."):
            load()
    return model
