"""Markdown as it arrives: which parts of it are finished, and which one is still open.

How it works
------------
A *part* is a block of the top level or one item of a list there. It is finished when another one has begun
behind it, and that is known for certain only from *complete* lines: "#" begins a heading, and "#tag" goes on
with the paragraph. Markdown's blocks are decided line by line, and no later line opens one that was closed.
So the text before the open part is never looked at again: each call parses the open part alone, and a long
answer costs no more for each word than a short one.

Two things differ from Markdown as rich reads it. A link whose target is defined *below* it stays as it was
written, since it may be finished by then. And HTML and images are shown as they were written: rich shows
nothing of the one, and a name without its address of the other.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

# A line that has only just begun may become a list's item, a heading, a rule, the end of a code block, or
# none of these. Shown at once, "-" would make a heading of the paragraph above, for the blink of an eye.
_UNDECIDED = re.compile(r"[\s\-=*_+`~#>|:]*|\s*\d+[.)]?\s*")


class Part(NamedTuple):
    """A block, or one item of a list with the list's own tokens around it, to be rendered by itself.

    `follows` says that it is an item of the same list as the part before it.
    """

    tokens: list[Token]
    follows: bool

    @property
    def kind(self) -> str:
        """The type of its first token, as markdown-it calls it."""
        return self.tokens[0].type


def parser() -> MarkdownIt:
    """What reads an answer's Markdown."""
    return MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("image")


class Blocks:
    """Takes text with `feed`, and tells the parts that were finished by it and the one that is open."""

    def __init__(self) -> None:
        self._parser = parser()
        # What is open: complete lines, and the line that was begun.
        self._lines = ""
        self._begun = ""
        self._new_lines = False
        self._references: dict[str, Any] = {}
        # If the open part goes on with a list: the number of its first item, if that has one.
        self._follows = False
        self._number: int | None = None

    def feed(self, text: str) -> None:
        """Take the next piece of the answer."""
        complete, newline, begun = text.rpartition("\n")
        if newline:
            self._lines += self._begun + complete + newline
            self._begun = begun
            self._new_lines = True
        else:
            self._begun += text

    def finished(self) -> list[Part]:
        """The parts that were finished since the last call. They are not kept."""
        if not self._new_lines:
            return []
        self._new_lines = False
        tokens, references = self._parse(self._lines)
        parts = self._parts(tokens)
        if len(parts) < 2:
            return []
        before, last = parts[-2], parts[-1]
        # Up to where the block before ends: what defines links stands between blocks, and has no tokens.
        begins = last.tokens[1].map if last.follows else [(before.tokens[0].map or [0, 0])[1]]
        line = (begins or [0])[0]
        self._follows, self._number = last.follows, _number(last)
        self._references = {
            name: reference for name, reference in references.items() if reference["map"][0] < line
        } | self._references
        self._lines = "\n".join(self._lines.split("\n")[line:])
        return parts[:-1]

    def open(self, *, complete: bool = False) -> list[Part]:
        """What is not finished yet, as far as it can be shown; only its complete lines if that is asked."""
        undecided = complete or _UNDECIDED.fullmatch(self._begun)
        return self._parts(self._parse(self._lines + ("" if undecided else self._begun))[0])

    def close(self) -> list[Part]:
        """All that is left, now that nothing more will come."""
        return self._parts(self._parse(self._lines + self._begun)[0])

    def _parse(self, text: str) -> tuple[list[Token], dict[str, Any]]:
        environment: dict[str, Any] = {"references": dict(self._references)}
        return self._parser.parse(text, environment), environment["references"]

    def _parts(self, tokens: list[Token]) -> list[Part]:
        parts = list(parts_of(tokens))
        if self._follows and parts:
            # Its first list is the rest of one whose beginning is no longer here.
            count = next((n for n, part in enumerate(parts) if n and not part.follows), len(parts))
            for n, part in enumerate(parts[:count]):
                number = None if self._number is None else self._number + n
                parts[n] = Part([_numbered(part.tokens[0], number), *part.tokens[1:]], follows=True)
        return parts


def parts_of(tokens: Iterable[Token]) -> Iterator[Part]:
    """The parts that these tokens make."""
    for block in _blocks(tokens):
        opened = block[0]
        if opened.type not in ("bullet_list_open", "ordered_list_open"):
            yield Part(block, follows=False)
            continue
        first = int(opened.attrs.get("start", 1)) if opened.type == "ordered_list_open" else None
        for n, item in enumerate(_blocks(block[1:-1])):
            number = None if first is None else first + n
            yield Part([_numbered(opened, number), *item, block[-1]], follows=n > 0)


def _blocks(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


def _numbered(opened: Token, number: int | None) -> Token:
    return opened if number is None else opened.copy(attrs={"start": number})


def _number(part: Part) -> int | None:
    return int(part.tokens[0].attrs["start"]) if part.kind == "ordered_list_open" else None
