"""What all prompts share: variables, partials, and how an input becomes values."""

from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, Self

from millstream.errors import InputError, PromptInputError
from millstream.messages import PromptValue
from millstream.runnables.runnable import Runnable


class BasePromptTemplate(Runnable[dict[str, Any], PromptValue]):
    """A step that fills a template with values and answers a prompt value.

    Its input is a dict of the variables' values. Where there is exactly one, its value may be given bare.
    """

    _run_type = "prompt"
    _may_block = False

    input_variables: list[str]
    """The variables that must be given."""
    optional_variables: list[str]
    """The variables that may be left out."""
    partial_variables: dict[str, Any]
    """The variables that were given already: values, or functions that are called at each filling."""

    @abstractmethod
    def format_prompt(self, **kwargs: Any) -> PromptValue:
        """The prompt value for these values. Raises `PromptInputError` if one is missing."""
        raise NotImplementedError

    @abstractmethod
    def pretty_repr(self) -> str:
        """The template as a person reads it."""
        raise NotImplementedError

    def pretty_print(self) -> None:
        """Print `pretty_repr()`."""
        print(self.pretty_repr())

    def format(self, **kwargs: Any) -> str:
        """The prompt as one text. Raises `PromptInputError` if a variable is missing."""
        return self.format_prompt(**kwargs).to_string()

    def partial(self, **kwargs: Any) -> Self:
        """The same prompt with some variables given, as values or as functions without arguments."""
        other = copy(self)
        other.partial_variables = {**self.partial_variables, **kwargs}
        other.input_variables = [name for name in self.input_variables if name not in kwargs]
        return other

    async def _answer(self, input: Any, scope: Any, /, **kwargs: Any) -> PromptValue:
        return self._prompt(self._complete(self._values(input)))

    @abstractmethod
    def _prompt(self, values: Mapping[str, Any]) -> PromptValue:
        raise NotImplementedError

    def _values(self, input: Any) -> Mapping[str, Any]:
        if type(input) is dict or isinstance(input, Mapping):  # the first is quick
            return input
        if len(self.input_variables) == 1:
            return {self.input_variables[0]: input}
        wanted = ", ".join(self.input_variables) or "none"
        raise InputError(
            f"{self.get_name()} takes a dict of its variables ({wanted}), not {type(input).__name__}. "
            "A bare value is taken where there is exactly one variable."
        )

    def _complete(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values with the partials added, after a check that none is missing."""
        for name in self.input_variables:
            if name not in given:
                missing = [name for name in self.input_variables if name not in given]
                raise PromptInputError(self.get_name(), missing, map(str, given))
        if not self.partial_variables:
            return given
        return {**resolved(self.partial_variables), **given}


def resolved(partials: Mapping[str, Any]) -> dict[str, Any]:
    """The values of partial variables: those that are functions are called."""
    return {name: value() if callable(value) else value for name, value in partials.items()}
