"""What every message has: content, an id, a name, metadata, a text and a readable form."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import msgspec

from millstream.errors import InputError
from millstream.messages.fields import UNMADE, empty_dict, made_on_read
from millstream.messages.merge_values import merge_content, merge_kwargs, merge_metadata, pick_id

Content = str | list[str | dict[str, Any]]
"""The content of a message: text, or a list of texts and typed blocks."""

_TITLE_WIDTH = 80


class _HasContent(msgspec.Struct, omit_defaults=True):
    # A parent of its own, since keyword-only is decided for all fields of one class together.
    content: Content
    """What is said: text, or a list of texts and typed blocks."""


class BaseMessage(_HasContent, kw_only=True, omit_defaults=True, tag_field="type", tag="base"):
    """A message: something that a person, a model, a tool or the system said.

    `content` is the only argument that is given by place. Messages compare by value, and only with messages
    of their own class. They have no hash.
    """

    type: ClassVar[str] = "base"
    """The kind: `"human"`, `"ai"`, `"system"`, `"tool"`, `"chat"`, or the name of a chunk's class."""

    __hash__: ClassVar[None]  # type: ignore[assignment]

    id: str | None = None
    """What the provider, the application or the run calls it. All chunks of one answer carry one id."""
    name: str | None = None
    """Who says it, where a role has several speakers."""
    additional_kwargs: dict[str, Any] = UNMADE
    """What goes to or came from a provider, and has no field here."""
    response_metadata: dict[str, Any] = UNMADE
    """What a provider told of the answer: the model's name, why it stopped."""

    @property
    def text(self) -> str:
        """The text of the content: the string itself, or its strings and text blocks joined."""
        content = self.content
        return content if isinstance(content, str) else "".join(map(_text_of, content))

    def pretty_repr(self) -> str:
        """The message as a person reads it: a ruled title, the name, the content."""
        title = f" {self.type.title()} Message "
        named = f"\nName: {self.name}" if self.name is not None else ""
        return f"{ruled(title)}{named}\n\n{self.content}"

    def pretty_print(self) -> None:
        """Print `pretty_repr()`."""
        print(self.pretty_repr())

    def __repr__(self) -> str:
        shown = [f"content={self.content!r}"]
        for name, default in _optional_fields(self):
            value = getattr(self, name)
            if value != default and value not in ({}, []):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        # Through the properties: a field that was never made equals an empty one.
        return all(getattr(self, name) == getattr(other, name) for name in self.__struct_fields__)

    def __ne__(self, other: object) -> bool:
        return not self == other


_KWARGS = made_on_read(BaseMessage, "additional_kwargs", empty_dict).__get__
_METADATA = made_on_read(BaseMessage, "response_metadata", empty_dict).__get__


class BaseMessageChunk(BaseMessage, kw_only=True):
    """A piece of a message as it streams. Pieces of one kind add up: `a + b`, or `merge_chunks(pieces)`."""

    @classmethod
    def merge_all(cls, items: Sequence[Self]) -> Self:
        """One chunk that says what all `items` say, in time linear in their length.

        Raises `InputError` if `items` is empty or holds anything but chunks of one kind.
        """
        if not items:
            raise InputError("There is nothing to merge: the sequence of chunks is empty.")
        first = items[0]
        if len(items) == 1:
            return first
        strangers = {type(item) for item in items if getattr(item, "type", None) != first.type}
        if strangers:
            names = ", ".join(sorted(stranger.__name__ for stranger in strangers))
            raise InputError(f"{type(first).__name__} merges with chunks of its own kind, not with {names}.")
        return msgspec.structs.replace(first, **first._merged_fields(items))

    @classmethod
    def _merged_fields(cls, items: Sequence[Any]) -> dict[str, Any]:
        return {
            "content": merge_content([item.content for item in items]),
            "id": pick_id(item.id for item in items),
            "name": next((item.name for item in items if item.name), None),
            "additional_kwargs": merge_kwargs([held for item in items if (held := _KWARGS(item))]),
            "response_metadata": merge_metadata([held for item in items if (held := _METADATA(item))]),
        }

    def __add__(self, other: Any) -> Self:
        if isinstance(other, (list, tuple)):
            return self.merge_all([self, *other])
        return self.merge_all([self, other])


def ruled(title: str) -> str:
    """`title` between rules of "=", 80 characters wide."""
    rule = "=" * ((_TITLE_WIDTH - len(title)) // 2)
    return f"{rule}{title}{rule}{'=' if len(title) % 2 else ''}"


def _text_of(block: str | dict[str, Any]) -> str:
    if isinstance(block, str):
        return block
    text = block.get("text") if block.get("type") == "text" else None
    return text if isinstance(text, str) else ""


def _optional_fields(message: BaseMessage) -> list[tuple[str, Any]]:
    names = message.__struct_fields__
    defaults = message.__struct_defaults__
    pairs = zip(names[len(names) - len(defaults) :], defaults, strict=True)
    return [(name, None if default is msgspec.NODEFAULT else default) for name, default in pairs]
