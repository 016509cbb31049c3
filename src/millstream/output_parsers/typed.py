"""Types as targets of JSON: objects that fill as their JSON comes, validation, and the JSON schema.

A partial object is made without the type's own checks, which would refuse it: what has not come holds its
default, or None. Only the whole value is validated, by the type's own library.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, Generic, TypeVar, cast

import msgspec

from millstream.errors import ConfigError, OutputParserException
from millstream.wire.snapshots import Shape

T = TypeVar("T")
Key = str | int

# What makes an object of the values that have come, keyed by the names that JSON has for them.
Make = Callable[[dict[str, Any]], Any]


class Target(Generic[T]):
    """A type that JSON is to become. Raises `ConfigError` if it is none that can be filled."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.name = kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)
        self.shape = _shape_of(kind)
        try:
            self._adapter = _pydantic_adapter(kind)
            # pydantic's errors of use are RuntimeErrors.
            self._schema = self._described()
        except (TypeError, RuntimeError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise ConfigError(f"{self.name} is no type that JSON can be read as: {reason}.") from error

    def validated(self, value: Any, text: str) -> T:
        """The value as an object of the type.

        Raises `OutputParserException` with `text` and the path at fault.
        """
        try:
            if self._adapter is not None:
                return cast(T, self._adapter.validate_python(value))
            return cast(T, msgspec.convert(value, self.kind, str_keys=True))
        except ValueError as error:
            path, problem = _fault(error)
            at = f"at {_shown(path)}, " if path else ""
            said = f"The answer is no {self.name}: {at}{problem}"
            raise OutputParserException(said, llm_output=text, path=path) from error

    def json_schema(self) -> dict[str, Any]:
        """The type's JSON schema."""
        return copy.deepcopy(self._schema)

    def _described(self) -> dict[str, Any]:
        if self._adapter is not None:
            return cast("dict[str, Any]", self._adapter.json_schema())
        return msgspec.json.schema(self.kind)


def _fault(error: ValueError) -> tuple[tuple[Key, ...], str]:
    """Where the first fault is, and what is wrong there."""
    errors = getattr(error, "errors", None)
    if errors is not None:
        first, *others = errors(include_url=False, include_context=False, include_input=False)
        more = f" (and {len(others)} more)" if others else ""
        return tuple(first["loc"]), f"{first['msg']}{more}."
    said = str(error)
    # A path of msgspec's; behind `[...]`, a key that it does not tell, there is no saying where it leads.
    at = re.search(r" - at `(?:key in )?\$([^`]*?)(\[\.\.\.\][^`]*)?`$", said)
    if at is None:
        return (), f"{said}."
    found = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", at[1])
    where = f" (at {at[2]})" if at[2] else ""
    return tuple(name or int(index) for name, index in found), f"{said[: at.start()]}{where}."


def _shown(path: tuple[Key, ...]) -> str:
    shown = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return shown.removeprefix(".")


# --- pydantic, if the user has it --------------------------------------------------------------------------


def _is_typeddict(kind: Any) -> bool:
    # Those of `typing_extensions` too, which `typing.is_typeddict` does not know.
    return isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__required_keys__")


def _is_pydantic(kind: Any) -> bool:
    # A type of pydantic's can only be here if pydantic was imported.
    pydantic = sys.modules.get("pydantic")
    is_model = pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)
    return is_model or hasattr(kind, "__pydantic_validator__")


def _pydantic_adapter(kind: Any) -> Any:
    """pydantic's validator for a type that has a pydantic model somewhere in it; else None."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not _mentions_pydantic(kind, {}):
        return None
    return pydantic.TypeAdapter(kind)


def _mentions_pydantic(kind: Any, seen: dict[int, Any]) -> bool:
    if id(kind) in seen:
        return False
    # Kept, as hints may be made anew for each look, and then share their ids.
    seen[id(kind)] = kind
    if _is_pydantic(kind):
        return True
    inner = [*typing.get_args(kind), *_hints(kind).values()]
    return any(_mentions_pydantic(each, seen) for each in inner)


# --- shapes ------------------------------------------------------------------------------------------------


def _shape_of(kind: Any) -> Shape | None:
    """How objects and lists of this type are made while they fill; None for what stays as JSON has it."""
    kind = _bare(kind)
    if getattr(kind, "__pydantic_root_model__", False):
        # Until the whole is there, it is what stands in it.
        return _shape_of(kind.model_fields["root"].annotation)
    origin = typing.get_origin(kind)
    if origin is not None and isinstance(origin, type):
        if issubclass(origin, Mapping):
            return _Each(typing.get_args(kind)[-1])
        if _fields(origin) is None:
            return _Each(next(iter(typing.get_args(kind)), Any))
    if _is_typeddict(kind):
        return _Fields(kind, {name: name for name in _hints(kind)}, dict)
    names = _fields(kind)
    return None if names is None else _Fields(kind, *names)


def _bare(kind: Any) -> Any:
    """The type inside `Annotated`, `X | None`, `Required` and aliases; Any for a union of several."""
    while True:
        origin = typing.get_origin(kind)
        if origin in (typing.Union, types.UnionType):
            several = [each for each in typing.get_args(kind) if each is not type(None)]
            if len(several) > 1:
                return Any
            kind = several[0]
        elif origin in (typing.Annotated, typing.Required, typing.NotRequired):
            kind = typing.get_args(kind)[0]
        elif hasattr(kind, "__value__"):  # a `type X = ...` of Python 3.12
            kind = kind.__value__
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        else:
            return kind


def _hints(kind: Any) -> dict[str, Any]:
    if not isinstance(kind, type) or not (_is_typeddict(kind) or _fields(kind) is not None):
        return {}
    if hasattr(kind, "model_fields"):
        # pydantic has resolved names and type variables already.
        return {name: field.annotation for name, field in kind.model_fields.items()}
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):
        # A name that cannot be resolved from here: such fields stay as JSON has them.
        return {}


class _Each:
    """A list, or a dict of free keys: all its items are of one type."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    @cached_property
    def _item(self) -> Shape | None:
        # Not before it is needed: a type may hold itself.
        return _shape_of(self._kind)

    def inside(self, key: Key) -> Shape | None:
        return self._item

    def made(self, container: Any) -> Any:
        return container


class _Fields:
    """An object with named fields. `names` says which field each of JSON's names fills."""

    def __init__(self, kind: Any, names: dict[str, str], make: Make) -> None:
        self._kind = kind
        self._names = names
        self._make = make
        self._known: dict[Key, Shape | None] = {}

    @cached_property
    def _types(self) -> dict[str, Any]:
        return _hints(typing.get_origin(self._kind) or self._kind)

    def inside(self, key: Key) -> Shape | None:
        name = self._names.get(cast(str, key))
        if name is None:
            return None
        if key not in self._known:
            self._known[key] = _shape_of(self._types.get(name, Any))
        return self._known[key]

    def made(self, container: Any) -> Any:
        if type(container) is not dict:  # the model wrote a list here: the validation will tell
            return container
        names = self._names
        return self._make({names[key]: value for key, value in container.items() if key in names})


def _fields(kind: Any) -> tuple[dict[str, str], Make] | None:
    """JSON's names for the fields of a class, and how to make a partial object; None if it has no fields."""
    kind = typing.get_origin(kind) or kind
    if not isinstance(kind, type):
        return None
    if issubclass(kind, msgspec.Struct):
        names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
        return names, _Structs(kind)
    if hasattr(kind, "model_fields") and _is_pydantic(kind):
        return _pydantic_names(kind), partial(_make_pydantic, kind)
    if dataclasses.is_dataclass(kind):
        names = {field.name: field.name for field in dataclasses.fields(kind) if field.init}
        return names, partial(_make_dataclass, kind)
    return None


def _pydantic_names(kind: Any) -> dict[str, str]:
    names = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias if isinstance(field.validation_alias, str) else field.alias
        if alias is None or kind.model_config.get("populate_by_name"):
            names[name] = name
        if alias is not None:
            names[alias] = name
    return names


def _make_pydantic(kind: Any, values: dict[str, Any]) -> Any:
    made = kind.__new__(kind)
    held = {
        name: values[name] if name in values else _pydantic_default(field)
        for name, field in kind.model_fields.items()
    }
    # As pydantic's own `model_construct` leaves an object, but without the hooks that a user may have written
    # for whole ones.
    object.__setattr__(made, "__dict__", held)
    object.__setattr__(made, "__pydantic_fields_set__", set(values))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", _private(kind))
    return made


def _pydantic_default(field: Any) -> Any:
    if field.is_required():
        return None
    if field.default_factory is None:
        return field.get_default()
    return field.default_factory() if field.default_factory in (list, dict, set) else None


def _private(kind: Any) -> dict[str, Any] | None:
    """The private attributes that have a plain default; None for a model without private ones."""
    attributes = kind.__private_attributes__
    if not attributes:
        return None
    undefined = sys.modules["pydantic_core"].PydanticUndefined
    # A factory's work is for whole objects; a copy of a plain default is what `get_default` gives.
    plain = {name: each for name, each in attributes.items() if each.default_factory is None}
    return {name: each.get_default() for name, each in plain.items() if each.default is not undefined}


class _Structs:
    """Makes partial structs of one class."""

    def __init__(self, kind: Any) -> None:
        self._kind = _without_hook(kind)

    @cached_property
    def _fields(self) -> tuple[Any, ...]:
        # Reading them costs more than making a struct.
        return msgspec.structs.fields(self._kind)

    def __call__(self, values: dict[str, Any]) -> Any:
        missing = {
            field.name: _default(field, msgspec.NODEFAULT)
            for field in self._fields
            if field.name not in values
        }
        return self._kind(**missing, **values)


def _without_hook(kind: Any) -> Any:
    """A struct class that can be made of parts: what users check after making one is for whole ones."""
    if not hasattr(kind, "__post_init__"):
        return kind
    no_hook = {"__post_init__": lambda self: None, "__doc__": kind.__doc__}
    return msgspec.defstruct(kind.__name__, [], bases=(kind,), namespace=no_hook, module=kind.__module__)


def _make_dataclass(kind: Any, values: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    for field in dataclasses.fields(kind):
        value = values[field.name] if field.name in values else _default(field, dataclasses.MISSING)
        object.__setattr__(made, field.name, value)
    return made


def _default(field: Any, none: Any) -> Any:
    if field.default is not none:
        return field.default
    # Other factories (a fresh id, the time) belong to whole objects.
    return field.default_factory() if field.default_factory in (list, dict, set) else None
