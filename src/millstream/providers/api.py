"""A model's way to its provider, by the provider's SDK: a body goes out, the bytes of the answer come back.

The SDK carries keys, headers, retries, proxies and pools, up to the head of the response. What comes behind
is read as raw bytes, so that no object of the SDK is made for each token. Both SDKs are of one make, so there
is one way for both.

Their exceptions are translated here, by `translation.py`, and nowhere else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import Any

import msgspec

from millstream.errors import (
    ConfigError,
    MissingDependency,
    ProviderError,
)
from millstream.kernel import threads
from millstream.kernel.scope import Scope
from millstream.providers.exchange import Exchange, interruptible, under_way
from millstream.providers.options import timeout_of
from millstream.providers.pools import LoopClient, Pools
from millstream.providers.translation import Phase, Secrets, translated

#: How many seconds the end of a response is waited for behind the end of its answer, so that the connection
#: can be used again. It is there at once, unless something in between is broken.
DRAIN_SECONDS = 0.25

#: The longest body of an answer that is read whole, in bytes.
MAX_BODY_BYTES = 256 * 1024 * 1024

Body = dict[str, Any]
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
        #: What must not be shown of it.
        self.secrets = Secrets()
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
        phase: Phase = "sending"
        host = scope.here
        read = self._aread if host.is_async else self._read
        run: Any = host.aeach if host.is_async else host.each
        try:
            async with scope.reading(run(scope, partial(read, scope, send, body, is_over))) as items:
                async for item in items:
                    yield item
                    phase = "idle" if type(item) is bytes else "first"
        except Exception as error:
            scope.cancellation.check()
            raised = translated(error, self._sdk, phase, self.secrets)
            if raised is None:
                raise
            raise raised from error

    async def whole(self, scope: Scope, send: Send, body: Body) -> tuple[Head, bytes]:
        """The response to `body`, all at once. Raises as `pieces` does."""
        async with scope.reading(self.pieces(scope, send, body)) as pieces:
            head: Head = await anext(pieces)
            return head, await joined(pieces)

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
                self.secrets.know(self._client.default_headers, self._client.api_key)
            return self._client

    async def _async(self) -> Any:
        owner = self._async_http or await self._sdk.pools.of_loop()
        client = owner.made.get(self)
        if client is None:
            options = dict(self._options)
            if callable(key := options.get("api_key")) and not iscoroutinefunction(key):
                options["api_key"] = partial(asyncio.to_thread, key)  # it may fetch one, and block
            client = owner.made[self] = self._sdk.async_client(**options, http_client=owner.http)
            self.secrets.know(client.default_headers, client.api_key)
        return client


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


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    """A body that is read whole. Raises `ProviderError` if it is too long."""
    read: list[bytes] = []
    size = 0
    async for piece in pieces:
        read.append(piece)
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise ProviderError(f"The provider's answer has more than {MAX_BODY_BYTES:,} bytes.")
    return b"".join(read)


#: What a single call may be given for its request, beside its body.
_PER_CALL = ("extra_headers", "extra_query", "timeout")


def per_call(send: Callable[..., Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], Send]:
    """The keywords of a call that go into its body, and how it is sent."""
    options = {name: kwargs[name] for name in _PER_CALL if kwargs.get(name) is not None}
    if "timeout" in options:
        options["timeout"] = timeout_of(options["timeout"])
    body = {name: value for name, value in kwargs.items() if name not in _PER_CALL}
    return body, partial(send, **options)
