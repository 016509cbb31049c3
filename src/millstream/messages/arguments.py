"""How the text of a tool call's arguments is read and written."""

from typing import Any

import msgspec

from millstream.errors import JsonError

_decode = msgspec.json.Decoder().decode


def parse_arguments(text: str | None, *, partial: bool = False) -> dict[str, Any] | None:
    """The arguments that `text` holds, `{}` for an empty one, None if it is no JSON object.

    Line breaks and other control characters inside strings are read as they are: JSON forbids them, models
    write them, and everybody knows what they mean. `partial`: what there is of an unfinished object, too.
    """
    if not text or text.isspace():
        return {}
    try:
        value = _decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        value = _scanned(text, partial)
    return value if isinstance(value, dict) else None


def write_arguments(args: dict[str, Any]) -> str:
    """The arguments as JSON text on one line. Half characters are written as escapes."""
    try:
        encoded = msgspec.json.encode(args)
    except UnicodeEncodeError:
        # UTF-8 has no half characters, but JSON has, so a model can write one.
        import json

        return json.dumps(msgspec.to_builtins(args, str_keys=True))
    return msgspec.json.format(encoded, indent=0).decode()


def _scanned(text: str, partial: bool) -> Any:
    # Imported when it is needed: nearly all arguments that are read are complete.
    from millstream.wire import parse_partial_json

    try:
        return parse_partial_json(text, prose=False, partial=partial)
    except JsonError:
        return None
