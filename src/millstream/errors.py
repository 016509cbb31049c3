"""Every error the library raises itself, in one tree.

An exception raised by a user's own step is never wrapped: it arrives as it was raised, with a note that
names the step. What stands here is what the library has to say, and each error tells whether trying the
same thing again can help (`retryable`).
"""

from collections.abc import Iterable

__all__ = [
    "Cancelled",
    "CoercionError",
    "ConfigError",
    "ContextLengthError",
    "InputError",
    "MillstreamError",
    "MissingDependency",
    "ModelError",
    "PromptInputError",
    "RecursionLimitError",
    "TemplateError",
]


class MillstreamError(Exception):
    """The root of the tree: `except MillstreamError` catches whatever the library raises itself.

    `retryable` is true when the same call may succeed later, unchanged.
    """

    retryable: bool = False


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
    """An optional package is not installed. The message holds the command that installs it."""

    def __init__(self, what: str, *, command: str) -> None:
        self.command = command
        super().__init__(f"{what} is not installed. Install it with: {command}")


class ModelError(MillstreamError):
    """A model could not answer: `message` is the model's or its server's own words."""


class ContextLengthError(ModelError):
    """The prompt, or the prompt with its answer, does not fit into the model's context."""
