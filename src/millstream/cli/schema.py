"""`--json-schema FILE`: the schema that an answer has to follow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from millstream.cli.errors import WrongUse
from millstream.errors import ConfigError, ModelError
from millstream.messages import AIMessage

# llama.cpp has no error of its own for a schema that it cannot make a grammar of.
_REFUSAL = re.compile(r"generate parser|grammar|json schema", re.I)


def read_schema(path: Path) -> dict[str, Any]:
    """The JSON schema in this file. Raises `WrongUse` if there is none."""
    from millstream.language_models.structured import schema_and_parser

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
    try:
        return schema_and_parser(schema)[0]
    except ConfigError as error:
        why = str(error).removeprefix("This dict is no JSON schema: ").replace("`", "")
        raise WrongUse(f"The file {str(path)!r} holds no JSON schema: {why}") from error


def is_json(answer: AIMessage | None) -> bool:
    """Whether an answer is JSON. Of which schema is left to whoever reads it."""
    try:
        msgspec.json.decode("" if answer is None else answer.text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


@contextmanager
def naming(path: Path | None) -> Iterator[None]:
    """Name the file of the schema if the model refuses that."""
    try:
        yield
    except ModelError as error:
        if path is None or not _REFUSAL.search(str(error)):
            raise
        words = str(error).rpartition(" failed: ")[2].rstrip(".")
        raise WrongUse(f"The model cannot follow the schema {str(path)!r}: {words}.") from error
