"""Answers of a given schema: the schema for the model, and the reader for its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from millstream.errors import ConfigError, OutputParserException
from millstream.kernel.scope import Scope
from millstream.kernel.sources import AddableDict, Source
from millstream.output_parsers import JsonOutputParser
from millstream.output_parsers.base import text_of
from millstream.runnables.runnable import Runnable


def schema_and_parser(schema: Any) -> tuple[dict[str, Any], JsonOutputParser[Any]]:
    """The JSON schema that a type or a dict stands for, and what reads an answer of it.

    A dict is a JSON schema, or the description of a function whose parameters are one. Raises `ConfigError`
    for anything that is no schema.
    """
    if schema is None:
        raise ConfigError("A schema is expected, not None.")
    if not isinstance(schema, Mapping):
        parser: JsonOutputParser[Any] = JsonOutputParser(target=schema)
        assert parser.target is not None
        return parser.target.json_schema(), parser
    found: Any = schema
    for key in ("function", "parameters", "schema"):
        found = found.get(key, found) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not _describes(found):
        keys = ", ".join(f"`{key}`" for key in sorted(_KEYWORDS))
        raise ConfigError(f"This dict is no JSON schema: it says what is valid by none of {keys}.")
    return dict(found), JsonOutputParser()


_KEYWORDS = frozenset({"type", "properties", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"})
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def _describes(schema: Mapping[str, Any]) -> bool:
    """Whether a dict is a JSON schema, and not an example of an answer: one may have a `type`, too."""
    kind = schema.get("type", [])
    kinds = [kind] if isinstance(kind, str) else kind
    is_known = isinstance(kinds, list) and all(each in _TYPES for each in kinds)
    return is_known and bool(_KEYWORDS & schema.keys())


class WithRaw(Runnable[Any, dict[str, Any]]):
    """A message, and what a parser makes of it: `raw`, `parsed` and `parsing_error`, which is not raised.

    In a stream the message's chunks and the values come as they come, each in a dict of its own.
    """

    _may_block = False

    def __init__(self, parser: JsonOutputParser[Any]) -> None:
        self._parser = parser

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> dict[str, Any]:
        try:
            parsed = self._parser.parse(text_of(input, self.get_name()))
        except OutputParserException as error:
            return {"raw": input, "parsed": None, "parsing_error": error}
        return {"raw": input, "parsed": parsed, "parsing_error": None}

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[AddableDict, None]:
        reader, fault = self._parser.reader(), None
        is_empty = True
        async with scope.reading(source) as items:
            async for item in items:
                is_empty = False
                yield AddableDict(raw=item)
                if fault is None:
                    try:
                        for parsed in reader.feed(text_of(item, self.get_name())):
                            yield _parsed(parsed)
                    except OutputParserException as error:
                        fault = error
        if is_empty:
            return
        if fault is None:
            try:
                for parsed in reader.finish():
                    yield _parsed(parsed)
            except OutputParserException as error:
                fault = error
        yield AddableDict(parsed=None, parsing_error=fault)


def _parsed(value: Any) -> AddableDict:
    return AddableDict.replacing([("parsed", value)], ["parsed"])
