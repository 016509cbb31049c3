"""Time that passes only when everybody waits for it: tests of delays that take no time."""

import asyncio
import selectors
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from millstream.kernel.clock import Clock, set_clock

T = TypeVar("T")


class VirtualClock(Clock):
    """A clock that stands until somebody sleeps on it: `with VirtualClock() as clock`.

    Sync sleeps move it on at once. For async code use `run_virtual`, whose loop keeps the same time.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self._before: Clock | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "VirtualClock":
        self._before = set_clock(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._before is not None
        set_clock(self._before)

    def now(self) -> float:
        """Seconds since the clock was made."""
        return self.time

    def sleep(self, seconds: float, woken: threading.Event) -> None:
        """Move on by `seconds`, unless the sleeper was woken already."""
        if not woken.is_set():
            with self._lock:
                self.time += seconds


class _VirtualSelector(selectors.DefaultSelector):
    """Never waits: where the loop would, the clock moves on."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        """Poll; without any event, let the time pass that the loop would have waited."""
        events = super().select(0)
        if events or timeout is None or timeout <= 0:
            # None: nothing is scheduled, so something outside (a thread) has to wake the loop.
            return events or (super().select(timeout) if timeout is None else events)
        self._clock.time += timeout
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_VirtualSelector(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock.time


def run_virtual(coroutine: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Run a coroutine on a loop with virtual time; returns its result, and the virtual seconds it took."""
    with VirtualClock() as clock, asyncio.Runner(loop_factory=lambda: _VirtualLoop(clock)) as runner:
        result = runner.run(coroutine)
        return result, clock.time
