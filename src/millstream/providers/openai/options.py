"""What OpenAI's models are made with, and the other names that people know it by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millstream.providers.options import ConnectionOptions


class OpenAIOptions(ConnectionOptions, total=False):
    """What both kinds of models take. Each of the parameters can be given to a single call, too."""

    preset: str | None
    """A server by its name, in place of OpenAI's own: ollama, vllm, openrouter, groq, deepseek, azure."""
    organization: str | None
    """The organization that pays; `OPENAI_ORG_ID` without."""
    project: str | None
    """The project; `OPENAI_PROJECT_ID` without."""
    stream_usage: bool
    """Whether streams are asked to tell their usage: true, unless the server refuses the question."""
    temperature: float | None
    """How much chance there is in the answer, 0 to 2."""
    max_tokens: int | None
    """How many tokens the answer may have."""
    stop: str | Sequence[str] | None
    """Texts at which the answer ends, up to four."""
    seed: int | None
    """The same seed and request give the same answer, as far as the server can."""
    top_p: float | None
    """The tokens to choose from are those that together have this probability."""
    n: int | None
    """How many answers to give: `generate` has all of them, other verbs the first one."""
    presence_penalty: float | None
    """-2 to 2: how much a token that was there already is avoided."""
    frequency_penalty: float | None
    """-2 to 2: how much it is avoided for each time that it was there."""
    logit_bias: Mapping[Any, float] | None
    """By a token's number, how much likelier it is made."""
    user: str | None
    """Who asks, for the provider's watch over abuse."""
    stream_options: dict[str, Any] | None
    """What a stream is to tell beside the answer."""
    model_kwargs: dict[str, Any] | None
    """Further fields of each request, as LangChain names them."""
    extra_body: Mapping[str, Any] | None
    """Further fields of each request, as the SDK names them; they override all others."""
    model_name: str
    """LangChain's name of `model`."""
    openai_api_key: Any
    """LangChain's name of `api_key`."""
    openai_api_base: str | None
    """LangChain's name of `base_url`."""
    openai_organization: str | None
    """LangChain's name of `organization`."""
    request_timeout: Any
    """LangChain's name of `timeout`."""
    stop_sequences: str | Sequence[str] | None
    """LangChain's name of `stop`."""


class ChatOptions(OpenAIOptions, total=False):
    """What a chat model takes."""

    logprobs: bool | None
    """Whether each token's probability is told: `response_metadata["logprobs"]`."""
    top_logprobs: int | None
    """How many of the likeliest tokens are told at each place."""
    reasoning_effort: str | None
    """How long a model that reasons may do so: low, medium, high."""
    verbosity: str | None
    """How long answers are: low, medium, high."""
    max_completion_tokens: int | None
    """OpenAI's own name of `max_tokens`."""
    service_tier: str | None
    """How the request is served and paid: auto, default, flex, priority."""
    modalities: Sequence[str] | None
    """What the answer is made of: text, audio."""
    audio: dict[str, Any] | None
    """The voice, and the format."""
    prediction: dict[str, Any] | None
    """What most of the answer will be, if that is known."""
    store: bool | None
    """Whether the provider keeps the answer."""
    prompt_cache_key: str | None
    """Requests with the same key are sent where their prompt may be cached."""
    prompt_cache_retention: str | None
    """How long it is cached."""
    safety_identifier: str | None
    """Who asks, as a hash."""
    web_search_options: dict[str, Any] | None
    """For models that search the web."""
    parallel_tool_calls: bool | None
    """Whether the model may call several tools at once."""
    response_format: Any
    """What the answer has to be: `{"type": "json_object"}`, say."""


class CompletionOptions(OpenAIOptions, total=False):
    """What a text model takes."""

    logprobs: int | None
    """How many of the likeliest tokens are told at each place: `generation_info["logprobs"]`."""
    best_of: int | None
    """How many answers are made to pick the best of."""
    echo: bool | None
    """Whether the prompt comes back before the answer."""
    suffix: str | None
    """What comes behind the answer."""


#: Other names of options: LangChain's, and OpenAI's own of what it has two for; the server decides the field.
ALIASES = {
    "max_completion_tokens": "max_tokens",
    "model_name": "model",
    "openai_api_key": "api_key",
    "openai_api_base": "base_url",
    "openai_organization": "organization",
    "request_timeout": "timeout",
    "stop_sequences": "stop",
}
