"""The log of a run, as LangChain's users know it: patches that add up to its state (`astream_log`).

A log says in other words what events say. So it is made of them, by whoever reads it, and only what is its
own stands here: under which path each thing is told, and how the answer grows.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict, cast

from millstream.events.stream import Filter, StreamEvent
from millstream.kernel.scope import Scope
from millstream.kernel.sources import AddableDict, Flow, merge
from millstream.wire.json_patch import applied, pointer

Operation = dict[str, Any]


class LogEntry(TypedDict):
    """What a log holds of a run inside."""

    id: str
    """The run's id."""
    name: str
    """The run's name."""
    type: str
    """Its type: `chain`, `llm` (a chat model, too), `prompt`, `parser`, `tool` or `retriever`."""
    tags: list[str]
    """Its tags and those that it inherited."""
    metadata: dict[str, Any]
    """Its metadata and those that it inherited."""
    start_time: str
    """When it began: ISO 8601, in UTC, to the millisecond."""
    streamed_output_str: list[str]
    """The texts of a model's pieces."""
    streamed_output: list[Any]
    """The pieces of its stream."""
    inputs: NotRequired[Any]
    """Not told: see the events of a run."""
    final_output: Any
    """What it answered, as `{"output": ...}` if that is no dict; of a prompt the value itself, of a model
    `{"generations": ...}`, of a retriever `{"documents": ...}`. None before its end, and after an error."""
    end_time: str | None
    """When it ended, or was cut short; None before."""


class RunState(TypedDict):
    """The state of a run: what the patches of its log add up to."""

    id: str
    """The run's id."""
    streamed_output: list[Any]
    """The pieces of its stream."""
    final_output: Any
    """What these make so far."""
    name: str
    """The run's name."""
    type: str
    """Its type: see `LogEntry`."""
    logs: dict[str, LogEntry]
    """The runs inside by their names, with `:2`, `:3` and so on where a name comes again."""


class RunLogPatch:
    """What happened in a run, as operations on the state of its log. Patches add up to a `RunLog`."""

    ops: list[dict[str, Any]]
    """The operations of RFC 6902: dicts with `op` (`add` or `replace`), `path` and `value`."""

    def __init__(self, *ops: dict[str, Any]) -> None:
        self.ops = list(ops)

    def __add__(self, other: RunLogPatch) -> RunLog:
        if type(other) is not RunLogPatch:
            return NotImplemented
        ops = (*self.ops, *other.ops)
        return RunLog(*ops, state=applied(None, ops))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunLogPatch) and self.ops == other.ops

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.ops))})"


class RunLog(RunLogPatch):
    """The log of a run up to some point: its `state`, and all operations that led to it."""

    state: RunState
    """What the operations add up to. It never changes; logs of one run share what they have in common."""

    def __init__(self, *ops: dict[str, Any], state: RunState) -> None:
        super().__init__(*ops)
        self.state = state

    def __add__(self, other: RunLogPatch) -> RunLog:
        if type(other) is not RunLogPatch:
            return NotImplemented
        return RunLog(*self.ops, *other.ops, state=applied(self.state, other.ops))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunLog) and self.state == other.state and super().__eq__(other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"RunLog({self.state!r})"


class LogFilter(Filter):
    """Which runs a log holds, beside the one that was asked for: of the types that it knows."""

    def lets_through(self, name: str, kind: str, tags: Sequence[str], *, is_root: bool = False) -> bool:
        """See `Filter`."""
        return is_root or super().lets_through(name, _type(kind), tags)


def _type(kind: str) -> str:
    return "llm" if kind == "chat_model" else kind


async def log_of(
    scope: Scope, events: AsyncGenerator[StreamEvent, None], *, diff: bool, with_streamed_output_list: bool
) -> AsyncGenerator[Any, None]:
    """The log of a run, made of its events of version 1: its patches, or without `diff` its states."""
    writer = _LogWriter(scope.flow(), with_streamed_output_list)
    log = RunLog(state=cast("Any", None))
    async with aclosing(events):
        async for event in events:
            ops = writer.operations(event)
            if ops is None:
                continue
            patch = RunLogPatch(*ops)
            if diff:
                yield patch
            else:
                log = log + patch
                yield log


class _LogWriter:
    """Says of each event of a run by which operations it changes the state of the log."""

    def __init__(self, flow: Flow, lists_pieces: bool) -> None:
        self._flow = flow
        self._lists_pieces = lists_pieces
        self._answer = _Growing("/final_output")
        self._root_id: str | None = None
        #: Where the runs stand that have not ended.
        self._paths: dict[str, str] = {}
        #: The names under which runs stand, and the last number that each was given.
        self._taken: dict[str, int] = {}

    def operations(self, event: StreamEvent) -> list[Operation] | None:
        """The operations for an event; None if the log does not tell of it."""
        kind, _, what = event["event"].removeprefix("on_").rpartition("_")
        if self._root_id is None:
            self._root_id = event["run_id"]
            return [_replace("", _state(event, kind))]
        if event["run_id"] == self._root_id:
            return self._piece(event["data"]["chunk"]) if what == "stream" else None
        if what == "start":
            path = self._paths[event["run_id"]] = pointer(("logs", self._free(event["name"])))
            return [_add(path, _entry(event, kind))]
        if what == "stream":
            return _streamed(self._paths[event["run_id"]], kind, event["data"]["chunk"])
        path = self._paths.pop(event["run_id"])
        ended = _add(f"{path}/end_time", _moment(event))
        if what == "error":
            return [ended]
        return [_add(f"{path}/final_output", _final(kind, event["data"]["output"])), ended]

    def _piece(self, piece: Any) -> list[Operation]:
        grown = self._answer.take(piece, self._flow.replaces)
        return [_add("/streamed_output/-", piece), *grown] if self._lists_pieces else grown

    def _free(self, name: str) -> str:
        """The name under which a run stands: its own, or a numbered one if that is taken."""
        key, number = name, self._taken.get(name, 1)
        while key in self._taken:
            number += 1
            key = f"{name}:{number}"
        self._taken[name] = number
        self._taken.setdefault(key, 1)
        return key


def _add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}


def _replace(path: str, value: Any) -> Operation:
    return {"op": "replace", "path": path, "value": value}


def _moment(event: StreamEvent) -> str:
    return datetime.fromtimestamp(event["time"], UTC).isoformat(timespec="milliseconds")


def _state(event: StreamEvent, kind: str) -> RunState:
    return {
        "id": event["run_id"],
        "streamed_output": [],
        "final_output": None,
        "logs": {},
        "name": event["name"],
        "type": _type(kind),
    }


def _entry(event: StreamEvent, kind: str) -> LogEntry:
    return {
        "id": event["run_id"],
        "name": event["name"],
        "type": _type(kind),
        "tags": event["tags"],
        "metadata": event["metadata"],
        "start_time": _moment(event),
        "streamed_output": [],
        "streamed_output_str": [],
        "final_output": None,
        "end_time": None,
    }


def _streamed(path: str, kind: str, piece: Any) -> list[Operation]:
    told = [_add(f"{path}/streamed_output/-", piece)]
    if _type(kind) == "llm":
        text = piece if isinstance(piece, str) else piece.text
        told.insert(0, _add(f"{path}/streamed_output_str/-", text))
    return told


def _final(kind: str, output: Any) -> Any:
    """How a log shows what a run inside answered."""
    return output if kind == "prompt" or isinstance(output, dict) else {"output": output}


class _Growing:
    """A value that grows piece by piece, at a path: says by which operations each piece changes it.

    Lists and the dicts of parallel steps grow in place, so that a piece costs what it holds. Everything else
    is replaced by what has grown of it: RFC 6902 has no operation to lengthen a text.
    """

    def __init__(self, path: str, value: Any = None) -> None:
        self._path = path
        self._keys: dict[str, _Growing] | None = None
        self._become(value)

    def _become(self, value: Any) -> list[Operation]:
        # A list of its own: what was told stays as it was.
        self._value: Any = value.copy() if type(value) is list else value
        self._keys = None
        return [_replace(self._path, value)]

    def take(self, piece: Any, replaces: bool = False) -> list[Operation]:
        """The operations for a piece, which adds to what is there or `replaces` it; a None does neither."""
        old = self._value
        if piece is None:
            return []
        if old is None or replaces:
            return self._become(piece)
        if type(old) is type(piece) is list:
            start = len(old)
            old += piece
            return [_add(f"{self._path}/{place}", item) for place, item in enumerate(piece, start)]
        if self._takes_keys(piece):
            return self._take_keys(piece)
        try:
            new = merge((old, piece))
        except Exception:  # the run's reader must not fail where the run does not
            new = piece
        return self._become(new) if new is piece or _differ(new, old) else []

    def _takes_keys(self, piece: Any) -> bool:
        """Whether a piece is added key by key: see `AddableDict`."""
        if not (isinstance(self._value, dict) and isinstance(piece, dict)):
            return False
        return self._keys is not None or AddableDict in (type(self._value), type(piece))

    def _take_keys(self, piece: dict[str, Any]) -> list[Operation]:
        if self._keys is None:
            self._keys = {key: _Growing(self._at(key), value) for key, value in self._value.items()}
        replaced = piece.replaced if type(piece) is AddableDict else ()
        told: list[Operation] = []
        for key, value in piece.items():
            known = self._keys.get(key)
            if known is None:
                self._keys[key] = _Growing(self._at(key), value)
                told.append(_add(self._at(key), value))
            else:
                told += known.take(value, key in replaced)
        return told

    def _at(self, key: str) -> str:
        return self._path + pointer((key,))


def _differ(new: Any, old: Any) -> bool:
    try:
        return bool(new != old)
    except Exception:  # arrays, say, which are compared element by element
        return True
