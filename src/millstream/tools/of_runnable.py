"""A runnable as a tool: what it takes, what it is for, and what runs it."""

import inspect
import operator
import typing
from collections.abc import Callable, Iterable
from typing import Any

from millstream.errors import ConfigError
from millstream.runnables.binding import RunnableBinding
from millstream.runnables.fallbacks import RunnableWithFallbacks
from millstream.runnables.function import RunnableLambda
from millstream.runnables.parallel import RunnableParallel
from millstream.runnables.passthrough import RunnableAssign, RunnablePick
from millstream.runnables.retry import RunnableRetry
from millstream.runnables.runnable import Runnable
from millstream.runnables.sequence import RunnableSequence
from millstream.schemas import fields_of
from millstream.tools.arguments import typed_dict
from millstream.tools.base import BaseTool
from millstream.tools.json_schema import without

Step = Runnable[Any, Any]
Fields = dict[str, Any]


def functions_of(runnable: Step) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What runs it on a dict of the arguments, under the verbs of each colour."""

    def run(**arguments: Any) -> Any:
        return runnable.invoke(arguments)

    async def arun(**arguments: Any) -> Any:
        return await runnable.ainvoke(arguments)

    return run, arun


def description_of(runnable: Step) -> str | None:
    """What it is for, if it says so: a tool, or a function with a docstring."""
    inner = _inner(runnable)
    if isinstance(inner, BaseTool):
        return inner.description
    return inspect.getdoc(inner.func) if isinstance(inner, RunnableLambda) else None


def arguments_of(runnable: Step, name: str) -> Any:
    """What it takes, as the `args_schema` of a tool. Raises `ConfigError` if that is not known."""
    inner = _inner(runnable)
    if isinstance(inner, BaseTool):
        # What is bound is none for the model to give.
        return without(inner.tool_call_schema, runnable._bound_kwargs)
    fields = _fields(runnable)
    if fields is None:
        raise ConfigError(
            f"What the tool {name!r} takes is not known: {runnable!r} does not say which keys it reads of a "
            "dict. Give an args_schema."
        )
    return typed_dict(name, fields)


def _inner(runnable: Step) -> Step:
    """The step that a runnable hands its input to."""
    while True:
        if isinstance(runnable, (RunnableBinding, RunnableRetry)):
            runnable = runnable.bound
        elif isinstance(runnable, RunnableWithFallbacks):
            runnable = runnable.runnable
        else:
            return runnable


def _fields(runnable: Step) -> Fields | None:
    """The keys that a step reads of its input, with their types; None if that is not known."""
    step = _inner(runnable)
    if isinstance(step, RunnableSequence):
        return _of_sequence(step.steps)
    if isinstance(step, RunnableParallel):
        return _together(_fields(each) for each in step.steps.values())
    if isinstance(step, RunnableAssign):
        return _fields(step.mapper)
    if isinstance(step, RunnablePick):
        return dict.fromkeys([step.keys] if isinstance(step.keys, str) else step.keys, Any)
    if isinstance(step, RunnableLambda):
        return _of_function(step.func)
    if isinstance(step, BaseTool):
        return dict.fromkeys(step.args, Any)
    variables = getattr(step, "input_variables", None)  # a prompt
    return None if variables is None else dict.fromkeys(variables, str)


def _of_sequence(steps: list[Step]) -> Fields | None:
    first = _inner(steps[0])
    if not isinstance(first, RunnableAssign) or len(steps) == 1:
        return _fields(first)
    # The rest sees the input, and what was added.
    given = first.mapper.steps
    rest = _of_sequence(steps[1:])
    if rest is None:
        return None
    return _together([_fields(first), {key: kind for key, kind in rest.items() if key not in given}])


def _together(several: Iterable[Fields | None]) -> Fields | None:
    found: Fields = {}
    for fields in several:
        if fields is None:
            return None
        found |= fields
    return found


def _of_function(function: Any) -> Fields | None:
    if isinstance(function, operator.itemgetter):
        return dict.fromkeys(function.__reduce__()[1], Any)
    try:
        [first, *_] = inspect.signature(function, eval_str=True).parameters.values()
    except (TypeError, ValueError, NameError):  # no signature, no parameter, or a type that is not known
        return None
    kind = first.annotation
    if not isinstance(kind, type) or not issubclass(kind, dict):
        return None
    optional = getattr(kind, "__optional_keys__", ())
    return {
        name: _optional(hint) if name in optional else hint for name, hint in fields_of(kind).items()
    } or None


def _optional(hint: Any) -> Any:
    # Where all of a class are optional, their types do not say so.
    return hint if typing.get_origin(hint) is typing.NotRequired else typing.NotRequired[hint]
