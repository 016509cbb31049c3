"""How the text of a tool call's arguments is read and written."""

from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


def parse_arguments(text: str | None) -> dict[str, Any] | None:
    """The arguments that `text` holds, `{}` for an empty one, None if it is no complete JSON object."""
    if not text or text.isspace():
        return {}
    try:
        value = _decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        value = _lenient(text)
    return value if isinstance(value, dict) else None


def write_arguments(args: dict[str, Any]) -> str:
    """The arguments as JSON text on one line."""
    return msgspec.json.format(msgspec.json.encode(args), indent=0).decode()


def _lenient(text: str) -> Any:
    # Models write bare line breaks inside strings, which JSON forbids and everybody means. The import is
    # for them alone.
    import json

    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
