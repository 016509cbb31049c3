"""Messages: what people, models, tools and the system say, whole or in chunks as they stream."""

from millstream.messages.ai import AIMessage, AIMessageChunk
from millstream.messages.base import BaseMessage, BaseMessageChunk, Content
from millstream.messages.calls import InvalidToolCall, ToolCall, ToolCallChunk, UsageMetadata
from millstream.messages.convert import MessageLike, convert_to_messages
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
from millstream.messages.merge import merge_chunks, to_message
from millstream.messages.prompt_value import ChatPromptValue, PromptValue, StringPromptValue
from millstream.messages.serialise import (
    AnyMessage,
    get_buffer_string,
    message_from_dict,
    message_to_dict,
    messages_from_dict,
    messages_to_dict,
)

__all__ = [
    "AIMessage",
    "AIMessageChunk",
    "AnyMessage",
    "BaseMessage",
    "BaseMessageChunk",
    "ChatMessage",
    "ChatMessageChunk",
    "ChatPromptValue",
    "Content",
    "HumanMessage",
    "HumanMessageChunk",
    "InvalidToolCall",
    "MessageLike",
    "PromptValue",
    "StringPromptValue",
    "SystemMessage",
    "SystemMessageChunk",
    "ToolCall",
    "ToolCallChunk",
    "ToolMessage",
    "ToolMessageChunk",
    "UsageMetadata",
    "convert_to_messages",
    "get_buffer_string",
    "merge_chunks",
    "message_from_dict",
    "message_to_dict",
    "messages_from_dict",
    "messages_to_dict",
    "to_message",
]
