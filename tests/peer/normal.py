"""Values of both libraries as plain ones that can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from tests.peer.differences import DIFFERENCES, RUN_ID

_LIBRARIES = ("millstream", "langchain_core", "pydantic_core")
_FIELDS = ("name", "additional_kwargs", "response_metadata", "tool_calls", "invalid_tool_calls")
_CHUNK_FIELDS = ("tool_call_chunks", "chunk_position")
_LEVELLERS = [entry.level for entry in DIFFERENCES.values() if entry.level is not None]


class Plain:
    """Makes plain values. One for each outcome, so that equal ids of runs stay equal in it."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        """The plain value: messages, documents as dicts, exceptions as `Raised`, containers of those."""
        if isinstance(value, BaseException):
            return raised(value, self)
        if hasattr(value, "usage_metadata") or hasattr(value, "pretty_repr"):
            return self._message(value)
        if hasattr(value, "to_messages"):
            return [self(message) for message in value.to_messages()]
        if hasattr(value, "page_content"):
            return {"id": value.id, "page_content": value.page_content, "metadata": value.metadata}
        if isinstance(value, Mapping):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self(item) for item in value)
        return value

    def _message(self, message: Any) -> dict[str, Any]:
        usage = getattr(message, "usage_metadata", None)
        fields: dict[str, Any] = {
            "class": type(message).__name__,
            "content": message.content,
            "id": message.id,
            "usage": None if usage is None else dict(usage),
        }
        names = (*_FIELDS, *_CHUNK_FIELDS) if "Chunk" in fields["class"] else _FIELDS
        for name in names:
            value = getattr(message, name, None)
            fields[name] = [dict(call) for call in value] if isinstance(value, list) else value
        for level in _LEVELLERS:
            fields = level(fields)
        # Ids of runs are random: the first one to be seen is run 1, and so on.
        if str(fields["id"]).startswith(RUN_ID):
            fields["id"] = self._runs.setdefault(fields["id"], f"run {len(self._runs) + 1}")
        return fields


@dataclass(frozen=True)
class Raised:
    """An exception: its class, or for one of a library's own, the first class above that is not.

    `args` are None if a library of the two words the message: words are not compared.
    """

    kind: str
    args: Any = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Raised):
            return NotImplemented
        return self.kind == other.kind and (None in (self.args, other.args) or self.args == other.args)

    __hash__ = None  # type: ignore[assignment]


def raised(error: BaseException, plain: Plain) -> Raised:
    """The plain form of an exception."""
    kinds = [kind for kind in type(error).__mro__ if kind.__module__.split(".")[0] not in _LIBRARIES]
    worded = kinds[0] is not type(error)
    return Raised(kinds[0].__name__, None if worded else plain(error.args))


def by_key(pieces: Sequence[Any], plain: Plain) -> Any:
    """Interleaved pieces by key, each key's in order; and how many pieces had which keys."""
    if not pieces or not all(isinstance(piece, Mapping) for piece in pieces):
        return [plain(piece) for piece in pieces]
    keys = {key for piece in pieces for key in piece}
    counts = sorted(",".join(sorted(piece)) for piece in pieces)
    return counts, {key: by_key([piece[key] for piece in pieces if key in piece], plain) for key in keys}


def merged(pieces: Sequence[Any]) -> Any:
    """What the pieces of a stream add up to, by the library's own `+`; None if there are none."""
    return reduce(add, pieces) if pieces else None
