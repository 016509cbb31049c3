"""Templates of messages: one message with variables, or a place for a whole list of messages."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from millstream.errors import InputError, PromptInputError, TemplateError
from millstream.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    convert_to_messages,
)
from millstream.messages.base import ruled
from millstream.prompts.base import resolved
from millstream.prompts.content import ContentTemplate, ContentText
from millstream.prompts.prompt import PromptTemplate
from millstream.prompts.text import TemplateFormat

if TYPE_CHECKING:
    from millstream.prompts.chat import ChatPromptTemplate


class BaseMessagePromptTemplate:
    """A part of a chat prompt that becomes messages when it is filled."""

    @property
    @abstractmethod
    def input_variables(self) -> list[str]:
        """The variables that must be given."""
        raise NotImplementedError

    @abstractmethod
    def add_to(self, messages: list[BaseMessage], values: Mapping[str, Any]) -> None:
        """Append the filled messages. The values were checked for `input_variables` already."""
        raise NotImplementedError

    @abstractmethod
    def pretty_repr(self) -> str:
        """The template as a person reads it."""
        raise NotImplementedError

    def format_messages(self, **kwargs: Any) -> list[BaseMessage]:
        """The filled messages. Raises `PromptInputError` if a variable is missing."""
        missing = [name for name in self.input_variables if name not in kwargs]
        if missing:
            raise PromptInputError(type(self).__name__, missing, kwargs)
        messages: list[BaseMessage] = []
        self.add_to(messages, kwargs)
        return messages

    def pretty_print(self) -> None:
        """Print `pretty_repr()`."""
        print(self.pretty_repr())

    def __add__(self, other: Any) -> "ChatPromptTemplate":
        # A chat prompt is made of these, so its module imports this one.
        from millstream.prompts.chat import ChatPromptTemplate

        prompt: ChatPromptTemplate = ChatPromptTemplate([self]) + other
        return prompt


class MessagesPlaceholder(BaseMessagePromptTemplate):
    """The place where a list of messages is put in, such as a conversation so far.

    An `optional` one may be left out, and is then empty. With `n_messages`, only the last so many are taken.
    """

    def __init__(self, variable_name: str, *, optional: bool = False, n_messages: int | None = None) -> None:
        if n_messages is not None and n_messages < 1:
            raise TemplateError(f"n_messages is a number from 1, or None for all, not {n_messages}.")
        self.variable_name = variable_name
        self.optional = optional
        self.n_messages = n_messages

    @property
    def input_variables(self) -> list[str]:
        """The variable's name; empty if it is optional."""
        return [] if self.optional else [self.variable_name]

    def add_to(self, messages: list[BaseMessage], values: Mapping[str, Any]) -> None:
        """Append the given messages. Raises `InputError` if the value is no list of messages."""
        value = values.get(self.variable_name, ())
        if isinstance(value, (str, Mapping)):
            raise InputError(f"{self.variable_name!r} takes a list of messages, not {type(value).__name__}.")
        given = convert_to_messages(value)
        messages.extend(given if self.n_messages is None else given[-self.n_messages :])

    def pretty_repr(self) -> str:
        """A ruled title and the variable in braces."""
        return f"{ruled(' Messages Placeholder ')}\n\n{{{self.variable_name}}}"

    def __repr__(self) -> str:
        optional = ", optional=True" if self.optional else ""
        return f"MessagesPlaceholder({self.variable_name!r}{optional})"


class _OneMessagePromptTemplate(BaseMessagePromptTemplate):
    """One message. `prompt` is a `PromptTemplate`, or a content's template."""

    message_class: ClassVar[type[BaseMessage]]

    def __init__(
        self,
        prompt: PromptTemplate | ContentTemplate,
        *,
        template_format: TemplateFormat = "f-string",
        additional_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.prompt = prompt
        self.partial_variables: dict[str, Any] = {}
        if isinstance(prompt, PromptTemplate):
            template_format, self.partial_variables = prompt.template_format, prompt.partial_variables
            prompt = prompt.template
        self.additional_kwargs = dict(additional_kwargs or {})
        self._content = ContentText(prompt, template_format)

    @classmethod
    def from_template(
        cls,
        template: ContentTemplate,
        template_format: TemplateFormat = "f-string",
        *,
        partial_variables: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A message template from a text or a list of blocks. Raises `TemplateError` if it cannot be read."""
        made = cls(template, template_format=template_format, **kwargs)
        made.partial_variables = dict(partial_variables or {})
        return made

    @property
    def input_variables(self) -> list[str]:
        """The variables of the content that were not given as partials."""
        return [name for name in self._content.variables if name not in self.partial_variables]

    def format(self, **kwargs: Any) -> BaseMessage:
        """The filled message. Raises `PromptInputError` if a variable is missing."""
        return self.format_messages(**kwargs)[0]

    def add_to(self, messages: list[BaseMessage], values: Mapping[str, Any]) -> None:
        """Append the filled message."""
        if self.partial_variables:
            values = {**resolved(self.partial_variables), **values}
        message = self._message(self._content.render(values))
        if self.additional_kwargs:
            message.additional_kwargs = dict(self.additional_kwargs)
        messages.append(message)

    def pretty_repr(self) -> str:
        """A ruled title and the template."""
        title = type(self).__name__.replace("MessagePromptTemplate", " Message")
        return f"{ruled(f' {title} ')}\n\n{self._content.shown}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prompt!r})"

    def _message(self, content: Any) -> BaseMessage:
        return self.message_class(content)


class HumanMessagePromptTemplate(_OneMessagePromptTemplate):
    """A human message with variables."""

    message_class = HumanMessage


class AIMessagePromptTemplate(_OneMessagePromptTemplate):
    """A model's message with variables."""

    message_class = AIMessage


class SystemMessagePromptTemplate(_OneMessagePromptTemplate):
    """A system message with variables."""

    message_class = SystemMessage


class ChatMessagePromptTemplate(_OneMessagePromptTemplate):
    """A message of any other role with variables."""

    message_class = ChatMessage

    def __init__(self, prompt: PromptTemplate | ContentTemplate, *, role: str, **kwargs: Any) -> None:
        super().__init__(prompt, **kwargs)
        self.role = role

    def _message(self, content: Any) -> BaseMessage:
        return ChatMessage(content, role=self.role)


#: The template class of each role that people write.
TEMPLATE_OF_ROLE: dict[str, type[_OneMessagePromptTemplate]] = {
    "human": HumanMessagePromptTemplate,
    "user": HumanMessagePromptTemplate,
    "ai": AIMessagePromptTemplate,
    "assistant": AIMessagePromptTemplate,
    "system": SystemMessagePromptTemplate,
}


def placeholder(written: str | Sequence[Any]) -> MessagesPlaceholder:
    """The placeholder that `("placeholder", written)` stands for: "{name}", or ["{name}", is_optional]."""
    pair = (written, True) if isinstance(written, str) else written
    name, optional = pair if isinstance(pair, (list, tuple)) and len(pair) == 2 else (None, None)
    in_braces = isinstance(name, str) and name.startswith("{") and name.endswith("}")
    if not (in_braces and isinstance(optional, bool)):
        raise TemplateError(f'A placeholder is written ("placeholder", "{{name}}"), not {written!r:.200}.')
    return MessagesPlaceholder(str(name)[1:-1], optional=bool(optional))
