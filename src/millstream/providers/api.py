"""A model's way to its provider, by the provider's SDK: a body goes out, the bytes of the answer come back.

The SDK carries keys, headers, retries, proxies and pools, up to the head of the response. What comes behind
is read as raw bytes, so that no object of the SDK is made for each token. Both SDKs are of one make, so there
is one way for both.

Each exception of the SDK's, and of the HTTP client's under it, is translated here, and nowhere else.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import Any, Literal

import msgspec

from millstream.errors import (
    AuthenticationError,
    ConfigError,
    InputError,
    MillstreamError,
    MissingDependency,
    ProviderError,
    ProviderUnavailable,
    StreamTimeout,
    StreamTruncated,
)
from millstream.kernel import threads
from millstream.kernel.scope import Scope
from millstream.providers.exchange import Exchange, interruptible, under_way
from millstream.providers.options import timeout_of
from millstream.providers.pools import LoopClient, Pools
from millstream.providers.refusals import refused_response, without_keys

#: How many seconds the end of a response is waited for behind the end of its answer, so that the connection
#: can be used again. It is there at once, unless something in between is broken.
DRAIN_SECONDS = 0.25

Body = dict[str, Any]
Phase = Literal["first", "idle"]
#: How a body is sent by a client of the SDK: gives what its `with_streaming_response` gives.
Send = Callable[[Any, Body], Any]


class Head(msgspec.Struct):
    """What is known of a response before its bytes."""

    provider: str
    headers: Mapping[str, str]

    def told(self) -> dict[str, Any]:
        """What of it belongs to an answer's metadata: whose it is, limits, the request's id."""
        kept = {name: value for name, value in self.headers.items() if _is_kept(name)}
        request_id = next((kept[name] for name in _REQUEST_IDS if name in kept), None)
        told: dict[str, Any] = {"model_provider": self.provider}
        return told | ({"request_id": request_id} if request_id else {}) | ({"headers": kept} if kept else {})


_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id")


def _is_kept(name: str) -> bool:
    return "ratelimit" in name or "processing" in name or name in _REQUEST_IDS or name == "retry-after"


class Sdk:
    """A provider's SDK: imported when it is first used."""

    def __init__(self, package: str, client: str, async_client: str) -> None:
        self.package = package
        #: The environment's variable that the SDK looks for a key in.
        self.key_variable = f"{package.upper()}_API_KEY"
        self._names = client, async_client
        self._pools: Pools | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise `MissingDependency` if it is not installed."""
        if find_spec(self.package) is None:
            raise MissingDependency(self.package, command=f"pip install 'millstream[{self.package}]'")

    @property
    def module(self) -> Any:
        """The package."""
        return import_module(self.package)

    @property
    def is_loaded(self) -> bool:
        """Whether its clients can be had at once: the import takes a second, certificates 30 ms."""
        return self._pools is not None

    @property
    def pools(self) -> Pools:
        """The HTTP clients of all models."""
        with self._lock:
            if self._pools is None:
                # Made once: each client would read all certificates of the system anew.
                context = import_module("httpx2").create_ssl_context()
                self._pools = Pools(
                    partial(self.module.DefaultHttpxClient, verify=context),
                    partial(self.module.DefaultAsyncHttpxClient, verify=context),
                )
            return self._pools

    def client(self, **options: Any) -> Any:
        """A client for sync verbs."""
        return self._interruptible(**options)

    def async_client(self, **options: Any) -> Any:
        """A client for async verbs."""
        return getattr(self.module, self._names[1])(**options)

    @property
    def _interruptible(self) -> type[Any]:
        return _interruptible(getattr(self.module, self._names[0]))


_interruptible = cache(interruptible)


class Api:
    """The clients of one model: what it was told of keys, addresses and time limits.

    `options` go to the SDK's clients. `http_client` and `http_async_client` are the user's own, in place of
    those that all models share.
    """

    def __init__(
        self, sdk: Sdk, options: Mapping[str, Any], http_client: Any = None, http_async_client: Any = None
    ) -> None:
        sdk.check()
        self._sdk = sdk
        self._options = {name: value for name, value in options.items() if value is not None}
        self._http = http_client
        self._async_http = None if http_async_client is None else LoopClient(http_async_client)
        self._client: Any = None
        self._secrets: set[str] = set()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: Any) -> Api:
        return self  # never changed, and connections cannot be copied

    async def pieces(
        self, scope: Scope, send: Send, body: Body, is_over: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[Any, None]:
        """The `Head` of the response to `body`, then its bytes as they come.

        When `is_over` says that nothing more is wanted, the rest is passed over. Raises `ProviderError`s,
        `StreamTimeout` and `StreamTruncated`, and `InputError` for a body that is no JSON.
        """
        phase: Phase = "first"
        host = scope.here
        read = self._aread if host.is_async else self._read
        run: Any = host.aeach if host.is_async else host.each
        try:
            async with scope.reading(run(scope, partial(read, scope, send, body, is_over))) as items:
                async for item in items:
                    yield item
                    if type(item) is bytes:
                        phase = "idle"
        except Exception as error:
            scope.cancellation.check()
            translated = self._translated(error, phase)
            if translated is None:
                raise
            raise translated from error

    async def whole(self, scope: Scope, send: Send, body: Body) -> tuple[Head, bytes]:
        """The response to `body`, all at once. Raises as `pieces` does."""
        async with scope.reading(self.pieces(scope, send, body)) as pieces:
            head, *rest = [piece async for piece in pieces]
        return head, b"".join(rest)

    def _read(
        self, scope: Scope, send: Send, body: Body, is_over: Callable[[], bool]
    ) -> Generator[Any, None, None]:
        client = self._sync()
        exchange = Exchange(scope.cancellation, client._client)
        with scope.cancellation.aborting(exchange.abort):
            opening = send(client, body)
            with under_way(exchange):
                response = opening.__enter__()
            try:
                exchange.answered(response.http_response)
                yield _head_of(self._sdk.package, response)
                pieces = response.iter_bytes()
                for piece in pieces:
                    yield piece
                    if is_over():
                        with _hurry(exchange), suppress(Exception):
                            for _ in pieces:
                                pass
                        return
            finally:
                response.close()

    async def _aread(
        self, scope: Scope, send: Send, body: Body, is_over: Callable[[], bool]
    ) -> AsyncGenerator[Any, None]:
        if not self._sdk.is_loaded:
            await scope.here.call(scope, lambda: self._sdk.pools)  # it would hold up the loop
        client = await self._async()
        exchange = Exchange(scope.cancellation, client._client)
        async with send(client, body) as response:
            exchange.answered(response.http_response)
            # Whoever leaves an `async for` has no task here that a cancel could wake.
            with scope.cancellation.aborting(exchange.abort):
                yield _head_of(self._sdk.package, response)
                pieces = response.iter_bytes()
                async for piece in pieces:
                    yield piece
                    if is_over():
                        with suppress(Exception):
                            async with asyncio.timeout(DRAIN_SECONDS):
                                async for _ in pieces:
                                    pass
                        return

    def _sync(self) -> Any:
        http = self._http or self._sdk.pools.sync()
        with self._lock:
            # Another one after a fork, whose child has connections of its own.
            if self._client is None or self._client._client is not http:
                if iscoroutinefunction(self._options.get("api_key")):
                    raise ConfigError("`api_key` is an async function, which the sync verbs cannot ask.")
                self._client = self._sdk.client(**self._options, http_client=http)
                self._secrets |= _secrets_of(self._client.default_headers, self._client.api_key)
            return self._client

    async def _async(self) -> Any:
        owner = self._async_http or await self._sdk.pools.of_loop()
        client = owner.made.get(self)
        if client is None:
            options = dict(self._options)
            if callable(key := options.get("api_key")) and not iscoroutinefunction(key):
                options["api_key"] = partial(asyncio.to_thread, key)  # it may fetch one, and block
            client = owner.made[self] = self._sdk.async_client(**options, http_client=owner.http)
            self._secrets |= _secrets_of(client.default_headers, client.api_key)
        return client

    def _translated(self, error: Any, phase: Phase) -> MillstreamError | None:
        """What an exception of the SDK's, or of the HTTP client's, is here; None if it is neither's."""
        if isinstance(error, MillstreamError):
            return None
        sdk = self._sdk.module
        # A call may have headers of its own, and a key that a function gave is known from there alone.
        hidden = _secrets_of(getattr(_request_of(error), "headers", {}))
        self.hide_keys(error, hidden)  # whoever shows our error shows this one with it, as its cause
        words = self._without_key(_words(error), hidden)
        if "loop is closed" in words:
            return ConfigError(
                "`http_async_client` was used in an event loop that has ended. Make one in each loop, or "
                "leave it out: then each loop has its own."
            )
        if "client has been closed" in words:
            return ConfigError("The HTTP client that the model was given is closed.")
        if isinstance(error, sdk.APIStatusError):
            response = error.response
            refusal = refused_response(response.status_code, response.headers, _read_body(response))
            self.hide_keys(refusal, hidden)
            return refusal
        if isinstance(error.__cause__, _http_errors("PoolTimeout")):
            return StreamTimeout(
                "All connections of the HTTP client were in use for too long.", phase="first"
            )
        if isinstance(error, (sdk.APITimeoutError, *_http_errors("TimeoutException"))):
            what = "its answer" if phase == "first" else "more of its answer"
            return StreamTimeout(f"The provider was silent for too long before {what} came.", phase=phase)
        if isinstance(error, sdk.APIConnectionError):
            cause = error.__cause__
            if isinstance(cause, _http_errors("UnsupportedProtocol", "InvalidURL")):
                return ConfigError(f"`base_url` is no address of a server: {self._without_key(str(cause))}")
            return ProviderUnavailable(f"The provider cannot be reached{_at(error.request)}: {words}")
        if isinstance(error, _http_errors("TransportError")):
            return StreamTruncated(f"The connection broke off before the answer had ended: {words}")
        if isinstance(error, _http_errors("HTTPError", "StreamError", "InvalidURL")):
            return ProviderError(f"The provider's answer cannot be read: {words}")
        return _of_setup(error, self._sdk, words)

    def hide_keys(self, error: BaseException, hidden: Collection[str] = ()) -> None:
        """Take what must not be shown out of the words of an error: keys, and what is `hidden`."""
        error.args = tuple(
            self._without_key(each, hidden) if isinstance(each, str) else each for each in error.args
        )

    def _without_key(self, text: str, hidden: Collection[str] = ()) -> str:
        for secret in (*self._secrets, *hidden):
            text = text.replace(secret, "[key]")
        return without_keys(text)


# Headers whose values are nobody else's business, by what is in their names.
_SECRET = re.compile("auth|key|token|secret|cookie|password|credential", re.IGNORECASE)


def _secrets_of(headers: Mapping[str, Any], key: Any = None) -> set[str]:
    """What must not be shown: servers quote it, and some quote all of it."""
    values = [value for name, value in headers.items() if _SECRET.search(name)]
    found = [value.removeprefix("Bearer ") for value in [*values, key] if isinstance(value, str)]
    return {each for each in found if len(each) > 4}


def _head_of(provider: str, response: Any) -> Head:
    headers = response.headers
    if headers.get("content-type", "").startswith("text/html"):
        raise ProviderError("The server answered with a web page, as no provider does: is `base_url` right?")
    return Head(provider, headers)


@contextmanager
def _hurry(exchange: Exchange) -> Generator[None, None, None]:
    """End the exchange if the block takes longer than it should."""
    done = threading.Event()

    def watch() -> None:
        if not done.wait(DRAIN_SECONDS):
            exchange.abort()

    threads.start(watch)
    try:
        yield
    finally:
        done.set()


def _http_errors(*names: str) -> tuple[type[BaseException], ...]:
    """The exceptions of these names: of httpx2, and of httpx, which a user's client may be of."""
    modules = [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]
    return tuple(getattr(module, name) for module in modules for name in names if hasattr(module, name))


def _request_of(error: Any) -> Any:
    try:
        return error.request
    except (AttributeError, RuntimeError):  # httpx has the attribute, and refuses it where there is none
        return None


def _at(request: Any) -> str:
    """Where a request went: the server alone, since paths and queries may hold what is secret."""
    url = getattr(request, "url", None)
    return "" if url is None else f" at {url.scheme}://{url.netloc.decode('ascii')}"


def _of_setup(error: Exception, sdk: Sdk, words: str) -> MillstreamError | None:
    """What was wrong before anything was sent."""
    root = getattr(sdk.module, "OpenAIError", None) or sdk.module.AnthropicError
    said = words.lower()
    is_ours = isinstance(error, (root, TypeError))
    if is_ours and ("missing credentials" in said or "authentication method" in said):
        return AuthenticationError(f"There is no key: set {sdk.key_variable}, or give `api_key`.")
    if isinstance(error, root):
        kind = AuthenticationError if "api_key" in said or "credential" in said else ConfigError
        return kind(words)
    if isinstance(error, TypeError) and "http_client" in words:
        return ConfigError(words)
    if isinstance(error, (UnicodeEncodeError, RecursionError)) or "JSON" in words:
        return InputError(f"The request cannot be written as JSON: {words}")
    return None


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


#: What a single call may be given for its request, beside its body.
_PER_CALL = ("extra_headers", "extra_query", "timeout")


def per_call(send: Callable[..., Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], Send]:
    """The keywords of a call that go into its body, and how it is sent."""
    options = {name: kwargs[name] for name in _PER_CALL if kwargs.get(name) is not None}
    if "timeout" in options:
        options["timeout"] = timeout_of(options["timeout"])
    body = {name: value for name, value in kwargs.items() if name not in _PER_CALL}
    return body, partial(send, **options)
