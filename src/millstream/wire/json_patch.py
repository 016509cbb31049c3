"""What changed between two snapshots, as the operations of RFC 6902."""

from collections.abc import Iterable
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
