"""Tools as the servers of models are told of them: in OpenAI's form, and in Anthropic's."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from millstream.errors import ConfigError
from millstream.tools.arguments import Arguments, has_fields, of_function
from millstream.tools.base import BaseTool
from millstream.tools.docstring import parse
from millstream.tools.json_schema import strict as made_strict
from millstream.tools.json_schema import tidied

ToolLike = BaseTool | type | Callable[..., Any] | Mapping[str, Any]


def convert_to_openai_tool(tool: ToolLike, *, strict: bool | None = None) -> dict[str, Any]:
    """`{"type": "function", "function": {"name", "description", "parameters"}}`, as OpenAI's API takes it.

    Of a tool, a function, a class with fields, or a dict: a JSON schema with a `title`, Anthropic's form, or
    OpenAI's own. A tool of the server's own, such as `{"type": "web_search"}`, stays as it is. With `strict`,
    objects have all their properties, and no others. Raises `ConfigError` for anything else.
    """
    if isinstance(tool, Mapping) and _is_servers_own(tool):
        return dict(tool)
    function = _described(tool)
    if strict is not None:
        function["strict"] = strict
        if strict and "parameters" in function:
            function["parameters"] = made_strict(function["parameters"])
    return {"type": "function", "function": function}


def convert_to_anthropic_tool(tool: ToolLike, *, strict: bool | None = None) -> dict[str, Any]:
    """`{"name", "description", "input_schema"}`, as Anthropic's API takes it.

    Of all that `convert_to_openai_tool` takes, with the same meaning of `strict`, and the same errors.
    """
    if isinstance(tool, Mapping) and ("input_schema" in tool or _is_servers_own(tool)):
        return dict(tool)
    function = _described(tool)
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    described = {"description": function["description"]} if function.get("description") else {}
    if strict is None:
        return {"name": function["name"], **described, "input_schema": schema}
    schema = made_strict(schema) if strict else schema
    return {"name": function["name"], **described, "input_schema": schema, "strict": strict}


def _is_servers_own(tool: Mapping[str, Any]) -> bool:
    kind = tool.get("type")
    return isinstance(kind, str) and kind not in ("function", "object", "custom")


def _described(tool: Any) -> dict[str, Any]:
    """The name, the description and the schema of the parameters; of a dict, what there is of them."""
    if isinstance(tool, BaseTool):
        schema = tool.tool_call_schema
        described = {"name": tool.name, "description": tool.description}
    elif isinstance(tool, Mapping):
        return _of_dict(tool.get("function", tool) if tool.get("type") == "function" else tool)
    elif isinstance(tool, type) and has_fields(tool):
        schema = Arguments(tool).json_schema
        described = {"name": tool.__name__, "description": schema.get("description", "")}
    elif callable(tool):
        name = getattr(tool, "__name__", type(tool).__name__)
        schema = of_function(name, tool, parse_docstring=True).json_schema
        described = {"name": name, "description": parse(inspect.getdoc(tool)).summary}
    else:
        raise ConfigError(f"A tool, a function, a class with fields or a dict is expected, not {tool!r}.")
    return {**described, "parameters": _parameters(schema)}


def _of_dict(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "input_schema" in tool:
        found = {**tool, "parameters": tool["input_schema"]}
    elif "name" in tool:
        found = dict(tool)
    elif "title" in tool:
        found = {**tool, "name": tool["title"]}
        if "properties" in tool:
            found["parameters"] = _parameters(tidied(tool))
    else:
        raise ConfigError("This dict is no tool: it has neither a `name` nor the `title` of a JSON schema.")
    kept = ("name", "description", "parameters", "strict")
    return {key: copy.deepcopy(found[key]) for key in kept if key in found}


def _parameters(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the parameters alone: the name and the description stand beside it."""
    return copy.deepcopy({key: value for key, value in schema.items() if key not in ("title", "description")})
