"""Asking another runnable when one fails."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from millstream.errors import InputError
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, Single, Source
from millstream.kernel.stage import answer, open_stream
from millstream.runnables.coerce import coerce_to_runnable
from millstream.runnables.runnable import Input, Output, Runnable


class RunnableWithFallbacks(Runnable[Input, Output]):
    """Asks its runnables in turn until one does not fail; if all do, the first one's error is raised.

    A stream is handed to the next one only until its first item: what was delivered is never repeated.
    With `exception_key`, the next one finds the error under that key of its input, which then is a dict.
    """

    def __init__(
        self,
        runnable: Any,
        fallbacks: Sequence[Any],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> None:
        self.runnable = coerce_to_runnable(runnable)
        self.fallbacks = [coerce_to_runnable(fallback) for fallback in fallbacks]
        self.exceptions_to_handle = exceptions_to_handle
        self.exception_key = exception_key
        self._tells_events = any(each._tells_events for each in self.runnables)  # type: ignore[misc]

    @property
    def runnables(self) -> list[Runnable[Any, Any]]:
        """All of them, in the order they are asked."""
        return [self.runnable, *self.fallbacks]

    def bind_tools(self, tools: Any, **kwargs: Any) -> "RunnableWithFallbacks[Any, Any]":
        """As of chat models: each of them gets the tools."""
        return self._each(lambda model: model.bind_tools(tools, **kwargs))

    def with_structured_output(self, schema: Any, **kwargs: Any) -> "RunnableWithFallbacks[Any, Any]":
        """As of chat models: each is held to the schema in its own way."""
        return self._each(lambda model: model.with_structured_output(schema, **kwargs))

    def _each(self, change: Callable[[Any], Runnable[Any, Any]]) -> "RunnableWithFallbacks[Any, Any]":
        changed: RunnableWithFallbacks[Any, Any] = RunnableWithFallbacks(
            change(self.runnable),
            [change(fallback) for fallback in self.fallbacks],
            exceptions_to_handle=self.exceptions_to_handle,
            exception_key=self.exception_key,
        )
        changed.name = self.name
        return changed

    def _check(self, input: Any) -> None:
        if self.exception_key is not None and not isinstance(input, dict):
            raise InputError(
                f"With exception_key={self.exception_key!r} the input is a dict, not {type(input).__name__}."
            )

    def _with_error(self, input: Any, error: BaseException) -> Any:
        return input if self.exception_key is None else {**input, self.exception_key: error}

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        self._check(input)
        first: BaseException | None = None
        for runnable in self.runnables:
            try:
                return await answer(runnable, input, scope, kwargs=kwargs)
            except self.exceptions_to_handle as error:
                if scope.cancellation.reason is not None:
                    raise
                first = error if first is None else first
                input = self._with_error(input, error)
        assert first is not None
        raise first

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with scope.reading(source) as items:
            input = await scope.gather(items)
            if input is NOTHING:
                return
            self._check(input)
            first: BaseException | None = None
            flow = scope.flow()
            for runnable in self.runnables:
                begun = flow.replaces = False
                try:
                    async with scope.reading(
                        open_stream(runnable, Single(input), scope, kwargs=kwargs, gives=flow)
                    ) as outputs:
                        async for item in outputs:
                            begun = True
                            yield item
                    return
                except self.exceptions_to_handle as error:
                    if begun or scope.cancellation.reason is not None:
                        raise
                    first = error if first is None else first
                    input = self._with_error(input, error)
            assert first is not None
            raise first
