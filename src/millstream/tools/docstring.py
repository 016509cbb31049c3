"""Docstrings in Google's style: what a function does, and what its arguments are."""

import inspect
import re
from typing import NamedTuple

# What ends the description of the function. A line of prose such as `Note: ...` does not.
_SECTION = re.compile(r"(Args|Arguments|Returns|Yields|Raises|Examples?):")
_ARGUMENT = re.compile(r"\*{0,2}(\w+)(?:\s*\(.*?\))?\s*:\s*(.*)")


class Docstring(NamedTuple):
    """What a docstring says. `arguments` is None if it has no section for them."""

    summary: str
    arguments: dict[str, str] | None


def parse(text: str | None) -> Docstring:
    """Read a docstring. What is not in Google's style is all summary."""
    summary: list[str] = []
    described: list[str] | None = None
    into: list[str] | None = summary
    for line in inspect.cleandoc(text or "").splitlines():
        section = _SECTION.match(line)
        if section is None:
            if into is not None:
                into.append(line)
        elif section[1] in ("Args", "Arguments") and described is None:
            into = described = []
        else:
            into = None
    paragraphs = re.split(r"\n\s*\n", "\n".join(summary).strip())
    return Docstring(" ".join(paragraphs), None if described is None else _arguments(described))


def _arguments(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    words: list[str] = []
    margin = None
    for line in lines:
        said = line.strip()
        indent = len(line) - len(line.lstrip())
        if not said:
            continue
        if not indent:  # the section is over
            break
        argument = _ARGUMENT.match(said)
        margin = indent if margin is None else margin
        # What is indented deeper goes on with the argument before it, whatever it looks like.
        if argument is not None and indent <= margin:
            words = found.setdefault(argument[1], [])
            said = argument[2]
        words.append(said)
    return {name: " ".join(filter(None, words)) for name, words in found.items()}
