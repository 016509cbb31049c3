"""Messages and parameters to the JSON body of `POST /v1/chat/completions` and of `/v1/completions`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from millstream.errors import ConfigError, InputError
from millstream.messages import AIMessage, BaseMessage, ChatMessage, ToolMessage
from millstream.messages.arguments import write_arguments
from millstream.providers.openai.blocks import answer_content, asked_content, result_content
from millstream.tools import convert_to_openai_tool
from millstream.tools.json_schema import strict as made_strict

_SHARED = (
    "temperature top_p n seed presence_penalty frequency_penalty logit_bias user logprobs stop max_tokens "
    "stream_options"
)
_OF_CHATS = (
    "max_completion_tokens top_logprobs reasoning_effort verbosity service_tier modalities audio prediction "
    "metadata store prompt_cache_key prompt_cache_retention safety_identifier web_search_options tools "
    "tool_choice parallel_tool_calls response_format strict json_schema"
)
#: The parameters that the body of a chat can have, under OpenAI's own names but for the last two.
CHAT_PARAMETERS = frozenset(f"{_SHARED} {_OF_CHATS}".split())
COMPLETION_PARAMETERS = frozenset(f"{_SHARED} best_of echo suffix".split())

#: Parameters that hold any fields of the body: LangChain's name, the SDK's, and the local model's.
EXTRA = ("model_kwargs", "extra_body", "extra")

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


class Dialect(msgspec.Struct, frozen=True):
    """In what servers that speak this wire differ."""

    max_tokens: str = "max_tokens"
    """The field that bounds an answer. OpenAI's own is "max_completion_tokens"; few others know that."""
    echoed: tuple[str, ...] = ("refusal",)
    """What of an answer's `additional_kwargs` goes back with it: "reasoning_content" for DeepSeek, which
    wants the thoughts before a tool call; "reasoning_details" for OpenRouter. Others refuse fields that
    they do not know."""
    stream_usage: bool = True
    """Whether a stream may be asked to tell its usage."""


OPENAI = Dialect(max_tokens="max_completion_tokens")


def chat_body(
    messages: Sequence[BaseMessage],
    parameters: Mapping[str, Any],
    *,
    model: str,
    stream: bool = True,
    dialect: Dialect = OPENAI,
) -> dict[str, Any]:
    """The body that asks for an answer to `messages`.

    `parameters` go by OpenAI's names (`CHAT_PARAMETERS`); what is None is left to the server. `tools` may
    be any that `convert_to_openai_tool` takes, `tool_choice` also "any" or the name of a tool;
    `json_schema` is short for the `response_format` that says so, and `strict` makes it, and the tools,
    hold in every point. `model_kwargs` and `extra_body` hold any other fields, and override all.

    Raises `ConfigError` for a parameter that is unknown or contradicts another, and `InputError` for a
    message that no model takes.
    """
    given, extra = _sorted_out(parameters, CHAT_PARAMETERS)
    strict = given.pop("strict", None)
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message, dialect) for message in messages],
    }
    body |= _streaming(given, stream, dialect) | _format(given, strict) | _tools(given, strict)
    if "max_tokens" in given:
        body[dialect.max_tokens] = given.pop("max_tokens")
    if "top_logprobs" in given:
        given.setdefault("logprobs", True)
    return body | given | extra


def completion_body(
    prompt: str,
    parameters: Mapping[str, Any],
    *,
    model: str,
    stream: bool = True,
    dialect: Dialect = OPENAI,
) -> dict[str, Any]:
    """The body that asks how `prompt` goes on, with `COMPLETION_PARAMETERS`. See `chat_body`."""
    given, extra = _sorted_out(parameters, COMPLETION_PARAMETERS)
    return {"model": model, "prompt": prompt} | _streaming(given, stream, dialect) | given | extra


def _sorted_out(
    parameters: Mapping[str, Any], known: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters that were given, and the further fields."""
    given = {name: value for name, value in parameters.items() if value is not None}
    extra: dict[str, Any] = {}
    for name in EXTRA:
        extra |= given.pop(name, {})
    if unknown := given.keys() - known:
        raise ConfigError(
            f"The model takes no {', '.join(sorted(unknown))}. Known: {', '.join(sorted(known))}; "
            "`extra_body` takes any field."
        )
    if "stop" in given:
        stop = given.pop("stop")
        stops = [stop] if isinstance(stop, str) else list(stop)
        given |= {"stop": stops} if stops else {}
    return given, extra


def _streaming(given: dict[str, Any], stream: bool, dialect: Dialect) -> dict[str, Any]:
    options = given.pop("stream_options", {})
    if not stream:
        return {}
    usage = {"include_usage": True} if dialect.stream_usage else {}
    options = usage | options
    return {"stream": True, "stream_options": options} if options else {"stream": True}


def _format(given: dict[str, Any], strict: bool | None) -> dict[str, Any]:
    schema, chosen = given.pop("json_schema", None), given.pop("response_format", None)
    if schema is None:
        if chosen is None:
            return {}
        return {"response_format": {"type": chosen} if isinstance(chosen, str) else chosen}
    if chosen is not None:
        raise ConfigError("`json_schema` and `response_format` both say what the answer has to be: give one.")
    # The API wants a name, of these characters.
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", str(schema.get("title") or ""))[:64] or "answer"
    described: dict[str, Any] = {"name": name, "schema": made_strict(schema) if strict else schema}
    if strict is not None:
        described["strict"] = strict
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _tools(given: dict[str, Any], strict: bool | None) -> dict[str, Any]:
    tools, choice = given.pop("tools", None), given.pop("tool_choice", None)
    parallel = given.pop("parallel_tool_calls", None)
    if not tools:
        if choice in (None, False, "none", "auto"):
            return {}  # servers refuse a choice, and a word on parallel calls, where there are no tools
        raise ConfigError(f"tool_choice={choice!r} needs tools to choose from.")
    built = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
    body: dict[str, Any] = {"tools": built}
    if choice is not None:
        names = [tool["function"]["name"] for tool in built if "function" in tool]
        body["tool_choice"] = _tool_choice(choice, names)
    if parallel is not None:
        body["parallel_tool_calls"] = parallel
    return body


def _tool_choice(choice: Any, names: Sequence[str]) -> Any:
    if isinstance(choice, bool):
        return "required" if choice else "none"
    if not isinstance(choice, str) or choice in ("auto", "none", "required"):
        return choice
    if choice in names:
        return {"type": "function", "function": {"name": choice}}
    if choice == "any":
        return "required"
    raise ConfigError(
        f"tool_choice={choice!r} is none of auto, none, required and any, and no tool of this name is given: "
        f"{', '.join(names)}."
    )


def _message(message: BaseMessage, dialect: Dialect) -> dict[str, Any]:
    if isinstance(message, AIMessage):
        return _answer(message, dialect)
    if isinstance(message, ToolMessage):
        # The wire has no word for a failure: the content says it.
        return {
            "role": "tool",
            "tool_call_id": message.tool_call_id,
            "content": result_content(message.content),
        }
    role = message.role if isinstance(message, ChatMessage) else _role(message)
    if role is None:
        raise InputError(f"A model takes no {type(message).__name__}: it has no role.")
    built: dict[str, Any] = {"role": role, "content": asked_content(message.content)}
    if message.name is not None:
        built["name"] = message.name
    return built


def _role(message: BaseMessage) -> str | None:
    told = message.additional_kwargs.get("__openai_role__")
    kind = message.type.removesuffix("MessageChunk").lower()
    return told if isinstance(told, str) else _ROLES.get(kind)


def _answer(message: AIMessage, dialect: Dialect) -> dict[str, Any]:
    """An earlier answer, as it goes back to the model."""
    kwargs = message.additional_kwargs
    calls = [_tool_call(call.id, call.name, write_arguments(call.args)) for call in message.tool_calls] + [
        # A call that could not be made is answered by a tool message all the same.
        _tool_call(call.id, call.name or "", call.args or "")
        for call in message.invalid_tool_calls
    ]
    told = {name: kwargs[name] for name in dialect.echoed if kwargs.get(name)}
    audio = kwargs.get("audio")
    if isinstance(audio, Mapping) and audio.get("id"):
        told["audio"] = {"id": audio["id"]}
    content = answer_content(message.content)
    built: dict[str, Any] = {"role": "assistant", "content": content or (None if calls or told else "")}
    if message.name is not None:
        built["name"] = message.name
    return built | told | ({"tool_calls": calls} if calls else {})


def _tool_call(call_id: str | None, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id or "", "type": "function", "function": {"name": name, "arguments": arguments}}
