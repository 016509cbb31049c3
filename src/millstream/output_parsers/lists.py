"""Lists: an item goes out as soon as the text shows that it is complete.

Each kind of list is a table. A reader of a text is in one of the table's states, whose rules say which
characters come next, what becomes of them, and which state follows. Some rule takes every character, and
none is looked at again, so a text costs its length. How it is cut does not show, since a state is all that
is known of what came before: a rule that takes a run of characters leads to a state in which the run's rest
does the same.
"""

import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Any, ClassVar, Protocol

from millstream.output_parsers.base import BaseOutputParser, text_of


class Do(Enum):
    """What becomes of the characters that a rule takes."""

    DROP = auto()
    KEEP = auto()  # they belong to the item
    END = auto()  # they end the item, and belong to none


#: Which characters, what becomes of them, and the next state.
Rule = tuple[str, Do, str]


class Reader(Protocol):
    """Takes a text in pieces, and gives each item when it is complete."""

    def feed(self, text: str) -> list[str]:
        """The items that this piece completes."""
        ...

    def finish(self) -> list[str]:
        """The items that the text's end completes."""
        ...


class Grammar:
    """A kind of list: the rules of each state, and the states in which the text's end completes an item.

    It begins in the first state. `pattern` is the regular expression that finds the same items in a whole
    text.
    """

    def __init__(
        self, rules: Mapping[str, Sequence[Rule]], *, ends_in: Collection[str], pattern: str = ""
    ) -> None:
        self.start = next(iter(rules))
        self.ends_in = frozenset(ends_in)
        self.pattern = pattern
        # One expression for a state: the group that matched is the rule's number.
        self.states = {
            state: (re.compile("|".join(f"({taken})" for taken, _, _ in rows)), rows)
            for state, rows in rules.items()
        }


class GrammarReader:
    """Reads a text by a grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._state = grammar.start
        self._item: list[str] = []

    def feed(self, text: str) -> list[str]:
        """See `Reader`."""
        items: list[str] = []
        at = 0
        while at < len(text):
            expression, rules = self._grammar.states[self._state]
            taken = expression.match(text, at)
            assert taken is not None  # some rule takes every character
            assert taken.lastindex is not None
            _, do, self._state = rules[taken.lastindex - 1]
            at = taken.end()
            if do is Do.KEEP:
                self._item.append(taken[0])
            elif do is Do.END:
                items.append(self._take())
        return items

    def finish(self) -> list[str]:
        """See `Reader`."""
        return [self._take()] if self._state in self._grammar.ends_in else []

    def _take(self) -> str:
        item = "".join(self._item)
        self._item.clear()
        return item


class WholeReader:
    """Waits for the text's end, and then asks a parser for the items."""

    def __init__(self, parse: Callable[[str], list[str]]) -> None:
        self._parse = parse
        self._pieces: list[str] = []

    def feed(self, text: str) -> list[str]:
        """See `Reader`."""
        self._pieces.append(text)
        return []

    def finish(self) -> list[str]:
        """See `Reader`."""
        # As everywhere, a stream without any piece is no input, and nobody is asked about it.
        return self._parse("".join(self._pieces)) if self._pieces else []


class ListOutputParser(BaseOutputParser[list[str]]):
    """A step that makes a list of a model's answer. Override `parse(text)`.

    A stream yields lists of one item, which add up to the whole list. Where only `parse` is known, they come
    after the answer's end, since nothing says before whether an item is complete.
    """

    @abstractmethod
    def parse(self, text: str) -> list[str]:
        """The items of the text. Raises an error of your choice if it cannot be read."""
        raise NotImplementedError

    def _reader(self) -> Reader:
        return WholeReader(self.parse)

    async def _transform(self, source: Any, scope: Any, /, **kwargs: Any) -> AsyncGenerator[list[str], None]:
        reader, name = self._reader(), self.get_name()
        async with scope.reading(source) as pieces:
            async for piece in pieces:
                for item in reader.feed(text_of(piece, name)):
                    yield [item]
            for item in reader.finish():
                yield [item]


class _GrammarListOutputParser(ListOutputParser):
    """A list parser that has a grammar."""

    _grammar: ClassVar[Grammar]

    def parse(self, text: str) -> list[str]:
        """The items of the text; none if it holds no such list."""
        reader = self._usual_reader()
        return reader.feed(text) + reader.finish()

    def _usual_reader(self) -> Reader:
        return GrammarReader(self._grammar)

    def _reader(self) -> Reader:
        # Where a subclass writes its own `parse`, that says what the items are, in a stream too.
        if type(self).parse is not _GrammarListOutputParser.parse:
            return super()._reader()
        return self._usual_reader()


class _PatternListOutputParser(_GrammarListOutputParser):
    """A list parser whose items may be found by a pattern of the user's own instead."""

    #: Finds the items in a whole text: its group is the item, or all that it matches if it has none.
    pattern: str
    _flags: ClassVar[re.RegexFlag] = re.NOFLAG

    def __init__(self, pattern: str | None = None) -> None:
        if pattern is not None:
            self.pattern = pattern
        if re.compile(self.pattern, self._flags).groups > 1:
            raise ValueError(f"The pattern {self.pattern!r} has several groups. Which one is the item?")

    def _usual_reader(self) -> Reader:
        # The grammar says the same as its pattern, and takes linear time where that may take quadratic, such
        # as on a long row of digits. Another one may look ahead as it likes: only the end settles what it
        # matches.
        if self.pattern == self._grammar.pattern:
            return super()._usual_reader()
        return WholeReader(lambda text: re.findall(self.pattern, text, self._flags))


# --- commas ---------------------------------------------------------------------------------------------

# What Python's `csv` reads as one record after the other, with spaces after a comma skipped. A carriage
# return ends a line by itself, where `csv` gives up if no line feed follows.
COMMAS = Grammar(
    {
        "a line": [
            (r"[\r\n]+", Do.DROP, "a line"),
            (r",", Do.END, "an item"),
            (r'"', Do.DROP, "in quotes"),
            (r" +", Do.DROP, "an item"),
            (r'[^\r\n," ]', Do.KEEP, "bare"),
        ],
        "an item": [
            (r"[\r\n]", Do.END, "a line"),
            (r",", Do.END, "an item"),
            (r'"', Do.DROP, "in quotes"),
            (r" +", Do.DROP, "an item"),
            (r'[^\r\n," ]', Do.KEEP, "bare"),
        ],
        "bare": [
            (r"[\r\n]", Do.END, "a line"),
            (r",", Do.END, "an item"),
            (r"[^\r\n,]+", Do.KEEP, "bare"),
        ],
        "in quotes": [
            (r'"', Do.DROP, "after a quote"),
            (r'[^"]+', Do.KEEP, "in quotes"),
        ],
        "after a quote": [
            (r"[\r\n]", Do.END, "a line"),
            (r",", Do.END, "an item"),
            (r'"', Do.KEEP, "in quotes"),
            (r'[^\r\n,"]', Do.KEEP, "bare"),
        ],
    },
    ends_in=("an item", "bare", "in quotes", "after a quote"),
)


class CommaSeparatedListOutputParser(_GrammarListOutputParser):
    """Items with commas or line ends between them; one in double quotes may hold these, and `""` for a quote.

    A stream yields `[item]` with the comma or line end after it. Nothing is raised: any text is such a list.
    """

    _grammar = COMMAS

    def get_format_instructions(self) -> str:
        """What to tell the model."""
        return (
            "Write all items on one line with a comma after each but the last, and write nothing else. "
            "Put an item that has a comma of its own into double quotes. "
            'For example: red, green, "blue, but dark"'
        )


# --- numbers --------------------------------------------------------------------------------------------

NUMBERS = Grammar(
    {
        "no item": [
            (r"\d+", Do.DROP, "number"),
            (r"\D+", Do.DROP, "no item"),
        ],
        "number": [
            (r"\d+", Do.DROP, "number"),
            (r"\.", Do.DROP, "dot"),
            (r"[^\d.]", Do.DROP, "no item"),
        ],
        "dot": [
            (r"\s", Do.DROP, "space"),
            (r"\d", Do.DROP, "number"),
            (r"[^\s\d]", Do.DROP, "no item"),
        ],
        "space": [
            (r"\n", Do.DROP, "no item"),
            (r"[^\n]+", Do.KEEP, "item"),
        ],
        "item": [
            (r"\n", Do.END, "no item"),
            (r"[^\n]+", Do.KEEP, "item"),
        ],
    },
    ends_in=("item",),
    pattern=r"\d+\.\s([^\n]+)",
)


class NumberedListOutputParser(_PatternListOutputParser):
    """Items after a number, a dot and a space, each to the end of its line. Other text is skipped.

    A stream yields `[item]` with the line's end. With a `pattern` of your own, whose group is the item, items
    come after the answer's end. Nothing is raised for any text; `ValueError` for a pattern of several groups.
    """

    _grammar = NUMBERS
    pattern = NUMBERS.pattern

    def get_format_instructions(self) -> str:
        """What to tell the model."""
        return (
            "Write each item on a line of its own, after its number, a dot and a space. "
            "For example:\n\n1. red\n2. green\n3. blue"
        )


# --- markdown -------------------------------------------------------------------------------------------

BULLETS = Grammar(
    {
        "indent": [
            (r"\s+", Do.DROP, "indent"),
            (r"[-*]", Do.DROP, "bullet"),
            (r"[^\s*-]", Do.DROP, "no item"),
        ],
        "bullet": [
            (r"\s", Do.DROP, "space"),
            (r"\S", Do.DROP, "no item"),
        ],
        "space": [
            (r"\n", Do.DROP, "indent"),
            (r"[^\n]+", Do.KEEP, "item"),
        ],
        "item": [
            (r"\n", Do.END, "indent"),
            (r"[^\n]+", Do.KEEP, "item"),
        ],
        "no item": [
            (r"\n", Do.DROP, "indent"),
            (r"[^\n]+", Do.DROP, "no item"),
        ],
    },
    ends_in=("item",),
    pattern=r"^\s*[-*]\s([^\n]+)$",
)


class MarkdownListOutputParser(_PatternListOutputParser):
    """Lines that begin with `-` or `*` and a space, indented or not. Other lines are skipped.

    A stream yields `[item]` with the line's end. With a `pattern` of your own, whose group is the item and
    where `^` and `$` are a line's ends, items come after the answer's end. Nothing is raised for any text;
    `ValueError` for a pattern of several groups.
    """

    _grammar = BULLETS
    pattern = BULLETS.pattern
    _flags = re.MULTILINE

    def get_format_instructions(self) -> str:
        """What to tell the model."""
        return (
            "Write a markdown list: each item on a line of its own, after a hyphen and a space. "
            "For example:\n\n- red\n- green\n- blue"
        )
