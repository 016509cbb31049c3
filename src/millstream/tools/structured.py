"""Tools made of functions: `tool` and `StructuredTool`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, overload

from millstream.errors import CoercionError, ConfigError
from millstream.runnables.function import kind_of
from millstream.tools.arguments import Arguments, of_function
from millstream.tools.base import BaseTool
from millstream.tools.docstring import parse

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
    /,
    *,
    error_on_invalid_docstring: bool = True,
    **settings: Any,
) -> Any:
    """Decorator: a function as a tool, by `@tool`, `@tool("name")` or `@tool(parse_docstring=True)`.

    The keywords are those of `StructuredTool.from_function`.
    """

    def made(function: Callable[..., Any], name: str | None = None) -> StructuredTool:
        settings["error_on_invalid_docstring"] = error_on_invalid_docstring
        if callable(function) and kind_of(function) in ("acall", "aeach"):
            return StructuredTool.from_function(coroutine=function, name=name, **settings)
        return StructuredTool.from_function(function, name=name, **settings)

    if name_or_callable is None:
        return made
    if isinstance(name_or_callable, str):
        return lambda function: made(function, name_or_callable)
    return made(name_or_callable)
