"""What stands on a span: pure functions of a run and its output.

The names `gen_ai.*` are those of OpenTelemetry's semantic conventions for generative AI, as the package
`opentelemetry-semantic-conventions` 0.66b2 (schema 1.44.0) holds them; their status is "Development", and
their text is kept at github.com/open-telemetry/semantic-conventions-genai. What they have no name for is
`millstream.*`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from millstream.kernel.scope import Scope
from millstream.kernel.stage import Step
from millstream.messages.calls import is_tool_call
from millstream.outputs import model_name_of

Attributes = dict[str, Any]

#: The kinds of step that the conventions know, and their `gen_ai.operation.name`.
OPERATIONS = {
    "chat_model": "chat",
    "llm": "text_completion",
    "tool": "execute_tool",
    "retriever": "retrieval",
}
MODELS = frozenset({"chat_model", "llm"})

# The conventions require a provider. Of a model that names none, it is known what called it.
_UNKNOWN_PROVIDER = "millstream"
# How the ids begin that this library gives to messages itself: they say nothing of a provider's response.
_OWN_ID = "run-"

_SIMPLE = (str, bool, int, float)


def span_name(step: Step, name: str) -> str:
    """What the span of a run is called: `chat {model}`, say, or the run's own name."""
    kind = step._run_type
    if kind not in OPERATIONS:
        return name
    if kind in MODELS:
        name = model_name_of(step) or name
    elif kind == "tool":
        name = _tool(step)
    return f"{OPERATIONS[kind]} {name}"


def for_sampling(step: Step) -> Attributes:
    """What a sampler may decide by, and so has to be there when the span is made."""
    kind = step._run_type
    said: Attributes = {}
    if kind in OPERATIONS:
        said["gen_ai.operation.name"] = OPERATIONS[kind]
    if kind in MODELS:
        said["gen_ai.provider.name"] = getattr(step, "provider_name", None) or _UNKNOWN_PROVIDER
        model = model_name_of(step)
        if model is not None:
            said["gen_ai.request.model"] = model
    elif kind == "tool":
        said["gen_ai.tool.name"] = _tool(step)
    return said


def of_run(scope: Scope, input: Any) -> Attributes:
    """Who the run is."""
    step = scope.step
    said: Attributes = {
        "millstream.run.id": scope.run_id,
        "millstream.run.type": step._run_type,
        "millstream.run.name": scope.name,
    }
    if scope.tags:
        said["millstream.tags"] = [str(tag) for tag in scope.tags]
    said.update(_metadata(scope.metadata))
    if step._run_type == "tool":
        said["gen_ai.tool.type"] = "function"
        if description := getattr(step, "description", None):
            said["gen_ai.tool.description"] = description
        if is_tool_call(input) and input.get("id"):
            said["gen_ai.tool.call.id"] = input["id"]
    return said


def of_answer(scope: Scope, output: Any) -> Attributes:
    """What a model says of its answer: who gave it, its id, and why it ended."""
    if scope.step._run_type not in MODELS:
        return {}
    info = getattr(output, "response_metadata", None) or scope.generation_info or {}
    said: Attributes = {}
    if model := _first(info, "model_name", "model"):
        said["gen_ai.response.model"] = model
    if reason := finish_reason(scope, output):
        said["gen_ai.response.finish_reasons"] = [reason]
    answer_id = getattr(output, "id", None)
    if isinstance(answer_id, str) and not answer_id.startswith(_OWN_ID):
        said["gen_ai.response.id"] = answer_id
    return said


def finish_reason(scope: Scope, output: Any) -> str | None:
    """Why a model's answer ended, in its provider's word; None if that is not known."""
    info = getattr(output, "response_metadata", None) or scope.generation_info or {}
    return _first(info, "finish_reason", "stop_reason")


def of_usage(usage: Any) -> Attributes:
    """What a model's run cost, a `UsageMetadata`; nothing of None."""
    if usage is None:
        return {}
    said: Attributes = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
    }
    for details, key, name in (
        (usage.input_token_details, "cache_read", "gen_ai.usage.cache_read.input_tokens"),
        (usage.input_token_details, "cache_creation", "gen_ai.usage.cache_creation.input_tokens"),
        (usage.output_token_details, "reasoning", "gen_ai.usage.reasoning.output_tokens"),
    ):
        if key in details:
            said[name] = details[key]
    if usage.estimated:
        said["millstream.usage.estimated"] = True
    return said


def error_type(error: BaseException) -> str:
    """An exception's `error.type`: its class, with the module unless that is Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _metadata(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The simple values, and lists of one kind of them: attributes can hold nothing else."""
    for key, value in metadata.items():
        if isinstance(value, (list, tuple)):
            simple = len(kinds := set(map(type, value))) == 1 and kinds <= set(_SIMPLE)
        else:
            simple = isinstance(value, _SIMPLE)
        if simple:
            yield f"millstream.metadata.{key}", value


def _tool(step: Step) -> str:
    return getattr(step, "name", None) or step.get_name()


def _first(info: Mapping[str, Any], *keys: str) -> str | None:
    return next((value for key in keys if isinstance(value := info.get(key), str) and value), None)
