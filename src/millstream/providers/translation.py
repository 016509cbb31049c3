"""Exceptions of an SDK, and of the HTTP client under it, as this library's: in one place, for both SDKs.

Whatever is said on the way is said without secrets, also by the exception that is the cause: who shows ours
shows that with it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol

from millstream.errors import (
    AuthenticationError,
    ConfigError,
    InputError,
    MillstreamError,
    ProviderError,
    ProviderUnavailable,
    StreamTimeout,
    StreamTruncated,
)
from millstream.providers.refusals import refused_response, without_keys

Phase = Literal["sending", "first", "idle"]
"""How far a response has come: no head, no byte behind the head, some bytes."""

#: How many characters of an exception's words are kept: some servers send pages.
MAX_WORDS = 2000

# Headers whose values are nobody else's business, by what is in their names.
_SECRET = re.compile("auth|key|token|secret|cookie|password|credential", re.IGNORECASE)


class Package(Protocol):
    """An SDK, as far as it is known here."""

    key_variable: str

    @property
    def module(self) -> Any:
        """The package."""
        ...


class Secrets:
    """What must not be shown of a model. Servers quote keys, and some quote all of one."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def know(self, headers: Mapping[str, Any], key: Any = None) -> None:
        """Hide the secrets of these headers, and this key, from now on."""
        self._known |= _secrets_in(headers, key)

    def hide(self, text: str, more: Collection[str] = ()) -> str:
        """`text` without them, without `more`, and without what looks like a key."""
        # Cut before, since looking for keys takes time, and behind, since half a key is one, too.
        text = text[: 2 * MAX_WORDS]
        for secret in (*self._known, *more):
            text = text.replace(secret, "[key]")
        return without_keys(text)[:MAX_WORDS]

    def hide_in(self, error: BaseException, more: Collection[str] = ()) -> None:
        """Take them out of the words of an exception."""
        error.args = tuple(self.hide(each, more) if isinstance(each, str) else each for each in error.args)


def translated(error: Any, sdk: Package, phase: Phase, secrets: Secrets) -> MillstreamError | None:
    """What an exception is here; None if it is neither the SDK's nor the HTTP client's."""
    if isinstance(error, MillstreamError):
        return None
    # A call may have headers of its own, and a key that a function gave is known from there alone.
    more = _secrets_in(getattr(_request_of(error), "headers", {}))
    secrets.hide_in(error, more)
    words = secrets.hide(_words(error), more)
    if isinstance(error, sdk.module.APIStatusError):
        response = error.response
        refusal = refused_response(response.status_code, response.headers, _read_body(response))
        if response.status_code == 404:
            refusal.args = (f"{refusal} (HTTP 404{_at(response.request, with_path=True)})",)
        secrets.hide_in(refusal, more)
        return refusal
    return (
        _of_the_client(error, words)
        or _of_the_wire(error, sdk.module, phase, words)
        or _of_the_setup(error, sdk, words)
    )


def _of_the_client(error: BaseException, words: str) -> MillstreamError | None:
    """What is wrong with the HTTP client, or with how it is used."""
    if "loop is closed" in words:
        return ConfigError(
            "`http_async_client` was used in an event loop that has ended. Make one in each loop, or leave "
            "it out: then each loop has its own."
        )
    if "client has been closed" in words:
        return ConfigError("The HTTP client that the model was given is closed.")
    if isinstance(error.__cause__, _http_errors("PoolTimeout")):
        return StreamTimeout("All connections of the HTTP client were in use for too long.", phase="first")
    if isinstance(error.__cause__, _http_errors("UnsupportedProtocol", "InvalidURL")):
        return ConfigError(f"`base_url` is no address of a server: {words}")
    return None


def _of_the_wire(error: Any, sdk: Any, phase: Phase, words: str) -> MillstreamError | None:
    """What went wrong between here and the provider."""
    if isinstance(error, (sdk.APITimeoutError, *_http_errors("TimeoutException"))):
        what, waited = ("more of its answer", "idle") if phase == "idle" else ("its answer", "first")
        words = f"The provider was silent for too long before {what} came."
        return StreamTimeout(words, phase=waited)  # type: ignore[arg-type]
    if isinstance(error, sdk.APIConnectionError):
        return ProviderUnavailable(f"The provider cannot be reached{_at(error.request)}: {words}")
    if isinstance(error, _http_errors("TransportError")):
        if phase == "sending":
            return ProviderUnavailable(f"The connection broke off before the provider had answered: {words}")
        return StreamTruncated(f"The connection broke off before the answer had ended: {words}")
    if isinstance(error, _http_errors("HTTPError", "StreamError")):
        return ProviderError(f"The provider's answer cannot be read: {words}")
    return None


def _of_the_setup(error: Exception, sdk: Package, words: str) -> MillstreamError | None:
    """What was wrong before anything was sent."""
    root = getattr(sdk.module, "OpenAIError", None) or sdk.module.AnthropicError
    said = words.lower()
    is_the_sdks = isinstance(error, (root, TypeError))
    if is_the_sdks and ("missing credentials" in said or "authentication method" in said):
        return AuthenticationError(f"There is no key: set {sdk.key_variable}, or give `api_key`.")
    if isinstance(error, root):
        kind = AuthenticationError if "api_key" in said or "credential" in said else ConfigError
        return kind(words)
    if isinstance(error, TypeError) and "http_client" in words:
        return ConfigError(words)
    if isinstance(error, (UnicodeEncodeError, RecursionError)) or "JSON" in words:
        return InputError(f"The request cannot be written as JSON: {words}")
    return None


def _secrets_in(headers: Mapping[str, Any], key: Any = None) -> set[str]:
    values = [value for name, value in headers.items() if _SECRET.search(name)]
    found = [value.removeprefix("Bearer ") for value in [*values, key] if isinstance(value, str)]
    return {each for each in found if len(each) > 4}


def _http_errors(*names: str) -> tuple[type[BaseException], ...]:
    """The exceptions of these names: of httpx2, and of httpx, which a user's client may be of."""
    modules = [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]
    return tuple(getattr(module, name) for module in modules for name in names if hasattr(module, name))


def _request_of(error: Any) -> Any:
    try:
        return error.request
    except (AttributeError, RuntimeError):  # httpx has the attribute, and refuses it where there is none
        return None


def _at(request: Any, *, with_path: bool = False) -> str:
    """Where a request went; without its query, which may hold what is secret."""
    url = getattr(request, "url", None)
    if url is None:
        return ""
    return f" at {url.scheme}://{url.netloc.decode('ascii')}{url.path if with_path else ''}"


def _read_body(response: Any) -> bytes:
    try:
        body: bytes = response.content
    except Exception:  # it was closed before it was read
        return b""
    return body


def _words(error: BaseException) -> str:
    """What an exception says, and if that is next to nothing, what its cause does."""
    cause = error.__cause__ or error.__context__
    said = str(error).strip()
    if cause is not None and said in ("", "Connection error."):
        return _words(cause)
    return said or type(error).__name__
