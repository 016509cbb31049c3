"""Chat models: messages in, the chunks of one message out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from millstream.errors import InputError
from millstream.kernel.host import END, InPlace
from millstream.kernel.scope import RunnableConfig, Scope
from millstream.kernel.sources import NOTHING, Source
from millstream.language_models.base import LanguageModel, estimated_usage
from millstream.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    Content,
    MessageLike,
    PromptValue,
    UsageMetadata,
    convert_to_messages,
)
from millstream.messages.merge import gather_message
from millstream.messages.merge_calls import merge_usage

if TYPE_CHECKING:
    from millstream.kernel.drive import AsyncStream

#: What a chat model takes: text, a prompt's value, or messages in any form that people write them.
ModelInput = str | PromptValue | MessageLike | Sequence[MessageLike]


# How the ids begin that this library gives to messages whose provider gave none.
OWN_ID = "run-"


class BaseChatModel(LanguageModel[ModelInput, AIMessage]):
    """A model that answers messages with a message.

    To write one, write `_stream(self, messages, **kwargs)`: a generator, `def` or `async def`, that yields
    text or `AIMessageChunk`s; or `_generate(self, messages, **kwargs)` that returns text or an `AIMessage`.
    `messages` is a list of message objects, `kwargs` what the call was given (`stop`, `temperature`, ...).
    Sync and async verbs, streaming, batching and cancellation follow.

    Its stream ends with one empty chunk, `chunk_position="last"`, which carries the usage: the model's own,
    or an estimate (`usage_metadata.estimated`) if the model reports none. All chunks of a run carry one id.
    """

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> AIMessage:
        messages = convert_to_messages(input)
        stamp = _Stamp(messages, scope)
        if self._generate is not None:
            message = stamp.whole(await self._whole(messages, scope, kwargs))
            scope.usage = stamp.usage
            return message
        if self._runs_in_place(scope):
            chunks = []
            with InPlace(scope, partial(self._stream, messages, **kwargs)) as advance:
                while (item := advance()) is not END:
                    chunks.append(stamp.mark(item))
        else:
            async with scope.reading(self._items(messages, scope, kwargs)) as stream:
                chunks = [stamp.mark(item) async for item in stream]
        if not stamp.ended:
            chunks.append(stamp.last())
        scope.usage = stamp.usage
        return gather_message(chunks)

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        async with scope.reading(source) as inputs:
            input = await scope.gather(inputs)
            if input is NOTHING:
                return
            messages = convert_to_messages(input)
            stamp = _Stamp(messages, scope)
            if self._runs_in_place(scope):
                with InPlace(scope, partial(self._stream, messages, **kwargs)) as advance:
                    while (item := advance()) is not END:
                        if (
                            type(item) is AIMessageChunk
                            and item.id is None
                            and item._held_usage is None  # type: ignore[attr-defined]
                            and item.chunk_position is None
                            and type(item.content) is str
                        ):
                            # Nearly all chunks of nearly all streams, without a call or a copy.
                            item.id = stamp.id
                            stamp.characters += len(item.content)
                            yield item
                        else:
                            yield stamp.mark(item)
            else:
                async with scope.reading(self._items(messages, scope, kwargs)) as items:
                    async for item in items:
                        yield stamp.mark(item)
            if not stamp.ended:
                yield stamp.last()
            scope.usage = stamp.usage

    if TYPE_CHECKING:  # a message when it answers once, its chunks when it streams

        def stream(  # noqa: D102
            self, input: ModelInput, config: RunnableConfig | None = None, **kwargs: Any
        ) -> Generator[AIMessageChunk, None, None]: ...

        def astream(  # noqa: D102
            self, input: ModelInput, config: RunnableConfig | None = None, **kwargs: Any
        ) -> AsyncStream[AIMessageChunk]: ...


class _Stamp:
    """Makes chunks of what a model yields: the same id on all, and usage on the last."""

    __slots__ = ("_blocks", "_messages", "characters", "ended", "id", "usage")

    def __init__(self, messages: list[BaseMessage], scope: Scope) -> None:
        self._messages = messages
        self.id = f"{OWN_ID}{scope.run_id}"
        self.characters = 0
        self._blocks = False
        self.usage: UsageMetadata | None = None
        self.ended = False

    def mark(self, item: Any) -> AIMessageChunk:
        """The chunk that goes out for what the model yielded, which stays as it is."""
        chunk = _chunk_of(item)
        self._blocks = not isinstance(chunk.content, str)
        if isinstance(chunk.content, str):
            self.characters += len(chunk.content)
        if chunk.id is None or chunk.id.startswith(OWN_ID):
            # An id of ours is from an earlier run that yielded the same object, or from a model inside.
            chunk.id = self.id
        else:
            self.id = chunk.id
        if chunk.usage_metadata is not None:
            sums = [chunk.usage_metadata] if self.usage is None else [self.usage, chunk.usage_metadata]
            self.usage = merge_usage(sums)
        if chunk.chunk_position is not None:
            self.ended = True
            if self.usage is None:
                chunk.usage_metadata = self.usage = self._estimate()
        return chunk

    def whole(self, answer: Any) -> AIMessage:
        """The message that goes out for what the model returned."""
        if isinstance(answer, str):
            self.characters = len(answer)
            self.usage = self._estimate()
            return AIMessage(answer, id=self.id, usage_metadata=self.usage)
        return gather_message([self.mark(answer)])

    def last(self) -> AIMessageChunk:
        """The empty chunk that ends the stream."""
        usage = None
        if self.usage is None:
            usage = self.usage = self._estimate()
        content: Content = [] if self._blocks else ""
        return AIMessageChunk(content, id=self.id, usage_metadata=usage, chunk_position="last")

    def _estimate(self) -> UsageMetadata:
        asked = 0
        for message in self._messages:
            asked += len(message.text)
        return estimated_usage(asked, self.characters)


def _chunk_of(item: Any) -> AIMessageChunk:
    if isinstance(item, str):
        return AIMessageChunk(item)
    if isinstance(item, AIMessageChunk):
        return item.__copy__()  # type: ignore[attr-defined,no-any-return]
    if isinstance(item, AIMessage):
        # A whole answer: the one and last chunk of its stream.
        return AIMessageChunk(
            item.content,
            id=item.id,
            name=item.name,
            additional_kwargs=item.additional_kwargs,
            response_metadata=item.response_metadata,
            tool_calls=item.tool_calls,
            invalid_tool_calls=item.invalid_tool_calls,
            usage_metadata=item.usage_metadata,
            chunk_position="last",
        )
    raise InputError(f"A chat model yields text or AIMessageChunks, not {item!r} ({type(item).__name__}).")
