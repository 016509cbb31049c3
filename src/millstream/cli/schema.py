"""`--json-schema FILE`: the schema that an answer has to follow."""

from pathlib import Path
from typing import Any

import msgspec

from millstream.cli.errors import WrongUse


def read_schema(path: Path) -> dict[str, Any]:
    """The JSON schema in this file. Raises `WrongUse` if there is none."""
    try:
        schema = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise WrongUse(f"The schema {str(path)!r} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise WrongUse(f"The schema {str(path)!r} is no JSON: {error}.") from error
    if not isinstance(schema, dict):
        raise WrongUse(
            f'The schema {str(path)!r} is no JSON object. Write one such as {{"type": "object", ...}}.'
        )
    return schema
