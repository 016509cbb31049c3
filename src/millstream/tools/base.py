"""What a tool is: a step that a model may call.

It reads a call's arguments, runs a function of the user's in either colour, and answers with the result, or,
if a `ToolCall` asked, with a `ToolMessage`. A generator's pieces go out as they come, and the answer behind
them; all of that is written once, in `_steps`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from millstream.errors import ConfigError, ToolException, ToolInputError
from millstream.kernel.scope import Scope, watchers_of
from millstream.kernel.sources import NOTHING, Source, gathered, merge
from millstream.messages import ToolCall
from millstream.messages.calls import is_tool_call
from millstream.runnables.fields import fill
from millstream.runnables.function import _UserFunction, kind_of
from millstream.runnables.runnable import Runnable, own_watchers
from millstream.tools.arguments import Arguments, of_function
from millstream.tools.calls import Status, answered, given_by, named
from millstream.tools.injected import Parameters

ToolInput = str | Mapping[str, Any] | ToolCall
Handled = bool | str | Callable[[Any], Any] | None


class BaseTool(Runnable[ToolInput, Any]):
    """A function with a name, a description and a schema, for a model to call.

    Write a class with `name`, `description` and `_run`, `_arun` or both: `def` or `async def`, with `yield`
    or without. Or make one of a function with `tool`. The arguments are those of `_run`, or the fields of
    `args_schema`. Any of these attributes, and annotated ones of your class, can be given as keywords when it
    is made.

    The input is a dict of arguments, a text if there is only one argument, or a model's `ToolCall`. A call is
    answered with a `ToolMessage`, anything else with the result itself. Further keywords, as `bind` gives
    them, are arguments that replace those of the input.
    """

    _run_type = "tool"
    _own_watchers = own_watchers

    name: str = ""  # pyright: ignore[reportIncompatibleVariableOverride]
    """What models call it by."""
    description: str = ""
    """What it does, for the model to know when to call it."""
    args_schema: Any = None
    """A class whose fields are the arguments (pydantic, dataclass, TypedDict, msgspec), or a JSON schema."""
    return_direct: bool = False
    """Whether its answer is meant for the user as it is: for the program that calls it to decide by."""
    handle_tool_error: Handled = False
    """What a `ToolException` becomes: raised, or answered with its text (True), a text, or a function's."""
    handle_validation_error: Handled = False
    """The same for arguments that are wrong, a `ToolInputError`."""
    response_format: Literal["content", "content_and_artifact"] = "content"
    """Whether it returns `(content, artifact)`: the artifact is for the program, and no model sees it."""
    tags: list[str] | None = None
    """Tags of its own runs."""
    metadata: dict[str, Any] | None = None
    """Metadata of its own runs."""
    callbacks: Sequence[Any] | None = None
    """Handlers that are told of its own runs."""

    _run: Any = None
    _arun: Any = None

    _held: Arguments | None = None
    _held_functions: tuple[_Function, ...] = ()

    def __init__(self, **fields: Any) -> None:
        fill(self, BaseTool, fields)
        if not self.name:
            raise ConfigError(f"A tool needs a name: {type(self).__name__}(name=...), or in the class.")
        if any(each is not None for each in self._written()):
            self._functions()  # which may be at fault
        # One that yields streams its output to those who watch; any other has no output but its answer.
        yields = any(kind_of(each) in ("each", "aeach") for each in self._written() if each is not None)
        self._transforms = self._takes_whole = yields  # type: ignore[misc]
        self._own_tags = list(self.tags or ())
        self._own_metadata = dict(self.metadata or {})
        watchers_of(self.callbacks or ())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    # --- what a model is told -------------------------------------------------------------------------

    @property
    def args(self) -> dict[str, Any]:
        """The JSON schemas of the arguments, by name."""
        properties: dict[str, Any] = self._arguments().json_schema.get("properties", {})
        return properties

    @property
    def tool_call_schema(self) -> dict[str, Any]:
        """The JSON schema of a call: the arguments, with the tool's name and description."""
        schema = self._arguments().json_schema
        return {**schema, "title": self.name, "description": self.description}

    def _arguments(self) -> Arguments:
        held = self._held
        if held is None or (self.args_schema is not None and self.args_schema is not held.kind):
            if self.args_schema is None:
                held = of_function(self.name, self._functions()[0].written)
            else:
                held = Arguments(self.args_schema)
            self._held = held
        return held

    def _shown_input(self, input: Any) -> Any:
        shown = input.get("args") if is_tool_call(input) else input
        if not isinstance(shown, Mapping):
            return shown
        # What the program gives may be a key, or a connection.
        unseen = {name for each in self._functions() for name in each.parameters.given_names}
        unseen.update(self._arguments().given_names)
        return {name: value for name, value in shown.items() if name not in unseen} if unseen else shown

    # --- how it runs ----------------------------------------------------------------------------------

    def _written(self) -> tuple[Any, Any]:
        """The functions of both colours, or None."""
        return self._run, self._arun

    def _functions(self) -> tuple[_Function, ...]:
        written = tuple(each for each in self._written() if each is not None)
        if not written:
            raise ConfigError(f"{type(self).__name__} has no function to run: write _run or _arun.")
        if tuple(each.written for each in self._held_functions) != written:
            self._held_functions = tuple(_Function(each) for each in written)
        return self._held_functions

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        async with scope.reading(self._steps(input, scope, kwargs)) as steps:
            async for step in steps:
                if type(step) is _Answer:
                    return step.value
        return None

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with scope.reading(source) as items:
            input = await scope.gather(items)
            if input is NOTHING:
                return
            piece: Any = None
            async with scope.reading(self._steps(input, scope, kwargs)) as steps:
                async for step in steps:
                    if type(step) is not _Answer:
                        piece = step
                        yield step
                    elif not step.is_told:
                        scope.gives_whole = True
                        yield _replacing(step.value, piece)

    async def _steps(self, input: Any, scope: Scope, kwargs: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """The pieces of a generator's output as they come, and the `_Answer`."""
        function = self._functions()[-1 if scope.here.is_async else 0]
        is_call = is_tool_call(input)
        try:
            keywords = {**self._read(input, kwargs, function.parameters), **function.parameters.made(scope)}
        except ToolInputError as error:
            content = await self._told(error, self.handle_validation_error, scope)
            yield _Answer(answered(input, self.name, content, status="error"))
            return
        pieces: list[Any] = []
        result: Any = NOTHING
        artifact = None
        status: Status = "success"
        try:
            if function.yields:
                returned: list[Any] = []
                async with scope.reading(function.each(scope, {}, keywords, returned)) as items:
                    async for item in items:
                        gathered(pieces, item)
                        yield item
                result = returned[0] if returned else NOTHING
            else:
                result = await function.call(keywords, scope, {})
            content = result if result is not NOTHING else merge(pieces) if pieces else None
        except ToolException as error:
            result = content = await self._told(error, self.handle_tool_error, scope)
            status = "error"
        else:
            if self.response_format == "content_and_artifact":
                result = content, artifact = self._parted(content)
        is_told = result is NOTHING and not is_call
        yield _Answer(answered(input, self.name, content, artifact, status), is_told)

    def _read(self, input: Any, kwargs: Mapping[str, Any], parameters: Parameters) -> dict[str, Any]:
        arguments = self._arguments()
        given = given_by(input, self.name)
        if isinstance(given, str):
            names = [name for name in arguments.names if name not in kwargs]
            required = [name for name in arguments.required if name not in kwargs]
            given = named(given, names, required, self.name)
        given = {**given, **kwargs}
        unseen = parameters.hidden.difference(arguments.names, arguments.given_names)
        seen = {name: value for name, value in given.items() if name not in unseen}
        return {**parameters.given(given, self.name), **arguments.read(seen, self.name)}

    def _parted(self, result: Any) -> tuple[Any, Any]:
        if not isinstance(result, tuple) or len(result) != 2:
            raise ConfigError(
                f"The tool {self.name!r} has response_format='content_and_artifact': it has to return "
                f"(content, artifact), and not {type(result).__name__}."
            )
        return result

    async def _told(self, error: Exception, handle: Handled, scope: Scope) -> Any:
        """What is answered instead of an error; raises it if it is not to be handled."""
        if handle is None or handle is False:
            raise error
        if handle is True:
            return str(error) or "The tool failed."
        return handle if isinstance(handle, str) else await _UserFunction(handle).call(error, scope, {})


class _Answer:
    """The end of a tool's steps. `is_told`: the pieces before it said the same."""

    __slots__ = ("is_told", "value")

    def __init__(self, value: Any, is_told: bool = False) -> None:
        self.value = value
        self.is_told = is_told


class _Function(_UserFunction):
    """A function that a tool runs: called with a dict of keywords, and for a generator with a second list."""

    __slots__ = ("parameters", "written", "yields")

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self.written = function
        self.parameters = Parameters(function)
        self.yields = self.kind in ("each", "aeach")
        self.takes_config = False  # it is among the parameters
        self.function = partial(_noting if self.kind == "each" else _spread, function)


def _spread(function: Any, keywords: dict[str, Any], returned: Any = None) -> Any:
    return function(**keywords)


def _noting(function: Any, keywords: dict[str, Any], returned: list[Any]) -> Generator[Any, None, None]:
    """What a generator yields. What it returns at its end is put into `returned`."""
    value = yield from function(**keywords)
    if value is not None:
        returned.append(value)


class _Text(str):
    """A text that, in a stream, stands for all that came before it instead of being added."""

    __slots__ = ()

    def __radd__(self, before: Any) -> str:
        return str(self)


class _List(list[Any]):
    """The same for a list."""

    __slots__ = ()

    def __radd__(self, before: Any) -> list[Any]:
        return list(self)


def _replacing(value: Any, piece: Any) -> Any:
    """The value of a stream whose last piece was `piece`, so that it is not added to the pieces."""
    if type(value) is str and isinstance(piece, str):
        return _Text(value)
    return _List(value) if type(value) is list and isinstance(piece, list) else value
