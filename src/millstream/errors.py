"""Every error the library raises itself, in one tree.

An exception raised by a user's own step is never wrapped: it arrives as it was raised, with a note that
names the step. What stands here is what the library has to say, and each error tells whether trying the
same thing again can help (`retryable`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

__all__ = [
    "AgentLimitError",
    "AuthenticationError",
    "Cancelled",
    "CoercionError",
    "ConfigError",
    "ContentFilterError",
    "ContextLengthError",
    "EmbeddingError",
    "InputError",
    "JsonError",
    "JsonLimitError",
    "MillstreamError",
    "MissingDependency",
    "ModelError",
    "OutputParserException",
    "PromptInputError",
    "ProviderError",
    "ProviderUnavailable",
    "RateLimitError",
    "RecursionLimitError",
    "SseLimitError",
    "StreamTimeout",
    "StreamTruncated",
    "TemplateError",
    "ToolException",
    "ToolInputError",
    "VectorStoreError",
]


class MillstreamError(Exception):
    """The root of the tree: `except MillstreamError` catches whatever the library raises itself.

    Errors can be copied and pickled, so that they come back whole from other processes.
    """

    retryable: bool = False
    """Whether the same call may succeed later, unchanged."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are made again from their `args` alone, which are fewer than many of these are made with.
        return _again, (type(self), self.args), self.__dict__


class ConfigError(MillstreamError, TypeError):
    """A `config` holds a key or a value that no runnable understands. The caller's to mend."""


class CoercionError(MillstreamError, TypeError):
    """Something that is no runnable, function or dict stands where a step is expected."""


class InputError(MillstreamError, TypeError):
    """A step was given an input of a kind that it cannot take."""


class PromptInputError(MillstreamError, KeyError):
    """A prompt was filled without some of its variables.

    `missing` and `given` list the variables' names, sorted.
    """

    def __init__(self, prompt: str, missing: Iterable[str], given: Iterable[str]) -> None:
        self.missing = sorted(missing)
        self.given = sorted(given)
        names = ", ".join(repr(name) for name in self.missing)
        had = ", ".join(repr(name) for name in self.given) or "nothing"
        self.message = f"{prompt} needs the variable(s) {names}, and was given {had}."
        super().__init__(self.message)

    def __str__(self) -> str:
        # KeyError shows its argument's repr; a sentence reads better as it is.
        return self.message


class TemplateError(MillstreamError, ValueError):
    """A template's text cannot be read, or asks for what templates may not do."""


class Cancelled(MillstreamError):
    """The run was cancelled: by `cancel()`, or because whoever read it went away."""


class RecursionLimitError(MillstreamError, RecursionError):
    """Functions that return runnables called each other deeper than `recursion_limit`."""


class MissingDependency(MillstreamError, ImportError):
    """An optional package is not installed. The message and `command` hold the command that installs it."""

    def __init__(self, what: str, *, command: str) -> None:
        self.command = command
        super().__init__(f"{what} is not installed. Install it with: {command}")


class ModelError(MillstreamError):
    """A model could not answer. The text is the model's or its server's own words.

    `partial` is what arrived of an answer before its stream broke off: a message, or a text model's text;
    None if nothing did.
    """

    partial: Any = None


class ProviderError(ModelError):
    """A provider refused a request, or broke off its answer. The text is the provider's own words.

    `status` is the HTTP status, `code` the provider's name for the error, `request_id` what its support asks
    for, each None where it told none. `retry_after` is how many seconds it asks to wait before the same
    request is sent again. Keys are in none of them.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class AuthenticationError(ProviderError):
    """The key is missing, wrong, or may not do this."""


class RateLimitError(ProviderError):
    """Too many requests, or too many tokens, in too short a time; or the account is used up."""

    retryable = True


class ContentFilterError(ProviderError):
    """The provider's policy forbids the request or the answer."""


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached, is overloaded, or failed by itself."""

    retryable = True


class ContextLengthError(ProviderError):
    """The prompt, or the prompt with its answer, does not fit into the model's context."""


class StreamTruncated(ProviderError):
    """A model's stream ended before the answer did: what arrived is not the whole."""

    retryable = True


class StreamTimeout(ModelError, TimeoutError):
    """A model was silent for too long.

    `phase` is what was waited for: the `"first"` piece of an answer, the next one (`"idle"`), or all of it
    (`"total"`).
    """

    retryable = True

    def __init__(self, message: str, *, phase: Literal["first", "idle", "total"]) -> None:
        super().__init__(message)
        self.phase = phase


class OutputParserException(MillstreamError, ValueError):
    """A model's answer is not what the parser reads. Asking the model again can help.

    `llm_output` is the text at fault, as far as it had come. `path` is the place in the value where the fault
    lies, keys and indices from the outside in, empty for the whole. `observation` is what a model may be told
    so that it can mend its answer; `send_to_llm` says that it is to be told, and needs both texts.
    """

    retryable = True

    def __init__(
        self,
        error: object,
        observation: str | None = None,
        llm_output: str | None = None,
        send_to_llm: bool = False,
        *,
        path: Iterable[str | int] = (),
    ) -> None:
        super().__init__(error)
        if send_to_llm and (observation is None or llm_output is None):
            raise ValueError("An error that is to be sent to the model needs `observation` and `llm_output`.")
        self.observation = observation
        self.llm_output = llm_output
        self.send_to_llm = send_to_llm
        self.path = tuple(path)


class JsonError(MillstreamError, ValueError):
    """A text is no JSON, or ends before its JSON does (`truncated`).

    `path` is the value at fault: keys and indices from the outside in. `position` is how many characters of
    the text came before the fault.
    """

    def __init__(
        self, message: str, *, path: Iterable[str | int] = (), position: int = 0, truncated: bool = False
    ) -> None:
        super().__init__(message)
        self.path = tuple(path)
        self.position = position
        self.truncated = truncated


class JsonLimitError(JsonError):
    """A JSON text goes beyond a limit of whoever reads it: nesting, digits or length."""


class SseLimitError(MillstreamError, ValueError):
    """An event of a stream goes beyond the limit of whoever reads it."""


class EmbeddingError(MillstreamError, ValueError):
    """Vectors that cannot be used: too few, too many, of another length, or with numbers that are none."""


class VectorStoreError(MillstreamError, ValueError):
    """A vector store cannot be saved, or what was saved cannot be read. `path` is the file or folder."""

    def __init__(self, message: str, *, path: object) -> None:
        self.path = str(path)
        super().__init__(message)


class ToolException(MillstreamError):
    """A tool could not do what it was asked for: raise it in yours, with words that the model may read.

    A tool with `handle_tool_error` answers with them, instead of raising.
    """


class ToolInputError(InputError, ValueError):
    """A tool was called with arguments that it does not take.

    `tool` is its name. `path` is the argument at fault and the place in it, keys and indices from the outside
    in, empty for all of them together. A tool with `handle_validation_error` tells the model instead.
    """

    def __init__(self, message: str, *, tool: str, path: Iterable[str | int] = ()) -> None:
        super().__init__(message)
        self.tool = tool
        self.path = tuple(path)


class AgentLimitError(MillstreamError):
    """An agent came to one of its limits before the model gave an answer.

    `limit` names it: `"max_steps"`, `"max_tokens"` or `"timeout"`. `messages` is the conversation so far, in
    which each call has an answer, so that an agent can go on from it.
    """

    def __init__(self, message: str, *, limit: str, messages: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.limit = limit
        self.messages = list(messages)


def _again(kind: type[MillstreamError], args: tuple[Any, ...]) -> MillstreamError:
    error = kind.__new__(kind, *args)
    error.args = args  # which `OSError` leaves to its `__init__`
    return error
