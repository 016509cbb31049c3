"""What chat models and text models share: one method to write, in any of four forms."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any, ClassVar

from millstream.kernel.scope import Scope
from millstream.messages import UsageMetadata
from millstream.runnables.function import Kind, kind_of
from millstream.runnables.runnable import Input, Output, Runnable

# How many characters make a token, for an estimate where a model reports none: English text in the usual
# vocabularies comes to about four.
CHARACTERS_A_TOKEN = 4


class LanguageModel(Runnable[Input, Output]):
    """A model that answers a request with a stream of items, or with one.

    A subclass writes `_stream` (a generator) or `_generate` (a plain answer), `def` or `async def`; both if
    it has a cheaper way to answer whole. Under async verbs a `def` runs in a worker thread, under sync verbs
    an `async def` runs on a private loop.
    """

    _takes_whole = True

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
    ) -> None:
        self.name = name
        self._own_tags = list(tags)
        self._own_metadata = dict(metadata or {})

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


def estimated_usage(asked: int, answered: int) -> UsageMetadata:
    """The usage of a call whose model reports none, from the numbers of characters; flagged so."""
    asked, answered = -(-asked // CHARACTERS_A_TOKEN), -(-answered // CHARACTERS_A_TOKEN)
    return UsageMetadata(asked, answered, asked + answered, estimated=True)
