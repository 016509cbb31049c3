"""What chat models and text models share: one method to write, in any of four forms."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, cast
from uuid import UUID

from millstream.errors import InputError
from millstream.kernel.drive import run_sync
from millstream.kernel.host import END, InPlace, SyncHost
from millstream.kernel.scope import RunnableConfig, Scope, watchers_of
from millstream.messages import UsageMetadata
from millstream.outputs import LLMResult, generations_of, model_name_of, result_of
from millstream.runnables.batch import Call, answers_of, enter_batch
from millstream.runnables.function import Kind, kind_of
from millstream.runnables.runnable import Input, Output, Runnable, async_host, own_watchers

# How many characters make a token, for an estimate where a model reports none: English text in the usual
# vocabularies comes to about four.
CHARACTERS_A_TOKEN = 4


class LanguageModel(Runnable[Input, Output]):
    """A model that answers a request with a stream of items, or with one.

    A subclass writes `_stream` (a generator) or `_generate` (a plain answer), `def` or `async def`; both if
    it has a cheaper way to answer whole. Under async verbs a `def` runs in a worker thread, under sync verbs
    an `async def` runs on a private loop.

    `tags`, `metadata` and `callbacks` are those of the model's own runs. With `streaming`, it streams to
    those who watch also when it is asked for a whole answer (`invoke`); with `streaming=False`, it never does
    then. Without either, it does for event streams and not for handlers. `callbacks` and `streaming` may be
    set later, too: they count from the next run on.
    """

    _takes_whole = True
    _own_watchers = own_watchers

    provider_name: str | None = None
    """Who runs the model, for those who watch: `"openai"`, say."""
    callbacks: Sequence[Any] | None = None
    """Handlers that are told of its own runs."""
    streaming: bool | None = None
    """Whether it streams to those who watch when it is asked for a whole answer; None if they say."""

    _stream: Any = None
    _generate: Any = None

    _stream_kind: ClassVar[Kind | None] = None
    _generate_kind: ClassVar[Kind | None] = None

    def __init__(
        self,
        *,
        name: str | None = None,
        tags: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
        callbacks: Sequence[Any] | None = None,
        streaming: bool | None = None,
    ) -> None:
        self.name = name
        self.callbacks = callbacks
        self.streaming = streaming
        self._own_tags = list(tags)
        self._own_metadata = dict(metadata or {})
        watchers_of(callbacks or ())

    @property
    def _streams_answer(self) -> bool | None:  # type: ignore[override]
        return self.streaming

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls._stream is not None:
            cls._stream_kind = kind_of(cls._stream)
            if cls._stream_kind not in ("each", "aeach"):
                raise TypeError(
                    f"{cls.__name__}._stream is a generator: it yields. Write _generate to return."
                )
        if cls._generate is not None:
            cls._generate_kind = kind_of(cls._generate)
            if cls._generate_kind not in ("call", "acall"):
                raise TypeError(f"{cls.__name__}._generate returns its answer. Write _stream to yield.")

    def __call__(
        self,
        input: Input,
        stop: Sequence[str] | None = None,
        callbacks: Sequence[Any] | None = None,
        *,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Output:
        """`invoke`, as older programs write it: `llm("...")` gives text, `chat([...])` a message."""
        return self.invoke(input, called_with(callbacks, tags, metadata), **with_stop(stop, kwargs))

    def generate(
        self,
        inputs: Sequence[Input],
        stop: Sequence[str] | None = None,
        callbacks: Sequence[Any] | None = None,
        *,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        run_id: UUID | str | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """The answers to several requests with what the model says of them, and the tokens that they took.

        A text model's requests are texts, a chat model's lists of messages. 16 run at once; the first error
        ends the others and is raised. `run_id` is that of the first. See `LLMResult`.

        Raises `InputError` for a text in place of the list.
        """
        config = called_with(callbacks, tags, metadata, run_name, run_id)
        scope, calls = enter_batch(self, _several(inputs), config, SyncHost(), with_stop(stop, kwargs))
        return run_sync(scope, self._results(scope, calls))

    async def agenerate(
        self,
        inputs: Sequence[Input],
        stop: Sequence[str] | None = None,
        callbacks: Sequence[Any] | None = None,
        *,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        run_id: UUID | str | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """`generate`, in the caller's event loop."""
        config = called_with(callbacks, tags, metadata, run_name, run_id)
        scope, calls = enter_batch(self, _several(inputs), config, async_host(), with_stop(stop, kwargs))
        return await self._results(scope, calls)

    def generate_prompt(self, prompts: Sequence[Any], *args: Any, **kwargs: Any) -> LLMResult:
        """`generate`, of prompts' values."""
        return self.generate(prompts, *args, **kwargs)

    async def agenerate_prompt(self, prompts: Sequence[Any], *args: Any, **kwargs: Any) -> LLMResult:
        """`agenerate`, of prompts' values."""
        return await self.agenerate(prompts, *args, **kwargs)

    async def _results(self, scope: Scope, calls: Sequence[Call]) -> LLMResult:
        answers = await answers_of(scope, calls)
        scopes = [own for _, _, _, own, _ in calls]
        return result_of(
            [
                generations_of(each, own.generation_info, own.alternatives)
                for each, own in zip(answers, scopes, strict=True)
            ],
            [own.usage for own in scopes],
            model_name_of(self) or self.get_name(),
        )

    def _runs_in_place(self, scope: Scope) -> bool:
        """Whether `_stream` is a plain generator under a sync verb: no coroutine need stand around it."""
        return self._stream_kind == "each" and not scope.here.is_async

    def _items(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """What the model says, as it says it: from `_stream`, or all at once from `_generate`."""
        if self._stream is None:
            return self._one_item(request, scope, kwargs)
        host = scope.here
        run = host.each if self._stream_kind == "each" else host.aeach
        return run(scope, partial(self._stream, request, **kwargs))

    async def _said(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> list[Any]:
        """All that the model says, when nobody wants it piece by piece."""
        if self._generate is not None:
            return [await self._whole(request, scope, kwargs)]
        if self._runs_in_place(scope):
            return self._said_in_place(request, scope, kwargs)
        async with scope.reading(self._items(request, scope, kwargs)) as items:
            return [item async for item in items]

    def _said_in_place(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> list[Any]:
        said = []
        with InPlace(scope, partial(self._stream, request, **kwargs)) as advance:
            while (item := advance()) is not END:
                scope.cancellation.check()
                said.append(item)
        return said

    async def _one_item(
        self, request: Any, scope: Scope, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        yield await self._whole(request, scope, kwargs)

    async def _whole(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> Any:
        """The answer of `_generate`."""
        if self._generate is None:
            raise TypeError(f"{type(self).__name__} has neither _stream nor _generate: write one of them.")
        host = scope.here
        run = host.call if self._generate_kind == "call" else host.wait
        return await run(scope, self._generate, request, **kwargs)


def _several(inputs: Sequence[Input]) -> Sequence[Input]:
    """The requests of a `generate`, which a text alone is not: each of its letters would be one."""
    if isinstance(inputs, str):
        raise InputError("generate() takes a list of requests. Of one, call invoke(), or write it as [text].")
    return inputs


def called_with(
    callbacks: Sequence[Any] | None,
    tags: Sequence[str] | None,
    metadata: Mapping[str, Any] | None,
    run_name: str | None = None,
    run_id: UUID | str | None = None,
) -> RunnableConfig:
    """The config that a call's keywords stand for."""
    given = {
        "callbacks": callbacks,
        "tags": tags,
        "metadata": metadata,
        "run_name": run_name,
        "run_id": run_id,
    }
    return cast("RunnableConfig", {key: value for key, value in given.items() if value is not None})


def with_stop(stop: Sequence[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords of a call, `stop` among them if it was given."""
    return kwargs if stop is None else {**kwargs, "stop": stop}


def estimated_usage(asked: int, answered: int) -> UsageMetadata:
    """The usage of a call whose model reports none, from the numbers of characters; flagged so."""
    asked, answered = -(-asked // CHARACTERS_A_TOKEN), -(-answered // CHARACTERS_A_TOKEN)
    return UsageMetadata(asked, answered, asked + answered, estimated=True)
