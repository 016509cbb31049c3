"""millstream: a language model's words through a chain of steps, token by token, sync and async.

Every public name can be imported from here; its module is loaded when the name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.agents import *
    from millstream.callbacks import *
    from millstream.documents import *
    from millstream.embeddings import *
    from millstream.errors import *
    from millstream.events import *
    from millstream.language_models import *
    from millstream.messages import *
    from millstream.otel import *
    from millstream.output_parsers import *
    from millstream.outputs import *
    from millstream.prompts import *
    from millstream.providers.anthropic import *
    from millstream.providers.local import *
    from millstream.providers.openai import *
    from millstream.retrievers import *
    from millstream.runnables import *
    from millstream.tools import *
    from millstream.vectorstores import *
    from millstream.wire import *

__version__ = "0.1.0"

# Where each name lives: the `__all__` of its module. Written out here, so that nothing is imported to know
# it; a test holds both equal. The imports above say the same to type checkers and editors.
_HOMES = {
    "agents": "Agent create_agent",
    "callbacks": (
        "AsyncCallbackHandler BaseCallbackHandler RetryState StdOutCallbackHandler "
        "StreamingStdOutCallbackHandler"
    ),
    "documents": "Document",
    "embeddings": "Embeddings",
    "errors": (
        "AgentLimitError AuthenticationError Cancelled CoercionError ConfigError ContentFilterError "
        "ContextLengthError EmbeddingError InputError JsonError JsonLimitError MillstreamError "
        "MissingDependency ModelError OutputParserException PromptInputError ProviderError "
        "ProviderUnavailable RateLimitError RecursionLimitError SseLimitError StreamTimeout "
        "StreamTruncated TemplateError ToolException ToolInputError VectorStoreError"
    ),
    "events": (
        "AsyncLiveRun CustomEvent EventsMissed LiveRun LogEntry ReasoningDelta RunCancelled RunDone "
        "RunEnd RunEvent RunFailed RunLog RunLogPatch RunReset RunStarted RunState RunTruncated "
        "StepFinished StepStarted StreamEvent StreamedToolCall TextDelta ToolCallDelta "
        "ToolCallReady ToolCallStarted ToolOutputDelta ToolResult UsageReported "
        "adispatch_custom_event dispatch_custom_event encode_event"
    ),
    "language_models": "BaseChatModel BaseLLM ModelInput init_chat_model register_chat_model",
    "messages": (
        "AIMessage AIMessageChunk AnyMessage BaseMessage BaseMessageChunk ChatMessage "
        "ChatMessageChunk ChatPromptValue Content HumanMessage HumanMessageChunk InvalidToolCall "
        "MessageLike PromptValue StringPromptValue SystemMessage SystemMessageChunk ToolCall "
        "ToolCallChunk ToolMessage ToolMessageChunk UsageMetadata convert_to_messages "
        "get_buffer_string merge_chunks message_from_dict message_to_dict messages_from_dict "
        "messages_to_dict to_message"
    ),
    "outputs": "ChatGeneration ChatGenerationChunk Generation GenerationChunk LLMResult",
    "otel": "OpenTelemetryTracer",
    "output_parsers": (
        "BaseOutputParser CommaSeparatedListOutputParser JsonOutputParser ListOutputParser "
        "MarkdownListOutputParser NumberedListOutputParser PydanticOutputParser StrOutputParser "
        "XMLOutputParser"
    ),
    "prompts": (
        "AIMessagePromptTemplate BaseMessagePromptTemplate BasePromptTemplate "
        "ChatMessagePromptTemplate ChatPromptTemplate HumanMessagePromptTemplate "
        "MessagesPlaceholder PromptTemplate SystemMessagePromptTemplate"
    ),
    "providers.anthropic": "Anthropic ChatAnthropic",
    "providers.local": "ChatLocal LocalEmbeddings LocalLLM",
    "providers.openai": "ChatOpenAI OpenAI OpenAIEmbeddings",
    "retrievers": "BaseRetriever",
    "runnables": (
        "AddableDict Run Runnable RunnableAssign RunnableBinding RunnableBranch RunnableConfig "
        "RunnableEach RunnableGenerator RunnableLambda RunnableMap RunnableParallel "
        "RunnablePassthrough RunnablePick RunnableRetry RunnableSequence RunnableWithFallbacks "
        "chain coerce_to_runnable"
    ),
    "tools": (
        "BaseTool InjectedToolArg StructuredTool convert_to_anthropic_tool convert_to_openai_tool tool"
    ),
    "vectorstores": "FAISS InMemoryVectorStore VectorStore VectorStoreRetriever",
    "wire": "JsonEvent JsonScanner JsonSnapshots Repair SseEvent SseParser parse_partial_json",
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
