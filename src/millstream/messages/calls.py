"""Tool calls and usage: structs whose fields are read by key or by attribute."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

import msgspec

from millstream.errors import InputError


class Keyed(msgspec.Struct, repr_omit_defaults=True):
    """A struct that also behaves as a dict of its fields, and equals a plain dict with the same items."""

    __hash__: ClassVar[None]  # type: ignore[assignment]

    @classmethod
    def of(cls, value: Any) -> Self:
        """`value` itself if it is one already, or a new one from a mapping, unknown keys left out.

        Raises `InputError` if a field is missing or of the wrong type.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, (Mapping, Keyed)):
            raise InputError(f"{cls.__name__} is made from a dict, not from {type(value).__name__}.")
        known = {key: value[key] for key in value.keys() if value[key] is not None}  # noqa: SIM118
        try:
            return msgspec.convert(known, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"This dict is no {cls.__name__}: {error}.") from error

    def keys(self) -> tuple[str, ...]:
        """The names of the fields."""
        return self.__struct_fields__

    def values(self) -> list[Any]:
        """The values of the fields, in the order of `keys()`."""
        return [getattr(self, key) for key in self.keys()]

    def items(self) -> list[tuple[str, Any]]:
        """The names and values of the fields."""
        return [(key, getattr(self, key)) for key in self.keys()]

    def get(self, key: str, default: Any = None) -> Any:
        """The field `key`, or `default` if there is none."""
        return getattr(self, key) if key in self.keys() else default

    def __getitem__(self, key: str) -> Any:
        if key in self.__struct_fields__:
            return getattr(self, key)
        raise KeyError(key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self.__struct_fields__:
            raise KeyError(key)
        setattr(self, key, value)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Keyed):
            return type(self) is type(other) and self.items() == other.items()
        if isinstance(other, dict):
            mine = dict(self.items())
            if "type" in mine and "type" not in other:
                # The dicts that people write by hand name no type.
                del mine["type"]
            return mine == other
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        # The struct's own `!=` compares slots, and would not know about plain dicts.
        return not self == other


class ToolCall(Keyed):
    """A model's wish to have a tool called. Its fields are read by attribute or key, as of a dict."""

    name: str
    """The tool."""
    args: dict[str, Any]
    """The arguments, by name."""
    id: str | None = None
    """What the answer, a `ToolMessage`, quotes."""
    type: Literal["tool_call"] = "tool_call"


def is_tool_call(value: Any) -> bool:
    """Whether it is a model's call: a `ToolCall`, or a dict that says it is one."""
    return isinstance(value, (Mapping, ToolCall)) and value.get("type") == "tool_call"


class ToolCallChunk(Keyed):
    """A piece of a tool call as it streams. Its fields are read by attribute or key, as of a dict."""

    name: str | None = None
    """The tool; in most streams only in a call's first piece."""
    args: str | None = None
    """A piece of the arguments' JSON text."""
    id: str | None = None
    """The call's id; in most streams only in its first piece."""
    index: int | str | None = None
    """Which call of the answer it belongs to."""
    type: Literal["tool_call_chunk"] = "tool_call_chunk"


class InvalidToolCall(Keyed):
    """A tool call whose arguments cannot be read. Its fields are read by attribute or key, as of a dict."""

    name: str | None = None
    """The tool."""
    args: str | None = None
    """The arguments' text, as the model wrote it."""
    id: str | None = None
    """The call's id."""
    error: str | None = None
    """What is wrong with it, if somebody said so."""
    type: Literal["invalid_tool_call"] = "invalid_tool_call"


class UsageMetadata(Keyed, omit_defaults=True):
    """How many tokens a call took. Its fields are read by attribute or key, as of a dict."""

    input_tokens: int = 0
    """Tokens that the model was given."""
    output_tokens: int = 0
    """Tokens that it wrote."""
    total_tokens: int = 0
    """Both. A 0 is taken to be the sum."""
    input_token_details: dict[str, int] = {}
    """What the first count is made of: `"cache_read"`, `"audio"`, ..."""
    output_token_details: dict[str, int] = {}
    """What the second count is made of: `"reasoning"`, `"audio"`, ..."""
    estimated: bool = False
    """Whether the numbers were estimated from the text, since the provider told none."""

    def __post_init__(self) -> None:
        if not self.total_tokens:
            self.total_tokens = self.input_tokens + self.output_tokens

    def keys(self) -> tuple[str, ...]:
        """The three counts, and of the other fields those that say something."""
        optional = ("input_token_details", "output_token_details", "estimated")
        return ("input_tokens", "output_tokens", "total_tokens", *(k for k in optional if getattr(self, k)))


def calls_on_read(kind: type[Keyed]) -> Any:
    """`make` (see `fields.made_on_read`) for a field that is a list of `kind`, given as structs or dicts."""

    def make(message: object, held: list[Any] | None) -> list[Any]:
        if held is None:
            return []
        for item in held:
            if not isinstance(item, kind):
                return [kind.of(item) for item in held]
        return held

    return make


def usage_on_read(message: object, held: Any) -> UsageMetadata | None:
    """`make` for the field `usage_metadata`."""
    return None if held is None else UsageMetadata.of(held)
