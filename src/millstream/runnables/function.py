"""Functions as steps: plain ones, generators, and those that return a runnable."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Literal, TypeVar, overload

from millstream.errors import CoercionError, RecursionLimitError
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, Single, Source
from millstream.kernel.stage import answer, answer_from_stream, open_stream
from millstream.runnables.runnable import Input, Other, Output, Runnable

In = TypeVar("In")
Kind = Literal["call", "acall", "each", "aeach"]

# Callables that compute and cannot block, so that they need no worker thread under async verbs.
_INSTANT = (operator.itemgetter, operator.attrgetter)


def kind_of(function: Any) -> Kind:
    """How a function is run: the host's verb for it."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function) and not isinstance(function, type) and callable(function):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return "aeach"
    if inspect.isgeneratorfunction(function):
        return "each"
    return "acall" if inspect.iscoroutinefunction(function) else "call"


def is_generator_function(thing: Any) -> bool:
    """Whether it is a function, method or callable object that yields."""
    return callable(thing) and kind_of(thing) in ("each", "aeach")


def _takes_config(function: Any) -> bool:
    try:
        return "config" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # builtins without a signature
        return False


class _UserFunction:
    """A user's function, and what the kernel must know to run it."""

    __slots__ = ("function", "instant", "kind", "takes_config")

    def __init__(self, function: Any) -> None:
        if not callable(function):
            raise CoercionError(f"A function is expected, not {function!r} ({type(function).__name__}).")
        self.function: Callable[..., Any] = function
        self.kind = kind_of(function)
        self.takes_config = _takes_config(function)
        self.instant = isinstance(function, _INSTANT)

    def keywords(self, scope: Scope, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The keywords to call it with: a `config` parameter is filled."""
        return {**kwargs, "config": scope.config} if self.takes_config else kwargs

    async def call(self, input: Any, scope: Scope, kwargs: dict[str, Any]) -> Any:
        """Its answer, if it is no generator."""
        if self.instant:
            return self.function(input)
        host = scope.here
        run = host.wait if self.kind == "acall" else host.call
        answer = await run(scope, self.function, input, **self.keywords(scope, kwargs))
        if inspect.iscoroutine(answer):
            # A plain function that hands on what an async one gives: `lambda x: model.ainvoke(x)`.
            return await host.wait(scope, _itself, answer)
        return answer

    def each(
        self, scope: Scope, kwargs: dict[str, Any], *arguments: Any, source: Source[Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """Its items, if it is a generator; with a source, it is called with an iterator that reads it."""
        host = scope.here
        function = functools.partial(self.function, *arguments, **self.keywords(scope, kwargs))
        return (host.aeach if self.kind == "aeach" else host.each)(scope, function, source)


def _itself(awaitable: Awaitable[Any]) -> Awaitable[Any]:
    return awaitable


class _Colours:
    """One or two functions that do the same thing, one for each colour of verb."""

    def __init__(self, sync: Any, asynchronous: Any = None) -> None:
        self.first = _UserFunction(sync)
        self.second = None if asynchronous is None else _UserFunction(asynchronous)

    def pick(self, scope: Scope) -> _UserFunction:
        """The one that suits the host: either runs under both, at the cost of a thread or a loop."""
        if self.second is None:
            return self.first
        return self.second if scope.here.is_async else self.first


def _function_name(function: Any) -> str | None:
    name = getattr(function, "__name__", None)
    return None if name in (None, "<lambda>") else str(name)


class RunnableLambda(Runnable[Input, Output]):
    """A function of the whole input. It waits for the end of an incoming stream, and answers once.

    A generator function among them takes the whole input too, and its items are streamed out. A function
    that returns a runnable has it run on the same input, at most `recursion_limit` (25) deep. A parameter
    named `config` is filled with the run's config. `afunc` is used under async verbs.
    """

    @overload
    def __init__(
        self, func: Callable[[Input], AsyncIterator[Output]], *, name: str | None = None
    ) -> None: ...
    @overload
    def __init__(self, func: Callable[[Input], Iterator[Output]], *, name: str | None = None) -> None: ...
    @overload
    def __init__(self, func: Callable[[Input], Awaitable[Output]], *, name: str | None = None) -> None: ...
    @overload
    def __init__(
        self,
        func: Callable[[Input], Output],
        afunc: Callable[[Input], Awaitable[Output]] | None = None,
        name: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        func: Callable[..., Any],
        afunc: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None: ...
    def __init__(self, func: Any, afunc: Any = None, name: str | None = None) -> None:
        self._functions = _Colours(func, afunc)
        self.name = name or _function_name(func)
        self.func = func
        self._may_block = not self._functions.first.instant  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"RunnableLambda({self.get_name()})"

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        function = self._functions.pick(scope)
        if function.kind in ("each", "aeach"):
            return await answer_from_stream(self, input, scope, kwargs)
        output = await function.call(input, scope, kwargs)
        if isinstance(output, Runnable):
            return await answer(output, input, _deeper(scope))
        return output

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with scope.reading(source) as items:
            input = await scope.gather(items)
            if input is NOTHING:
                return
            function = self._functions.pick(scope)
            if function.kind in ("each", "aeach"):
                stream = function.each(scope, kwargs, input)
            else:
                output = await function.call(input, scope, kwargs)
                if not isinstance(output, Runnable):
                    yield output
                    return
                stream = open_stream(output, Single(input), _deeper(scope), gives=scope.flow())
            async with scope.reading(stream) as outputs:
                async for item in outputs:
                    yield item


def _deeper(scope: Scope) -> Scope:
    """The scope for a runnable that a function returned: one step nearer to the recursion limit."""
    left = scope.settings.recursion_limit - 1
    if left < 0:
        raise RecursionLimitError(
            f"The function {scope.name!r} returned a runnable that returned one, and so on, deeper than "
            "recursion_limit. Raise it in the config, or let the recursion end."
        )
    inner = scope.branch(scope.cancellation)
    inner.settings = scope.settings.merged({"recursion_limit": left})
    return inner


class RunnableGenerator(Runnable[Input, Output]):
    """A generator function of the incoming stream: `def f(items)` or `async def f(items)`, which yields.

    It is given an iterator over the pieces that arrive, and what it yields is passed on at once.
    """

    def __init__(
        self,
        transform: Callable[..., Iterator[Any] | AsyncIterator[Any]],
        atransform: Callable[..., AsyncIterator[Any]] | None = None,
        name: str | None = None,
    ) -> None:
        for function in (transform, atransform):
            if function is not None and not is_generator_function(function):
                raise CoercionError(f"A generator function is expected, not {function!r}: it has no `yield`.")
        self._functions = _Colours(transform, atransform)
        self.name = name or _function_name(transform)

    def __repr__(self) -> str:
        return f"RunnableGenerator({self.get_name()})"

    def _transform(self, source: Source[Any], scope: Scope, /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        return self._functions.pick(scope).each(scope, kwargs, source=source)


@overload
def chain(func: Callable[[In], AsyncIterator[Other]]) -> Runnable[In, Other]: ...
@overload
def chain(func: Callable[[In], Iterator[Other]]) -> Runnable[In, Other]: ...
@overload
def chain(func: Callable[[In], Awaitable[Other]]) -> Runnable[In, Other]: ...
@overload
def chain(func: Callable[[In], Other]) -> Runnable[In, Other]: ...
def chain(func: Any) -> Any:
    """Decorator: a function that calls other runnables, as a runnable of its own with the function's name."""
    return RunnableLambda(func)
