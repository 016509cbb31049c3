"""millstream: a language model's words through a chain of steps, token by token, sync and async.

Every public name can be imported from here; its module is loaded when the name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.errors import (
        Cancelled,
        CoercionError,
        ConfigError,
        ContextLengthError,
        InputError,
        MillstreamError,
        MissingDependency,
        ModelError,
        PromptInputError,
        RecursionLimitError,
        TemplateError,
    )
    from millstream.language_models import BaseChatModel, BaseLLM, init_chat_model, register_chat_model
    from millstream.messages import (
        AIMessage,
        AIMessageChunk,
        BaseMessage,
        BaseMessageChunk,
        ChatMessage,
        ChatMessageChunk,
        HumanMessage,
        HumanMessageChunk,
        InvalidToolCall,
        SystemMessage,
        SystemMessageChunk,
        ToolCall,
        ToolCallChunk,
        ToolMessage,
        ToolMessageChunk,
        UsageMetadata,
        convert_to_messages,
        get_buffer_string,
        merge_chunks,
        message_to_dict,
        messages_from_dict,
        messages_to_dict,
    )
    from millstream.output_parsers import BaseOutputParser, StrOutputParser
    from millstream.prompts import ChatPromptTemplate, MessagesPlaceholder, PromptTemplate
    from millstream.providers.local import ChatLocal, LocalLLM
    from millstream.runnables import (
        AddableDict,
        Runnable,
        RunnableAssign,
        RunnableBinding,
        RunnableBranch,
        RunnableConfig,
        RunnableEach,
        RunnableGenerator,
        RunnableLambda,
        RunnableMap,
        RunnableParallel,
        RunnablePassthrough,
        RunnablePick,
        RunnableRetry,
        RunnableSequence,
        RunnableWithFallbacks,
        chain,
    )

__version__ = "0.1.0"

# Where each name lives. The imports above say the same to type checkers and editors; a test holds them equal.
_HOMES = {
    "errors": (
        "Cancelled CoercionError ConfigError ContextLengthError InputError MillstreamError "
        "MissingDependency ModelError PromptInputError RecursionLimitError TemplateError"
    ),
    "language_models": "BaseChatModel BaseLLM init_chat_model register_chat_model",
    "messages": (
        "AIMessage AIMessageChunk BaseMessage BaseMessageChunk ChatMessage ChatMessageChunk "
        "HumanMessage HumanMessageChunk InvalidToolCall SystemMessage SystemMessageChunk ToolCall "
        "ToolCallChunk ToolMessage ToolMessageChunk UsageMetadata convert_to_messages "
        "get_buffer_string merge_chunks message_to_dict messages_from_dict messages_to_dict"
    ),
    "output_parsers": "BaseOutputParser StrOutputParser",
    "prompts": "ChatPromptTemplate MessagesPlaceholder PromptTemplate",
    "providers.local": "ChatLocal LocalLLM",
    "runnables": (
        "AddableDict Runnable RunnableAssign RunnableBinding RunnableBranch RunnableConfig "
        "RunnableEach RunnableGenerator RunnableLambda RunnableMap RunnableParallel "
        "RunnablePassthrough RunnablePick RunnableRetry RunnableSequence RunnableWithFallbacks "
        "chain"
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)  # noqa: PLE0605  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'millstream' has no attribute {name!r}")
    value = getattr(import_module(f"millstream.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
