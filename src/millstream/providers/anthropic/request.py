"""Messages and parameters to the body of `POST /v1/messages`.

How a conversation becomes what the API takes:

* System messages become `system`, in their order, wherever they stand: the API has no place for them among
  the others, and as a person's words they would lose their weight.
* What people and tools say is `user`, what the model says `assistant`. Messages of one role that follow each
  other become one, since the roles have to alternate; tools' results come first in theirs, as the API wants.
* A model's own blocks go back as they came, thinking with its signatures. The arguments of its calls are
  those of `tool_calls`. A call whose arguments cannot be read goes back if a tool message answers it, with
  what can be read.
* Texts of white space alone are left out, and messages that have nothing else; the API refuses them.
* `cache_control` stands on blocks, on tools, in a message's `additional_kwargs` for its last block, or among
  the parameters for the last block of all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from millstream.errors import ConfigError, InputError
from millstream.messages import AIMessage, BaseMessage, ChatMessage, ToolMessage
from millstream.messages.arguments import parse_arguments
from millstream.providers.anthropic.content import blocks_of
from millstream.providers.anthropic.stream import CALL_BLOCKS
from millstream.tools import convert_to_anthropic_tool
from millstream.tools.json_schema import strict as made_strict

#: The API wants a limit. With a budget for thinking, it comes on top of that.
DEFAULT_MAX_TOKENS = 4096

#: Parameters that the API has under the same names, and takes as they are.
PASSED = frozenset(
    {
        "container",
        "context_management",
        "mcp_servers",
        "metadata",
        "output_config",
        "service_tier",
        "temperature",
        "thinking",
        "top_k",
        "top_p",
    }
)

#: Parameters that are read here.
READ = frozenset(
    {
        "cache_control",
        "extra",
        "json_schema",
        "max_tokens",
        "model",
        "parallel_tool_calls",
        "stop",
        "strict",
        "tool_choice",
        "tools",
    }
)

_ROLES = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "user",
    "ToolMessageChunk": "user",
    "user": "user",
    "assistant": "assistant",
    "developer": "system",
}

# Blocks that no marker for the cache may stand on.
_NOT_CACHED = frozenset({"thinking", "redacted_thinking"})

Block = dict[str, Any]


def messages_request(
    messages: Sequence[BaseMessage], parameters: Mapping[str, Any], *, stream: bool = True
) -> dict[str, Any]:
    """The body of a request for the model's answer to `messages`.

    `parameters` are those of `PASSED`, and of `READ`: `model`, which has to be there; `max_tokens`; `stop`, a
    text or several; `tools`, all that `bind_tools` takes; `tool_choice`, which is `"auto"`, `"any"` (or
    `"required"`), `"none"`, a tool's name or a dict; `parallel_tool_calls`; `json_schema`, which lets the
    model write nothing but JSON of that schema; `strict`, which has calls hold to their schemas in every
    point; `cache_control`; and `extra`, further fields, which override
    all others. What is None is left to the server.

    Raises `ConfigError` for a parameter that is not known, `InputError` for messages that cannot be sent.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    if unknown := given.keys() - PASSED - READ:
        known = ", ".join(sorted(PASSED | READ))
        raise ConfigError(f"Anthropic takes no {', '.join(sorted(unknown))}. Known: {known}.")
    if "model" not in given:
        raise ConfigError("Which model is to answer? Anthropic's API has no default: give `model`.")
    body: dict[str, Any] = {"model": given["model"], "max_tokens": _max_tokens(given)}
    body |= _conversation(messages, given.get("cache_control"))
    body |= {name: value for name, value in given.items() if name in PASSED}
    if stop := given.get("stop"):
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    body |= _tools(given)
    if (schema := given.get("json_schema")) is not None:
        form = {"type": "json_schema", "schema": made_strict(schema)}
        body["output_config"] = {**body.get("output_config", {}), "format": form}
    return body | ({"stream": True} if stream else {}) | dict(given.get("extra", {}))


def asks_for_citations(body: Mapping[str, Any]) -> bool:
    """Whether the answer to this request may cite: then `MessageStream` is to be made with `blocks`."""
    contents = [
        part for message in body["messages"] for block in message["content"] for part in _parts(block)
    ]
    found = [block.get("citations") for block in contents]
    return any(isinstance(each, Mapping) and each.get("enabled") is True for each in found)


def _parts(block: Block) -> list[Block]:
    inner = block.get("content")
    nested = [part for part in inner if isinstance(part, dict)] if isinstance(inner, list) else []
    return [block, *nested]


def _max_tokens(given: Mapping[str, Any]) -> int:
    if "max_tokens" in given:
        limit: int = given["max_tokens"]
        return limit
    thinking = given.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return DEFAULT_MAX_TOKENS + (budget or 0)


def _conversation(messages: Sequence[BaseMessage], cache_control: Any) -> dict[str, Any]:
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    for message in messages:
        role, blocks = _role(message), _blocks(message, answered)
        if marker := message.additional_kwargs.get("cache_control"):
            _mark_last(blocks, marker)
        if role == "system":
            system += blocks
        elif turns and blocks and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        raise InputError("There is nothing to answer: every message is empty, or a system message.")
    for turn in turns:
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    _trim_prefill(turns[-1])
    if cache_control is not None:
        _mark_last(turns[-1]["content"], cache_control)
    return {"messages": turns, **_system(system)}


def _role(message: BaseMessage) -> str:
    role = _ROLES.get(message.role if isinstance(message, ChatMessage) else message.type)
    if role is None:
        raise InputError(f"A model takes no {type(message).__name__}: it has no role.")
    return role


def _system(blocks: list[Block]) -> dict[str, Any]:
    """Plain texts are one text, with an empty line between; with anything else to say they stay blocks."""
    if not blocks:
        return {}
    if all(block.keys() == {"type", "text"} for block in blocks):
        return {"system": "\n\n".join(block["text"] for block in blocks)}
    return {"system": blocks}


def _blocks(message: BaseMessage, answered: set[str]) -> list[Block]:
    blocks = blocks_of(message.content)
    if isinstance(message, ToolMessage):
        return [_tool_result(message, blocks)]
    return _with_calls(message, blocks, answered) if isinstance(message, AIMessage) else blocks


def _tool_result(message: ToolMessage, blocks: list[Block]) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id}
    if blocks:
        result["content"] = blocks
    if message.status == "error":
        result["is_error"] = True
    return result


def _with_calls(message: AIMessage, blocks: list[Block], answered: set[str]) -> list[Block]:
    """The blocks of an answer with the arguments of its calls, and the calls that no block stands for."""
    if not all(call.id for call in message.tool_calls):
        raise InputError("A tool call without an id cannot be sent: its result could not name it.")
    inputs = {call.id or "": (call.name, call.args) for call in message.tool_calls}
    for bad in message.invalid_tool_calls:
        if bad.id in answered:
            inputs[bad.id or ""] = (bad.name or "", parse_arguments(bad.args, partial=True) or {})
    found: list[Block] = []
    for block in blocks:
        known = inputs.pop(str(block.get("id")), None) if block["type"] == "tool_use" else None
        if known is not None:
            block = {**block, "name": known[0], "input": known[1]}
        elif block["type"] in CALL_BLOCKS and "input" not in block:
            continue  # it was cut off, and nobody has answered it
        found.append(block)
    added = [
        {"type": "tool_use", "id": id_, "name": name, "input": args} for id_, (name, args) in inputs.items()
    ]
    return found + added


def _trim_prefill(turn: dict[str, Any]) -> None:
    """The model goes on with its own last text, which the API refuses if it ends with white space."""
    last = turn["content"][-1]
    if turn["role"] == "assistant" and last["type"] == "text":
        last["text"] = last["text"].rstrip()


def _mark_last(blocks: list[Block], marker: Any) -> None:
    for block in reversed(blocks):
        if block["type"] not in _NOT_CACHED:
            block["cache_control"] = marker
            return


def _tools(given: Mapping[str, Any]) -> dict[str, Any]:
    tools = given.get("tools") or ()
    told: dict[str, Any] = (
        {"tools": [convert_to_anthropic_tool(tool, strict=given.get("strict")) for tool in tools]}
        if tools
        else {}
    )
    choice = _choice(given["tool_choice"]) if "tool_choice" in given else None
    parallel = given.get("parallel_tool_calls")
    if parallel is not None and tools and (choice is None or choice["type"] != "none"):
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": not parallel}
    return told | ({"tool_choice": choice} if choice is not None else {})


def _choice(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        if isinstance(function := given.get("function"), Mapping):  # OpenAI's form
            return {"type": "tool", "name": function["name"]}
        return {"type": "tool", **given} if "name" in given else dict(given)
    if given in ("auto", "none"):
        return {"type": given}
    if given is False:
        return {"type": "none"}
    if given in ("any", "required", True):
        return {"type": "any"}
    if isinstance(given, str):
        return {"type": "tool", "name": given}
    raise ConfigError(f"`tool_choice` is auto, any, none, the name of a tool or a dict, not {given!r}.")
