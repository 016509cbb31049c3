"""The wrapper around each step's run: it opens the scope, names the step on errors, and lets watchers see.

A step's own code never observes itself. With nobody watching, the wrapper hands out the step's own
generator, and a token passes through nothing else.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any, ClassVar, Protocol

from millstream.kernel.cancel import Cancellation
from millstream.kernel.host import Host
from millstream.kernel.scope import (
    CURRENT,
    NO_SETTINGS,
    Nesting,
    RunnableConfig,
    Scope,
    check_config,
    joined,
    note_step,
    watchers_of,
)
from millstream.kernel.sources import NOTHING, AddableDict, Flow, Single, Source, gathered, merge

NO_KEYWORDS: Mapping[str, Any] = {}

#: What a watcher answers to an item if it needs to see no more of that run's.
ENOUGH: Any = object()


class Step(Protocol):
    """What the kernel asks of a runnable."""

    @property
    def _bound(self) -> "Step | None":
        """The runnable that a binding stands for; None if this is no binding."""
        ...

    @property
    def _own_tags(self) -> Sequence[str]:
        """What its own runs are tagged with, and no others."""
        ...

    @property
    def _own_metadata(self) -> Mapping[str, Any]:
        """What its own runs carry along, and no others."""
        ...

    @property
    def _bound_config(self) -> RunnableConfig:
        """What a binding puts on: its config,"""
        ...

    @property
    def _bound_kwargs(self) -> Mapping[str, Any]:
        """its keywords,"""
        ...

    @property
    def _bound_watchers(self) -> "tuple[Watcher, ...]":
        """and who watches its runs."""
        ...

    @property
    def _own_watchers(self) -> "tuple[Watcher, ...]":
        """Who watches its own runs, and no others."""
        ...

    @property
    def _streams_answer(self) -> bool | None:
        """Whether it streams for those who watch when it is asked for an answer; None if they say."""
        ...

    @property
    def _run_type(self) -> str:
        """What kind of step it is, for those who watch: `chain`, `chat_model`, `prompt`, ..."""
        ...

    #: Whether it has a way of its own to turn a stream into a stream; else it waits, and answers once.
    _transforms: ClassVar[bool]
    #: Whether it needs its whole input before it begins, and streams then.
    _takes_whole: ClassVar[bool]

    def _shown_input(self, input: Any) -> Any:
        """Its input, as events show it."""
        ...

    def _shown_output(self, output: Any) -> Any:
        """Its output, as events show it."""
        ...

    def get_name(self) -> str:
        """The name of its runs."""
        ...

    def _together(self, items: list[Any]) -> Any:
        """The answer that the items of its stream make."""
        ...

    def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """How it answers once."""
        ...

    def _transform(self, source: Source[Any], scope: Scope, /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        """How it turns an incoming stream into an outgoing one."""
        ...


class Watcher(Protocol):
    """Sees runs from their start to their end. Exactly one of `ended` and `failed` follows a start.

    A step does not know of it, and must not notice: what it raises ends the run. The others that watch are
    told of that, so `failed` may come without a start, where another one raised before.
    """

    @property
    def makes_stream(self) -> bool:
        """Whether a model that is asked for an answer streams it, so that there are items to see."""
        ...

    def sees_items(self, scope: Scope) -> bool:
        """Whether it is told of each item of this run, which has started."""
        ...

    async def started(self, scope: Scope, input: Any) -> None:
        """The run begins. `input` is `NOTHING` if it is still on its way."""
        ...

    def streamed(self, scope: Scope, item: Any) -> Awaitable[Any] | None:
        """The run gave an item of its output. What it answers is awaited: once a token, None is cheaper.

        With `ENOUGH` it is told of no more items of this run.
        """
        ...

    async def custom(self, scope: Scope, name: str, data: Any, *, may_await: bool) -> None:
        """A user's code inside the run told of something. Without `may_await` it must not suspend."""
        ...

    async def retried(self, scope: Scope, attempt: int, error: BaseException) -> None:
        """What the run tried failed, for the `attempt`th time from 1, and is tried again."""
        ...

    async def ended(self, scope: Scope, input: Any, output: Any) -> None:
        """The run gave its whole output."""
        ...

    async def failed(self, scope: Scope, input: Any, error: BaseException) -> None:
        """The run was cut short: by an error, a cancel, or a reader who closed it."""
        ...


def _enter(
    step: Step, parent: Scope, tag: str | None, kwargs: Mapping[str, Any]
) -> tuple[Step, Scope, Mapping[str, Any]]:
    """Open the scope of a step below `parent`, seeing through a binding."""
    bound = step._bound
    if bound is None:
        scope = Scope(step, parent, parent.host, parent.cancellation, parent.settings, tag)
        if parent.audience:
            scope.audience = scope.watchers = parent.audience
        if step._own_watchers:
            scope.watchers = joined(scope.watchers, step._own_watchers)
        return step, scope, kwargs
    config = step._bound_config
    audience = joined(parent.audience, _given_watchers(config))
    scope = Scope(
        bound,
        parent,
        parent.host,
        parent.cancellation,
        parent.settings.merged(config),
        tag,
        config.get("run_name"),
        config.get("run_id"),
        joined(audience, (*step._bound_watchers, *bound._own_watchers)),
        audience=audience,
    )
    return bound, scope, {**step._bound_kwargs, **kwargs}


def enter_root(
    step: Step, config: Mapping[str, Any] | None, host: Host, kwargs: dict[str, Any]
) -> tuple[Step, Scope, dict[str, Any]]:
    """Open the scope of a public call: below the run whose code makes it, if there is one."""
    given: Mapping[str, Any] = check_config(config) if config else {}
    bound = step._bound
    bound_config: Mapping[str, Any] = {} if bound is None else step._bound_config
    parent = CURRENT.get()
    for each in (bound_config, given):
        callbacks = each.get("callbacks") if each else None
        if type(callbacks) is Nesting:
            parent = callbacks.scope
    settings = NO_SETTINGS
    audience: tuple[Watcher, ...] = ()
    if parent is not None:
        settings, audience = parent.settings, parent.audience
    run_name = run_id = None
    own: tuple[Watcher, ...] = ()
    if bound is not None:
        settings = settings.merged(bound_config)
        audience = joined(audience, _given_watchers(bound_config))
        run_name, run_id = bound_config.get("run_name"), bound_config.get("run_id")
        own, kwargs, step = step._bound_watchers, {**step._bound_kwargs, **kwargs}, bound
    if given:
        settings = settings.merged(given)
        audience = joined(audience, _given_watchers(given))
        run_name, run_id = given.get("run_name") or run_name, given.get("run_id") or run_id
    watchers = audience
    if own or step._own_watchers:
        watchers = joined(audience, (*own, *step._own_watchers))
    cancellation = Cancellation(None if parent is None else parent.cancellation)
    run_id = None if run_id is None else str(run_id)
    scope = Scope(step, parent, host, cancellation, settings, None, run_name, run_id, watchers)
    if watchers:
        scope.audience, scope.called_in = audience, copy_context()
    return step, scope, kwargs


def _given_watchers(config: Mapping[str, Any]) -> "tuple[Watcher, ...]":
    """The watchers that a config brings along, for the run and all below it."""
    callbacks = config.get("callbacks")
    return () if callbacks is None or type(callbacks) is Nesting else watchers_of(callbacks)


def answer(
    step: Step, input: Any, parent: Scope, tag: str | None = None, kwargs: Mapping[str, Any] = NO_KEYWORDS
) -> Coroutine[Any, Any, Any]:
    """Run a step below `parent` for one answer, called with `kwargs`: a coroutine to await."""
    step, scope, kwargs = _enter(step, parent, tag, kwargs)
    return run_answer(step, input, scope, kwargs)


def open_stream(
    step: Step,
    source: Source[Any],
    parent: Scope,
    tag: str | None = None,
    kwargs: Mapping[str, Any] = NO_KEYWORDS,
    upstream: Cancellation | None = None,
    cancellation: Cancellation | None = None,
    takes: Flow | None = None,
    gives: Flow | None = None,
) -> AsyncGenerator[Any, None]:
    """Run a step below `parent` on a stream, called with `kwargs`. It starts when it is first pulled.

    `upstream` cancels what feeds the step; `cancellation` is the step's own, if it is not its parent's.
    `takes` and `gives` tell of the items before it and behind it.
    """
    step, scope, kwargs = _enter(step, parent, tag, kwargs)
    scope.upstream = upstream
    scope.takes, scope.gives = takes, gives
    if cancellation is not None:
        scope.cancellation = cancellation
    return run_stream(step, source, scope, kwargs)


async def run_answer(step: Step, input: Any, scope: Scope, kwargs: Mapping[str, Any]) -> Any:
    """Run a step in its own scope for one answer."""
    if scope.watchers:
        return await _watched_answer(step, input, scope, kwargs)
    try:
        return await step._answer(input, scope, **kwargs)
    except BaseException as error:
        note_step(error, scope)
        raise


def run_stream(
    step: Step, source: Source[Any], scope: Scope, kwargs: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    """Run a step in its own scope on a stream."""
    if scope.watchers:
        return _watched_stream(step, source, scope, kwargs)
    return step._transform(source, scope, **kwargs)


async def _watched_answer(step: Step, input: Any, scope: Scope, kwargs: Mapping[str, Any]) -> Any:
    try:
        for watcher in scope.watchers:
            await watcher.started(scope, input)
        if step._takes_whole and _streams_answer(step, scope):
            output = await _streamed_answer(step, input, scope, kwargs)
        else:
            output = await step._answer(input, scope, **kwargs)
    except BaseException as error:
        note_step(error, scope)
        await _tell_failure(scope, input, error)
        raise
    await _tell_end(scope, input, output)
    return output


def _streams_answer(step: Step, scope: Scope) -> bool:
    wanted = step._streams_answer
    return any(watcher.makes_stream for watcher in scope.watchers) if wanted is None else wanted


def _tellers(scope: Scope) -> list[Callable[[Scope, Any], Awaitable[Any] | None]]:
    """What is called with each item of a run that has started."""
    return [watcher.streamed for watcher in scope.watchers if watcher.sees_items(scope)]


async def tell_retry(scope: Scope, attempt: int, error: BaseException) -> None:
    """Tell those who watch a run that what it tried failed, and is tried again."""
    for watcher in scope.watchers:
        await watcher.retried(scope, attempt, error)


async def _streamed_answer(step: Step, input: Any, scope: Scope, kwargs: Mapping[str, Any]) -> Any:
    """The answer of a step that can stream, with its items shown to those who want to see them."""
    items: list[Any] = []
    tell = _tellers(scope)
    async with scope.reading(step._transform(Single(input), scope, **kwargs)) as stream:
        async for item in stream:
            scope.cancellation.check()
            items.append(item)
            for streamed in tell:
                if (telling := streamed(scope, item)) is ENOUGH:
                    tell = [each for each in tell if each is not streamed]
                elif telling is not None:
                    await telling
    return step._together(items)


def _watched_stream(
    step: Step, source: Source[Any], scope: Scope, kwargs: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    if step._transforms and not step._takes_whole:
        return _watched_items(step, source, NOTHING, scope, kwargs)
    return _watched_whole(step, source, scope, kwargs)


async def _watched_whole(
    step: Step, source: Source[Any], scope: Scope, kwargs: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    async with scope.reading(source) as inputs:
        input = await scope.gather(inputs)
        if input is NOTHING:
            return
        if not step._transforms:
            yield await _watched_answer(step, input, scope, kwargs)
            return
        async with scope.reading(_watched_items(step, Single(input), input, scope, kwargs)) as items:
            async for item in items:
                yield item


async def _watched_items(
    step: Step, source: Source[Any], input: Any, scope: Scope, kwargs: Mapping[str, Any]
) -> AsyncGenerator[Any, None]:
    seen = source if type(source) is Single else _Seen(source, scope.takes)
    flow = scope.flow()
    items: list[Any] = []
    flow.gathered = items
    try:
        if type(seen) is _Seen:
            # The step before begins before this one.
            await seen.begin()
        try:
            for watcher in scope.watchers:
                await watcher.started(scope, input)
            tell = _tellers(scope)
            async with scope.reading(step._transform(seen, scope, **kwargs)) as stream:
                async for item in stream:
                    if len(items) > 1 and type(item) is not AddableDict and not flow.replaces:
                        items.append(item)  # as `gathered` does it, without the call: nearly all items
                    else:
                        gathered(items, item, flow)
                    for streamed in tell:
                        if (telling := streamed(scope, item)) is ENOUGH:
                            tell = [each for each in tell if each is not streamed]
                        elif telling is not None:
                            await telling
                    yield item
        except BaseException as error:
            await _tell_failure(scope, seen.value, error)
            raise
        await _tell_end(scope, seen.value, _whole(items))
    finally:
        # Where the step never came to read it.
        await seen.aclose()


async def _tell_end(scope: Scope, input: Any, output: Any) -> None:
    await _tell_each(watcher.ended(scope, input, output) for watcher in scope.watchers)


async def _tell_failure(scope: Scope, input: Any, error: BaseException) -> None:
    await _tell_each(watcher.failed(scope, input, error) for watcher in scope.watchers)


async def _tell_each(tellings: Iterator[Awaitable[None]]) -> None:
    """Tell all who watch that a run is over, also if one of them raises; the first error is raised then."""
    raised: BaseException | None = None
    for telling in tellings:
        try:
            await telling
        except GeneratorExit:  # this coroutine itself is closed: nothing more can be awaited
            raise
        except BaseException as error:
            raised = raised or error
    if raised is not None:
        try:
            raise raised
        finally:
            del raised  # the traceback holds this frame: let go of the circle


def _whole(items: list[Any]) -> Any:
    """The one value that items make, for a watcher: what cannot be merged must not disturb the run."""
    if not items:
        return None
    try:
        return merge(items)
    except Exception:
        return items[-1]


class _Seen:
    """A source of which is known what was read from it. `begin` reads its first item ahead.

    What the step before gathers, if it is watched, too, is the same, and is gathered once.
    """

    __slots__ = ("_first", "_flow", "_items", "_recorded", "_source")

    def __init__(self, source: Source[Any], flow: Flow | None) -> None:
        self._source = source
        self._flow = flow
        self._items: list[Any] = []
        self._first: list[Any] = []
        self._recorded = True

    async def begin(self) -> None:
        with suppress(StopAsyncIteration):
            self._first.append(await self._source.__anext__())
        gathered_there = None if self._flow is None else self._flow.gathered
        if gathered_there is not None and getattr(self._source, "ag_code", None) in _WATCHED:
            self._items, self._recorded = gathered_there, False

    def __aiter__(self) -> "_Seen":
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return self._next() if self._recorded or self._first else self._source.__anext__()

    async def _next(self) -> Any:
        item = self._first.pop() if self._first else await self._source.__anext__()
        if self._recorded:
            gathered(self._items, item, self._flow)
        return item

    async def aclose(self) -> None:
        await self._source.aclose()

    @property
    def value(self) -> Any:
        """What was read so far, as one value; None if nothing was."""
        return None if self._first else _whole(self._items)


# The generators whose items are gathered for who watches them.
_WATCHED = (_watched_items.__code__, _watched_whole.__code__)


async def answer_from_stream(step: Step, input: Any, scope: Scope, kwargs: Mapping[str, Any]) -> Any:
    """An answer made by gathering the step's own stream; None if that is empty."""
    value = await scope.gather(step._transform(Single(input), scope, **kwargs), scope.flow())
    return None if value is NOTHING else value
