"""The runnable: one coroutine, one async generator, and the public verbs around them.

A runnable overrides `_answer` (how it answers once), `_transform` (how it turns an incoming stream into an
outgoing one), or both; the other follows. The verbs are shells of a few lines that open a scope and hand the
coroutine to a driver. Nothing else in the library knows of sync and async verbs.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast, overload

from millstream.kernel.channel import READ_AHEAD
from millstream.kernel.drive import AsyncStream, run_sync, stream_sync
from millstream.kernel.host import Host, SyncHost
from millstream.kernel.scope import RunnableConfig, Scope, watchers_of
from millstream.kernel.sources import NOTHING, Single, merge
from millstream.kernel.stage import Watcher, answer_from_stream, enter_root, run_answer, run_stream

if TYPE_CHECKING:
    from millstream.events.live import AsyncLiveRun, LiveRun
    from millstream.events.log import RunLog, RunLogPatch
    from millstream.events.stream import StreamEvent
    from millstream.kernel.sources import Source
    from millstream.runnables.listeners import Listener

Input = TypeVar("Input", contravariant=True)
Output = TypeVar("Output", covariant=True)
Other = TypeVar("Other")


def async_host() -> Host:
    """The async host; imported when first needed, since asyncio is half of a bare import's time."""
    from millstream.kernel.async_host import ASYNC_HOST

    return ASYNC_HOST


def _told_of_own_runs(runnable: Any) -> tuple[Watcher, ...]:
    return () if runnable.callbacks is None else watchers_of(runnable.callbacks)


#: `_own_watchers` of a runnable that has `callbacks`: read at each run, since these may be set later.
own_watchers: Any = property(_told_of_own_runs)


class Runnable(Generic[Input, Output]):
    """A step, or a chain of them, that can be invoked, streamed and batched, sync and async.

    `a | b` is the chain of both. Every verb takes a `config` (see `RunnableConfig`), and hands further
    keywords on to the step; a sequence hands them to its first step. An error of a step arrives as it was
    raised, with a note that names the step.

    To write one, override `_answer` or `_transform`:

    * `async def _answer(self, input, scope, /, **kwargs)` returns the answer;
    * `async def _transform(self, source, scope, /, **kwargs)` is an async generator. It reads its source
      inside `async with scope.reading(source) as items`, which closes it and names the step on errors.

    Both wait only through `scope.here` (`sleep`, `call`, `wait`, ...), so that either driver can run them.
    """

    name: str | None = None
    """The name that its runs carry; None for that of its class."""

    # What a binding fills in (see `RunnableBinding` and the kernel's `stage`).
    _bound: Runnable[Any, Any] | None = None
    _bound_config: RunnableConfig = RunnableConfig()
    _bound_kwargs: Mapping[str, Any] = {}
    _bound_watchers: tuple[Watcher, ...] = ()

    # What its own runs are tagged with and carry along, and no others.
    _own_tags: Sequence[str] = ()
    _own_metadata: Mapping[str, Any] = {}
    _own_watchers: tuple[Watcher, ...] = ()

    #: Whether running it can block a thread: a parallel step gives such branches threads of their own.
    _may_block: ClassVar[bool] = True

    # For those who watch: what kind of step it is, and whether it needs its whole input before it begins.
    _run_type: str = "chain"
    _takes_whole: ClassVar[bool] = False
    _streams_answer: bool | None = None

    #: Whether its stream tells what happens instead of giving parts of its answer: a step behind it has to be
    #: streamed to.
    _tells_events: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._answers = cls._answer is not Runnable._answer
        cls._transforms = cls._transform is not Runnable._transform

    _answers: ClassVar[bool] = False
    _transforms: ClassVar[bool] = False

    # --- what a runnable is ---------------------------------------------------------------------------

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        if not self._transforms:
            raise TypeError(f"{type(self).__name__} overrides neither _answer nor _transform.")
        return await answer_from_stream(self, input, scope, kwargs)

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with scope.reading(source) as items:
            input = await scope.gather(items)
            if input is not NOTHING:
                yield await self._answer(input, scope, **kwargs)

    def _together(self, items: list[Any]) -> Any:
        return merge(items) if items else None

    def _shown_input(self, input: Any) -> Any:
        """Its input, as events show it."""
        return input

    def _shown_output(self, output: Any) -> Any:
        """Its output, as events show it."""
        return output

    def get_name(self) -> str:
        """The name that its runs carry: its `name`, or its class's."""
        return self.name or type(self).__name__

    def __repr__(self) -> str:
        return f"{self.get_name()}()"

    # --- one answer -----------------------------------------------------------------------------------

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Run it to its end in the caller's thread, and return the whole answer."""
        step, scope, kwargs = enter_root(self, config, SyncHost(), kwargs)
        return cast("Output", run_sync(scope, run_answer(step, input, scope, kwargs)))

    async def ainvoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Run it to its end in the caller's event loop, and return the whole answer."""
        step, scope, kwargs = enter_root(self, config, async_host(), kwargs)
        return cast("Output", await run_answer(step, input, scope, kwargs))

    # --- streams --------------------------------------------------------------------------------------

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Output, None, None]:
        """Yield the answer piece by piece, as it is made. Leaving the loop closes every step.

        Nothing runs before the first piece is asked for. A step that cannot stream yields its answer whole;
        the pieces of a chat model are `AIMessageChunk`s.
        """
        step, scope, kwargs = enter_root(self, config, SyncHost(), kwargs)
        return stream_sync(scope, run_stream(step, Single(input), scope, kwargs))

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncStream[Output]:
        """`stream`, for `async for`; it is not awaited itself. Yields the same pieces.

        Leaving the loop aborts the run's I/O at once; see `AsyncStream`.
        """
        step, scope, kwargs = enter_root(self, config, async_host(), kwargs)
        return AsyncStream(run_stream(step, Single(input), scope, kwargs), scope.cancellation)

    def transform(
        self, input: Iterable[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Generator[Output, None, None]:
        """Turn a stream of inputs, which together are one input, into a stream of outputs.

        `input` is any iterable. It is read as far as the output asks for it; a generator is closed with the
        stream.
        """
        from millstream.runnables.adapters import SyncSource

        given = SyncSource(input)
        step, scope, kwargs = enter_root(self, config, SyncHost(), kwargs)
        return stream_sync(scope, run_stream(step, given, scope, kwargs), given)

    def atransform(
        self, input: AsyncIterable[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncStream[Output]:
        """`transform`, from any async iterable to an async iterator."""
        from millstream.runnables.adapters import AsyncSource

        given = AsyncSource(input)
        step, scope, kwargs = enter_root(self, config, async_host(), kwargs)
        # Through the host, so that a cancel wakes a reader that waits for the caller's next item.
        source = scope.host.aeach(scope, lambda: given)
        return AsyncStream(run_stream(step, source, scope, kwargs), scope.cancellation, given)

    # --- watching -------------------------------------------------------------------------------------

    def astream_events(
        self,
        input: Input,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        buffer: int = READ_AHEAD,
        **kwargs: Any,
    ) -> AsyncStream[StreamEvent]:
        """Yield what happens in the run and inside it, while it happens: see `StreamEvent`.

        `include_` and `exclude_` choose runs by their names, types or tags. The run is at most `buffer`
        events (64) ahead of whoever reads them. An error is raised after the event that tells of it. The
        older `version`, "v1", tells of no parents and no custom events. Raises `ConfigError` at once.
        """
        from millstream.events.stream import EventStream, enter_events

        lists = include_names, include_types, include_tags, exclude_names, exclude_types, exclude_tags
        scope, events = enter_events(self, input, config, async_host(), kwargs, version, buffer, lists)
        return EventStream(events, scope.cancellation)

    def stream_events(
        self,
        input: Input,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        buffer: int = READ_AHEAD,
        **kwargs: Any,
    ) -> Generator[StreamEvent, None, None]:
        """`astream_events`, for sync code: the run has a worker thread, so that nested events are live."""
        from millstream.events.stream import enter_events

        lists = include_names, include_types, include_tags, exclude_names, exclude_types, exclude_tags
        scope, events = enter_events(self, input, config, SyncHost(), kwargs, version, buffer, lists)
        return stream_sync(scope, events)

    @overload
    def astream_log(
        self,
        input: Input,
        config: RunnableConfig | None = None,
        *,
        diff: Literal[True] = True,
        with_streamed_output_list: bool = True,
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        buffer: int = READ_AHEAD,
        **kwargs: Any,
    ) -> AsyncStream[RunLogPatch]: ...
    @overload
    def astream_log(
        self,
        input: Input,
        config: RunnableConfig | None = None,
        *,
        diff: Literal[False],
        with_streamed_output_list: bool = True,
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        buffer: int = READ_AHEAD,
        **kwargs: Any,
    ) -> AsyncStream[RunLog]: ...
    def astream_log(
        self,
        input: Input,
        config: RunnableConfig | None = None,
        *,
        diff: bool = True,
        with_streamed_output_list: bool = True,
        include_names: Sequence[str] | None = None,
        include_types: Sequence[str] | None = None,
        include_tags: Sequence[str] | None = None,
        exclude_names: Sequence[str] | None = None,
        exclude_types: Sequence[str] | None = None,
        exclude_tags: Sequence[str] | None = None,
        buffer: int = READ_AHEAD,
        **kwargs: Any,
    ) -> AsyncStream[Any]:
        """Yield the log of the run, while it runs: patches (`RunLogPatch`) that add up to its state.

        With `diff=False`, yield the log so far each time (`RunLog`, with its `state`). Without
        `with_streamed_output_list`, the pieces of the answer are not listed, and only what they make is told.
        `include_` and `exclude_` choose which runs inside are told of, and the run is at most `buffer`
        patches (64) ahead of whoever reads them. An error is raised after all that came before it was told.
        """
        from millstream.events.log import LogFilter, log_of
        from millstream.events.stream import EventStream, enter_events

        lists = include_names, include_types, include_tags, exclude_names, exclude_types, exclude_tags
        # The first version of events shows answers as a log does.
        scope, events = enter_events(
            self, input, config, async_host(), kwargs, "v1", buffer, lists, LogFilter
        )
        log = log_of(scope, events, diff=diff, with_streamed_output_list=with_streamed_output_list)
        return EventStream(log, scope.cancellation)

    def start(
        self, input: Input, config: RunnableConfig | None = None, *, buffer: int = 256, **kwargs: Any
    ) -> LiveRun[Output]:
        """A run to look into while it runs: `with chain.start(x) as run`, and then `run.text`, `run.events`,
        `run.messages`, `run.tool_calls`, `run.output`, `run.usage`, `run.status`, `run.cancel()`.

        It begins with the block, in a worker thread, and ends with it. See `LiveRun`.
        """
        from millstream.events.live import LiveRun

        step, scope, kwargs = enter_root(self, config, SyncHost(), kwargs)
        return LiveRun(step, input, scope, kwargs, buffer)

    def astart(
        self, input: Input, config: RunnableConfig | None = None, *, buffer: int = 256, **kwargs: Any
    ) -> AsyncLiveRun[Output]:
        """`start`, for `async with`: the run is a task of the caller's event loop. See `AsyncLiveRun`."""
        from millstream.events.live import AsyncLiveRun

        step, scope, kwargs = enter_root(self, config, async_host(), kwargs)
        return AsyncLiveRun(step, input, scope, kwargs, buffer)

    # --- many inputs ----------------------------------------------------------------------------------

    def batch(
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """The answers to all inputs, in their order; at most `max_concurrency` (16) run at once.

        `config` is one for all inputs, or a list of one for each. With `return_exceptions`, an input that
        failed has its exception in place of an answer; without, the first error ends the others and is
        raised.
        """
        done = self.batch_as_completed(inputs, config, return_exceptions=return_exceptions, **kwargs)
        answers = dict(done)
        return [cast("Output", answers[index]) for index in range(len(answers))]

    async def abatch(
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """`batch`, in the caller's event loop."""
        stream = self.abatch_as_completed(inputs, config, return_exceptions=return_exceptions, **kwargs)
        async with stream as done:
            answers = {index: answer async for index, answer in done}
        return [cast("Output", answers[index]) for index in range(len(answers))]

    def batch_as_completed(
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Generator[tuple[int, Output | Exception], None, None]:
        """Yield `(index, answer)` for each input, as they are done. See `batch`.

        Leaving the loop cancels the inputs that were not answered yet.
        """
        from millstream.runnables.batch import enter_batch, run_calls

        scope, calls = enter_batch(self, inputs, config, SyncHost(), kwargs)
        return stream_sync(scope, run_calls(scope, calls, return_exceptions))

    def abatch_as_completed(
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> AsyncStream[tuple[int, Output | Exception]]:
        """`batch_as_completed`, for `async for`."""
        from millstream.runnables.batch import enter_batch, run_calls

        scope, calls = enter_batch(self, inputs, config, async_host(), kwargs)
        return AsyncStream(run_calls(scope, calls, return_exceptions), scope.cancellation)

    # --- making others of it --------------------------------------------------------------------------

    @overload
    def __or__(self, other: Runnable[Any, Other]) -> Runnable[Input, Other]: ...
    @overload
    def __or__(self, other: Mapping[str, Any]) -> Runnable[Input, dict[str, Any]]: ...
    @overload
    def __or__(
        self, other: Callable[[AsyncIterator[Any]], AsyncIterator[Other]]
    ) -> Runnable[Input, Other]: ...
    @overload
    def __or__(self, other: Callable[[Iterator[Any]], Iterator[Other]]) -> Runnable[Input, Other]: ...
    @overload
    def __or__(self, other: Callable[[Any], Awaitable[Other]]) -> Runnable[Input, Other]: ...
    @overload
    def __or__(self, other: Callable[[Any], Other]) -> Runnable[Input, Other]: ...
    def __or__(self, other: Any) -> Any:
        """The chain of this step and the next: a runnable, a function, a generator function or a dict."""
        from millstream.runnables.sequence import join

        return join(self, other)

    def __ror__(self, other: Any) -> Runnable[Any, Output]:
        """The chain of a function or a dict, and this step."""
        from millstream.runnables.sequence import join

        return join(other, self)

    def pipe(self, *others: Any, name: str | None = None) -> Runnable[Input, Any]:
        """`a.pipe(b, c)` is `a | b | c`."""
        from millstream.runnables.sequence import RunnableSequence

        return RunnableSequence(self, *others, name=name)

    def pick(self, keys: str | list[str]) -> Runnable[Input, Any]:
        """Of the dict that it answers, one key's value, or a dict of some keys."""
        from millstream.runnables.passthrough import RunnablePick

        return self | RunnablePick(keys)

    def assign(self, **steps: Any) -> Runnable[Input, dict[str, Any]]:
        """The dict that it answers, with keys added that are made from that dict."""
        from millstream.runnables.passthrough import RunnablePassthrough

        return self | RunnablePassthrough.assign(**steps)

    def bind(self, **kwargs: Any) -> Runnable[Input, Output]:
        """The same runnable, called with these keywords; a call's own come on top."""
        return self._binding(kwargs=kwargs)

    def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> Runnable[Input, Output]:
        """The same runnable with a config, given as a dict or by keywords. Raises `ConfigError` for bad keys.

        Tags join, `metadata` and `configurable` merge with those from before; other keys replace them.
        """
        return self._binding(config={**(config or {}), **kwargs})

    def with_listeners(
        self,
        *,
        on_start: Listener | None = None,
        on_end: Listener | None = None,
        on_error: Listener | None = None,
    ) -> Runnable[Input, Output]:
        """The same runnable; the functions are told of its start, and of its end or error.

        Each is given a `Run`, and may be `async`. What it raises is logged, and does not disturb the run.
        """
        from millstream.runnables.listeners import Listeners

        return self._binding(watchers=(Listeners(on_start, on_end, on_error),))

    def _binding(
        self,
        config: Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        watchers: tuple[Watcher, ...] = (),
    ) -> Runnable[Input, Output]:
        from millstream.runnables.binding import RunnableBinding

        return RunnableBinding(self, config=config, kwargs=kwargs, watchers=watchers)

    def map(self) -> Runnable[Sequence[Input], list[Output]]:
        """A runnable that takes a list, and runs this one on each element, `max_concurrency` (16) at once."""
        from millstream.runnables.batch import RunnableEach

        return RunnableEach(self)

    def with_retry(
        self,
        *,
        retry_if_exception_type: tuple[type[BaseException], ...] = (Exception,),
        wait_exponential_jitter: bool = True,
        stop_after_attempt: int = 3,
        exponential_jitter_params: Mapping[str, float] | None = None,
    ) -> Runnable[Input, Output]:
        """Try again on an error; a stream only until its first item, so that nothing is said twice.

        `stop_after_attempt` counts all attempts. It waits 1, 2, 4 ... seconds between them, at most 60, each
        time up to a second more at random, unless `wait_exponential_jitter` is false. To wait otherwise, give
        `exponential_jitter_params`: `initial` (1), `max` (60), `exp_base` (2), `jitter` (1), in seconds.
        """
        from millstream.runnables.retry import RunnableRetry

        return RunnableRetry(
            self,
            retry_if_exception_type=retry_if_exception_type,
            wait_exponential_jitter=wait_exponential_jitter,
            stop_after_attempt=stop_after_attempt,
            exponential_jitter_params=exponential_jitter_params,
        )

    def with_fallbacks(
        self,
        fallbacks: Sequence[Runnable[Input, Output] | Callable[..., Any]],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> Runnable[Input, Output]:
        """Ask the next one when this fails; in a stream, when it fails before its first item.

        If all fail, the first one's error is raised. With `exception_key`, the next one finds the error under
        that key of its input, which then has to be a dict.
        """
        from millstream.runnables.fallbacks import RunnableWithFallbacks

        return RunnableWithFallbacks(
            self, fallbacks, exceptions_to_handle=exceptions_to_handle, exception_key=exception_key
        )
