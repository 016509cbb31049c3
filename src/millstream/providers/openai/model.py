"""Models of OpenAI's, and of servers that speak its wire: the SDK's transport, our bodies and chunks."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from msgspec.structs import replace

from millstream.kernel.scope import Scope
from millstream.language_models import BaseChatModel, BaseLLM
from millstream.messages import BaseMessage
from millstream.messages.merge import gather_message
from millstream.outputs import GenerationChunk
from millstream.providers.answers import Parse, answered, streamed
from millstream.providers.api import Api, Body, Sdk, per_call
from millstream.providers.hosted import Hosted
from millstream.providers.openai.options import ALIASES, ChatOptions, CompletionOptions
from millstream.providers.openai.presets import preset_of
from millstream.providers.openai.request import (
    CHAT_PARAMETERS,
    COMPLETION_PARAMETERS,
    EXTRA,
    OPENAI,
    Dialect,
    chat_body,
    completion_body,
)
from millstream.providers.openai.stream import (
    ChatStream,
    CompletionStream,
    choice_of,
    parse_chat,
    parse_completion,
)
from millstream.providers.options import Options, address_of

if TYPE_CHECKING:
    from millstream.language_models.structured import Ways

SDK = Sdk("openai", "OpenAI", "AsyncOpenAI")

#: How many tokens a text may have, if nobody says: LangChain's number. The server's own is 16.
COMPLETION_MAX_TOKENS = 256

#: What the SDK's clients take beside what all do.
CLIENT = ("organization", "project")


def _send_chat(client: Any, body: Body, **options: Any) -> Any:
    create = client.chat.completions.with_streaming_response.create
    return create(model=body["model"], messages=[], extra_body=body, **options)


def _send_completion(client: Any, body: Body, **options: Any) -> Any:
    create = client.completions.with_streaming_response.create
    return create(model=body["model"], prompt="", extra_body=body, **options)


def _added(pieces: list[GenerationChunk]) -> GenerationChunk:
    return reduce(add, pieces)


class _Endpoint(NamedTuple):
    """One of the API's addresses: how a body is sent there, and what reads what comes back."""

    send: Callable[..., Any]
    reader: type[ChatStream] | type[CompletionStream]
    parse: Parse
    join: Callable[[list[Any]], Any]
    """What the pieces of a streamed answer amount to."""


class _OpenAI(Hosted):
    """Which server, which model, asked how: what both kinds of models share."""

    provider_name: str | None = "openai"
    default_model: str
    """The model, if none is named."""

    _endpoint: _Endpoint

    def __init__(self, model: str | None, given: Mapping[str, Any], parameters: frozenset[str]) -> None:
        options = Options(
            {"model": model, **given} if model is not None else given,
            aliases=ALIASES,
            parameters=parameters | set(EXTRA),
            client=CLIENT,
            own=("model", "preset", "stream_usage"),
        )
        super().__init__(**options.model)
        self.model = options.own.get("model") or self.default_model
        self._parameters = options.parameters
        client, dialect = connection(options)
        self._dialect = (
            dialect if options.own.get("stream_usage", True) else replace(dialect, stream_usage=False)
        )
        self._api = Api(SDK, client, **options.http)

    def _asked(self, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """The parameters of one call, and the model that it asks."""
        given = {ALIASES.get(name, name): value for name, value in kwargs.items() if value is not None}
        model = given.pop("model", self.model)
        return {**self._parameters, **given}, model

    def _body(self, request: Any, kwargs: dict[str, Any], stream: bool) -> Body:
        """The body of one call."""
        raise NotImplementedError

    def _items(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        kwargs, send = per_call(self._endpoint.send, kwargs)
        body = self._body(request, kwargs, stream=True)
        n = body.get("n") or 1
        items = streamed(self._api, scope, send, body, self._endpoint.reader(n=n), self._endpoint.parse)
        return items if n == 1 else self._first(items, scope)

    async def _first(self, items: AsyncGenerator[Any, None], scope: Scope) -> AsyncGenerator[Any, None]:
        """The items of the first of several answers; the others are kept until it has ended."""
        others: dict[int, list[Any]] = {}
        async with scope.reading(items) as stream:
            async for item in stream:
                if index := choice_of(item):
                    others.setdefault(index, []).append(item)
                else:
                    yield item
        scope.alternatives = [self._endpoint.join(pieces) for _, pieces in sorted(others.items())]

    async def _asked_whole(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> Any:
        kwargs, send = per_call(self._endpoint.send, kwargs)
        body = self._body(request, kwargs, stream=False)
        first, *scope.alternatives = await answered(self._api, scope, send, body, self._endpoint.parse)
        return first


def connection(options: Options) -> tuple[dict[str, Any], Dialect]:
    """What the SDK's clients are made with, and the dialect of the server."""
    client, name = dict(options.client), options.own.get("preset")
    if name is not None:
        preset = preset_of(name)
        client["base_url"] = client["base_url"] or preset.base_url()
        client["api_key"] = client["api_key"] or preset.api_key()
        return client, preset.dialect
    environment = os.environ
    for variable in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        client["base_url"] = client["base_url"] or address_of(environment.get(variable), variable)
    url = client["base_url"]
    client["organization"] = client["organization"] or environment.get("OPENAI_ORGANIZATION")
    is_openais = url is None or any(host in url for host in ("openai.com", "openai.azure.com"))
    if not is_openais and client["api_key"] is None and not environment.get("OPENAI_API_KEY"):
        client["api_key"] = "none"  # servers of one's own ask for none, and the SDK does
    return client, OPENAI if is_openais else Dialect()


class ChatOpenAI(_OpenAI, BaseChatModel):
    """A chat model of OpenAI's, or of any server that speaks its wire.

    `model` is the provider's name of it, `gpt-4o-mini` without one. The key is `api_key`, or
    `OPENAI_API_KEY`; the server `base_url`, or `OPENAI_BASE_URL`, or a `preset` such as `"ollama"`. All
    options are those of `ChatOptions`, and the names that LangChain has for them. A call may be given any
    parameter of its own, and `extra_headers`, `extra_query` and `timeout`.

    Asked for a whole answer, it asks for one; with `streaming=True` it streams then, too. Raises
    `MissingDependency` without the SDK (`pip install 'millstream[openai]'`), `ConfigError` for an unknown
    option, and in calls `ProviderError`s and `StreamTimeout`.
    """

    default_model = "gpt-4o-mini"

    _endpoint = _Endpoint(_send_chat, ChatStream, parse_chat, gather_message)

    def __init__(self, model: str | None = None, **options: Unpack[ChatOptions]) -> None:
        super().__init__(model, options, CHAT_PARAMETERS)

    def _structured(self, json_schema: dict[str, Any], strict: bool | None) -> Ways:
        from millstream.language_models.structured import answer_tool

        return {
            "json_schema": {"json_schema": json_schema, "strict": strict},
            "function_calling": {**answer_tool(json_schema), "strict": strict},
            "json_mode": {"response_format": {"type": "json_object"}},
        }

    def _body(self, request: list[BaseMessage], kwargs: dict[str, Any], stream: bool) -> Body:
        parameters, model = self._asked(kwargs)
        return chat_body(request, parameters, model=model, stream=stream, dialect=self._dialect)


class OpenAI(_OpenAI, BaseLLM):
    """A text model of OpenAI's, or of any server that speaks its wire: it goes on with the prompt.

    `model` is `gpt-3.5-turbo-instruct` without one, and `max_tokens` is 256; the rest is as for `ChatOpenAI`,
    with the options of `CompletionOptions`.
    """

    default_model = "gpt-3.5-turbo-instruct"

    _endpoint = _Endpoint(_send_completion, CompletionStream, parse_completion, _added)

    def __init__(self, model: str | None = None, **options: Unpack[CompletionOptions]) -> None:
        super().__init__(model, options, COMPLETION_PARAMETERS)
        self._parameters = {"max_tokens": COMPLETION_MAX_TOKENS, **self._parameters}

    def _body(self, request: str, kwargs: dict[str, Any], stream: bool) -> Body:
        parameters, model = self._asked(kwargs)
        dialect = replace(self._dialect, max_tokens="max_tokens")
        return completion_body(request, parameters, model=model, stream=stream, dialect=dialect)
