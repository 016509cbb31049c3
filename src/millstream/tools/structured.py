"""Tools made of functions: `tool` and `StructuredTool`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, overload

from millstream.errors import CoercionError, ConfigError
from millstream.runnables.function import kind_of
from millstream.runnables.runnable import Runnable
from millstream.tools.arguments import Arguments, of_function
from millstream.tools.base import BaseTool
from millstream.tools.docstring import parse
from millstream.tools.of_runnable import arguments_of, description_of, functions_of

ResponseFormat = Literal["content", "content_and_artifact"]


class StructuredTool(BaseTool):
    """A tool made of a function, of one for each colour of verb, or of both."""

    func: Callable[..., Any] | None = None
    """The function, of any colour."""
    coroutine: Callable[..., Any] | None = None
    """The function for async verbs, if that is another one."""

    def _written(self) -> tuple[Any, Any]:
        return self.func, self.coroutine

    @classmethod
    def from_function(
        cls,
        func: Callable[..., Any] | None = None,
        coroutine: Callable[..., Any] | None = None,
        name: str | None = None,
        description: str | None = None,
        return_direct: bool = False,
        args_schema: Any = None,
        *,
        response_format: ResponseFormat = "content",
        parse_docstring: bool = False,
        error_on_invalid_docstring: bool = False,
        **fields: Any,
    ) -> StructuredTool:
        """A tool of a function: with its name, its docstring as the description, its signature as the schema.

        With `parse_docstring` the arguments' texts are read from a docstring in Google's style, and the rest
        of it is the description. `fields` are attributes of the tool, such as `handle_tool_error`. Raises
        `ConfigError` if there is no description, or if an argument's type is none that JSON can be read as.
        """
        function = func or coroutine
        if function is None or not callable(function):
            raise CoercionError(f"A tool is made of a function, not of {function!r}.")
        name = name or getattr(function, "__name__", None)
        if name is None:
            raise ConfigError(f"{function!r} has no name: give the tool one.")
        arguments = (
            Arguments(args_schema)
            if args_schema is not None
            else of_function(
                name,
                function,
                parse_docstring=parse_docstring,
                docstring_must_be_valid=error_on_invalid_docstring,
            )
        )
        made = cls(
            name=name,
            func=func,
            coroutine=coroutine,
            return_direct=return_direct,
            args_schema=arguments.kind,
            response_format=response_format,
            **fields,
        )
        made._held = arguments
        if description is None:
            description = _described(function, made, parse_docstring=parse_docstring)
        made.description = description.strip()
        return made


def _described(function: Any, made: StructuredTool, *, parse_docstring: bool) -> str:
    said = inspect.getdoc(function) if hasattr(function, "__name__") else None
    if said and parse_docstring:
        said = parse(said).summary
    said = said or made._arguments().json_schema.get("description")
    if not said:
        raise ConfigError(f"The tool {made.name!r} has no description: write a docstring, or give one.")
    return said


@overload
def tool(name_or_callable: Callable[..., Any], /) -> StructuredTool: ...
@overload
def tool(
    name_or_callable: str,
    runnable: Runnable[Any, Any] | Callable[..., Any],
    /,
    *,
    description: str | None = None,
    return_direct: bool = False,
    args_schema: Any = None,
    response_format: ResponseFormat = "content",
    **fields: Any,
) -> StructuredTool: ...
@overload
def tool(
    name_or_callable: str | None = None,
    /,
    *,
    description: str | None = None,
    return_direct: bool = False,
    args_schema: Any = None,
    response_format: ResponseFormat = "content",
    parse_docstring: bool = False,
    error_on_invalid_docstring: bool = True,
    **fields: Any,
) -> Callable[[Callable[..., Any]], StructuredTool]: ...
@overload
def tool(
    name_or_callable: Callable[..., Any],
    /,
    *,
    description: str | None = None,
    return_direct: bool = False,
    args_schema: Any = None,
    response_format: ResponseFormat = "content",
    parse_docstring: bool = False,
    error_on_invalid_docstring: bool = True,
    **fields: Any,
) -> StructuredTool: ...
def tool(
    name_or_callable: Any = None,
    runnable: Any = None,
    /,
    *,
    error_on_invalid_docstring: bool = True,
    **settings: Any,
) -> Any:
    """Decorator: a function as a tool, by `@tool`, `@tool("name")` or `@tool(parse_docstring=True)`.

    `tool("name", runnable)` makes a tool of a runnable, which is given a dict of the arguments. These are the
    variables of its prompt, the keys that it picks, or the fields of its function's TypedDict; else give an
    `args_schema`. Its description is that of the tool or the function that it is; else give one.

    The keywords are those of `StructuredTool.from_function`.
    """

    def made(thing: Any, name: str | None = None) -> StructuredTool:
        given = {**settings, "error_on_invalid_docstring": error_on_invalid_docstring}
        if isinstance(thing, Runnable):
            return _of_runnable(thing, name or thing.get_name(), given)
        if callable(thing) and kind_of(thing) in ("acall", "aeach"):
            return StructuredTool.from_function(coroutine=thing, name=name, **given)
        return StructuredTool.from_function(thing, name=name, **given)

    if name_or_callable is None:
        return made
    if runnable is not None:
        if not isinstance(name_or_callable, str):
            raise CoercionError(
                f"A tool of a runnable is made by tool('name', runnable), not {name_or_callable!r}."
            )
        return made(runnable, name_or_callable)
    if isinstance(name_or_callable, str):
        return lambda function: made(function, name_or_callable)
    return made(name_or_callable)


def _of_runnable(runnable: Runnable[Any, Any], name: str, settings: dict[str, Any]) -> StructuredTool:
    run, arun = functions_of(runnable)
    if settings.get("args_schema") is None:
        settings["args_schema"] = arguments_of(runnable, name)
    if settings.get("description") is None:
        settings["description"] = description_of(runnable)
    return StructuredTool.from_function(run, arun, name, **settings)
