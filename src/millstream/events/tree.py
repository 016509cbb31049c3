"""Which runs of those inside a run are open: the bookkeeping of whoever tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

from millstream.errors import Cancelled
from millstream.kernel.scope import Scope


class OpenRun:
    """A run that was begun and has not ended. `closed` says that nothing more is to be told of it."""

    __slots__ = ("closed", "inside", "parent", "parent_ids", "run_id")

    def __init__(self, run_id: str, parent: Self | None) -> None:
        self.run_id = run_id
        self.parent = parent
        self.parent_ids: tuple[str, ...] = () if parent is None else (*parent.parent_ids, parent.run_id)
        self.closed = False
        #: The runs inside it that have not ended.
        self.inside: dict[str, Self] = {}


R = TypeVar("R", bound=OpenRun)


class RunTree(Generic[R]):
    """The open runs of a root and of all that runs inside it.

    A run that was left behind, by code that dropped its stream, ends before the run around it does, and
    nothing more is told of it.
    """

    def __init__(self, root: Scope) -> None:
        self._root_id = root.run_id
        self._runs: dict[str | None, R] = {}
        #: The open run of an id; None if there is none. Ask it for a scope's `_run_id`, past the property
        #: that makes one: this is called once a token, and a run that began has an id.
        self.get: Callable[[str | None], R | None] = self._runs.get

    def begin(self, scope: Scope, make: Callable[[str, R | None], R]) -> R:
        """A run begins: what `make` makes of its id and the run around it."""
        if scope.run_id in self._runs:
            # Given by a user's config to a run that is under way: one id cannot name two.
            scope.forget_id()
        run_id = scope.run_id
        above = None if run_id == self._root_id or scope.parent is None else scope.parent.run_id
        parent = None if above is None else self._runs.get(above)
        run = self._runs[run_id] = make(run_id, parent)
        if parent is not None:
            parent.inside[run_id] = run
        # Below a run that has ended: its code has left it behind.
        run.closed = run_id != self._root_id and (parent is None or parent.closed)
        return run

    def rename(self, run: R, scope: Scope) -> None:
        """Find a run by the id of its scope from now on: who else watches it may have named that anew."""
        self._runs[scope.run_id] = run

    def end(self, run: R) -> None:
        """A run has ended."""
        self._runs.pop(run.run_id, None)
        if run.parent is not None:
            run.parent.inside.pop(run.run_id, None)

    def left_behind(self, run: R) -> list[R]:
        """The runs inside one that ends, the innermost first: they end before it."""
        found: list[R] = []
        for inner in run.inside.values():
            found += [*self.left_behind(inner), inner]
        return found


def cut_short_by(error: BaseException) -> BaseException:
    """What is told to have cut a run short."""
    if isinstance(error, GeneratorExit):
        return Cancelled("Whoever read this step's stream closed it before its end.")
    return error


def left_behind() -> Cancelled:
    """What is told to have cut a run short that was left behind."""
    return Cancelled("The code around this step left its stream behind.")


def input_of(scope: Scope, input: Any) -> Any:
    """A step's input, as events show it."""
    try:
        return scope.step._shown_input(input)
    except Exception:
        # It is nothing that this step takes: the step says so itself.
        return input
