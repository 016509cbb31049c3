"""What the models of all providers are made with: who is told, and how the provider is reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypedDict
from urllib.parse import urlsplit

from millstream.errors import ConfigError


class ModelOptions(TypedDict, total=False):
    """What any model takes."""

    name: str | None
    """The name of its runs; that of its class without."""
    tags: Sequence[str]
    """Tags of its runs."""
    metadata: dict[str, Any] | None
    """Metadata of its runs."""
    callbacks: Sequence[Any] | None
    """Handlers that are told of its runs."""
    streaming: bool | None
    """Whether it streams also when it is asked for a whole answer."""


class ConnectionOptions(ModelOptions, total=False):
    """How a provider is reached. What is not given is looked for where the provider's SDK looks."""

    api_key: Any
    """The key: a text, a pydantic `SecretStr`, or, for OpenAI, a function that gives it for each request; an
    `async` one gives it to async verbs only."""
    base_url: str | None
    """The address of the server, up to and with the version: `http://127.0.0.1:8000/v1`."""
    timeout: Any
    """Seconds that the server may be silent, connecting included; or an `httpx.Timeout`. The SDK's is 600."""
    max_retries: int | None
    """How often a request that failed before its answer began is sent again: 2 without."""
    default_headers: Mapping[str, str] | None
    """Headers of each request."""
    default_query: Mapping[str, object] | None
    """Parameters in the address of each request."""
    http_client: Any
    """Your own `httpx.Client` for sync verbs: its limits, proxies and certificates are used."""
    http_async_client: Any
    """Your own `httpx.AsyncClient` for async verbs. It belongs to the event loop that it is first used in."""


_MODEL = frozenset(ModelOptions.__annotations__)
#: What the SDKs' clients take under the same names.
_CLIENT = ("base_url", "timeout", "max_retries", "default_headers", "default_query")


class Options:
    """What a model was made with, sorted out."""

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        aliases: Mapping[str, str],
        parameters: Collection[str],
        client: Collection[str] = (),
        own: Collection[str] = (),
    ) -> None:
        """`aliases` are other names of options, `parameters` what goes into requests, `client` and `own` what
        this provider has beside.

        Raises `ConfigError` for an option that is none of these, or that is given by two names.
        """
        named = _by_one_name(given, aliases)
        known = {*_MODEL, *_CLIENT, "api_key", "http_client", "http_async_client", *parameters, *client, *own}
        # What is off in LangChain (`verbose=False`, `cache=None`) is not there at all here: no difference.
        if unknown := [
            each
            for each, value in named.items()
            if each not in known and value is not None and value is not False
        ]:
            raise _unknown(unknown, known)
        #: What `LanguageModel` takes.
        self.model = {name: value for name, value in named.items() if name in _MODEL and value is not None}
        #: What the SDK's clients take.
        self.client = {name: named.get(name) for name in (*_CLIENT, *client)}
        self.client["api_key"] = _secret(named.get("api_key"))
        self.client["default_headers"] = _headers(named.get("default_headers"))
        self.client["base_url"] = address_of(named.get("base_url"))
        self.client["timeout"] = timeout_of(named.get("timeout"))
        #: The user's HTTP clients.
        self.http = {name: _http(name, named.get(name)) for name in ("http_client", "http_async_client")}
        #: The parameters of each request.
        self.parameters = {
            name: value for name, value in named.items() if name in parameters and name not in _MODEL
        }
        #: What this provider's model itself takes.
        self.own = {name: value for name, value in named.items() if name in own}


def _unknown(names: Collection[str], known: Collection[str]) -> ConfigError:
    near = {each: get_close_matches(each, known, n=1) for each in names}
    meant = "".join(f" Did you mean {found[0]}?" for found in near.values() if found)
    return ConfigError(
        f"There is no option {', '.join(sorted(names))}.{meant} There are: {', '.join(sorted(known))}."
    )


def _by_one_name(given: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in given.items():
        real = aliases.get(name, name)
        if real in named and named[real] is not None and value is not None:
            raise ConfigError(f"{name} is another name of {real}: give one of them.")
        if value is not None or real not in named:
            named[real] = value
    return named


def _secret(key: Any) -> Any:
    """The key itself: pydantic's secrets hide theirs behind a method."""
    reveal = getattr(key, "get_secret_value", None)
    found = reveal() if callable(reveal) else key
    if found is not None and not callable(found) and not (isinstance(found, str) and found.isascii()):
        raise ConfigError("`api_key` is no key: that is a text of plain letters and digits.")
    return found


def _headers(given: Any) -> Any:
    for name, value in (given or {}).items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise ConfigError(f"`default_headers` are texts by their names, and {name!r} is none.")
    return given


def address_of(url: Any, name: str = "`base_url`") -> str | None:
    """An address as text: it may be an `httpx.URL`. None for none. `name` is where it stood.

    Raises `ConfigError` for what is no address.
    """
    if url is None or url == "":
        return None
    parts = urlsplit(str(url))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = str(url).rpartition("@")[2]  # a password may stand before it
        raise ConfigError(f"{name} is an address such as http://127.0.0.1:8000/v1, not {shown!r}.")
    return str(url)


def timeout_of(given: Any) -> Any:
    """A time limit as any SDK takes it: an `httpx.Timeout` in four numbers, since there are two such classes.

    Raises `ConfigError` for what is none.
    """
    if all(hasattr(given, part) for part in _TIMEOUT_PARTS):
        given = tuple(getattr(given, part) for part in _TIMEOUT_PARTS)
    numbers = given if isinstance(given, tuple) else (given,)
    if all(each is None or (isinstance(each, (int, float)) and each > 0) for each in numbers):
        return given
    raise ConfigError(f"`timeout` is a number of seconds, or an httpx.Timeout, not {given!r}.")


_TIMEOUT_PARTS = ("connect", "read", "write", "pool")


def _http(name: str, client: Any) -> Any:
    is_async = name == "http_async_client"
    if client is None or (hasattr(client, "aclose" if is_async else "close") and hasattr(client, "send")):
        return client
    raise ConfigError(f"{name} is an httpx.{'AsyncClient' if is_async else 'Client'}, not {client!r}.")
