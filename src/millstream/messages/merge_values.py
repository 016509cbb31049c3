"""How the plain values in chunks merge: content, metadata, ids.

Everything is gathered and joined once, so that n pieces cost n. A gatherer takes values one by one and
gives what folding them pair by pair would have given:

=============  ======================================================================================
strings        are joined; names, ids and types only if they differ (`KEPT_WHEN_EQUAL`), and in response
               metadata, whose strings are statements and not pieces, nothing that is equal
dicts          merge key by key
lists          are appended, but an item with an `index` merges into the item that has the same one
equal values   are kept once
ints           that differ are summed; `index`, `created` and `timestamp` take the last one
None           never replaces anything
all else       the last one stands
=============  ======================================================================================
"""

from collections.abc import Iterable, Sequence
from typing import Any

#: Keys whose strings name something: a repeated one says the same again, and is no piece to append.
KEPT_WHEN_EQUAL = frozenset({"id", "type", "name", "output_version", "model_provider", "index"})

_LAST_INT = frozenset({"index", "created", "timestamp"})


class _Text:
    """Strings that are joined once."""

    def __init__(self, first: str) -> None:
        self.parts = [first]
        self.size = len(first)

    def add(self, piece: str) -> None:
        self.parts.append(piece)
        self.size += len(piece)

    def equals(self, piece: str) -> bool:
        # Joining is paid for by the piece, which is as long as everything so far.
        if len(piece) != self.size:
            return False
        self.parts = [self.value()]
        return self.parts[0] == piece

    def value(self) -> str:
        return self.parts[0] if len(self.parts) == 1 else "".join(self.parts)


class _Dict:
    """Dicts that merge key by key. A key seen once keeps the very object that it came with."""

    def __init__(self, first: dict[str, Any], equal_once: bool) -> None:
        self.held: dict[str, Any] = dict(first)
        self.equal_once = equal_once

    def add(self, other: dict[str, Any]) -> None:
        for key, value in other.items():
            if key not in self.held or self.held[key] is None:
                self.held[key] = value
            elif value is not None:
                self.held[key] = self._both(key, self.held[key], value)

    def _both(self, key: str, held: Any, value: Any) -> Any:
        if isinstance(value, str) and isinstance(held, (str, _Text)):
            text = _Text(held) if isinstance(held, str) else held
            once = self.equal_once or key in KEPT_WHEN_EQUAL
            if not (once and text.equals(value)):
                text.add(value)
            return text
        if isinstance(value, dict) and isinstance(held, (dict, _Dict)):
            merged = _Dict(held, self.equal_once) if isinstance(held, dict) else held
            merged.add(value)
            return merged
        if isinstance(value, list) and isinstance(held, (list, _List)):
            joined = _List(held, self.equal_once) if isinstance(held, list) else held
            joined.add(value)
            return joined
        return _last_or_sum(key, held, value)

    def value(self) -> dict[str, Any]:
        return {key: _finished(value) for key, value in self.held.items()}


class _List:
    """Lists that are appended; items with an `index` merge."""

    def __init__(self, first: list[Any], equal_once: bool) -> None:
        self.items: list[Any] = []
        self.equal_once = equal_once
        # Where the item of an index stands: the last one opened, and the one of each id.
        self.places: dict[Any, int] = {}
        for item in first:
            self._add_item(item)

    def add(self, other: list[Any]) -> None:
        for item in other:
            self._add_item(item)

    def _add_item(self, item: Any) -> None:
        index = item.get("index") if isinstance(item, dict) else None
        if not (isinstance(index, int) or (isinstance(index, str) and index.startswith("lc_"))):
            self.items.append(item)
            return
        name = item.get("id")
        if not name or not isinstance(name, (str, int)):  # what is neither is no id, whatever sent it
            name = None
        place = self._place(index, name, item.get("type"))
        if place is None:
            place = len(self.items)
            self.items.append(item)
            self.places[index] = place
        else:
            held = self.items[place]
            if isinstance(held, dict):
                held = self.items[place] = _Dict(held, self.equal_once)
            held.add(item)
        if name is not None:
            self.places[index, name] = place

    def _place(self, index: Any, name: str | int | None, kind: str | None) -> int | None:
        place = self.places.get((index, name)) if name is not None else None
        if place is None:
            place = self.places.get(index)
            if place is None or (name is not None and self._peek(place, "id")):
                return None
        held_kind = self._peek(place, "type")
        return place if kind is None or held_kind is None or kind == held_kind else None

    def _peek(self, place: int, key: str) -> Any:
        held = self.items[place]
        return _finished((held.held if isinstance(held, _Dict) else held).get(key))

    def value(self) -> list[Any]:
        return [_finished(item) for item in self.items]


def _finished(held: Any) -> Any:
    return held.value() if isinstance(held, (_Text, _Dict, _List)) else held


def _last_or_sum(key: str, held: Any, value: Any) -> Any:
    if type(held) is int and type(value) is int and held != value and key not in _LAST_INT:
        return held + value
    return value


def merge_kwargs(dicts: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The dicts as one; None if there are none. Strings are pieces, and are joined."""
    return _merge(dicts, equal_once=False)


def merge_metadata(dicts: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The dicts as one; None if there are none. A string that is repeated is kept once."""
    return _merge(dicts, equal_once=True)


def merge_any(values: Sequence[Any]) -> Any:
    """Values of any kind as one: strings, dicts and lists merge, of all else the last that is not None."""
    merged = merge_kwargs([{"value": value} for value in values])
    return merged["value"] if merged else None


def _merge(dicts: Sequence[dict[str, Any]], equal_once: bool) -> dict[str, Any] | None:
    if not dicts:
        return None
    gathered = _Dict(dicts[0], equal_once)
    for other in dicts[1:]:
        gathered.add(other)
    return gathered.value()


def merge_content(contents: Sequence[Any]) -> Any:
    """The contents as one: text if all are text, else a list of texts and blocks.

    Where a text meets a text at the seam of two contents, they are joined; an empty text adds nothing to a
    list; blocks that carry the same `index` and type are one block.
    """
    try:
        return "".join(contents)
    except TypeError:
        pass
    gathered = _List([], equal_once=False)
    items = gathered.items
    for content in contents:
        pieces = [content] if isinstance(content, str) else list(content or ())
        if pieces and isinstance(pieces[0], str) and items and isinstance(items[-1], (str, _Text)):
            seam = items[-1] if isinstance(items[-1], _Text) else _Text(items[-1])
            seam.add(pieces.pop(0))
            items[-1] = seam
        gathered.add([piece for piece in pieces if piece != ""])
    return gathered.value()


def pick_id(ids: Iterable[str | None]) -> str | None:
    """The id of the whole: the first that a provider gave, else the first of a run, else the first at all."""
    found = [given for given in ids if given]
    if not found:
        return None
    # `min` is stable: of equal ranks the first one stands.
    return min(found, key=_rank)


def _rank(given: str) -> int:
    if given.startswith(("run-", "lc_run-")):
        return 1
    return 2 if given.startswith("lc_") else 0
