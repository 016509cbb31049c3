"""Chat models: messages in, the chunks of one message out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from millstream.errors import ConfigError, InputError
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
from millstream.messages.merge import gather_message, text_alone
from millstream.messages.merge_calls import merge_usage
from millstream.runnables.runnable import Runnable

if TYPE_CHECKING:
    from millstream.kernel.drive import AsyncStream
    from millstream.language_models.structured import Method, Ways
    from millstream.tools.convert import ToolLike

ModelInput = str | PromptValue | MessageLike | Sequence[MessageLike]
"""What a model takes: text, a prompt's value, or messages in any form that people write them."""


Typed = TypeVar("Typed")

# How the ids begin that this library gives to messages whose provider gave none.
OWN_ID = "run-"


class BaseChatModel(LanguageModel[ModelInput, AIMessage]):
    """A model that answers messages with a message.

    To write one, write `_stream(self, messages, **kwargs)`: a generator, `def` or `async def`, that yields
    text or `AIMessageChunk`s; or `_generate(self, messages, **kwargs)` that returns text or an `AIMessage`.
    `messages` is a list of message objects, `kwargs` what the call was given (`stop`, `temperature`, ...).
    Sync and async verbs, streaming, batching and cancellation follow. `tags` and `metadata` are carried by
    the model's own runs.

    Its stream ends with one empty chunk, `chunk_position="last"`, which carries the usage: the model's own,
    or an estimate (`usage_metadata.estimated`) if the model reports none. All chunks of a run carry one id.
    """

    _run_type = "chat_model"

    def _together(self, items: list[Any]) -> AIMessage:
        return gather_message(items)

    def _shown_input(self, input: Any) -> Any:
        return {"messages": [convert_to_messages(input)]}

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> AIMessage:
        messages = convert_to_messages(input)
        stamp = _Stamp(messages, scope)
        message = stamp.message(await self._said(messages, scope, kwargs))
        scope.usage = stamp.usage
        return message

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        async with scope.reading(source) as inputs:
            input = await scope.gather(inputs)
            if input is NOTHING:
                return
            messages = convert_to_messages(input)
            stamp = _Stamp(messages, scope)
            try:
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
                                # As `mark` does it, without the call: this is a sync token's whole cost here.
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
            finally:
                scope.usage = stamp.spent()

    def bind_tools(
        self,
        tools: Sequence[ToolLike],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[ModelInput, AIMessage]:
        """This model with tools that it may call.

        `tools` are tools, functions, classes with fields, or dicts in the form of a provider. `tool_choice`
        is `"auto"` (the model decides), `"any"` or `"required"` (it has to call one), `"none"`, or the name
        of the one that it has to call. `kwargs` go to each call of the model: `parallel_tool_calls=False`,
        say, or `strict=True`.

        Raises `ConfigError` for what is no tool.
        """
        from millstream.tools import convert_to_openai_tool

        # A dict stays as it is: it may say more than the common form has room for.
        told = [tool if isinstance(tool, Mapping) else convert_to_openai_tool(tool) for tool in tools]
        for tool in told:
            convert_to_openai_tool(tool)
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=told, **choice, **kwargs)

    def _structured(self, json_schema: dict[str, Any], strict: bool | None) -> Ways:
        """The ways in which this model can be held to a JSON schema, the preferred one first.

        For each of the methods of `with_structured_output` that the model knows, the keywords of a call: they
        arrive in `_stream` or `_generate`. The schema's `title` is the answer's name, if it has one;
        `structured.answer_tool` makes the keywords of `"function_calling"`. `strict` is what the caller
        said of it, for servers that know the word.
        """
        return {}

    @overload
    def with_structured_output(
        self,
        schema: type[Typed],
        *,
        method: Method | None = None,
        include_raw: Literal[False] = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[ModelInput, Typed]: ...
    @overload
    def with_structured_output(
        self,
        schema: Any,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[ModelInput, Any]: ...
    def with_structured_output(
        self,
        schema: Any,
        *,
        method: Method | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[ModelInput, Any]:
        """This model, held to JSON of a schema, and its answers read.

        `schema` is a pydantic model, msgspec struct, dataclass or TypedDict, or a JSON schema as a dict. The
        answer is an object of the type, or what the JSON says; in a stream it fills as it is written, and the
        last item is a validated one. With `include_raw` it is a dict of `raw` (the message), `parsed`, and
        `parsing_error`, which is raised otherwise. `kwargs` go to each call of the model.

        `method` is how the model is held to the schema, by default as it does best: `"json_schema"`, it
        can write nothing else; `"function_calling"`, it has to call a tool that takes such arguments, and
        these are the answer; `"json_mode"`, it writes some JSON, and the prompt has to say which. `strict` is
        for servers that know the word, as OpenAI's does; other models ignore it.

        Raises `ConfigError` if the schema is none, or if the model cannot be held to one in this way. The
        chain raises `OutputParserException` for an answer that is not valid, or not a call.
        """
        from millstream.language_models.structured import chosen_way, reader_of, schema_and_parser

        json_schema, parser = schema_and_parser(schema)
        ways = self._structured(json_schema, strict)
        method = chosen_way(ways, method, self.get_name())
        if both := sorted(ways[method].keys() & kwargs.keys()):
            raise ConfigError(f"The schema is given as {', '.join(both)} to the model already.")
        model = self.bind(**ways[method], **kwargs)
        return model | reader_of(method, json_schema, parser, include_raw=include_raw)

    if TYPE_CHECKING:  # a message when it answers once, its chunks when it streams

        def stream(  # noqa: D102
            self, input: ModelInput, config: RunnableConfig | None = None, **kwargs: Any
        ) -> Generator[AIMessageChunk, None, None]: ...

        def astream(  # noqa: D102
            self, input: ModelInput, config: RunnableConfig | None = None, **kwargs: Any
        ) -> AsyncStream[AIMessageChunk]: ...


class _Stamp:
    """Makes chunks of what a model yields: the same id on all, and usage on the last."""

    __slots__ = ("_messages", "blocks_at", "characters", "ended", "id", "usage")

    def __init__(self, messages: list[BaseMessage], scope: Scope) -> None:
        self._messages = messages
        self.id = f"{OWN_ID}{scope.run_id}"
        self.characters = 0
        #: How many characters of text came before the last content that was no text.
        self.blocks_at = -1
        self.usage: UsageMetadata | None = None
        #: Whether the chunk that ends the stream was made.
        self.ended = False

    def mark(self, item: Any) -> AIMessageChunk:
        """The chunk that goes out for what the model yielded."""
        if (
            type(item) is AIMessageChunk
            and item.id is None
            and item._held_usage is None  # type: ignore[attr-defined]
            and item.chunk_position is None
            and type(item.content) is str
        ):
            # Nearly all chunks of nearly all streams: stamped in place, a copy costs as much as a chunk.
            item.id = self.id
            self.characters += len(item.content)
            return item
        chunk = _chunk_of(item)
        self._read(chunk)
        if not isinstance(chunk.content, str):
            self.blocks_at = self.characters
        if chunk.chunk_position is not None:
            self.ended = True
            if self.usage is None:
                chunk.usage_metadata = self.usage = self._estimate()
        return chunk

    def message(self, items: list[Any]) -> AIMessage:
        """The whole answer: of all that the model yielded, or of the one thing that it returned."""
        texts = [item if type(item) is str else item.content for item in items if _is_text(item)]
        if len(texts) == len(items):
            text = "".join(texts)
            self.characters = len(text)
            message = AIMessage(text, id=self.id)
        elif len(items) == 1 and type(items[0]) is AIMessage:
            message = items[0].__copy__()  # type: ignore[attr-defined]
            self._read(message)
        else:
            message = gather_message([self.mark(item) for item in items])
        if self.usage is None:
            message.usage_metadata = self.usage = self._estimate()
        return message

    def _read(self, message: AIMessage) -> None:
        """Note what a message says of the run, and give it the run's id if it has none."""
        self.characters += len(message.text)
        if message.id is None or message.id.startswith(OWN_ID):
            # An id of ours is from an earlier run that yielded the same object, or from a model inside.
            message.id = self.id
        else:
            self.id = message.id
        usage = message.usage_metadata
        if usage is not None:
            self.usage = usage if self.usage is None else merge_usage([self.usage, usage])

    def last(self) -> AIMessageChunk:
        """The empty chunk that ends the stream."""
        usage = None
        self.ended = True
        if self.usage is None:
            usage = self.usage = self._estimate()
        # Empty in the way of the chunk before it.
        content: Content = [] if self.blocks_at == self.characters else ""
        return AIMessageChunk(content, id=self.id, usage_metadata=usage, chunk_position="last")

    def spent(self) -> UsageMetadata:
        """What the run cost. Of one that was cut short, what the model told is not the whole: estimated."""
        if self.ended and self.usage is not None:
            return self.usage
        guess, told = self._estimate(), self.usage or UsageMetadata()
        return UsageMetadata(
            input_tokens=told.input_tokens or guess.input_tokens,
            output_tokens=max(told.output_tokens, guess.output_tokens),
            input_token_details=told.input_token_details,
            output_token_details=told.output_token_details,
            estimated=True,
        )

    def _estimate(self) -> UsageMetadata:
        asked = 0
        for message in self._messages:
            content = message.content
            asked += len(content) if type(content) is str else len(message.text)
        return estimated_usage(asked, self.characters)


def _is_text(item: Any) -> bool:
    if type(item) is AIMessageChunk:
        return text_alone(item) is not None
    return type(item) is str


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
