"""JSON schemas as models are told them: in one piece, and without what says nothing."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

# Keywords whose value maps names to schemas, and those whose value is data.
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"default", "enum", "const", "examples", "required"})
_DEFINITIONS = ("$defs", "definitions")
_KINDS: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def tidied(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with its definitions in their places, but for those that hold themselves, without titles."""
    definitions = {name: each for key in _DEFINITIONS for name, each in schema.get(key, {}).items()}
    recursive = {name for name in definitions if name in _reached(name, definitions)}
    root = {key: value for key, value in schema.items() if key not in _DEFINITIONS}
    root = {**definitions.get(_target(root), {}), **{k: v for k, v in root.items() if k != "$ref"}}
    made: dict[str, Any] = _tidied(root, definitions, recursive)
    needed = {inner for name in _references(made) for inner in _reached(name, definitions)} & recursive
    if needed:
        made["$defs"] = {name: _tidied(definitions[name], definitions, recursive) for name in sorted(needed)}
    return made


def strict(schema: Any) -> Any:
    """The schema as OpenAI's strict mode wants it: objects with all their properties, and no others."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: value if key in _DATA else _each(value, strict) if key in _MAPS else strict(value)
        for key, value in schema.items()
    }
    if "properties" in made or "additionalProperties" in made:
        made["additionalProperties"] = False
        made["required"] = list(made.get("properties", ()))
    return made


def without(schema: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The schema of an object, without some of its properties."""
    made = dict(schema)
    if names:
        made["properties"] = {name: each for name, each in schema["properties"].items() if name not in names}
        made["required"] = [name for name in schema.get("required", ()) if name not in names]
        if not made["required"]:
            del made["required"]
    return made


def _tidied(node: Any, definitions: Mapping[str, Any], recursive: set[str]) -> Any:
    if isinstance(node, list):
        return [_tidied(each, definitions, recursive) for each in node]
    if not isinstance(node, dict):
        return node
    name = _target(node)
    if name in definitions and name not in recursive:
        # What stands beside a reference comes on top of it.
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _tidied({**definitions[name], **beside}, definitions, recursive)
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key in _MAPS:
            made[key] = {each: _tidied(inner, definitions, recursive) for each, inner in value.items()}
        elif key in _DATA:
            made[key] = value
        elif key == "$ref" and name in recursive:
            made[key] = f"#/$defs/{name}"
        elif key != "title" or not isinstance(value, str):
            made[key] = _tidied(value, definitions, recursive)
    for key, nothing in (("required", []), ("items", False)):
        if made.get(key, ...) == nothing:
            del made[key]
    kinds = {_KINDS.get(type(value)) for value in made.get("enum", ())}
    if "type" not in made and len(kinds) == 1 and None not in kinds:
        made["type"] = kinds.pop()
    return made


def _each(mapping: Mapping[str, Any], make: Any) -> dict[str, Any]:
    return {name: make(each) for name, each in mapping.items()}


def _target(node: Mapping[str, Any]) -> str:
    """The name of the definition that a schema refers to."""
    reference = node.get("$ref")
    return reference.rpartition("/")[2] if isinstance(reference, str) else ""


def _references(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema mentions, outside of its own definitions."""
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
    elif isinstance(node, dict):
        if _target(node):
            yield _target(node)
        for key, value in node.items():
            if key not in _DATA and key not in _DEFINITIONS:
                yield from _references(list(value.values()) if key in _MAPS else value)


def _reached(name: str, definitions: Mapping[str, Any]) -> set[str]:
    """The definitions that one leads to."""
    reached: set[str] = set()
    left = list(_references(definitions.get(name)))
    while left:
        name = left.pop()
        if name in definitions and name not in reached:
            reached.add(name)
            left += _references(definitions[name])
    return reached
