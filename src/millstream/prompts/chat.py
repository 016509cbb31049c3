"""A prompt that is messages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, overload

from millstream.errors import TemplateError
from millstream.messages import BaseMessage, ChatPromptValue
from millstream.prompts.base import BasePromptTemplate
from millstream.prompts.message import (
    TEMPLATE_OF_ROLE,
    BaseMessagePromptTemplate,
    HumanMessagePromptTemplate,
    MessagesPlaceholder,
    placeholder,
)
from millstream.prompts.prompt import PromptTemplate
from millstream.prompts.text import TemplateFormat

_ACCEPTED = (
    "A chat prompt is made of texts, (role, template) pairs, messages, message templates and placeholders"
)


class ChatPromptTemplate(BasePromptTemplate):
    """A list of messages with variables.

    Each message is given as a pair `("human", "Hi {name}")` (roles: human, user, ai, assistant, system, and
    placeholder), a text (a human message), a message object (taken as it is, braces and all), a
    `MessagesPlaceholder`, a message template, or another chat prompt.

    `input_variables` is accepted as an argument and has no effect: they are read from the templates.
    """

    def __init__(
        self,
        messages: Sequence[Any],
        *,
        template_format: TemplateFormat = "f-string",
        partial_variables: Mapping[str, Any] | None = None,
        input_variables: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        self.template_format: TemplateFormat = template_format
        self.partial_variables = dict(partial_variables or {})
        self.messages = [self._part(message) for message in messages]
        self._find_variables()
        if name is not None:
            self.name = name

    @classmethod
    def from_template(
        cls,
        template: str,
        *,
        template_format: TemplateFormat = "f-string",
        partial_variables: Mapping[str, Any] | None = None,
    ) -> Self:
        """A prompt of one human message."""
        messages = [("human", template)]
        return cls(messages, template_format=template_format, partial_variables=partial_variables)

    @classmethod
    def from_messages(cls, messages: Sequence[Any], template_format: TemplateFormat = "f-string") -> Self:
        """A prompt of these messages; see the class for what is accepted."""
        return cls(messages, template_format=template_format)

    def format_messages(self, **kwargs: Any) -> list[BaseMessage]:
        """The filled messages. Raises `PromptInputError` if a variable is missing."""
        return self._filled(self._complete(kwargs))

    def format_prompt(self, **kwargs: Any) -> ChatPromptValue:
        """The filled messages as a prompt value."""
        return self._prompt(self._complete(kwargs))

    def add_to(self, messages: list[BaseMessage], values: Mapping[str, Any]) -> None:
        """Append the filled messages, as a part of another prompt."""
        messages.extend(self._filled(self._complete(values)))

    def partial(self, **kwargs: Any) -> Self:
        """The same prompt with some variables given, as values or as functions without arguments."""
        other = super().partial(**kwargs)
        other.messages = list(self.messages)
        other._find_variables()
        return other

    def append(self, message: Any) -> None:
        """Add one message at the end. Meant for building a prompt, before it is used."""
        self.extend([message])

    def extend(self, messages: Iterable[Any]) -> None:
        """Add messages at the end. Meant for building a prompt, before it is used."""
        self.messages.extend([self._part(message) for message in messages])
        self._find_variables()

    def pretty_repr(self) -> str:
        """The messages, each with a ruled title."""
        return "\n\n".join(part.pretty_repr() for part in self.messages)

    def __add__(self, other: Any) -> "ChatPromptTemplate":
        if isinstance(other, ChatPromptTemplate):
            return self._with([*self.messages, *other.messages], other.partial_variables)
        return self._with([*self.messages, *(other if isinstance(other, (list, tuple)) else [other])], {})

    def __radd__(self, other: Any) -> "ChatPromptTemplate":
        return self._with([*(other if isinstance(other, (list, tuple)) else [other]), *self.messages], {})

    def __len__(self) -> int:
        return len(self.messages)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> "ChatPromptTemplate": ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._with(self.messages[index], {}) if isinstance(index, slice) else self.messages[index]

    def __repr__(self) -> str:
        return f"ChatPromptTemplate({self.messages!r})"

    def _with(self, messages: Sequence[Any], partials: Mapping[str, Any]) -> "ChatPromptTemplate":
        return ChatPromptTemplate(
            messages,
            template_format=self.template_format,
            partial_variables={**self.partial_variables, **partials},
        )

    def _prompt(self, values: Mapping[str, Any]) -> ChatPromptValue:
        return ChatPromptValue(self._filled(values))

    def _filled(self, values: Mapping[str, Any]) -> list[BaseMessage]:
        messages: list[BaseMessage] = []
        for add_to in self._adders:
            add_to(messages, values)
        return messages

    def _find_variables(self) -> None:
        needed: set[str] = set()
        optional: set[str] = set()
        self._adders = [_adder(part) for part in self.messages]
        for part in self.messages:
            if isinstance(part, BaseMessage):
                continue
            needed.update(part.input_variables)
            if isinstance(part, ChatPromptTemplate):
                optional.update(part.optional_variables)
            elif isinstance(part, MessagesPlaceholder) and part.optional:
                optional.add(part.variable_name)
        self.input_variables = sorted(needed - self.partial_variables.keys())
        self.optional_variables = sorted(optional - needed)

    def _part(self, written: Any) -> "BaseMessage | BaseMessagePromptTemplate | ChatPromptTemplate":
        if isinstance(written, (BaseMessage, BaseMessagePromptTemplate, ChatPromptTemplate)):
            return written
        if isinstance(written, PromptTemplate):
            return HumanMessagePromptTemplate(written)
        if isinstance(written, str):
            return self._pair("human", written)
        if isinstance(written, Mapping) and written.keys() == {"role", "content"}:
            return self._pair(written["role"], written["content"])
        if isinstance(written, (tuple, list)) and len(written) == 2:
            return self._pair(written[0], written[1])
        raise TemplateError(f"{_ACCEPTED}; this is {type(written).__name__}: {written!r:.80}.")

    def _pair(self, role: Any, template: Any) -> BaseMessagePromptTemplate:
        if role == "placeholder":
            return placeholder(template)
        if isinstance(role, type) and issubclass(role, BaseMessage):
            role = role.type
        kind = role if isinstance(role, type) else TEMPLATE_OF_ROLE.get(role)
        if kind is None or not issubclass(kind, BaseMessagePromptTemplate):
            known = ", ".join([*TEMPLATE_OF_ROLE, "placeholder"])
            raise TemplateError(f"{role!r} is no role of a message template. The roles are {known}.")
        return kind(template, template_format=self.template_format)  # type: ignore[call-arg]


def _adder(
    part: BaseMessage | BaseMessagePromptTemplate | ChatPromptTemplate,
) -> Callable[[list[BaseMessage], Mapping[str, Any]], None]:
    """How a part appends itself to the messages; decided once, not at each filling."""
    if isinstance(part, BaseMessage):
        return lambda messages, values: messages.append(part)
    return part.add_to
