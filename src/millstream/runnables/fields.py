"""Attributes of a class that are given as keywords, as whoever wrote classes for pydantic is used to.

A subclass of a tool or a retriever lists what it holds, with types: `docs: list[Document]`, `k: int = 3`.
Each object gets values of its own, and copies of the defaults.
"""

import copy
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from millstream.errors import ConfigError

_NONE = object()


def fill(thing: Any, base: type, given: Mapping[str, Any]) -> None:
    """Set the attributes that the class of `thing`, or one up to `base`, has with a type.

    Raises `ConfigError` for a keyword that is none of them, and for one that is not given and has no default.
    A class with an `__init__` of its own may set that one later.
    """
    kind = type(thing)
    known = set(_annotated(kind, base))
    unknown = sorted(given.keys() - known)
    if unknown:
        raise ConfigError(f"{kind.__name__} has no {', '.join(unknown)}. It has: {', '.join(sorted(known))}.")
    for name in {*known, *_described(kind, base)}:
        value = given[name] if name in given else _default(getattr(kind, name, _NONE))
        if value is not _NONE:
            setattr(thing, name, value)
    missing = sorted(name for name in known if not _is_value(getattr(thing, name, _NONE)))
    if missing and kind.__init__ is base.__init__:  # type: ignore[misc]
        raise ConfigError(
            f"{kind.__name__} needs {', '.join(missing)}: give it as a keyword, or a default in the class."
        )


def _classes(kind: type, base: type) -> Iterator[type]:
    return (each for each in kind.__mro__ if issubclass(each, base))


def _annotated(kind: type, base: type) -> Iterator[str]:
    for each in _classes(kind, base):
        for name, hint in inspect.get_annotations(each).items():
            if not name.startswith("_") and "ClassVar" not in str(hint):
                yield name


def _described(kind: type, base: type) -> Iterator[str]:
    """The names of private attributes that pydantic's `PrivateAttr` describes."""
    for each in _classes(kind, base):
        yield from (name for name, value in vars(each).items() if _is_pydantic(value))


def _default(value: Any) -> Any:
    """What an object gets for the value in its class; `_NONE` if it finds the right one there."""
    if isinstance(value, (list, dict, set)):
        return copy.copy(value)  # and not of what is in it: a handler is that handler
    if not _is_pydantic(value):
        return _NONE
    if value.default_factory is not None:
        return value.default_factory()
    if type(value.default).__name__ == "PydanticUndefinedType":
        return _NONE
    return copy.deepcopy(value.default)


def _is_value(value: Any) -> bool:
    return value is not _NONE and not _is_pydantic(value)


def _is_pydantic(value: Any) -> bool:
    """Whether it is a `Field` or a `PrivateAttr`, which stand for the default."""
    kind = type(value)
    return kind.__name__ in ("FieldInfo", "ModelPrivateAttr") and kind.__module__.startswith("pydantic.")
