"""What parsers share: they take a model's message or its text."""

from abc import abstractmethod
from typing import Any, TypeVar

from millstream.errors import InputError
from millstream.messages import AIMessage, BaseMessage
from millstream.runnables.runnable import Runnable

T_co = TypeVar("T_co", covariant=True)


class BaseOutputParser(Runnable[AIMessage | str, T_co]):
    """A step that makes something of a model's whole answer. Override `parse(text)`.

    In a stream it waits for the whole answer, and yields once.
    """

    _run_type = "parser"
    _may_block = False

    @abstractmethod
    def parse(self, text: str) -> T_co:
        """What the text says. Raises an error of your choice if it cannot be read."""
        raise NotImplementedError

    def get_format_instructions(self) -> str:
        """What to tell the model, so that its answer can be parsed."""
        raise NotImplementedError(f"{self.get_name()} has no format instructions.")

    async def _answer(self, input: Any, scope: Any, /, **kwargs: Any) -> T_co:
        return self.parse(text_of(input, self.get_name()))


def text_of(answer: Any, reader: str) -> str:
    """The text of a model's answer. Raises `InputError`, which names `reader`, if it is no answer."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, BaseMessage):
        return answer.text
    raise InputError(f"{reader} takes a message or a text, not {type(answer).__name__}.")
