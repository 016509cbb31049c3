"""Chunks into one chunk, and a chunk into the finished message."""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec.structs import astuple

from millstream.errors import InputError
from millstream.messages.ai import AIMessage, AIMessageChunk, split_calls
from millstream.messages.base import BaseMessage, BaseMessageChunk
from millstream.messages.kinds import (
    ChatMessage,
    ChatMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)

C = TypeVar("C", bound=BaseMessageChunk)

_WHOLE: dict[str, type[BaseMessage]] = {
    HumanMessageChunk.type: HumanMessage,
    SystemMessageChunk.type: SystemMessage,
    ChatMessageChunk.type: ChatMessage,
    ToolMessageChunk.type: ToolMessage,
    AIMessageChunk.type: AIMessage,
}


def merge_chunks(chunks: Sequence[C]) -> C:
    """One chunk that says what all `chunks` say, in time linear in their length.

    Raises `InputError` (a `TypeError`) if there are none, or if they are not chunks of one kind.
    """
    if not chunks:
        raise InputError("There is nothing to merge: the sequence of chunks is empty.")
    if not isinstance(chunks[0], BaseMessageChunk):
        raise InputError(f"Message chunks merge; {type(chunks[0]).__name__} is none.")
    return chunks[0].merge_all(chunks)


# What the fields behind content and id hold in a chunk of nothing but text, read past their properties.
_BARE = (None,) * (len(AIMessageChunk.__struct_fields__) - 2)


# What a chunk that was made of a text alone holds beside it.
_NOTHING_ELSE = astuple(AIMessageChunk(""))[1:]


def text_alone(chunk: AIMessageChunk) -> str | None:
    """The text of a chunk that was made of nothing else; None if it holds more."""
    values = astuple(chunk)
    return values[0] if values[1:] == _NOTHING_ELSE and type(values[0]) is str else None


def gather_message(chunks: Sequence[AIMessageChunk]) -> AIMessage:
    """The message that a model's stream amounts to: `to_message(merge_chunks(chunks))`, and quicker.

    Nearly all streams are pieces of text that carry one id, and a last chunk with usage and metadata.
    """
    *pieces, last = chunks
    texts: list[str] = []
    for chunk in pieces:
        text, given, *rest = astuple(chunk)
        if type(text) is not str or given != last.id or tuple(rest) != _BARE:
            return _merged_message(chunks)
        texts.append(text)
    if type(last.content) is not str or last.name or last.additional_kwargs or last.tool_call_chunks:
        return _merged_message(chunks)
    texts.append(last.content)
    metadata = last.response_metadata
    return AIMessage(
        "".join(texts), id=last.id, response_metadata=metadata, usage_metadata=last.usage_metadata
    )


def _merged_message(chunks: Sequence[AIMessageChunk]) -> AIMessage:
    message = to_message(merge_chunks(chunks))
    assert isinstance(message, AIMessage)
    return message


def to_message(chunk: BaseMessage) -> BaseMessage:
    """The finished message that a merged chunk amounts to; a message that is no chunk is returned as it is.

    An `AIMessageChunk` gives an `AIMessage`, without fragments and position; a call whose arguments are not
    complete stands in `invalid_tool_calls`.
    """
    whole = _WHOLE.get(chunk.type)
    if whole is None:
        return chunk
    fields: dict[str, Any] = {name: getattr(chunk, name) for name in whole.__struct_fields__}
    if isinstance(chunk, AIMessageChunk) and chunk.tool_call_chunks:
        fields["tool_calls"], fields["invalid_tool_calls"] = split_calls(chunk.tool_call_chunks)
    return whole(**fields)
