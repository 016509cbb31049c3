"""Taking times that can be compared.

What is compared is run in turn, a round each, so that a busy machine slows all of them; of the rounds the
median counts. The garbage collector stays on, as it is for users, and its debts are paid before each sample,
so that nobody pays another's.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

#: One measurement: seconds for each unit of work (a token, a call).
Sample = Callable[[], float]

ROUNDS = 5


def interleaved(samples: Mapping[str, Sample], rounds: int = ROUNDS) -> dict[str, float]:
    """The median of each sample over `rounds` rounds, after one that only warms up."""
    taken: dict[str, list[float]] = {name: [] for name in samples}
    for number in range(rounds + 1):
        for name, sample in samples.items():
            gc.collect()
            seconds = sample()
            if number:
                taken[name].append(seconds)
    return {name: statistics.median(times) for name, times in taken.items()}


def each(work: Callable[[], object], repeat: int, units: int = 1) -> Sample:
    """Time `work`, done `repeat` times, in seconds for each of the `units` that it does at once."""

    def sample() -> float:
        start = time.perf_counter()
        for _ in range(repeat):
            work()
        return (time.perf_counter() - start) / (repeat * units)

    return sample


def aeach(work: Callable[[], Coroutine[Any, Any, object]], repeat: int, units: int = 1) -> Sample:
    """The same for a coroutine, in an event loop that runs already when the clock starts."""

    async def timed() -> float:
        start = time.perf_counter()
        for _ in range(repeat):
            await work()
        return (time.perf_counter() - start) / (repeat * units)

    return lambda: asyncio.run(timed())
