"""What a GGUF file says of itself before its weights: names and values, of which one is read here."""

import struct
from pathlib import Path
from typing import BinaryIO

_TEMPLATE = b"tokenizer.chat_template"

# The types of values, as the format's specification numbers them: how many bytes each takes.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
# No name and no template comes near it.
_LONGEST = 1 << 20


def chat_template(path: Path) -> str | None:
    """The template by which the model's messages become text; None if the file has none, or cannot be read.

    It stands behind the vocabulary, so some thousand texts are passed over: about 20 ms.
    """
    try:
        with path.open("rb") as file:
            file.seek(16)  # the magic, the version and the number of tensors
            for _ in range(_number(file, "<Q")):
                name, kind = _text(file), _number(file, "<I")
                if name == _TEMPLATE and kind == _STRING:
                    return _text(file).decode("utf-8", "replace")
                _pass_over(file, kind)
    except (OSError, struct.error, KeyError, OverflowError, ValueError, RecursionError):
        # Whoever loads the file says what is wrong with it.
        return None
    return None


def _number(file: BinaryIO, form: str) -> int:
    found: int = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return found


def _text(file: BinaryIO) -> bytes:
    length = _number(file, "<Q")
    found = file.read(min(length, _LONGEST))
    if len(found) < length:
        raise ValueError("The file ends inside a text, or this is none.")
    return found


def _pass_over(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        file.seek(_number(file, "<Q"), 1)
    elif kind == _ARRAY:
        inner, count = _number(file, "<I"), _number(file, "<Q")
        if inner in _SIZES:
            file.seek(_SIZES[inner] * count, 1)
        else:
            for _ in range(count):
                _pass_over(file, inner)
    else:
        file.seek(_SIZES[kind], 1)
