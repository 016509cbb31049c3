"""Types as targets of JSON: objects that fill as their JSON comes, validation, and the JSON schema.

What a model writes becomes an object here, be it an answer or the arguments of a tool. A partial object is
made without the type's own checks, which would refuse it: what has not come holds its default, or None. Only
the whole value is validated, by the type's own library.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import re
import sys
import types
import typing
import weakref
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property, partial
from importlib import import_module
from typing import Any, Generic, TypeVar, cast

import msgspec

from millstream.errors import ConfigError
from millstream.wire.snapshots import Shape

T = TypeVar("T")
Key = str | int

# What makes an object of the values that have come, keyed by the names that JSON has for them.
Make = Callable[[dict[str, Any]], Any]


class Mismatch(ValueError):
    """A value is not of the type that it should be: at `path`, the `problem`."""

    def __init__(self, path: tuple[Key, ...], problem: str) -> None:
        super().__init__(f"at {_shown(path)}, {problem}" if path else problem)
        self.path = path


class Target(Generic[T]):
    """A type that JSON is to become. Raises `ConfigError` if it is none that can be filled.

    A `lax` one also takes what is meant: `"3"` as a number. What msgspec does not know of it, it leaves to
    pydantic, if that is installed.
    """

    def __init__(self, kind: Any, *, lax: bool = False) -> None:
        self.kind = kind
        self.name = kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)
        self._lax = lax
        self.shape = None
        self._has_decimals = False
        try:
            self.shape = _shape_of(kind)
            self._has_decimals = any(each is Decimal for each in mentioned(kind))
            self._adapter, self._schema = _read_by(_pydantic_adapter(kind), kind)
        except _NO_TYPE as error:
            found = _read_by_pydantic(kind) if lax else None
            if found is None:
                said = f"{self.name} is no type that JSON can be read as: {_refusal(kind, error)}"
                raise ConfigError(said) from error
            self._adapter, self._schema = found

    def validated(self, value: Any, text: str = "") -> T:
        """The value, which was read from `text`, as an object of the type. Raises `Mismatch`."""
        try:
            return cast(T, self._made(value, text))
        except ValueError as error:
            raise Mismatch(*_fault(error, value)) from error

    def _made(self, value: Any, text: str) -> Any:
        if self._adapter is not None:
            made = self._adapter.validate_python if self._lax else partial(_made_by_pydantic, self._adapter)
            return made(value)
        written = _as_written(value, text) if self._has_decimals else None
        if written is not None:
            return msgspec.json.decode(written, type=self.kind)
        return msgspec.convert(value, self.kind, strict=not self._lax, str_keys=True)

    def json_schema(self) -> dict[str, Any]:
        """The type's JSON schema."""
        return copy.deepcopy(self._schema)


# pydantic's errors of use are RuntimeErrors.
_NO_TYPE = (TypeError, RuntimeError, NameError)


def _read_by(adapter: Any, kind: Any) -> tuple[Any, dict[str, Any]]:
    """pydantic's validator or None, and the schema by pydantic or msgspec."""
    return adapter, msgspec.json.schema(kind) if adapter is None else adapter.json_schema()


def _refusal(kind: Any, error: Exception) -> str:
    """Why a type is no target, as a sentence."""
    reason = str(error).partition("\n")[0].rstrip(".")
    unresolved = "a type that one of its fields names cannot be found; define it at module level"
    if isinstance(error, NameError):
        return f"{unresolved} ({reason})."
    if getattr(error, "code", None) == "class-not-fully-defined":
        return f"{unresolved}."
    custom = None if any(_is_pydantic(each) for each in mentioned(kind)) else _custom_type(kind)
    if custom is not None:
        where, name = custom
        at = f" (at {where})" if where else ""
        return f"{name}{at} is no class that msgspec reads; make it a dataclass, a struct or a TypedDict."
    return f"{reason}."


def _custom_type(kind: Any) -> tuple[str, str] | None:
    """The field where a class stands that msgspec cannot read, and the class's name."""
    try:
        return next(_custom_types(msgspec.inspect.type_info(kind), "", set()), None)
    except (TypeError, RuntimeError, NameError):
        return None


def _custom_types(info: Any, where: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(info, msgspec.inspect.CustomType):
        yield where, getattr(info.cls, "__name__", str(info.cls))
    elif isinstance(info, msgspec.inspect.Type) and id(info) not in seen:
        seen.add(id(info))
        for name in info.__struct_fields__:
            inside = getattr(info, name)
            for each in inside if isinstance(inside, tuple) else (inside,):
                if isinstance(each, msgspec.inspect.Field):
                    owner = getattr(info, "cls", None)
                    at = each.name if owner is None else f"{owner.__name__}.{each.name}"
                    yield from _custom_types(each.type, at, seen)
                else:
                    yield from _custom_types(each, where, seen)


def _as_written(value: Any, text: str) -> str | None:
    """The JSON of this value as it stands in the text, where no digits are lost; None if it is not plain."""
    written = text.strip()
    if isinstance(value, (dict, list)):
        first, last = "{}" if isinstance(value, dict) else "[]"
        written = text[text.find(first) : text.rfind(last) + 1]
    try:
        return written if msgspec.json.decode(written) == value else None
    except (ValueError, RecursionError):
        return None


def _fault(error: ValueError, value: Any) -> tuple[tuple[Key, ...], str]:
    """Where in the value the first fault is, and what is wrong there."""
    errors = getattr(error, "errors", None)
    if errors is not None:
        first, *others = errors(include_url=False, include_context=False, include_input=False)
        more = f" (and {len(others)} more)" if others else ""
        is_missing = first["type"].startswith("missing")
        return _steps(first["loc"], value, is_missing=is_missing), f"{first['msg']}{more}."
    said = str(error)
    # A path of msgspec's; behind `[...]`, a key that it does not tell, there is no saying where it leads.
    at = re.search(r" - at `(?:key in )?\$([^`]*?)(\[\.\.\.\][^`]*)?`$", said)
    if at is None:
        return (), f"{said}."
    found = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", at[1])
    where = f" (at {at[2]})" if at[2] else ""
    return tuple(name or int(index) for name, index in found), f"{said[: at.start()]}{where}."


def _steps(location: tuple[Key, ...], value: Any, *, is_missing: bool) -> tuple[Key, ...]:
    """The path that pydantic tells, without what is none of its steps: which type of a union was tried."""
    path: list[Key] = []
    for step in location:
        key: Any = str(step) if isinstance(value, dict) else step
        try:
            inside = value[key]
        except (LookupError, TypeError):
            continue
        if not isinstance(value, str):  # which has places, too
            path.append(key)
            value = inside
    return (*path, location[-1]) if is_missing else tuple(path)


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
    return is_model or hasattr(kind, "__pydantic_validator__") or _is_by_pydantic(kind)


def _is_by_pydantic(kind: Any) -> bool:
    """Whether it is a type of pydantic's own, or what stands in an `Annotated` for pydantic to read."""
    return any(name.partition(".")[0] in ("pydantic", "annotated_types") for name in _modules(kind)) and (
        not _is_pydantic_v1(kind)
    )


def _is_pydantic_v1(kind: Any) -> bool:
    return any(name.startswith("pydantic.v1") for name in _modules(kind))


def _modules(kind: Any) -> tuple[str, str]:
    return str(getattr(kind, "__module__", None)), type(kind).__module__


def _pydantic_adapter(kind: Any) -> Any:
    """pydantic's validator for a type that has one of pydantic's somewhere in it; else None."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not any(_is_pydantic(each) for each in mentioned(kind)):
        return None
    return pydantic.TypeAdapter(kind)


def _read_by_pydantic(kind: Any) -> tuple[Any, dict[str, Any]] | None:
    """pydantic's validator and schema of any type that pydantic knows; else None."""
    if any(_is_pydantic_v1(each) for each in mentioned(kind)):
        return None
    try:
        return _read_by(import_module("pydantic").TypeAdapter(kind), kind)
    except (ImportError, *_NO_TYPE):
        return None


def mentioned(kind: Any) -> Iterator[Any]:
    """A type, what stands in its brackets, and the types of its fields, all the way down; each once."""
    # Kept, as hints may be made anew for each look, and then share their ids.
    seen: dict[int, Any] = {}
    left = [kind]
    while left:
        kind = left.pop()
        if id(kind) not in seen:
            seen[id(kind)] = kind
            yield kind
            # The class of a generic type by itself: with what stands for its variables, it might never end.
            left += [*typing.get_args(kind), typing.get_origin(kind), *fields_of(kind).values()]


def _made_by_pydantic(adapter: Any, value: Any) -> Any:
    # Of JSON, a strict model takes a date that is a text. Of Python's values it does not.
    try:
        return adapter.validate_json(json.dumps(value))
    except (ValueError, RecursionError) as error:
        errors = getattr(error, "errors", None)
        if errors is not None:
            first = errors(include_url=False, include_context=False, include_input=False)[0]
            if first["type"] != "json_invalid" or first["loc"]:
                raise
    # Halves of characters, numbers of very many digits, great depth: what pydantic reads no JSON with.
    return adapter.validate_python(value)


# --- shapes ------------------------------------------------------------------------------------------------


def _shape_of(kind: Any) -> Shape | None:
    """How objects and lists of this type are made while they fill; None for what stays as JSON has it."""
    kind = _bare(kind)
    if getattr(kind, "__pydantic_root_model__", False):
        # Until the whole is there, it is what stands in it.
        return _shape_of(kind.model_fields["root"].annotation)
    origin = typing.get_origin(kind)
    if origin is tuple:
        kinds = typing.get_args(kind)
        return _Each(kinds[0]) if kinds[1:] == (...,) else _Items(kinds)
    if origin is not None and isinstance(origin, type):
        if issubclass(origin, Mapping) and not _is_typeddict(origin):
            return _Each(typing.get_args(kind)[-1])
        if _fields(origin) is None and not _is_typeddict(origin):
            return _Each(next(iter(typing.get_args(kind)), Any))
    if _is_typeddict(origin or kind):
        return _Fields(kind, {name: name for name in fields_of(origin or kind)}, dict)
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


def fields_of(kind: Any) -> dict[str, Any]:
    """The names of a class's fields, and what their types are said to be; empty for what has no fields."""
    if not isinstance(kind, type) or not (_is_typeddict(kind) or _fields(kind) is not None):
        return {}
    if hasattr(kind, "model_fields"):
        # pydantic has resolved names and type variables already.
        return {name: field.annotation for name, field in kind.model_fields.items()}
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
        own = inspect.get_annotations(kind)
    except (NameError, TypeError):
        # A name that cannot be resolved from here: such fields stay as JSON has them.
        return {}
    for base in reversed(vars(kind).get("__orig_bases__", kind.__bases__)):
        # A base may say what its variables stand for.
        inherited = _bound_hints(base)
        hints |= {name: inherited[name] for name in inherited if name in hints and name not in own}
    return hints


def _bound_hints(kind: Any) -> dict[str, Any]:
    """The types of the fields, with what stands for the type variables if `kind` is a generic class."""
    origin = typing.get_origin(kind)
    if origin is None:
        return fields_of(kind)
    bound = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(kind), strict=False))
    return {name: _bound(hint, bound) for name, hint in fields_of(origin).items()}


def _bound(hint: Any, bound: dict[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return bound.get(hint, hint)
    variables = getattr(hint, "__parameters__", ())
    if not variables or isinstance(hint, type):
        return hint
    return hint[tuple(bound.get(each, each) for each in variables)]


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


class _Items:
    """A list whose items each have a type of their own."""

    def __init__(self, kinds: tuple[Any, ...]) -> None:
        self._kinds = kinds
        self._known: dict[Key, Shape | None] = {}

    def inside(self, key: Key) -> Shape | None:
        if not isinstance(key, int) or key >= len(self._kinds):
            return None
        if key not in self._known:
            self._known[key] = _shape_of(self._kinds[key])
        return self._known[key]

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
        return _bound_hints(self._kind)

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
        given = {field.name for field in dataclasses.fields(kind) if field.init}
        names = {name: name for name in given.difference(_pydantic_fields(kind))}
        names |= {alias: name for alias, name in _pydantic_names(kind).items() if name in given}
        return names, partial(_make_dataclass, kind)
    return None


def _pydantic_fields(kind: Any) -> Mapping[str, Any]:
    """pydantic's own fields of a model or of a dataclass that it made; none of others."""
    found = kind.model_fields if hasattr(kind, "model_fields") else getattr(kind, "__pydantic_fields__", {})
    return cast("Mapping[str, Any]", found)


def _pydantic_names(kind: Any) -> dict[str, str]:
    config = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None) or {}
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    names = {}
    for name, field in _pydantic_fields(kind).items():
        alias = field.alias if field.validation_alias is None else field.validation_alias
        if alias is None or by_name:
            names[name] = name
        # Some of several names may be paths: what stands there is seen when the whole is validated.
        names |= {each: name for each in getattr(alias, "choices", [alias]) if isinstance(each, str)}
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
    return _made_empty(field.default_factory)


def _private(kind: Any) -> dict[str, Any] | None:
    """The private attributes that have a default; None for a model without private ones."""
    attributes = kind.__private_attributes__
    if not attributes:
        return None
    undefined = sys.modules["pydantic_core"].PydanticUndefined
    made = {}
    for name, each in attributes.items():
        if each.default_factory is not None:
            made[name] = _made_empty(each.default_factory)
        elif each.default is not undefined:
            # A copy of it.
            made[name] = each.get_default()
    return made


class _Structs:
    """Makes partial structs of one class."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    @cached_property
    def _made_of(self) -> Any:
        return _without_hook(self._kind)

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
        made = self._made_of(**missing, **values)
        if self._made_of is not self._kind:
            # Past the setter, which a frozen struct refuses.
            _CLASS.__set__(made, self._kind)
        return made


_CLASS: Any = vars(object)["__class__"]


class _NoHook(msgspec.Struct):
    """A base that comes before a user's class, and hides its hooks."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        pass

    def __post_init__(self) -> None:
        pass


# Each class's twin without hooks, for as long as there is a parser of it.
_twins: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def _without_hook(kind: Any) -> Any:
    """A struct class that can be made of parts: what users check after making one is for whole ones."""
    if not hasattr(kind, "__post_init__"):
        return kind
    known = _twins.get(kind)
    twin = None if known is None else known()
    if twin is None:
        twin = msgspec.defstruct(kind.__name__, [], bases=(_NoHook, kind), module=kind.__module__)
        _twins[kind] = weakref.ref(twin)
    return twin


def _make_dataclass(kind: Any, values: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    known = _pydantic_fields(kind)
    for field in dataclasses.fields(kind):
        name = field.name
        if name in values:
            value = values[name]
        elif name in known:
            value = _pydantic_default(known[name])
        else:
            value = _default(field, dataclasses.MISSING)
        object.__setattr__(made, name, value)
    return made


def _default(field: Any, none: Any) -> Any:
    return field.default if field.default is not none else _made_empty(field.default_factory)


def _made_empty(factory: Any) -> Any:
    # Other factories (a fresh id, the time) belong to whole objects.
    return factory() if factory in (list, dict, set) else None
