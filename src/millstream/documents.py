"""Documents: pieces of text that are searched for."""

from typing import Any, ClassVar

import msgspec

from millstream.errors import InputError

__all__ = ["Document"]


class _HasText(msgspec.Struct, omit_defaults=True):
    # A parent of its own, since keyword-only is decided for all fields of one class together.
    page_content: str
    """The text."""


class Document(_HasText, kw_only=True, omit_defaults=True):
    """A piece of text, with what is known of it.

    `page_content` is the only argument that is given by place. Documents compare by value. Shown as text,
    or in a prompt, they leave out the id, which says nothing to a model.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]

    metadata: dict[str, Any] = {}
    """Where it is from, and whatever else searches filter by."""
    id: str | None = None
    """What the store, or whoever put it there, calls it. A number becomes text."""

    def __post_init__(self) -> None:
        if not isinstance(self.page_content, str):
            raise InputError(f"A document's page_content is text, not {type(self.page_content).__name__}.")
        if not isinstance(self.metadata, dict):
            raise InputError(f"A document's metadata is a dict, not {type(self.metadata).__name__}.")
        if isinstance(self.id, int) and not isinstance(self.id, bool):
            self.id = str(self.id)
        if self.id is not None and not isinstance(self.id, str):
            raise InputError(f"A document's id is text, not {self.id!r} ({type(self.id).__name__}).")

    def __repr__(self) -> str:
        metadata = f", metadata={self.metadata!r}" if self.metadata else ""
        return f"{type(self).__name__}(page_content={self.page_content!r}{metadata})"

    def __str__(self) -> str:
        metadata = f" metadata={self.metadata}" if self.metadata else ""
        return f"page_content='{self.page_content}'{metadata}"
