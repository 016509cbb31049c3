"""A handler that notes what it is told, and checks that every start has its end."""

import threading
from typing import Any
from uuid import UUID

from millstream import AsyncCallbackHandler, BaseCallbackHandler

METHODS = sorted(name for name in vars(AsyncCallbackHandler) if name.startswith("on_"))


class Recorder(BaseCallbackHandler):
    """Notes each call. It has an `__init__` that leaves the library's out, as people write them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The methods that were called, in turn."""
        return [name for name, _, _ in self.calls]

    def of(self, method: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The arguments of each call of a method."""
        return [(args, kwargs) for name, args, kwargs in self.calls if name == method]

    def check(self, *, nested: bool = True) -> None:
        """Raise if a start has not one end, or, `nested`, a run does not lie inside the one around it."""
        open_runs: dict[UUID, tuple[str, UUID | None]] = {}
        for name, _, kwargs in self.calls:
            run, what = kwargs["run_id"], name.rpartition("_")[2]
            family = name.split("_")[1].replace("chat", "llm")
            if what == "start":
                parent = kwargs["parent_run_id"]
                assert run not in open_runs
                assert parent is None or parent in open_runs
                open_runs[run] = family, parent
            elif what in ("end", "error"):
                assert open_runs.pop(run)[0] == family
                assert not nested or run not in [parent for _, parent in open_runs.values()]
            else:
                assert run in open_runs
        assert not open_runs


class AsyncRecorder(Recorder, AsyncCallbackHandler):
    """The same, with `async def` methods."""


def _noting(name: str) -> Any:
    def note(self: Recorder, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            self.calls.append((name, args, kwargs))

    return note


def _anoting(name: str) -> Any:
    note = _noting(name)

    async def anote(self: Recorder, *args: Any, **kwargs: Any) -> None:
        note(self, *args, **kwargs)

    return anote


for _name in METHODS:
    setattr(Recorder, _name, _noting(_name))
    setattr(AsyncRecorder, _name, _anoting(_name))

RECORDERS = [Recorder, AsyncRecorder]
