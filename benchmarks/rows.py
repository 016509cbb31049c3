"""A row of the table: what was measured, and whether its budgets are met."""

from collections.abc import Callable
from dataclasses import dataclass, field

Unit = Callable[[float], str]


@dataclass
class Limit:
    """One budget: a ratio that is at least, or at most, a bound."""

    ratio: float
    bound: float
    against: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound

    def shown_ratio(self) -> str:
        return f"{number(self.ratio)}{self.against}"

    def shown_bound(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {number(self.bound)}"


@dataclass
class Row:
    """A line of the table. Without limits it has no budget, and stands there for comparison."""

    what: str
    unit: Unit
    ours: float
    peer: float | None = None
    floor: float | None = None
    limits: list[Limit] = field(default_factory=list)
    note: str = ""
    beside: dict[str, float] = field(default_factory=dict)
    """More figures, which the note tells, in the same unit."""

    @property
    def met(self) -> bool:
        return all(limit.met for limit in self.limits)


def times_below(ratio: float, bound: float) -> Limit:
    """The budget "at least `bound` times below langchain-core"."""
    return Limit(ratio, bound, "x below", at_least=True)


def times_above(ratio: float, bound: float) -> Limit:
    """The budget "at most `bound` times the hand-written floor"."""
    return Limit(ratio, bound, "x the floor")


def number(value: float) -> str:
    """Three digits of it, or a whole number where that is shorter."""
    if value == 0 or value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def microseconds(seconds: float) -> str:
    return f"{number(seconds * 1e6)} µs"


def milliseconds(seconds: float) -> str:
    return f"{number(seconds * 1e3)} ms"


def count(value: float) -> str:
    return number(value)


def bytes_each(value: float) -> str:
    return f"{number(value)} B"
