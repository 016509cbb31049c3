"""What time it is and how a run sleeps: one place, so that tests can put a virtual clock there."""

import threading
import time


class Clock:
    """The machine's clock. `testing.VirtualClock` stands in for it in tests."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float, woken: threading.Event) -> None:
        """Block the thread for `seconds`, or until `woken` is set."""
        woken.wait(seconds)

    async def asleep(self, seconds: float) -> None:
        """Suspend the task for `seconds`."""
        import asyncio

        await asyncio.sleep(seconds)


clock = Clock()


def set_clock(new: Clock) -> Clock:
    """Put another clock in place; returns the one that was there."""
    global clock
    clock, old = new, clock
    return old


def get_clock() -> Clock:
    """The clock in place."""
    return clock
