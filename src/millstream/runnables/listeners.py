"""Functions that are told of a runnable's start and of its end or error."""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from millstream.kernel.scope import Scope
from millstream.kernel.telling import report, tell


class Run(msgspec.Struct):
    """What a listener is told of a run."""

    id: str
    """The run's id, a UUID of version 7 unless the config named another."""
    name: str
    """The run's name: the `run_name` of its config, or the step's own."""
    tags: list[str] = []
    """Its own tags and those that it inherited."""
    metadata: dict[str, Any] = {}
    """Its own metadata and those that it inherited."""
    start_time: float = 0.0
    """When it began, in seconds since the epoch."""
    end_time: float | None = None
    """When it ended, in seconds since the epoch; None at its start."""
    inputs: Any = None
    """What it was given, as one value; None at its start."""
    outputs: Any = None
    """What it answered, as one value; None at its start and after an error."""
    error: BaseException | None = None
    """What cut it short: an error, a cancel, or `GeneratorExit` if the reader left the stream."""
    usage: Any = None
    """What a model's run cost, a `UsageMetadata`; None of other steps."""


Listener = Callable[[Run], None] | Callable[[Run], Awaitable[None]]
"""A function of the run, plain or async. What it raises is logged, and does not disturb the run."""


class Listeners:
    """The three listeners of one `with_listeners`: a watcher of the kernel's."""

    def __init__(self, on_start: Listener | None, on_end: Listener | None, on_error: Listener | None) -> None:
        self._on_start = on_start
        self._on_end = on_end
        self._on_error = on_error
        # A run whose end nobody can tell, since its event loop is gone, is forgotten with its scope.
        self._started: WeakKeyDictionary[Scope, float] = WeakKeyDictionary()

    makes_stream = False

    def sees_items(self, scope: Scope) -> bool:
        """See `Watcher`."""
        return False

    def streamed(self, scope: Scope, item: Any) -> None:
        """See `Watcher`."""

    async def custom(self, scope: Scope, name: str, data: Any, *, may_await: bool) -> None:
        """See `Watcher`."""

    async def retried(self, scope: Scope, attempt: int, error: BaseException) -> None:
        """See `Watcher`."""

    async def started(self, scope: Scope, input: Any) -> None:
        """See `Watcher`."""
        self._started[scope] = time.time()
        await self._tell(self._on_start, scope, self._run(scope))

    async def ended(self, scope: Scope, input: Any, output: Any) -> None:
        """See `Watcher`."""
        run = self._run(scope, inputs=input, outputs=output, end_time=time.time())
        del self._started[scope]
        await self._tell(self._on_end, scope, run)

    async def failed(self, scope: Scope, input: Any, error: BaseException) -> None:
        """See `Watcher`."""
        if scope not in self._started:  # another watcher was told first, and the run ended there
            return
        run = self._run(scope, inputs=input, error=error, end_time=time.time())
        del self._started[scope]
        await self._tell(self._on_error, scope, run)

    def _run(self, scope: Scope, **more: Any) -> Run:
        return Run(
            id=scope.run_id,
            name=scope.name,
            tags=scope.tags,
            metadata=scope.metadata,
            start_time=self._started[scope],
            usage=scope.usage,
            **more,
        )

    @staticmethod
    async def _tell(listener: Listener | None, scope: Scope, run: Run) -> None:
        if listener is None:
            return
        try:
            await tell(scope.aside(), listener, (run,), {})
        except Exception:
            report("A listener of %r raised.", run.name)
