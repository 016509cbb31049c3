"""Messages and parameters to the body of a request, as the server reads it.

How a call is forced: llama.cpp holds what the model writes to the tools' schemas, but lets it talk before,
and a small model never ends talking. So where the template is ours (`template.py`), the answer is begun for
it with the tag of a call, which llama.cpp leaves out of the answer, and the tag that ends a call ends the
answer. The server enforces no name: of the tools, only the one that is named is sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from millstream.errors import ConfigError, InputError
from millstream.messages import AIMessage, BaseMessage, ChatMessage, ToolMessage
from millstream.messages.arguments import write_arguments
from millstream.providers.local.template import CALL_BEGINS, CALL_ENDS, Calling

# Usage comes in the last pieces. Progress pieces come during the prompt: each is a chance to stop.
_STREAMING = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}

_ROLES = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "ToolMessageChunk": "tool",
}


def chat_request(
    messages: Sequence[BaseMessage],
    *,
    calling: Calling = "none",
    max_tokens: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    stop: Sequence[str] | None = None,
    json_schema: Mapping[str, Any] | None = None,
    response_format: Mapping[str, Any] | None = None,
    tools: Sequence[Any] | None = None,
    tool_choice: str | bool | Mapping[str, Any] | None = None,
    parallel_tool_calls: bool | None = None,
    strict: bool | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of a chat that streams its answer to `messages`.

    What is None is left to the server: `max_tokens` goes as far as the context then. `json_schema` lets the
    model write nothing but JSON of that schema, and is short for the `response_format` of OpenAI's API that
    says so.

    `tools` are all that `convert_to_openai_tool` takes, `tool_choice` is as in `bind_tools`, and `calling`
    how the model is made to call. If it has to, it makes one call, or more with `parallel_tool_calls`, at a
    temperature of 0 unless another is given. `strict` changes nothing: schemas always hold. `extra` holds
    further fields, and overrides all others.

    Raises `InputError` for a message of a kind that has no role, or for what JSON cannot hold, `ConfigError`
    for tools and choices that are none, or that the model cannot be told of.
    """
    if json_schema is not None:
        response_format = {"type": "json_schema", "json_schema": {"schema": json_schema}}
    body: dict[str, Any] = {"messages": [_message(message) for message in messages]}
    body |= _parameters(max_tokens, temperature, seed, stop)
    body |= _tools(tools or (), tool_choice, parallel_tool_calls, calling)
    if calling == "begun" and body.get("tool_choice") == "required":
        _begin_call(body, one=not parallel_tool_calls)
    if response_format is not None:
        body["response_format"] = response_format
    return _encoded(body, extra)


def completion_request(
    prompt: str,
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    stop: Sequence[str] | None = None,
    json_schema: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of a completion that streams how `prompt` goes on. Arguments and errors as for a chat."""
    body: dict[str, Any] = {"prompt": prompt} | _parameters(max_tokens, temperature, seed, stop)
    if json_schema is not None:
        # The server ignores `response_format` here.
        body["json_schema"] = json_schema
    return _encoded(body, extra)


def _parameters(
    max_tokens: int | None, temperature: float | None, seed: int | None, stop: Sequence[str] | None
) -> dict[str, Any]:
    if isinstance(stop, str):
        stop = [stop]
    given = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed, "stop": stop or None}
    return {name: value for name, value in given.items() if value is not None}


def _tools(tools: Sequence[Any], choice: Any, parallel: bool | None, calling: Calling) -> dict[str, Any]:
    """The fields that tell of tools; none where none may be called."""
    if not tools:
        if choice in (None, False, "none", "auto"):
            return {}
        raise ConfigError(f"tool_choice={choice!r} needs tools to choose from.")
    # Imported when there are some: a model is quick to import.
    from millstream.tools import convert_to_openai_tool

    told = [convert_to_openai_tool(tool) for tool in tools]
    if foreign := [str(tool["type"]) for tool in told if "function" not in tool]:
        raise ConfigError(f"The local model has no tools of its own, such as {', '.join(foreign)}.")
    names = [tool["function"]["name"] for tool in told]
    choice = _chosen(choice, names)
    if choice == "none":
        return {}
    if calling == "none":
        raise ConfigError(
            "This local model cannot call tools: the template in its file has no place for them, and is not "
            "of the form (ChatML) for which there is another."
        )
    if choice not in ("auto", "required"):
        told = [tool for tool in told if tool["function"]["name"] == choice]
        choice = "required"
    said = {} if parallel is None else {"parallel_tool_calls": parallel}
    return {"tools": told, "tool_choice": choice, **said}


def _chosen(choice: Any, names: Sequence[str]) -> str:
    """`auto`, `none`, `required`, or the name of a tool."""
    if choice is None or isinstance(choice, bool):
        return {None: "auto", True: "required", False: "none"}[choice]
    wanted = choice
    if isinstance(choice, Mapping):
        # OpenAI's form, and Anthropic's.
        wanted = choice.get("function", choice).get("name") or choice.get("type")
    if wanted in ("auto", "none") or wanted in names:
        return str(wanted)
    if wanted in ("required", "any"):
        return "required"
    raise ConfigError(
        f"tool_choice={choice!r} is none of auto, none, required and any, and no tool of this name is given: "
        f"{', '.join(names)}."
    )


def _begin_call(body: dict[str, Any], *, one: bool) -> None:
    if body["messages"] and body["messages"][-1]["role"] == "assistant":
        raise InputError("A call can be forced as an answer only, and the last message is the model's own.")
    body["messages"].append({"role": "assistant", "content": CALL_BEGINS})
    body.setdefault("temperature", 0)
    if one:
        body["stop"] = [*body.get("stop", ()), CALL_ENDS]


def _message(message: BaseMessage) -> dict[str, Any]:
    role = message.role if isinstance(message, ChatMessage) else _ROLES.get(message.type)
    if role is None:
        raise InputError(f"A model takes no {type(message).__name__}: it has no role.")
    # The model's template joins text blocks and refuses others; strings between them are no blocks to it. Of
    # an answer, which may be another provider's, the text goes back.
    content = message.text if isinstance(message, AIMessage) else message.content
    if isinstance(content, list):
        content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
    built: dict[str, Any] = {"role": role, "content": content}
    if message.name is not None:
        built["name"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        built["tool_calls"] = [_tool_call(call.id, call.name, call.args) for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        built["tool_call_id"] = message.tool_call_id
    return built


def _tool_call(call_id: str | None, name: str, args: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": write_arguments(args)}
    return {"id": call_id or "", "type": "function", "function": function}


def _encoded(body: dict[str, Any], extra: Mapping[str, Any] | None) -> bytes:
    try:
        return msgspec.json.encode(_STREAMING | body | dict(extra or {}))
    except TypeError as error:
        raise InputError(f"The request cannot be written as JSON: {error}.") from error
