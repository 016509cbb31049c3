"""What Anthropic's models are made with, and the other names that people know it by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millstream.providers.options import ConnectionOptions


class AnthropicOptions(ConnectionOptions, total=False):
    """What both kinds of models take. Each of the parameters can be given to a single call, too."""

    auth_token: str | None
    """A token in place of a key, for gateways; `ANTHROPIC_AUTH_TOKEN` without."""
    betas: Sequence[str] | None
    """Features that are asked for by name: the header `anthropic-beta`."""
    temperature: float | None
    """How much chance there is in the answer, 0 to 1."""
    max_tokens: int | None
    """How many tokens the answer may have: 4096 without, and a budget for thinking on top."""
    stop: str | Sequence[str] | None
    """Texts at which the answer ends."""
    top_p: float | None
    """The tokens to choose from are those that together have this probability."""
    top_k: int | None
    """How many tokens there are to choose from."""
    thinking: dict[str, Any] | None
    """Whether the model thinks first: `{"type": "enabled", "budget_tokens": 2000}`."""
    cache_control: dict[str, Any] | None
    """A marker for the cache behind the whole prompt: `{"type": "ephemeral"}`."""
    parallel_tool_calls: bool | None
    """Whether the model may call several tools at once."""
    service_tier: str | None
    """How the request is served and paid: auto, standard_only."""
    container: Any
    """The container that code runs in."""
    context_management: dict[str, Any] | None
    """What the provider does about long conversations."""
    mcp_servers: Sequence[Any] | None
    """Servers of tools that the provider calls."""
    output_config: dict[str, Any] | None
    """What the answer has to be, and how much effort it is worth."""
    model_kwargs: dict[str, Any] | None
    """Further fields of each request, as LangChain names them."""
    extra_body: Mapping[str, Any] | None
    """Further fields of each request, as the SDK names them; they override all others."""
    model_name: str
    """LangChain's name of `model`."""
    anthropic_api_key: Any
    """LangChain's name of `api_key`."""
    anthropic_api_url: str | None
    """LangChain's name of `base_url`."""
    default_request_timeout: float | None
    """LangChain's name of `timeout`."""
    max_tokens_to_sample: int | None
    """LangChain's name of `max_tokens`."""
    stop_sequences: str | Sequence[str] | None
    """LangChain's name of `stop`."""


#: Other names of options: LangChain's.
ALIASES = {
    "model_name": "model",
    "anthropic_api_key": "api_key",
    "anthropic_api_url": "base_url",
    "default_request_timeout": "timeout",
    "max_tokens_to_sample": "max_tokens",
    "stop_sequences": "stop",
}
