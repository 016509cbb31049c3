"""Taking times that can be compared.

What is compared is run in turn, so that a busy machine slows all of it. A round takes each sample a few
times, in turn, and the best counts: whatever else the machine did only adds. Of the rounds the median
counts; a ratio is taken within each round, and its median counts. The garbage collector stays on, as it is
for users, and its debts are paid before each sample, so that nobody pays another's.
"""

import asyncio
import gc
import math
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

#: One measurement: seconds for each unit of work (a token, a call).
Sample = Callable[[], float]

ROUNDS = 5
TURNS = 5


class Times:
    """What each sample took in each round."""

    def __init__(self, taken: Mapping[str, Sequence[float]]) -> None:
        self._taken = taken

    def __getitem__(self, name: str) -> float:
        """The median of one sample."""
        return statistics.median(self._taken[name])

    def ratio(self, one: str, other: str) -> float:
        """How many times as long as `other` `one` takes."""
        pairs = zip(self._taken[one], self._taken[other], strict=True)
        return statistics.median(mine / yours for mine, yours in pairs)


def interleaved(samples: Mapping[str, Sample], rounds: int = ROUNDS, turns: int = TURNS) -> Times:
    """Take each sample `turns` times a round, after a turn that only warms up."""
    for sample in samples.values():
        sample()
    taken: dict[str, list[float]] = {name: [] for name in samples}
    for _ in range(rounds):
        best = dict.fromkeys(samples, math.inf)
        for _ in range(turns):
            for name, sample in samples.items():
                gc.collect()
                best[name] = min(best[name], sample())
        for name, seconds in best.items():
            taken[name].append(seconds)
    return Times(taken)


def each(work: Callable[[], object], repeat: int, units: int = 1) -> Sample:
    """Time `work`, done `repeat` times, in seconds for each of the `units` that it does at once."""

    def sample() -> float:
        start = time.perf_counter()
        for _ in range(repeat):
            work()
        return (time.perf_counter() - start) / (repeat * units)

    return sample


def aeach(
    work: Callable[[], Coroutine[Any, Any, object]],
    repeat: int,
    units: int = 1,
    runner: asyncio.Runner | None = None,
) -> Sample:
    """The same for a coroutine, in an event loop that runs already when the clock starts: a new one for each
    sample, or the runner's."""

    async def timed() -> float:
        start = time.perf_counter()
        for _ in range(repeat):
            await work()
        return (time.perf_counter() - start) / (repeat * units)

    run = asyncio.run if runner is None else runner.run
    return lambda: run(timed())
