"""Anthropic's models: the SDK's transport, our bodies and chunks."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from millstream.kernel.scope import Scope
from millstream.language_models import BaseChatModel, BaseLLM
from millstream.messages import AIMessage, BaseMessage, HumanMessage
from millstream.messages.merge import gather_message
from millstream.outputs import GenerationChunk
from millstream.providers.answers import answered, streamed
from millstream.providers.anthropic.options import ALIASES, AnthropicOptions
from millstream.providers.anthropic.request import PASSED, READ, asks_for_citations, messages_request
from millstream.providers.anthropic.stream import MessageStream, parse_message
from millstream.providers.api import Api, Body, Sdk, Send, per_call
from millstream.providers.hosted import Hosted
from millstream.providers.options import Options, address_of

if TYPE_CHECKING:
    from millstream.language_models.structured import Ways

SDK = Sdk("anthropic", "Anthropic", "AsyncAnthropic")

#: The model, if none is named.
DEFAULT_MODEL = "claude-haiku-4-5"

#: A whole answer that may have more tokens is asked for as a stream: the SDK refuses to wait for it, since
#: connections break that are silent for minutes. This is its bound for the slowest models.
MOST_AT_ONCE = 8192

# Parameters that hold any fields of the body: LangChain's name, and the SDK's.
_EXTRA = ("model_kwargs", "extra_body")


class _Anthropic(Hosted):
    """Which model, reached how, asked how: what both kinds of models share."""

    provider_name: str | None = "anthropic"

    def __init__(self, model: str | None = None, **given: Unpack[AnthropicOptions]) -> None:
        options = Options(
            {"model": model, **given} if model is not None else given,
            aliases=ALIASES,
            parameters=(PASSED | READ | {*_EXTRA, "betas"}) - {"model"},
            client=("auth_token",),
            own=("model",),
        )
        super().__init__(**options.model)
        self.model = options.own.get("model") or DEFAULT_MODEL
        self._parameters = options.parameters
        for variable in ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"):
            found = address_of(os.environ.get(variable), variable)
            options.client["base_url"] = options.client["base_url"] or found
        self._api = Api(SDK, options.client, **options.http)

    def _request(
        self, messages: list[BaseMessage], kwargs: Mapping[str, Any], *, stream: bool
    ) -> tuple[Body, Send]:
        """The body of one call, and how it is sent."""
        named = {ALIASES.get(name, name): value for name, value in kwargs.items() if value is not None}
        given = {"model": self.model, **self._parameters, **named}
        if betas := given.pop("betas", None):
            headers = {"anthropic-beta": ",".join(betas)}
            given["extra_headers"] = headers | dict(given.get("extra_headers") or {})
        given, send = per_call(_send, given)
        for name in _EXTRA:
            given["extra"] = {**(given.get("extra") or {}), **(given.pop(name, None) or {})}
        return messages_request(messages, given, stream=stream), send

    def _stream_of(
        self, messages: list[BaseMessage], scope: Scope, kwargs: Mapping[str, Any]
    ) -> AsyncGenerator[Any, None]:
        body, send = self._request(messages, kwargs, stream=True)
        stream = MessageStream(blocks=asks_for_citations(body))
        return streamed(self._api, scope, send, body, stream, _parse)

    async def _answer_of(
        self, messages: list[BaseMessage], scope: Scope, kwargs: Mapping[str, Any]
    ) -> AIMessage:
        body, send = self._request(messages, kwargs, stream=False)
        if body["max_tokens"] > MOST_AT_ONCE:
            async with scope.reading(self._stream_of(messages, scope, kwargs)) as chunks:
                return gather_message([chunk async for chunk in chunks])
        [message] = await answered(self._api, scope, send, body, _parse)
        assert isinstance(message, AIMessage)
        return message


class ChatAnthropic(_Anthropic, BaseChatModel):
    """A chat model of Anthropic's, or of a server that speaks its messages API.

    `model` is the provider's name of it, `claude-haiku-4-5` without one. The key is `api_key`, or
    `ANTHROPIC_API_KEY`; the server `base_url`, or `ANTHROPIC_BASE_URL`. All options are those of
    `AnthropicOptions`, and the names that LangChain has for them. A call may be given any parameter of its
    own, and `extra_headers`, `extra_query` and `timeout`.

    Asked for a whole answer, it asks for one; with `streaming=True` it streams then, too. Raises
    `MissingDependency` without the SDK (`pip install 'millstream[anthropic]'`), `ConfigError` for an unknown
    option, and in calls `ProviderError`s and `StreamTimeout`.
    """

    def _structured(self, json_schema: dict[str, Any], strict: bool | None) -> Ways:
        from millstream.language_models.structured import answer_tool

        # All models and servers know tools; not all of them know schemas.
        return {
            "function_calling": {**answer_tool(json_schema), "strict": strict},
            "json_schema": {"json_schema": json_schema},
        }

    def _items(
        self, request: list[BaseMessage], scope: Scope, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        return self._stream_of(request, scope, kwargs)

    async def _asked_whole(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> Any:
        return await self._answer_of(request, scope, kwargs)


class Anthropic(_Anthropic, BaseLLM):
    """A model of Anthropic's that goes from text to text: the prompt is what a person says.

    Options, servers and errors are as for `ChatAnthropic`.
    """

    async def _items(self, request: str, scope: Scope, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        async with scope.reading(self._stream_of([HumanMessage(request)], scope, kwargs)) as chunks:
            async for chunk in chunks:
                text = _text_of(chunk)
                if text:
                    yield text

    async def _asked_whole(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> Any:
        return _text_of(await self._answer_of([HumanMessage(request)], scope, kwargs))


def _text_of(message: AIMessage) -> str | GenerationChunk:
    """What a message says as text, with what is told beside it, if anything is."""
    info = dict(message.response_metadata)
    if message.usage_metadata is not None:
        info["usage_metadata"] = message.usage_metadata
    return GenerationChunk(message.text, info) if info else message.text


def _parse(body: bytes) -> list[AIMessage]:
    return [parse_message(body)]


def _send(client: Any, body: Body, **options: Any) -> Any:
    create = client.messages.with_streaming_response.create
    return create(
        model=body["model"],
        max_tokens=body["max_tokens"],
        messages=[],
        stream=bool(body.get("stream")),
        extra_body=body,
        **options,
    )
