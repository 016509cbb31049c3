"""Answers of a given schema: how a model is held to it, and the readers for its answers."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any, Literal

from millstream.errors import ConfigError, InputError, OutputParserException
from millstream.kernel.scope import Scope
from millstream.kernel.sources import AddableDict, Source
from millstream.messages import AIMessage, AIMessageChunk, ToolCallChunk
from millstream.messages.merge_calls import GatheredCalls
from millstream.output_parsers import BaseOutputParser, JsonOutputParser
from millstream.output_parsers.base import text_of
from millstream.output_parsers.json import Reader
from millstream.runnables.runnable import Runnable
from millstream.tools.json_schema import tidied

Method = Literal["json_schema", "function_calling", "json_mode"]
"""A way to hold a model to a schema: see `with_structured_output`."""

Ways = Mapping[Method, dict[str, Any]]
"""The keywords of a call for each way that a model knows, the preferred way first."""


def schema_and_parser(schema: Any) -> tuple[dict[str, Any], JsonOutputParser[Any]]:
    """The JSON schema that a type or a dict stands for, and what reads an answer of it.

    The schema of a type is in one piece, as servers want it, with the type's name as its `title`. A dict is
    a JSON schema, or the description of a function whose parameters are one, whose name and description the
    schema gets then. Raises `ConfigError` for anything that is no schema.
    """
    if schema is None:
        raise ConfigError("A schema is expected, not None.")
    if not isinstance(schema, Mapping):
        parser: JsonOutputParser[Any] = JsonOutputParser(target=schema)
        assert parser.target is not None
        named = {"title": parser.target.name} if isinstance(schema, type) else {}
        return named | tidied(parser.target.json_schema()), parser
    told: dict[str, Any] = {}
    found: Any = schema
    for key in ("function", "parameters", "schema"):
        if isinstance(found, Mapping) and key in found:
            # What stands beside the schema says what it is called.
            names = {"title": found.get("name"), "description": found.get("description")}
            told |= {name: text for name, text in names.items() if isinstance(text, str)}
            found = found[key]
    if not isinstance(found, Mapping) or not _describes(found):
        keys = ", ".join(f"`{key}`" for key in sorted(_KEYWORDS))
        raise ConfigError(f"This dict is no JSON schema: it says what is valid by none of {keys}.")
    return dict(found) | told, JsonOutputParser()


_KEYWORDS = frozenset({"type", "properties", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"})
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def _describes(schema: Mapping[str, Any]) -> bool:
    """Whether a dict is a JSON schema, and not an example of an answer: one may have a `type`, too."""
    kind = schema.get("type", [])
    kinds = [kind] if isinstance(kind, str) else kind
    is_known = isinstance(kinds, list) and all(each in _TYPES for each in kinds)
    return is_known and bool(_KEYWORDS & schema.keys())


def answer_tool(json_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that make a model answer by the one call of a tool with arguments of this schema."""
    kept = {key: value for key, value in json_schema.items() if key not in ("title", "description")}
    function = {"name": _tool_name(json_schema), "parameters": kept}
    if "description" in json_schema:
        function["description"] = json_schema["description"]
    tool = {"type": "function", "function": function}
    return {"tools": [tool], "tool_choice": function["name"], "parallel_tool_calls": False}


def _tool_name(json_schema: Mapping[str, Any]) -> str:
    # Servers want a name of these characters.
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(json_schema.get("title") or ""))[:64] or "answer"


def chosen_way(ways: Ways, method: Method | None, model: str) -> Method:
    """The method that was asked for, or the preferred one. Raises `ConfigError` if the model has none."""
    if not ways:
        raise ConfigError(
            f"{model} cannot be told to answer with JSON of a schema. Ask for it in the prompt "
            "(`parser.get_format_instructions()`), and put a `JsonOutputParser` behind the model."
        )
    if method is None:
        return next(iter(ways))
    if method not in ways:
        raise ConfigError(f"{model} knows no method {method!r}. It knows: {', '.join(ways)}.")
    return method


def reader_of(
    method: Method, json_schema: Mapping[str, Any], parser: JsonOutputParser[Any], *, include_raw: bool
) -> Runnable[Any, Any]:
    """The step that reads the answers of a model that is held to a schema by this method."""
    if method != "function_calling":
        return WithRaw(parser, lambda: Texts(parser.get_name())) if include_raw else parser
    if json_schema.get("type", "object") != "object":
        # A tool takes arguments by name.
        raise ConfigError(
            f"The arguments of a tool are an object, and not of type {json_schema['type']!r}. Put the schema "
            'into a field of one, or take method="json_schema".'
        )
    name = _tool_name(json_schema)
    if include_raw:
        return WithRaw(parser, lambda: Arguments(name))
    return CallParser(parser, lambda: Arguments(name))


class Texts:
    """Where the JSON of an answer stands: in its text."""

    def __init__(self, reader: str) -> None:
        self._reader = reader

    def feed(self, message: Any) -> str:
        """The JSON in a message, or in a piece of one."""
        return text_of(message, self._reader)

    def finish(self) -> str:
        """What the end of the answer adds."""
        return ""


class Arguments:
    """Where the JSON of an answer stands: in the arguments of its first tool call.

    Raises `OutputParserException` at the end of an answer without any.
    """

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._calls = GatheredCalls()
        self._words: list[str] = []

    def feed(self, message: Any) -> str:
        """The JSON in a message, or in a piece of one."""
        if not isinstance(message, AIMessage):
            raise InputError(f"A model's answer is expected, not {type(message).__name__}.")
        self._words.append(message.text)
        ours = [each.args or "" for each in _fragments(message) if self._is_first(each)]
        return "".join(ours)

    def finish(self) -> str:
        """What the end of the answer adds."""
        if self._calls.calls:
            # No arguments at all are an empty object.
            return "" if any(self._calls.calls[0].args) else "{}"
        words = "".join(self._words)
        said = "answered in words" if words.strip() else "said nothing"
        raise OutputParserException(
            f"The model {said}, and did not call the tool {self._tool!r}.", llm_output=words
        )

    def _is_first(self, fragment: ToolCallChunk) -> bool:
        call = self._calls.add(fragment)
        return call is not None and call.position == 0


def _fragments(message: AIMessage) -> list[ToolCallChunk]:
    if isinstance(message, AIMessageChunk):
        return message.tool_call_chunks
    # The calls of a whole answer as the fragments that they could have come in.
    return AIMessageChunk(
        "", tool_calls=message.tool_calls, invalid_tool_calls=message.invalid_tool_calls
    ).tool_call_chunks


Place = Callable[[], "Texts | Arguments"]


class _Answer:
    """One answer while it comes: where its JSON stands, and what reads it."""

    def __init__(self, parser: JsonOutputParser[Any], place: Texts | Arguments) -> None:
        self._reader: Reader = parser.reader()
        self._place = place

    def feed(self, message: Any) -> Iterable[Any]:
        """The values that a piece gives."""
        text = self._place.feed(message)
        return self._reader.feed(text) if text else ()

    def finish(self) -> Iterable[Any]:
        """The values that the end gives. Raises `OutputParserException` if it is none."""
        if rest := self._place.finish():
            yield from self._reader.feed(rest)
        yield from self._reader.finish()

    def whole(self, message: Any) -> Any:
        """The value of a whole answer."""
        items = [*self.feed(message), *self.finish()]
        return items[-1] if items else self._reader.value()


class CallParser(BaseOutputParser[Any]):
    """Reads the arguments of a message's first tool call as a `JsonOutputParser` reads a text."""

    def __init__(self, parser: JsonOutputParser[Any], place: Place) -> None:
        self._parser = parser
        self._place = place

    def parse(self, text: str) -> Any:
        """The value of arguments that are given as text."""
        return self._parser.parse(text)

    async def _answer(self, input: Any, scope: Any, /, **kwargs: Any) -> Any:
        return _Answer(self._parser, self._place()).whole(input)

    async def _transform(self, source: Any, scope: Any, /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        # Each value replaces the one before, where the stream is gathered.
        scope.flow().replaces = True
        answer = None
        async with scope.reading(source) as items:
            async for item in items:
                if answer is None:
                    answer = _Answer(self._parser, self._place())
                for read in answer.feed(item):
                    yield read
        if answer is not None:
            for read in answer.finish():
                yield read


class WithRaw(Runnable[Any, dict[str, Any]]):
    """A message, and what a parser makes of it: `raw`, `parsed` and `parsing_error`, which is not raised.

    In a stream the message's chunks and the values come as they come, each in a dict of its own.
    """

    _may_block = False

    def __init__(self, parser: JsonOutputParser[Any], place: Place) -> None:
        self._parser = parser
        self._place = place

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> dict[str, Any]:
        try:
            parsed = _Answer(self._parser, self._place()).whole(input)
        except OutputParserException as error:
            return {"raw": input, "parsed": None, "parsing_error": error}
        return {"raw": input, "parsed": parsed, "parsing_error": None}

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[AddableDict, None]:
        answer, fault = _Answer(self._parser, self._place()), None
        is_empty = True
        async with scope.reading(source) as items:
            async for item in items:
                is_empty = False
                yield AddableDict(raw=item)
                if fault is None:
                    try:
                        for parsed in answer.feed(item):
                            yield _parsed(parsed)
                    except OutputParserException as error:
                        fault = error
        if is_empty:
            return
        if fault is None:
            try:
                for parsed in answer.finish():
                    yield _parsed(parsed)
            except OutputParserException as error:
                fault = error
        yield AddableDict(parsed=None, parsing_error=fault)


def _parsed(value: Any) -> AddableDict:
    return AddableDict.replacing([("parsed", value)], ["parsed"])
