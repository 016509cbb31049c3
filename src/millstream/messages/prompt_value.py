"""What a prompt gives a model: something that can be read as text or as messages."""

from abc import abstractmethod
from collections.abc import Sequence

import msgspec

from millstream.messages.base import BaseMessage
from millstream.messages.kinds import HumanMessage
from millstream.messages.serialise import get_buffer_string


class PromptValue(msgspec.Struct):
    """A filled prompt: `to_string()` for models of text, `to_messages()` for models of messages."""

    @abstractmethod
    def to_string(self) -> str:
        """The prompt as one text."""
        raise NotImplementedError

    @abstractmethod
    def to_messages(self) -> list[BaseMessage]:
        """The prompt as messages, in a new list."""
        raise NotImplementedError


class StringPromptValue(PromptValue):
    """A prompt that is a text; as messages it is one human message."""

    text: str
    """The filled text."""

    def to_string(self) -> str:
        """The text."""
        return self.text

    def to_messages(self) -> list[BaseMessage]:
        """One `HumanMessage` with the text."""
        return [HumanMessage(self.text)]


class ChatPromptValue(PromptValue):
    """A prompt that is messages; as text it is one "Human: ..." line for each."""

    messages: Sequence[BaseMessage]
    """The filled messages."""

    def to_string(self) -> str:
        """The messages as lines of text."""
        return get_buffer_string(self.messages)

    def to_messages(self) -> list[BaseMessage]:
        """The messages, in a new list."""
        return list(self.messages)
