"""The value of a JSON text as far as it has come, made from path events.

A snapshot never changes: what is finished is shared by all snapshots, and what is still open is copied. So
one costs the width of what is open, and not the size of the whole.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from millstream.wire.partial_json import JsonEvent, Path

# Each snapshot copies the text that is still open. A text longer than this is shown anew only when it has
# grown by a 32nd, so that all those copies together stay linear in its length.
LONG_TEXT = 16_384
_SHARE = 32


#: Where nothing stands. No value of JSON's is it.
ABSENT: Any = object()


class Shape(Protocol):
    """What objects and lists become: a user's type, seen from its fields."""

    def inside(self, key: str | int) -> "Shape | None":
        """The shape of what stands at `key`; None if it stays as it is."""
        ...

    def made(self, container: Any) -> Any:
        """The object that a dict or list stands for. Its parts are made already, and it is yours to keep."""
        ...


class JsonSnapshots:
    """Gathers path events: `take` them, then ask for the `value`.

    A text that is growing appears as far as it has come, a number as far as it is one, and a key with its
    value's beginning. With a `shape`, objects and lists are made into what it says, finished ones once.
    """

    __slots__ = (
        "_fresh",
        "_is_last",
        "_keys",
        "_leaf",
        "_leaf_key",
        "_open",
        "_parts",
        "_root",
        "_shape",
        "_shapes",
    )

    def __init__(self, shape: Shape | None = None) -> None:
        self._shape = shape
        self._root: Any = None
        # What is open, from the outside in: where each stands in the one before, what it holds, its shape.
        self._keys: list[Any] = []
        self._open: list[Any] = []
        self._shapes: list[Shape | None] = []
        # The text or number that is open inside the innermost of them.
        self._leaf_key: Any = None
        self._leaf: Any = None
        self._parts: list[str] = []
        self._fresh = 0
        self._is_last = False

    def take(self, events: Iterable[JsonEvent], *, last: bool = False) -> bool:
        """Take events into account, in their order. Returns whether `value()` has changed.

        `last`: nothing comes after them, so nothing of a long text is held back any more.
        """
        changed = False
        for event in events:
            path, value = event.path, event.value
            depth = len(path)
            if not depth and self._open and not (event.complete and type(value) in (dict, list)):
                # What was open was no JSON after all: the value begins anew.
                self._begin_anew()
            if event.complete:
                if depth < len(self._open) and type(value) in (dict, list):
                    self._end_container(value)
                    continue
                changed |= not self._shows(event)
                self._put(path[-1] if path else None, value)
            elif event.delta is not None:
                changed |= self._grow(path[-1], event.delta, is_first=value is not None)
            elif type(value) is dict or type(value) is list:
                changed = True
                self._begin_container(path[-1] if path else None, value)
            else:
                changed |= not self._shows(event)
                self._leaf_key, self._leaf = path[-1], value
        self._is_last = last
        return changed or (last and self._fresh > 0)

    def value(self) -> Any:
        """The value so far, None if there is none yet. We change nothing of it later; nor must you.

        What is finished is shared with later values.
        """
        return self._copied(0) if self._open else self._root

    def at(self, path: Path) -> Any:
        """What stands at a path, as `value()` shows it; `ABSENT` if nothing does."""
        innermost = len(self._open) - 1
        level = 0
        for depth, key in enumerate(path):
            if level < innermost and self._keys[level + 1] == key:
                level += 1
            elif level == innermost and self._leaf_key == key:
                return self._shown_leaf() if depth == len(path) - 1 else ABSENT
            else:
                # From here on it is finished.
                return _inside(self._open[level] if self._open else self._root, path[depth:])
        return self._copied(level) if self._open else self._root

    def _copied(self, outermost: int) -> Any:
        """The value of an open object or list, by its level."""
        containers, keys, shapes = self._open, self._keys, self._shapes
        inner, key = self._shown_leaf(), self._leaf_key
        for level in range(len(containers) - 1, outermost - 1, -1):
            copied = containers[level].copy()
            if key is not None:
                if type(key) is int:
                    copied.append(inner)
                else:
                    copied[key] = inner
            shape = shapes[level]
            inner = copied if shape is None else shape.made(copied)
            key = keys[level]
        return inner

    def _begin_anew(self) -> None:
        self._keys, self._open, self._shapes = [], [], []
        self._root = self._leaf_key = self._leaf = None

    def _begin_container(self, key: Any, empty: Any) -> None:
        outer = self._shapes[-1] if self._shapes else None
        shape = self._shape if key is None else outer.inside(key) if outer is not None else None
        self._keys.append(key)
        self._open.append(empty.copy())
        self._shapes.append(shape)

    def _end_container(self, plain: Any) -> None:
        key, container, shape = self._keys.pop(), self._open.pop(), self._shapes.pop()
        if shape is not None:
            self._put(key, shape.made(container))
        else:
            # The same, and shared with whoever holds the event.
            self._put(key, plain)

    def _put(self, key: Any, value: Any) -> None:
        self._leaf_key = self._leaf = None
        self._parts = []
        self._fresh = 0
        if not self._open:
            self._root = value
        elif type(self._open[-1]) is list:
            self._open[-1].append(value)
        else:
            self._open[-1][key] = value

    def _grow(self, key: Any, delta: str, *, is_first: bool) -> bool:
        if is_first:
            self._leaf_key, self._leaf, self._parts, self._fresh = key, delta, [], 0
            return True
        self._parts.append(delta)
        self._fresh += len(delta)
        return len(self._leaf) < LONG_TEXT or self._fresh * _SHARE >= len(self._leaf)

    def _shows(self, event: JsonEvent) -> bool:
        """Whether the last snapshot shows this finished text, number or word already."""
        if self._leaf_key is None:
            return False
        if event.delta is not None:
            return event.delta == "" and not self._fresh
        return type(self._leaf) is type(event.value) and bool(self._leaf == event.value)

    def _shown_leaf(self) -> Any:
        if not self._parts:
            return self._leaf
        shown: str = self._leaf
        if not self._is_last and len(shown) >= LONG_TEXT and self._fresh * _SHARE < len(shown):
            return shown
        parts, self._parts, self._fresh = self._parts, [], 0
        self._leaf = "".join([shown, *parts])
        return self._leaf


def _inside(value: Any, path: Path) -> Any:
    for key in path:
        if isinstance(value, str):  # which has places, too
            return ABSENT
        try:
            value = value[key]
        except (LookupError, TypeError):
            return ABSENT
    return value
