"""JSON as it grows: a model's answer as values, patches, path events or typed objects."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast, overload

import msgspec

from millstream.errors import ConfigError, JsonError, OutputParserException
from millstream.messages import AIMessageChunk
from millstream.output_parsers.base import BaseOutputParser, text_of
from millstream.schemas import Mismatch, Target
from millstream.wire.json_patch import operations
from millstream.wire.partial_json import MAX_DEPTH, MAX_DIGITS, JsonEvent, JsonScanner, Repair
from millstream.wire.snapshots import JsonSnapshots

T = TypeVar("T")
Made = TypeVar("Made")
_log = logging.getLogger("millstream")

_INSTRUCTIONS = "Answer with JSON and nothing else: no explanation, no code fence, no comments."
_SCHEMA_INSTRUCTIONS = """{instructions} The JSON has to be valid against this schema; answer \
with a value that it describes, and do not repeat the schema.

{schema}"""


class JsonOptions(TypedDict, total=False):
    """What all parsers of JSON take; `JsonOutputParser` explains them."""

    repair: bool | Callable[[Repair], object]
    allow_truncated: bool
    max_depth: int
    max_digits: int
    max_length: int | None
    name: str | None


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The options with their defaults."""

    repair: bool | Callable[[Repair], object] = False
    allow_truncated: bool = False
    max_depth: int = MAX_DEPTH
    max_digits: int = MAX_DIGITS
    max_length: int | None = None
    name: str | None = None


class JsonOutputParser(BaseOutputParser[T]):
    """Reads the JSON in a model's answer, and in a stream yields it as it grows.

    Each item of a stream is the value so far: a text appears as far as it has come, a number as far as it
    is one, a key with the beginning of its value. An item never changes after it was yielded. Prose and code
    fences around the JSON are passed over.

    `diff`: the stream yields lists of RFC 6902 operations instead, each from the state before.
    `events`: it yields a `JsonEvent` for each place that a piece of text has changed; their cost does not
    depend on how wide the value is. `invoke` gives the last one, which holds the whole value; but a chain's
    next step is streamed to under `invoke` too.
    `target`: a type (pydantic model, msgspec struct, dataclass, TypedDict, or a list or dict of such): the
    stream yields objects of it as they fill, fields that have not come holding their default or None, and as
    its last item, like `invoke`, one that was validated.
    `pydantic_object`: a type that `get_format_instructions` tells the model about; the values stay dicts.
    `repair`: what models write instead of JSON (see `JsonScanner`) is read as what it means. Each such place
    is logged as a warning of the logger `millstream`, or handed to `repair` if that is a function.
    `allow_truncated`: an answer that ends too early gives what there is, not validated, instead of an error.
    `max_depth`, `max_digits`, `max_length`: see `JsonScanner`.

    Raises `OutputParserException` with the text and the path at fault: where the text is no JSON, at its end
    if that comes too early or there was none, and where the value is not valid for `target`.
    """

    @overload
    def __init__(
        self: JsonOutputParser[Made], *, target: type[Made], **options: Unpack[JsonOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: JsonOutputParser[JsonEvent], *, events: Literal[True], **options: Unpack[JsonOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: JsonOutputParser[Any],
        *,
        pydantic_object: Any = None,
        diff: bool = False,
        events: bool = False,
        target: Any = None,
        **options: Unpack[JsonOptions],
    ) -> None: ...
    def __init__(
        self,
        *,
        pydantic_object: Any = None,
        diff: bool = False,
        events: bool = False,
        target: Any = None,
        **options: Unpack[JsonOptions],
    ) -> None:
        if diff + events + (target is not None) > 1:
            raise ConfigError("diff, events and target each say what the stream yields: give one of them.")
        self.pydantic_object = pydantic_object
        self.diff = diff
        self.events = events
        self.target: Target[Any] | None = None if target is None else Target(target)
        self._tells_events = events  # type: ignore[misc]
        self._settings = _Settings(**options)
        self.name = self._settings.name

    def parse(self, text: str) -> T:
        """The value that a whole answer holds."""
        reader = self.reader()
        items = [*reader.feed(text), *reader.finish()]
        # Where a stream's items are steps towards the value, and none of them is the value itself.
        return cast(T, reader.value() if self.diff or not items else items[-1])

    async def _transform(self, source: Any, scope: Any, /, **kwargs: Any) -> AsyncGenerator[T, None]:
        # Each value replaces the one before, where the stream is gathered; events and patches do not.
        scope.flow().replaces = not (self.events or self.diff)
        reader = None
        async with scope.reading(source) as items:
            async for item in items:
                if reader is None:
                    reader = self.reader()
                content = item.content if type(item) is AIMessageChunk else item
                text = content if type(content) is str else text_of(item, self.get_name())
                if text:
                    for read in reader.feed(text):
                        yield read
        if reader is not None:
            for read in reader.finish():
                yield read

    def get_format_instructions(self) -> str:
        """What to tell the model: to answer with JSON, and of which schema."""
        if self.target is None and self.pydantic_object is None:
            return _INSTRUCTIONS
        target = self.target or Target(self.pydantic_object)
        schema = msgspec.json.encode(target.json_schema()).decode()
        return _SCHEMA_INSTRUCTIONS.format(instructions=_INSTRUCTIONS, schema=schema)

    def reader(self) -> Reader:
        """A reader of one answer: `feed` it each piece, then `finish`."""
        if self.events:
            return _Events(self._settings)
        if self.target is not None:
            return _Typed(self._settings, self.target)
        return (_Patches if self.diff else _Values)(self._settings)


class PydanticOutputParser(JsonOutputParser[T]):
    """Reads the JSON in a model's answer as a pydantic model. Short for `JsonOutputParser(target=...)`."""

    def __init__(self, pydantic_object: type[T], **options: Unpack[JsonOptions]) -> None:
        if pydantic_object is None:
            raise ConfigError("PydanticOutputParser needs a type, as in: pydantic_object=Country")
        super().__init__(target=pydantic_object, **options)
        self.pydantic_object = pydantic_object


def _warn(repair: Repair) -> None:
    _log.warning(
        "Read as JSON what is none: %s at %s (character %d).", repair.habit, repair.path, repair.position
    )


class Reader:
    """One answer: the items that its pieces give, and the errors as parsers raise them."""

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self._scanner = JsonScanner(
            repair=bool(settings.repair),
            max_depth=settings.max_depth,
            max_digits=settings.max_digits,
            max_length=settings.max_length,
        )
        self._report = settings.repair if callable(settings.repair) else _warn
        self._reported = 0
        self._texts: list[str] = []

    def feed(self, text: str) -> Iterable[Any]:
        """What this piece gives: the items that a stream would yield."""
        self._texts.append(text)
        try:
            events = self._scanner.feed(text)
        except JsonError as error:
            return self._up_to(error)
        if len(self._scanner.repairs) > self._reported:
            self._report_repairs()
        return self.items(events, last=False)

    def finish(self) -> Iterable[Any]:
        """What the end of the text gives. Raises `OutputParserException` if it comes too early."""
        try:
            events = self._scanner.finish()
        except JsonError as error:
            return self._up_to(error)
        self._report_repairs()
        return self.items(events, last=True)

    def items(self, events: list[JsonEvent], *, last: bool) -> Iterable[Any]:
        """What these events give out. Nothing comes after the `last` ones."""
        raise NotImplementedError

    def value(self) -> Any:
        """What was read so far, as one value."""
        raise NotImplementedError

    def _up_to(self, fault: JsonError) -> Iterator[Any]:
        # What came before the fault is given out before it is told.
        self._report_repairs()
        yield from self.items(self._scanner.events, last=True)
        is_cut = fault.truncated and self._scanner.open
        if not (is_cut and self._settings.allow_truncated):
            raise OutputParserException(str(fault), llm_output=self.text(), path=fault.path) from fault

    def _report_repairs(self) -> None:
        repairs = self._scanner.repairs
        while self._reported < len(repairs):
            self._reported += 1
            self._report(repairs[self._reported - 1])

    def text(self) -> str:
        """All that was read."""
        return "".join(self._texts)


class _Events(Reader):
    """The path events themselves."""

    def items(self, events: list[JsonEvent], *, last: bool) -> Iterable[Any]:
        return events

    def value(self) -> Any:
        return None


class _Values(Reader):
    """The value so far, whenever it has changed."""

    def __init__(self, settings: _Settings) -> None:
        super().__init__(settings)
        self._snapshots = JsonSnapshots()

    def items(self, events: list[JsonEvent], *, last: bool) -> Iterable[Any]:
        return [self._snapshots.value()] if self._snapshots.take(events, last=last) else []

    def value(self) -> Any:
        return self._snapshots.value()


class _Patches(_Values):
    """The operations that lead from each value to the next."""

    # Where a long text has grown that was not shown anew.
    _held: Sequence[JsonEvent] = ()

    def items(self, events: list[JsonEvent], *, last: bool) -> Iterable[Any]:
        told = [*self._held, *events]
        before = [self._snapshots.at(event.path) for event in told]
        if not self._snapshots.take(events, last=last):
            self._held = events[-1:] or self._held
            return []
        self._held = ()
        found = operations(told, before, self._snapshots)
        return [found] if found else []


class _Typed(Reader):
    """Objects of a type as they fill, and the validated one as soon as its last character has come."""

    def __init__(self, settings: _Settings, target: Target[Any]) -> None:
        super().__init__(settings)
        self._target = target
        self._snapshots = JsonSnapshots(target.shape)

    def items(self, events: list[JsonEvent], *, last: bool) -> Iterable[Any]:
        changed = self._snapshots.take(events, last=last)
        end = events[-1] if events else None
        if end is not None and end.complete and not end.path:
            return [self._validated(end.value)]
        return [self._snapshots.value()] if changed else []

    def value(self) -> Any:
        return self._snapshots.value()

    def _validated(self, value: Any) -> Any:
        try:
            return self._target.validated(value, self.text())
        except Mismatch as error:
            said = f"The answer is no {self._target.name}: {error}"
            raise OutputParserException(said, llm_output=self.text(), path=error.path) from error.__cause__
