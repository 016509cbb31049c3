"""What flows between steps: a stream of items, a single value, and how a stream becomes one value.

A *source* is any async iterator with `aclose()`. Whoever iterates one closes it (`Scope.reading`).
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """A stream of items that can be closed before its end."""

    def __aiter__(self) -> AsyncIterator[T_co]:
        """Itself."""
        ...

    def __anext__(self) -> Coroutine[Any, Any, T_co]:
        """The next item; `StopAsyncIteration` after the last."""
        ...

    def aclose(self) -> Coroutine[Any, Any, None]:
        """End it now: its `finally` blocks have run when this returns."""
        ...


class Single(Generic[T]):
    """A source of exactly one item: what `invoke` and `stream` hand to the first step."""

    __slots__ = ("_taken", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self._taken = False

    def __aiter__(self) -> "Single[T]":
        return self

    async def __anext__(self) -> T:
        if self._taken:
            raise StopAsyncIteration
        self._taken = True
        return self.value

    async def aclose(self) -> None:
        """Nothing is open."""
        self._taken = True

    def untouched(self) -> bool:
        """Whether the value still waits to be read."""
        return not self._taken


class Flow:
    """What is known of the items between two steps: whether each replaces those before instead of adding up.

    The step that gives them says so before its first item (`Scope.flow`), whoever gathers them asks then.
    """

    __slots__ = ("gathered", "replaces")

    def __init__(self) -> None:
        self.replaces = False
        #: The items so far, if the step that gives them is watched; None if not.
        self.gathered: list[Any] | None = None


class AddableDict(dict[str, Any]):
    """A dict that adds key by key: the pieces of a parallel step, and what they make together.

    Of the keys in `replaced`, a later value replaces the one before.
    """

    replaced: frozenset[str] = frozenset()

    def __add__(self, other: dict[str, Any]) -> "AddableDict":
        return AddableDict.merge_all((self, other))

    def __radd__(self, other: dict[str, Any]) -> "AddableDict":
        return AddableDict.merge_all((other, self))

    @staticmethod
    def replacing(values: Iterable[tuple[str, Any]], keys: Iterable[str]) -> "AddableDict":
        """One of these values, with those of `keys` replacing what came before."""
        made = AddableDict(values)
        if keys:
            made.replaced = frozenset(keys)
        return made

    @staticmethod
    def merge_all(pieces: Sequence[dict[str, Any]]) -> "AddableDict":
        """All pieces as one, each key's values merged in order; a None never replaces a value."""
        values: dict[str, list[Any]] = {}
        replaced: frozenset[str] = frozenset()
        for piece in pieces:
            if type(piece) is AddableDict and piece.replaced:
                replaced |= piece.replaced
            for key, value in piece.items():
                known = values.setdefault(key, [])
                if value is not None:
                    if key in replaced:
                        known.clear()
                    known.append(value)
        whole = ((key, merge(known) if known else None) for key, known in values.items())
        return AddableDict.replacing(whole, replaced)


# How many pieces of other branches may stand between two states of one branch, where only the last is kept.
_LOOK_BACK = 16


def gathered(items: list[Any], item: Any, flow: Flow | None = None) -> None:
    """Put an item of a stream to those that came before it, so that `merge` gives what it would of all.

    An item that replaces those before, as `flow` may tell or its type does, takes their place: a value that
    grows would be kept in every state otherwise.
    """
    kind = type(item)
    if flow is not None and flow.replaces:
        items[:] = (item,)
    elif kind is AddableDict and item.replaced:
        # Some pieces back stands the last one of the same keys, of which nothing is left.
        for place in range(len(items) - 1, max(-1, len(items) - _LOOK_BACK), -1):
            if type(items[place]) is AddableDict and item.replaced >= items[place].keys() == item.keys():
                del items[place]
                break
        items.append(item)
    elif len(items) == 1 and type(items[0]) is kind and _replaces(kind):
        items[0] = item
    else:
        items.append(item)


def _replaces(kind: type) -> bool:
    return not hasattr(kind, "__add__") and not hasattr(kind, "merge_all")


def merge(items: Sequence[Any]) -> Any:
    """The one value that a stream's items make: text joined, chunks and lists added, else the last one.

    Linear in the length of the stream. Types take part by a static `merge_all(items)`, or by `+`.
    """
    first = items[0]
    if len(items) == 1:
        return first
    kind = type(first)
    if all(type(item) is kind for item in items):
        if kind is str:
            return "".join(items)
        if kind is list:
            return [element for item in items for element in item]
        merge_all: Callable[[Sequence[Any]], Any] | None = getattr(kind, "merge_all", None)
        if merge_all is not None:
            return merge_all(items)
    return _add_or_last(items)


def _add_or_last(items: Sequence[Any]) -> Any:
    total = items[0]
    for item in items[1:]:
        try:
            total = total + item
        except TypeError:
            total = item
    return total


class _Nothing:
    """What a stream without any item makes."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()
