"""The operations of RFC 6902: what changed between two snapshots, and what a document is with them done."""

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.wire.partial_json import JsonEvent, Path
from millstream.wire.snapshots import ABSENT, JsonSnapshots


def operations(
    events: Iterable[JsonEvent], before: Iterable[Any], now: JsonSnapshots
) -> list[dict[str, Any]]:
    """The operations that lead to what the snapshots show `now`, where `events` are what came last.

    `before` is what stood at each event's path until then. What was added is one operation with all that
    stands in it by now; a text or a number that has grown is replaced. Only these paths are looked at, so the
    width of the value does not matter.
    """
    found: list[dict[str, Any]] = []
    told: set[Path] = set()
    # Events come in the document's order: what stands in a value follows the event that begins it.
    last: Path | None = None
    for event, old in zip(events, before, strict=True):
        path = event.path
        if last is not None and path[: len(last)] == last:
            continue
        if path in told:  # a key that came again
            last = path
            continue
        new = now.at(path)
        if new is ABSENT:  # what it stood in has begun anew
            continue
        if old is ABSENT or _replaces(event, old, new):
            last = path
            told.add(path)
            operation = "replace" if old is not ABSENT or not path else "add"
            found.append({"op": operation, "path": pointer(path), "value": new})
    return found


def pointer(path: Path) -> str:
    """The path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def _replaces(event: JsonEvent, old: Any, new: Any) -> bool:
    ends_container = event.complete and type(event.value) in (dict, list)
    return not ends_container and (type(old) is not type(new) or bool(old != new))


def applied(document: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """The document with these operations done, which are all `add` or `replace`.

    The document stays as it was, and so do the operations' values: what changes is copied, once, and all else
    is shared. Raises `LookupError` for a path that is not there, and `ValueError` for any other operation.
    """
    top = [document]
    # The copies, by their id; held, so that no id comes again.
    copies: dict[int, Any] = {id(top): top}
    for operation in operations:
        at: Any = top
        key: Any = 0
        for part in operation["path"].split("/")[1:]:
            inner = at[key]
            if id(inner) not in copies:
                if not isinstance(inner, dict | list):
                    raise LookupError(f"There is nothing at {operation['path']!r}.")
                inner = at[key] = inner.copy()
                copies[id(inner)] = inner
            at, key = inner, _key(inner, part)
        _put(at, key, operation)
    return top[0]


def _key(at: Any, part: str) -> str | int:
    """The key or index in `at` that a part of a pointer names (RFC 6901, section 4)."""
    if type(at) is not list:
        return part.replace("~1", "/").replace("~0", "~")
    index = len(at) if part == "-" else int(part)
    if not 0 <= index <= len(at):
        raise IndexError(f"The list has no place {part}.")
    return index


def _put(at: Any, key: Any, operation: Mapping[str, Any]) -> None:
    kind = operation["op"]
    if kind not in ("add", "replace"):
        raise ValueError(f"Only add and replace are known here, not {kind!r}.")
    value = operation["value"]
    if kind == "add" and type(at) is list:
        at.insert(key, value)
    elif kind == "replace" and type(at) is not list and key not in at:  # section 4.3
        raise KeyError(operation["path"])
    else:
        at[key] = value
