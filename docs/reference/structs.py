"""What griffe cannot see in the source: how structs are made, and what classes take from hidden parents.

The reference is read from the source; nothing is imported. `msgspec.Struct` writes `__init__` when a class is
made, so it is written here again from the fields. And a few public classes share code through a class whose
name begins with an underscore; to readers, what stands there is the public class's own.

`mkdocs.yml` names this file, and the tests read the reference with it too.
"""

from collections.abc import Iterator
from typing import Any

from griffe import Alias, Attribute, Class, Extension, Function, Module, Parameter, ParameterKind, Parameters

# The labels that tell a reader something. Where an attribute is stored does not.
_TOLD = {"async", "classmethod", "staticmethod", "property"}

# What a field that is made when it is read (see `messages/fields.py`) is made as, by its annotation.
_MADE = {"list": "[]", "dict": "{}"}


class PublicClasses(Extension):
    """Gives structs their `__init__`, and public classes the members of their hidden parents."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Called once, when all of the package's source is read."""
        classes = list(_classes(pkg))
        # Looked up before anything is changed: a class that has lost its hidden parents has fewer.
        families = [
            (cls, [cls, *(parent for parent in cls.mro() if isinstance(parent, Class))]) for cls in classes
        ]
        for cls, family in families:
            if any("msgspec.Struct" in map(_path, parent.bases) for parent in family):
                cls.members.setdefault("__init__", _struct_init(cls, family))
        for cls, family in families:
            _take_from_hidden(cls, family)
        for cls in classes:
            cls.bases = [shown for base in cls.bases for shown in _shown(base, pkg)]
        for place in (*classes, *_modules(pkg)):
            for member in place.members.values():
                if not isinstance(member, Alias):
                    member.labels &= _TOLD


def _modules(place: Module) -> Iterator[Module]:
    yield place
    for member in place.members.values():
        if isinstance(member, Module):
            yield from _modules(member)


def _classes(pkg: Module) -> Iterator[Class]:
    for module in _modules(pkg):
        for member in module.members.values():
            if isinstance(member, Class):
                yield member


def _path(base: Any) -> str:
    return getattr(base, "canonical_path", str(base))


def _is_hidden(name: str) -> bool:
    return name.startswith("_") and name != "__init__"


def _struct_init(cls: Class, family: list[Class]) -> Function:
    found: dict[str, Parameter] = {}
    for parent in reversed(family):
        by_name = str(parent.keywords.get("kw_only")) == "True"
        kind = ParameterKind.keyword_only if by_name else ParameterKind.positional_or_keyword
        for field in parent.members.values():
            # A `ClassVar` is an attribute of the class only, and no field.
            if isinstance(field, Attribute) and field.annotation and "instance-attribute" in field.labels:
                if str(field.value) == "UNMADE":
                    field.value = _MADE[str(field.annotation).partition("[")[0]]
                found[field.name] = Parameter(
                    field.name, annotation=field.annotation, kind=kind, default=field.value
                )
    # By place first; the sort keeps the order of the fields otherwise.
    fields = sorted(found.values(), key=lambda field: field.kind is ParameterKind.keyword_only)
    itself = Parameter("self", kind=ParameterKind.positional_or_keyword)
    return Function("__init__", parent=cls, parameters=Parameters(itself, *fields))


def _take_from_hidden(cls: Class, family: list[Class]) -> None:
    told = {name for parent in family if not _is_hidden(parent.name) for name in parent.members}
    seen: set[str] = set()
    for parent in family:
        for name, member in parent.members.items() if _is_hidden(parent.name) else ():
            # The rest is in the reference already, at a parent that is not hidden.
            if name not in seen and (name == "__init__" or not (name in told or _is_hidden(name))):
                cls.set_member(name, Alias(name, member, lineno=member.lineno, parent=cls))
        seen.update(parent.members)


def _shown(base: Any, pkg: Module) -> list[Any]:
    """The base itself, or what stands behind a hidden one."""
    module, _, name = _path(base).rpartition(".")
    if not _is_hidden(name):
        return [base]
    behind = pkg.modules_collection[f"{module}.{name}"]
    return [shown for further in behind.bases for shown in _shown(further, pkg)]
