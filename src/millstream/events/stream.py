"""Events as LangChain's users know them: a dict for each start, piece, end and error of each step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Collection, Coroutine, Mapping, Sequence
from time import time as now
from typing import Any, Literal, Self, TypedDict, TypeVar

from millstream.errors import ConfigError
from millstream.events.tree import OpenRun, RunTree, cut_short_by, input_of, left_behind
from millstream.kernel.branches import Put, run_branches
from millstream.kernel.drive import AsyncStream
from millstream.kernel.host import Host
from millstream.kernel.scope import Scope
from millstream.kernel.sink import Sink
from millstream.kernel.sources import NOTHING, Single
from millstream.kernel.stage import Step, enter_root, run_stream
from millstream.messages import AIMessageChunk

Version = Literal["v1", "v2"]


class StreamEvent(TypedDict):
    """Something that happened in a run."""

    event: str
    """`on_<type>_<what>`: the type of step (`chain`, `chat_model`, `llm`, `prompt`, `parser`, `tool`,
    `retriever`), and `start`, `stream`, `end` or `error`; or `on_custom_event`."""
    name: str
    """The name of the run, or of the custom event."""
    run_id: str
    """The run's id."""
    parent_ids: list[str]
    """The ids of the runs around it, from the outermost in."""
    tags: list[str]
    """Its tags and those that it inherited."""
    metadata: dict[str, Any]
    """Its metadata and those that it inherited."""
    data: Any
    """`input`, `chunk`, `output` or `error`, as far as the event has them."""
    seq: int
    """The number of the event in its stream, from 1."""
    time: float
    """When it happened, in seconds since the epoch."""


T = TypeVar("T")

Names = Collection[str] | None
#: `include_names`, `include_types`, `include_tags`, `exclude_names`, `exclude_types`, `exclude_tags`.
Lists = tuple[Names, Names, Names, Names, Names, Names]


class Filter:
    """Which runs are told of, by lists of names, of types and of tags; None for any."""

    def __init__(self, lists: Lists) -> None:
        keys = [f"{verb}_{what}" for verb in ("include", "exclude") for what in ("names", "types", "tags")]
        for key, wanted in zip(keys, lists, strict=True):
            _check_list(key, wanted)
        self._include, self._exclude = lists[:3], lists[3:]

    def lets_through(self, name: str, kind: str, tags: Sequence[str], *, is_root: bool = False) -> bool:
        """Whether a run of this name, type and tags is told of; the root is the run that was asked for."""
        if any(wanted is not None for wanted in self._include) and not _matches(
            self._include, name, kind, tags
        ):
            return False
        return not _matches(self._exclude, name, kind, tags)


def _check_list(key: str, wanted: Names) -> None:
    is_list = isinstance(wanted, Collection) and not isinstance(wanted, str | bytes)
    if wanted is not None and not (is_list and all(isinstance(each, str) for each in wanted)):
        shown = f"[{wanted!r}]" if isinstance(wanted, str) else "['a', 'b']"
        raise ConfigError(f"{key} is a list of strings such as {shown}, not {wanted!r}.")


def _matches(lists: Sequence[Names], name: str, kind: str, tags: Sequence[str]) -> bool:
    names, types, wanted = ([] if one is None else one for one in lists)
    return name in names or kind in types or any(tag in wanted for tag in tags)


class _Told(OpenRun):
    """A run that is told of: what all its events share, and what was told of it so far.

    `visible` is false if it is filtered out.
    """

    __slots__ = ("kind", "piece", "shared", "streamed", "visible")

    def __init__(self, run_id: str, parent: Self | None, scope: Scope, chosen: Filter, has_ids: bool) -> None:
        super().__init__(run_id, parent)
        name, tags = scope.name, scope.tags
        self.kind = kind = scope.step._run_type
        self.shared = {
            "name": name,
            "run_id": run_id,
            "parent_ids": list(self.parent_ids) if has_ids else [],
            "tags": tags,
            "metadata": scope.metadata,
        }
        self.visible = chosen.lets_through(name, kind, tags, is_root=parent is None)
        #: What the events of its pieces begin as.
        self.piece = {"event": f"on_{kind}_stream", **self.shared, "data": None, "seq": 0, "time": 0.0}
        self.streamed = False


def _first_output(kind: str, output: Any) -> Any:
    """How the first version shows the output of a run inside."""
    whole = {"llm_output": None, "run": None, "type": "LLMResult"}
    if kind == "llm":
        return output | whole
    if kind == "retriever":
        return {"documents": output}
    if kind != "chat_model":
        return output
    name = "ChatGenerationChunk" if isinstance(output, AIMessageChunk) else "ChatGeneration"
    generation = {"text": output.text, "generation_info": None, "type": name, "message": output}
    return {"generations": [[generation]]} | whole


class EventWriter:
    """Writes a run, and all that run inside it, as events into a sink: a watcher of the kernel's."""

    makes_stream = True

    def __init__(self, sink: Sink, root: Scope, input: Any, chosen: Filter, version: Version) -> None:
        self._sink = sink
        self._tree: RunTree[_Told] = RunTree(root)
        self._open, self._add = self._tree.get, sink.add
        self._input = input
        self._filter = chosen
        self._is_first = version == "v1"

    def sees_items(self, scope: Scope) -> bool:
        """See `Watcher`."""
        return True

    async def retried(self, scope: Scope, attempt: int, error: BaseException) -> None:
        """See `Watcher`: the attempts are runs of their own here."""

    async def started(self, scope: Scope, input: Any) -> None:
        """See `Watcher`."""
        run = self._tree.begin(
            scope, lambda run_id, parent: _Told(run_id, parent, scope, self._filter, not self._is_first)
        )
        data = {}
        if run.parent is None:
            data["input"] = self._input
        elif input is not NOTHING and run.visible:
            data["input"] = input_of(scope, input)
        await self._tell(scope, run, "start", data)

    def streamed(self, scope: Scope, item: Any) -> Awaitable[None] | None:
        """See `Watcher`."""
        run = self._open(scope._run_id)
        if run is None:
            return None
        run.streamed = True
        if run.visible:
            event = run.piece.copy()
            event["data"] = {"chunk": item}
            event["time"] = now()
            if self._add(event, run):
                return self._sink.room(scope)
        return None

    async def custom(self, scope: Scope, name: str, data: Any, *, may_await: bool) -> None:
        """See `Watcher`."""
        run, tags = self._open(scope._run_id), list(scope.settings.tags)
        if run is None or self._is_first or not self._filter.lets_through(name, name, tags):
            return

        shared = {**run.shared, "name": name, "tags": tags}
        event = {"event": "on_custom_event", **shared, "data": data, "seq": 0, "time": now()}
        if self._sink.add(event, run):
            await self._sink.room(scope, may_await=may_await)

    async def ended(self, scope: Scope, input: Any, output: Any) -> None:
        """See `Watcher`."""
        run = self._open(scope._run_id)
        if run is None:
            return
        is_root = run.parent is None
        if self._is_first and is_root and not run.streamed and not scope.step._transforms:
            # There, the whole answer of a run that cannot stream is its only piece.
            await self._tell(scope, run, "stream", {"chunk": output})
        await self._end_left_behind(scope, run)
        if not run.visible:
            shown = None
        elif self._is_first:
            shown = output if is_root else _first_output(run.kind, scope.step._shown_output(output))
        else:
            shown = scope.step._shown_output(output)
        await self._end(scope, run, "end", {"output": shown} | self._shown(scope, run, input))

    async def failed(self, scope: Scope, input: Any, error: BaseException) -> None:
        """See `Watcher`."""
        run = self._open(scope._run_id)
        if run is None:
            return
        await self._end_left_behind(scope, run)
        await self._end(scope, run, "error", {"error": cut_short_by(error)} | self._shown(scope, run, input))

    def _shown(self, scope: Scope, run: _Told, input: Any) -> dict[str, Any]:
        # The root's input is in its first event.
        if run.parent is None or not run.visible:
            return {}
        return {"input": input_of(scope, input)}

    async def _tell(self, scope: Scope, run: _Told, what: str, data: dict[str, Any]) -> None:
        if run.visible and self._sink.add(_event(run, what, data), run):
            await self._sink.room(scope)

    async def _end(self, scope: Scope, run: _Told, what: str, data: dict[str, Any]) -> None:
        self._tree.end(run)
        if not run.visible:
            self._sink.end(run)
        # An error waits for no room: whoever was cancelled once would wait for a reader who has gone.
        elif self._sink.add(_event(run, what, data), run, is_last=True) and what == "end":
            await self._sink.room(scope)

    async def _end_left_behind(self, scope: Scope, run: _Told) -> None:
        for inner in self._tree.left_behind(run):
            await self._end(scope, inner, "error", {"error": left_behind()})


def _event(run: _Told, what: str, data: dict[str, Any]) -> dict[str, Any]:
    # The sink fills in the number.
    return {"event": f"on_{run.kind}_{what}", **run.shared, "data": data, "seq": 0, "time": now()}


class EventStream(AsyncStream[T]):
    """What `astream_events` returns. A run that is cancelled tells so before it raises: see `AsyncStream`."""

    __slots__ = ()

    def __anext__(self) -> Coroutine[Any, Any, T]:
        # Without asking between two events whether the run was cancelled.
        return self._pull() if self._begun else self._first(self._pull())


def enter_events(
    runnable: Step,
    input: Any,
    config: Mapping[str, Any] | None,
    host: Host,
    kwargs: dict[str, Any],
    version: Version,
    buffer: int,
    lists: Lists,
    kind: type[Filter] = Filter,
) -> tuple[Scope, AsyncGenerator[StreamEvent, None]]:
    """The scope of a run that is watched, and the stream of its events. Raises `ConfigError`.

    The `lists` choose which runs are told of, as this `kind` of filter reads them.
    """
    if version not in ("v1", "v2"):
        raise ConfigError(f"The version of events is 'v2', or 'v1' for the older form, not {version!r}.")
    if type(buffer) is not int or buffer < 1:
        raise ConfigError(f"buffer is how many events may wait, a whole number from 1, not {buffer!r}.")
    chosen = kind(lists)
    step, scope, kwargs = enter_root(runnable, config, host, kwargs)
    return scope, _run_events(step, input, scope, kwargs, chosen, buffer, version)


def _run_events(
    step: Step,
    input: Any,
    scope: Scope,
    kwargs: Mapping[str, Any],
    chosen: Filter,
    buffer: int,
    version: Version,
) -> AsyncGenerator[StreamEvent, None]:
    """The events of a run, while it runs beside whoever reads them. An error is raised after its event."""
    sink = Sink(scope, buffer)

    async def run(inner: Scope, put: Put) -> None:
        inner.watched_by(EventWriter(sink, inner, input, chosen, version))
        async with inner.reading(run_stream(step, Single(input), inner, kwargs)) as items:
            async for _ in items:
                pass

    return run_branches(scope, [run], sink=sink)
