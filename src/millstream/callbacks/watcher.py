"""The watcher that tells a handler: the kernel's side of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from millstream.callbacks.calls import Call, end_of, error_of, id_of, start_of, token_of
from millstream.callbacks.retry_state import Outcome, RetryState
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING
from millstream.kernel.telling import report, tell

if TYPE_CHECKING:
    from millstream.callbacks.handlers import BaseCallbackHandler


class _Told:
    """A run that the handler was told of: what all calls share, and the scope that they are made in."""

    __slots__ = ("__weakref__", "aside", "inside", "is_late", "parent", "shared")

    def __init__(self, scope: Scope, parent: _Told | None = None, *, is_late: bool = False) -> None:
        self.aside = scope.aside()
        self.parent = parent
        #: The runs inside it that were told of, and are not over.
        self.inside: WeakKeyDictionary[Scope, _Told] = WeakKeyDictionary()
        self.shared: dict[str, Any] = {
            "run_id": id_of(scope),
            "parent_run_id": id_of(scope.parent),
            "tags": scope.tags,
        }
        #: Whether the input was still on its way when the run began.
        self.is_late = is_late


class HandlerWatcher:
    """Tells one handler of runs: a watcher of the kernel's.

    A handler's method runs aside of the run: what it calls itself nests there, and nobody is told of that.
    """

    makes_stream = False

    def __init__(self, handler: BaseCallbackHandler) -> None:
        self.handler = handler
        # A run whose end nobody can tell, since its event loop is gone, is forgotten with its scope.
        self._runs: WeakKeyDictionary[Scope, _Told] = WeakKeyDictionary()
        self._by_id: WeakValueDictionary[str, _Told] = WeakValueDictionary()
        #: The methods that have raised, and were reported.
        self._reported: set[str] = set()

    def __reduce__(self) -> Any:
        """Of a handler that is copied or pickled, the runs stay behind."""
        return HandlerWatcher, (self.handler,)

    def sees_items(self, scope: Scope) -> bool:
        """See `Watcher`: of models only, and if the handler wants their tokens."""
        return (
            scope.step._run_type in ("chat_model", "llm")
            and scope in self._runs
            and not self.handler.ignore_llm
            and self.handler._written("on_llm_new_token") is not None
        )

    async def started(self, scope: Scope, input: Any) -> None:
        """See `Watcher`."""
        try:
            call = start_of(scope, input)
        except Exception:
            # It is nothing that this step takes: the step says so itself, and has not begun.
            return
        run = self._begin(scope, is_late=input is NOTHING)
        if not await self._call(run, call) and call.instead is not None:
            await self._call(run, call.instead())

    def streamed(self, scope: Scope, item: Any) -> Awaitable[Any] | None:
        """See `Watcher`."""
        run = self._runs.get(scope)
        return None if run is None else self._call(run, token_of(item))

    async def custom(self, scope: Scope, name: str, data: Any, *, may_await: bool) -> None:
        """See `Watcher`."""
        run = _Told(scope)
        run.shared = {
            "run_id": id_of(scope),
            "tags": list(scope.settings.tags),
            "metadata": scope.metadata,
        }
        call = Call("on_custom_event", "ignore_custom_event", (name, data), {})
        await self._call(run, call, may_await=may_await)

    async def retried(self, scope: Scope, attempt: int, error: BaseException) -> None:
        """See `Watcher`."""
        if (run := self._runs.get(scope)) is not None:
            state = RetryState(attempt, Outcome(error))
            await self._call(run, Call("on_retry", "ignore_retry", (state,), {}))

    async def ended(self, scope: Scope, input: Any, output: Any) -> None:
        """See `Watcher`."""
        if (run := self._over(scope)) is not None:
            await self._finish(run, end_of(scope, output), input)

    async def failed(self, scope: Scope, input: Any, error: BaseException) -> None:
        """See `Watcher`."""
        if (run := self._over(scope)) is not None:
            await self._finish(run, error_of(scope, error), input)

    def _begin(self, scope: Scope, *, is_late: bool) -> _Told:
        above = None if scope.parent is None else self._by_id.get(scope.parent.run_id)
        run = self._runs[scope] = self._by_id[scope.run_id] = _Told(scope, above, is_late=is_late)
        if above is not None:
            above.inside[scope] = run
        return run

    def _over(self, scope: Scope) -> _Told | None:
        """Forget a run; None if it is told to be over already, or never began."""
        run = self._runs.pop(scope, None)
        if run is not None:
            if self._by_id.get(scope.run_id) is run:
                del self._by_id[scope.run_id]
            if run.parent is not None:
                run.parent.inside.pop(scope, None)
        return run

    async def _finish(self, run: _Told, call: Call, input: Any) -> None:
        try:
            await self._close_inside(run)
        finally:
            if run.is_late and input is not NOTHING:
                call.more["inputs"] = input
            await self._call(run, call)

    async def _close_inside(self, run: _Told) -> None:
        """Tell of runs whose stream was dropped inside this one: the event loop has yet to close them.

        What else has not ended is at work for a task of the user's, which may outlive this run.
        """
        for scope, inner in list(run.inside.items()):
            reason = scope.cancellation.reason
            if reason is not None:
                inner.aside.host = run.aside.host  # its own may be in a loop that stands still
                await self.failed(scope, NOTHING, reason)

    async def _call(self, run: _Told, call: Call, *, may_await: bool = True) -> bool:
        """Call a method of the handler. False if there is none, and another one may be called instead."""
        handler = self.handler
        if getattr(handler, call.ignored_by):
            return True
        method = handler._written(call.method)
        if method is None:
            return False
        try:
            keywords = {**run.shared, **call.more}
            in_place = handler.run_inline
            await tell(run.aside, method, call.args, keywords, in_place=in_place, may_await=may_await)
        except Exception as error:
            if call.instead is not None and isinstance(error, NotImplementedError):
                return False
            self._raised(call.method)
        return True

    def _raised(self, method: str) -> None:
        """What to do with an exception that is being handled."""
        if self.handler.raise_error:
            raise  # noqa: PLE0704
        if method not in self._reported:
            self._reported.add(method)
            name = type(self.handler).__name__
            report("%s.%s raised. What it raises from now on is not logged.", name, method)
