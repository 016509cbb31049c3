"""What was said, for spans: as JSON in the shapes that the GenAI conventions ask for (see `attributes`).

Nothing here is on a span unless somebody asked for contents. Images and other media are named and not shown.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING
from millstream.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from millstream.otel.attributes import Attributes, finish_reason

_ROLES: dict[type[BaseMessage], str] = {
    HumanMessage: "user",
    AIMessage: "assistant",
    SystemMessage: "system",
    ToolMessage: "tool",
}


def of_input(scope: Scope, input: Any) -> Attributes:
    """What a model, a tool or a retriever was asked."""
    with suppress(Exception):  # it is nothing that this step takes: the step says so itself
        return {} if input is NOTHING else _asked(scope, input)
    return {}


def of_output(scope: Scope, output: Any) -> Attributes:
    """What it answered."""
    with suppress(Exception):  # it is nothing that such a step answers
        return _answered(scope, output)
    return {}


def as_json(value: Any) -> str:
    """A value as JSON; what JSON cannot hold is shown as text, or as its type if it has no text either."""
    with suppress(Exception):
        return msgspec.json.encode(value, enc_hook=str).decode()
    with suppress(Exception):
        return str(value)
    return f"<{type(value).__name__}>"


def _asked(scope: Scope, input: Any) -> Attributes:
    shown = scope.step._shown_input(input)
    match scope.step._run_type:
        case "chat_model":
            return {"gen_ai.input.messages": as_json([_message(each) for each in shown["messages"][0]])}
        case "llm":
            prompt = {"role": "user", "parts": [_text(shown["prompts"][0])]}
            return {"gen_ai.input.messages": as_json([prompt])}
        case "tool":
            return {"gen_ai.tool.call.arguments": as_json(shown)}
        case "retriever":
            query = shown["query"]
            return {"gen_ai.retrieval.query.text": query if isinstance(query, str) else as_json(query)}
    return {}


def _answered(scope: Scope, output: Any) -> Attributes:
    match scope.step._run_type:
        case "chat_model" | "llm":
            parts = _parts(output) if isinstance(output, BaseMessage) else [_text(output or "")]
            reason = finish_reason(scope, output) or "unknown"  # the schema requires one
            answer = {"role": "assistant", "parts": parts, "finish_reason": reason}
            return {"gen_ai.output.messages": as_json([answer])}
        case "tool":
            result = output.content if isinstance(output, ToolMessage) else output
            return {"gen_ai.tool.call.result": result if isinstance(result, str) else as_json(result)}
        case "retriever":
            found = [{"id": each.id, "content": each.page_content} for each in output]
            return {"gen_ai.retrieval.documents": as_json(found)}
    return {}


def _message(message: BaseMessage) -> dict[str, Any]:
    if isinstance(message, ChatMessage):
        role = message.role
    else:
        role = next((role for kind, role in _ROLES.items() if isinstance(message, kind)), message.type)
    return {"role": role, "parts": _parts(message)}


def _parts(message: BaseMessage) -> list[dict[str, Any]]:
    content = message.content
    if isinstance(message, ToolMessage):
        return [{"type": "tool_call_response", "id": message.tool_call_id, "response": content}]
    parts = list(_blocks([content] if isinstance(content, str) else content))
    if isinstance(message, AIMessage):
        calls: list[ToolCall | InvalidToolCall] = [*message.tool_calls, *message.invalid_tool_calls]
        parts += [
            {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.args} for call in calls
        ]
    return parts


def _blocks(content: Sequence[str | dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in content:
        if isinstance(block, str):
            if block:
                yield _text(block)
        elif isinstance(block.get("text"), str):
            yield _text(block["text"])
        elif isinstance(block.get("reasoning"), str):
            yield {"type": "reasoning", "content": block["reasoning"]}
        else:
            yield {"type": str(block.get("type", "unknown"))}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}
