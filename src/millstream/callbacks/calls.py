"""Which method of a handler is told what: pure functions of a run's scope and of what happened in it."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING
from millstream.messages import get_buffer_string
from millstream.messages.calls import is_tool_call
from millstream.outputs import (
    ChatGeneration,
    GenerationChunk,
    generation_of,
    generations_of,
    model_name_of,
    result_of,
)


class Call(NamedTuple):
    """A call of a handler's method: its arguments by place, and those by name that not every call has."""

    method: str
    ignored_by: str
    """The attribute of a handler that does not want it."""
    args: tuple[Any, ...]
    more: dict[str, Any]
    instead: "Callable[[], Call] | None" = None
    """What is called if the handler has no such method."""


# By a run's type: the middle of its methods' names, and the attribute of a handler that ignores it. Anything
# else is told as a chain.
_FAMILIES = {
    "chat_model": ("llm", "ignore_llm"),
    "llm": ("llm", "ignore_llm"),
    "tool": ("tool", "ignore_agent"),
    "retriever": ("retriever", "ignore_retriever"),
}
_CHAIN = ("chain", "ignore_chain")


def start_of(scope: Scope, input: Any) -> Call:
    """The run begins. Raises what the step does if the input is none that it takes."""
    kind = scope.step._run_type
    serialized = _serialized(scope)
    more = {"metadata": scope.metadata, "name": scope.name}
    if kind == "chat_model":
        messages = scope.step._shown_input(input)["messages"]

        def as_text() -> Call:
            return Call("on_llm_start", "ignore_llm", (serialized, [*map(get_buffer_string, messages)]), more)

        return Call("on_chat_model_start", "ignore_chat_model", (serialized, messages), more, as_text)
    if kind == "llm":
        return Call(
            "on_llm_start", "ignore_llm", (serialized, scope.step._shown_input(input)["prompts"]), more
        )
    if kind == "tool":
        return _tool_start(scope, input, serialized, more)
    if kind == "retriever":
        return Call("on_retriever_start", "ignore_retriever", (serialized, input), more)
    shown = {"input": ""} if input is NOTHING else input
    run_type = None if kind == "chain" else kind
    return Call("on_chain_start", "ignore_chain", (serialized, shown), {**more, "run_type": run_type})


def _tool_start(scope: Scope, input: Any, serialized: dict[str, Any], more: dict[str, Any]) -> Call:
    given = scope.step._shown_input(input)
    serialized["description"] = getattr(scope.step, "description", "")
    more["inputs"] = given if isinstance(given, dict) else None
    more["tool_call_id"] = input.get("id") if is_tool_call(input) else None
    return Call("on_tool_start", "ignore_agent", (serialized, str(given)), more)


def _serialized(scope: Scope) -> dict[str, Any]:
    kind = type(scope.step)
    return {"name": scope.step.get_name(), "id": [*kind.__module__.split("."), kind.__qualname__]}


def end_of(scope: Scope, output: Any) -> Call:
    """The run gave its whole output."""
    family, ignored_by = _FAMILIES.get(scope.step._run_type, _CHAIN)
    more: dict[str, Any] = {}
    if family == "llm":
        # A text model that said nothing has no items that make an answer.
        output = "" if output is None else output
        generations = generations_of(output, scope.generation_info, scope.alternatives)
        output = result_of([generations], [scope.usage], _model(scope))
    elif family == "tool":
        more["name"] = scope.step.get_name()
    return Call(f"on_{family}_end", ignored_by, (output,), more)


def error_of(scope: Scope, error: BaseException) -> Call:
    """The run was cut short."""
    family, ignored_by = _FAMILIES.get(scope.step._run_type, _CHAIN)
    more: dict[str, Any] = {}
    if family == "llm":
        more["response"] = result_of([], [scope.usage], _model(scope))
    return Call(f"on_{family}_error", ignored_by, (error,), more)


def _model(scope: Scope) -> str:
    return model_name_of(scope.step) or scope.step.get_name()


def token_of(item: Any) -> Call:
    """A model gave a piece of its answer."""
    chunk = GenerationChunk(item) if isinstance(item, str) else generation_of(item)
    token = chunk.message.content if isinstance(chunk, ChatGeneration) else chunk.text
    return Call("on_llm_new_token", "ignore_llm", (token or "",), {"chunk": chunk})


def id_of(scope: Scope | None) -> UUID | str | None:
    """A run's id, as handlers know it: as text if the user named the run by what is no UUID."""
    if scope is None:
        return None
    try:
        return UUID(scope.run_id)
    except ValueError:
        return scope.run_id
