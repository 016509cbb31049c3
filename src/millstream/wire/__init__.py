"""Wires: text in, events out. Nothing here awaits, or knows of a model or a step."""

from millstream.wire.partial_json import JsonEvent, JsonScanner, Repair, parse_partial_json
from millstream.wire.snapshots import JsonSnapshots

__all__ = ["JsonEvent", "JsonScanner", "JsonSnapshots", "Repair", "parse_partial_json"]
