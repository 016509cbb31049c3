"""Wires: text or bytes in, events out. Nothing here awaits, or knows of a model or a step."""

from millstream.wire.partial_json import JsonEvent, JsonScanner, Repair, parse_partial_json
from millstream.wire.snapshots import JsonSnapshots
from millstream.wire.sse import SseEvent, SseParser

__all__ = [
    "JsonEvent",
    "JsonScanner",
    "JsonSnapshots",
    "Repair",
    "SseEvent",
    "SseParser",
    "parse_partial_json",
]
