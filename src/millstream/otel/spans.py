"""The watcher that makes spans of runs.

A run's span is kept in its scope, and nowhere else: so it goes with the run, also one that is forgotten, and
threads and event loops share nothing. It stands there as something around a user's code (`Scope.around`), by
which it is the current span while that code runs, and only then: it is never left attached across a `yield`.

The parent is found by the scopes above. Only where a call was made inside a user's code, and that code had
opened a span of its own around the call, it is that one, which is below the run's.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Token
from time import perf_counter
from typing import Any

from opentelemetry import context as otel
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)

from millstream.errors import Cancelled, InputError, OutputParserException, ToolException
from millstream.kernel.scope import Scope
from millstream.kernel.stage import ENOUGH
from millstream.otel import attributes, content

#: What ends a run early and is no error of it: somebody did not want the rest.
_CANCELS = (GeneratorExit, Cancelled, asyncio.CancelledError, KeyboardInterrupt)

# The texts of these quote what a model or a user said, or are what a tool answers.
_QUOTING = (InputError, OutputParserException, ToolException)

# Under this name a context holds the span of the run whose user's code it belongs to.
_RUN = otel.create_key("millstream-run")


class _Traced:
    """A run that has a span."""

    __slots__ = ("_is_over", "began", "context", "owner", "span")

    def __init__(self, owner: "Spans", span: Span, context: otel.Context) -> None:
        self.owner = owner
        self.span = span
        #: What a user's code in the run finds.
        self.context = context
        self.began = perf_counter()
        self._is_over = False

    def enter(self) -> Token[otel.Context]:
        """See `Around`."""
        return otel.attach(self.context)

    def leave(self, entered: Token[otel.Context]) -> None:
        """See `Around`."""
        otel.detach(entered)

    def end(self) -> None:
        """End the span, once."""
        if not self._is_over:
            self._is_over = True
            self.span.end()

    def __del__(self) -> None:
        # A run that nobody could tell the end of: the event loop that it was in is gone, say.
        if not self._is_over:
            with suppress(Exception):
                self.span.set_attribute("millstream.cancelled", True)
                self.end()


class Spans:
    """Begins a span where a run starts, and ends it where the run ends: a watcher of the kernel's."""

    makes_stream = False

    def __init__(self, tracer_provider: TracerProvider | None, captures: bool) -> None:
        # Looked up and not imported: the package itself names all that is below it.
        version = sys.modules["millstream"].__version__
        self._tracer = get_tracer("millstream", version, tracer_provider)
        self._captures = captures

    def sees_items(self, scope: Scope) -> bool:
        """See `Watcher`: the first of a model's."""
        return scope.step._run_type in attributes.MODELS and self._recorded(scope) is not None

    async def started(self, scope: Scope, input: Any) -> None:
        """See `Watcher`."""
        step, parent = scope.step, self._parent(scope)
        span = self._tracer.start_span(
            attributes.span_name(step, scope.name),
            parent,
            SpanKind.CLIENT if step._run_type in _CLIENTS else SpanKind.INTERNAL,
            attributes.for_sampling(step),
        )
        if not span.get_span_context().is_valid:
            return  # there is no SDK
        context = otel.set_value(_RUN, span, set_span_in_context(span, parent))
        scope.around = (*scope.around, _Traced(self, span, context))
        if span.is_recording():
            span.set_attributes(attributes.of_run(scope, input))
            if self._captures:
                span.set_attributes(content.of_input(scope, input))

    def streamed(self, scope: Scope, item: Any) -> Any:
        """See `Watcher`."""
        if (traced := self._recorded(scope)) is not None:
            waited = perf_counter() - traced.began
            traced.span.set_attribute("gen_ai.request.stream", True)
            traced.span.set_attribute("gen_ai.response.time_to_first_chunk", waited)
            traced.span.add_event("millstream.first_token")
        return ENOUGH

    async def custom(self, scope: Scope, name: str, data: Any, *, may_await: bool) -> None:
        """See `Watcher`."""
        if (traced := self._recorded(scope)) is not None:
            said = {"millstream.event.data": content.as_json(data)} if self._captures else None
            traced.span.add_event(name, said)

    async def retried(self, scope: Scope, attempt: int, error: BaseException) -> None:
        """See `Watcher`."""
        if (traced := self._recorded(scope)) is not None:
            kind = attributes.error_type(error)
            traced.span.add_event(
                "millstream.retry", {"millstream.retry.attempt": attempt, "error.type": kind}
            )

    async def ended(self, scope: Scope, input: Any, output: Any) -> None:
        """See `Watcher`."""
        if (traced := self._recorded(scope)) is not None:
            traced.span.set_attributes(attributes.of_usage(scope.usage))
            traced.span.set_attributes(attributes.of_answer(scope, output))
            if self._captures:
                traced.span.set_attributes(content.of_output(scope, output))
        self._end(scope)

    async def failed(self, scope: Scope, input: Any, error: BaseException) -> None:
        """See `Watcher`."""
        if (traced := self._recorded(scope)) is not None:
            traced.span.set_attributes(attributes.of_usage(scope.usage))
            if isinstance(error, _CANCELS):
                traced.span.set_attribute("millstream.cancelled", True)
            else:
                self._record(traced.span, error)
        self._end(scope)

    def _record(self, span: Span, error: BaseException) -> None:
        kind = attributes.error_type(error)
        span.set_attribute("error.type", kind)
        if not self._captures and any(isinstance(each, _QUOTING) for each in _shown_with(error)):
            span.add_event("exception", {"exception.type": kind})
            span.set_status(Status(StatusCode.ERROR))
            return
        span.set_status(Status(StatusCode.ERROR))
        with suppress(Exception):  # its text is code of the user's, and must not hide the error itself
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, str(error)))

    def _end(self, scope: Scope) -> None:
        if (traced := self._traced(scope)) is not None:
            traced.end()

    def _recorded(self, scope: Scope) -> _Traced | None:
        """The run's span, if something can be written on it."""
        traced = self._traced(scope)
        return traced if traced is not None and traced.span.is_recording() else None

    def _traced(self, scope: Scope) -> _Traced | None:
        for each in scope.around:
            if type(each) is _Traced and each.owner is self:
                return each
        return None

    def _parent(self, scope: Scope) -> otel.Context:
        caller = otel.get_current() if scope.called_in is None else scope.called_in.run(otel.get_current)
        run: Scope | None = scope.parent
        while run is not None:
            above = self._traced(run)
            if above is not None:
                return caller if caller.get(_RUN) is above.span else above.context
            run = run.parent
        return caller


def _shown_with(error: BaseException) -> Iterator[BaseException]:
    """The errors whose texts its stack trace shows: its own, and those that led to it or are a part of it."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += (each.__cause__, None if each.__suppress_context__ else each.__context__)
        left += each.exceptions if isinstance(each, BaseExceptionGroup) else ()


_CLIENTS = attributes.MODELS | {"retriever"}
