"""The arguments of a tool: their types, their JSON schema, and how a call's are read.

A function's visible parameters become a TypedDict, so that what is read holds the arguments that were given,
and the function's own defaults stand for the others.
"""

from __future__ import annotations

import dataclasses
import datetime
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import Any

import msgspec

from millstream.errors import ConfigError, ToolInputError
from millstream.schemas import Mismatch, Target, fields_of, mentioned
from millstream.tools.docstring import parse
from millstream.tools.injected import Parameters, check_given, is_injected, is_mark, shown
from millstream.tools.json_schema import tidied, without


class Arguments:
    """What a tool takes. `kind` is the type: a class with fields, or a JSON schema, which checks nothing.

    `texts` and `defaults` are shown in the schema of a function's arguments. Arguments that are not known are
    taken if there is a type for `others`.
    """

    def __init__(
        self,
        kind: Any,
        texts: Mapping[str, str] | None = None,
        defaults: Mapping[str, Any] | None = None,
        *,
        others: Any = None,
    ) -> None:
        self.kind = kind
        self._texts = texts or {}
        self._defaults = defaults or {}
        self._others: Target[Any] | None = None
        if others is not None:
            self._others = Target(dict[str, others], lax=True)
        #: The names of those that the program gives, of a class's fields.
        self.given_names: list[str] = []
        self._target: Target[Any] | None = None
        if not isinstance(kind, Mapping):
            if not isinstance(kind, type) or not has_fields(kind):
                raise ConfigError(
                    "The args_schema of a tool is a JSON schema or a class with fields (pydantic, dataclass, "
                    f"TypedDict, msgspec), not {kind!r}."
                )
            self._target = Target(kind, lax=True)
            self.given_names = _given(kind)

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The JSON schema of those that a model gives. It is shared: copy it before you change it."""
        return without(self._schema, self.given_names)

    @cached_property
    def _schema(self) -> dict[str, Any]:
        if self._target is None:
            return tidied(self.kind)
        schema = tidied(_annotated(self._target.json_schema(), self.kind))
        properties = schema.setdefault("properties", {})
        for name, text in self._texts.items():
            if name in properties:
                properties[name]["description"] = text
        for name, default in self._defaults.items():
            if name in properties:
                properties[name]["default"] = default
        if self._others is not None:
            any_other = tidied(self._others.json_schema())
            schema["additionalProperties"] = any_other.get("additionalProperties", True)
        return schema

    @property
    def names(self) -> list[str]:
        """The names of the arguments."""
        return list(self.json_schema.get("properties", ()))

    @property
    def required(self) -> list[str]:
        """The names of those that have to be given."""
        return list(self.json_schema.get("required", ()))

    def read(self, given: Mapping[str, Any], tool: str) -> dict[str, Any]:
        """The keywords to call the function with. Raises `ToolInputError`, which names `tool`."""
        if self._target is None:
            missing = [name for name in self.required if name not in given]
            if missing:
                raise _refused(tool, f"missing {', '.join(missing)}", ())
            return dict(given)
        required = self._schema.get("required", ())
        check_given((name for name in self.given_names if name in required), given, tool)
        try:
            values = _values(self._target.validated(dict(given)))
            if self._others is not None:
                others = {name: value for name, value in given.items() if name not in self.names}
                values |= self._others.validated(others)
        except Mismatch as fault:
            # pydantic's own error shows what was given, which may be secret.
            raise _refused(tool, str(fault), fault.path) from None
        return values


def _refused(tool: str, problem: str, path: Iterable[str | int]) -> ToolInputError:
    # msgspec shows a text that is none of an enum's, which may have been meant for elsewhere.
    problem = re.sub(r"Invalid enum value .*", "none of the values that there are", problem.rstrip("."))
    return ToolInputError(f"The tool {tool!r} was given wrong arguments: {problem}.", tool=tool, path=path)


def of_function(
    name: str,
    function: Callable[..., Any],
    *,
    parse_docstring: bool = False,
    docstring_must_be_valid: bool = False,
) -> Arguments:
    """The arguments of a function, by its signature, and if asked for, by its docstring."""
    parameters = Parameters(function)
    texts: dict[str, str] = {}
    if parse_docstring:
        texts = _texts(function, parameters, must_be_valid=docstring_must_be_valid)
    fields: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for each, parameter in parameters.visible.items():
        hint, default = _dated(parameters.hint(each)), parameter.default
        if _is_field(default):  # `x: int = Field(...)`
            fields[each] = typing.Annotated[hint, default]
        elif default is parameter.empty:
            fields[each] = hint
        else:
            fields[each] = typing.NotRequired[hint]
            with suppress(TypeError, ValueError):  # a default that JSON cannot tell
                defaults[each] = msgspec.json.decode(msgspec.json.encode(default))
    try:
        return Arguments(
            typed_dict(name, fields),
            texts,
            defaults,
            others=parameters.others,
        )
    except ConfigError as error:
        raise _blamed(name, fields, error) from error


def _blamed(tool: str, fields: Mapping[str, Any], error: ConfigError) -> ConfigError:
    """The error, with the name of the first argument that it is about."""
    for each, hint in fields.items():
        try:
            Arguments(typed_dict(tool, {each: hint}))
        except ConfigError:
            if typing.get_origin(hint) is typing.NotRequired:
                hint = typing.get_args(hint)[0]
            return ConfigError(
                f"The argument {each!r} of the tool {tool!r} is a {shown(hint)}, and no "
                "JSON can be read as that. What only the program knows is no argument for a model to give: "
                "write Annotated[..., InjectedToolArg] for it."
            )
    return error


def _texts(function: Callable[..., Any], parameters: Parameters, *, must_be_valid: bool) -> dict[str, str]:
    name = getattr(function, "__name__", repr(function))
    said = parse(inspect.getdoc(function)).arguments
    if said is None and parameters.visible and must_be_valid:
        raise ConfigError(
            f"The docstring of {name} has no section `Args:`. Write one in Google's style, or leave "
            "parse_docstring away."
        )
    unknown = sorted((said or {}).keys() - parameters.all.keys())
    if unknown:
        raise ConfigError(
            f"The docstring of {name} describes arguments that there are not: {', '.join(unknown)}."
        )
    return {each: text for each, text in (said or {}).items() if each in parameters.visible}


def _dated(hint: Any) -> Any:
    """A type whose schema says that it is a point in time, which msgspec does only for those with a zone."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.Union[tuple(_dated(each) for each in typing.get_args(hint))]  # noqa: UP007
    form = (
        {datetime.datetime: "date-time", datetime.time: "time"}.get(hint) if isinstance(hint, type) else None
    )
    if form is None:
        return hint
    return typing.Annotated[hint, msgspec.Meta(extra_json_schema={"format": form})]


def typed_dict(name: str, fields: Mapping[str, Any]) -> Any:
    """A TypedDict that msgspec and pydantic read."""
    module: Any = typing
    if sys.version_info < (3, 12):
        # pydantic takes no other there; whoever has it has this package, too.
        with suppress(ImportError):
            module = import_module("typing_extensions")
    return module.TypedDict(name, dict(fields))


def _is_field(default: Any) -> bool:
    pydantic = sys.modules.get("pydantic.fields")
    return pydantic is not None and isinstance(default, pydantic.FieldInfo)


def has_fields(kind: type) -> bool:
    """Whether the fields of a class can be the arguments of a tool."""
    is_record = issubclass(kind, (dict, msgspec.Struct)) or dataclasses.is_dataclass(kind)
    return is_record or hasattr(kind, "model_fields")


def _values(record: Any) -> dict[str, Any]:
    """The fields of an object by name."""
    if isinstance(record, dict):
        return record
    if isinstance(record, msgspec.Struct):
        return {name: getattr(record, name) for name in record.__struct_fields__}
    if dataclasses.is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    names = [*type(record).model_fields, *(record.model_extra or ())]
    return {name: getattr(record, name) for name in names}


def _given(kind: Any) -> list[str]:
    """The fields of a class that the program gives."""
    # pydantic takes the marks out of its fields' types.
    marks = {name: field.metadata for name, field in getattr(kind, "model_fields", {}).items()}
    return [
        name
        for name, hint in fields_of(kind).items()
        if is_injected(hint) or any(is_mark(each) for each in marks.get(name, ()))
    ]


# --- what the types say besides what JSON schemas are made of ----------------------------------------------


def _annotated(schema: dict[str, Any], kind: Any) -> dict[str, Any]:
    """The schema with the texts that stand in an `Annotated`, and the fields in the order of their class."""
    definitions = schema.get("$defs", {})
    for each in mentioned(kind):
        fields = fields_of(each)
        found = definitions.get(getattr(each, "__name__", None), schema if each is kind else {})
        properties = found.get("properties")
        if not fields or not properties:
            continue
        docs = parse(found.get("description"))
        if "description" in found:
            found["description"] = inspect.cleandoc(found["description"])
        if docs.arguments is not None:
            found["description"] = docs.summary
        for name, hint in fields.items():
            text = _text_in(hint) or (docs.arguments or {}).get(name)
            if text and name in properties:
                properties[name].setdefault("description", text)
        # msgspec sorts those of a TypedDict.
        order = [name for name in fields if name in properties]
        found["properties"] = {name: properties[name] for name in [*order, *properties]}
        if "required" in found:
            found["required"] = [name for name in found["properties"] if name in found["required"]]
    return schema


def _text_in(hint: Any) -> str | None:
    """The first text in an `Annotated`."""
    while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        hint = typing.get_args(hint)[0]
    texts = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, str)]
    return texts[0] if texts else None
