"""XML: the first element of an answer, as nested dicts; in a stream, leaf by leaf.

The theory: of the text, only the first element is read, from its `<` on. So what a model says around it,
fences and the XML declaration among it, needs no handling, and no document type ever reaches the parser:
with none, there are no entities but the five that XML has, and nothing to expand or to fetch.

Expat reads the element, and tells of tags and text without building anything. A reader keeps the elements
that are open, on a stack of its own, so that depth costs no recursion, and drops each one when it ends.
Beside these it keeps the text itself, which an error shows.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Sequence
from io import StringIO
from typing import Any
from xml.parsers import expat

from millstream.errors import OutputParserException
from millstream.kernel.sources import AddableDict
from millstream.output_parsers.base import BaseOutputParser, text_of

#: How deep elements may be nested, unless told otherwise. Python's own `repr`, `==` and `json` stop at some
#: hundreds.
MAX_DEPTH = 200


class XMLOutputParser(BaseOutputParser[dict[str, Any]]):
    """The first XML element of an answer as nested dicts: `{"root": [{"leaf": "text"}, {"node": [...]}]}`.

    An element is a dict of its tag and its text if it is a leaf, else a list of its children. Attributes, and
    text after a first child, are left out; text before one stands for all children. A root without any text
    and children is an empty list.

    A stream yields each leaf when it ends, in the dicts and lists that lead to it: an `AddableDict`, so that
    the pieces add up. Other text before and after the element is skipped, fences too.

    Raises `OutputParserException`, in a stream after the leaves before the fault: if there is no element, if
    it is broken, unfinished or nested deeper than `max_depth`, or if there is a document type before it. Its
    `path` are the tags of the elements that were open.

    `tags` are for the instructions only: they are what the model is told to use.
    """

    def __init__(self, tags: Sequence[str] | None = None, *, max_depth: int = MAX_DEPTH) -> None:
        self.tags = tags
        self.max_depth = max_depth

    def get_format_instructions(self) -> str:
        """What to tell the model."""
        named = ", ".join(f"<{tag}>" for tag in self.tags or ())
        which = f"Use these tags and no others: {named}." if named else "Choose tags that say what they hold."
        return (
            f"Write your answer as XML: one element that holds all others, without attributes. {which} "
            "Close every tag that you open, innermost first. Write `&lt;` for `<` and `&amp;` for `&`. "
            "For example, with the tags <trip>, <stop> and <city>:\n\n"
            "<trip><stop><city>Lyon</city></stop><stop><city>Turin</city></stop></trip>\n\n"
            "This would be wrong, since a <stop> is not closed:\n\n"
            "<trip><stop><city>Lyon</city></trip>"
        )

    def parse(self, text: str) -> dict[str, Any]:
        """The first element of the text. Raises `OutputParserException`."""
        reader = TreeReader(self.max_depth)
        [tree] = [*reader.feed(text), *reader.finish()]
        return tree

    async def _transform(
        self, source: Any, scope: Any, /, **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        reader, name = LeafReader(self.max_depth), self.get_name()
        async with scope.reading(source) as pieces:
            async for piece in pieces:
                for leaf in reader.feed(text_of(piece, name)):
                    yield leaf
            for leaf in reader.finish():
                yield leaf


class Element:
    """An element that has not ended: its text before a child, and what a reader made of its children."""

    __slots__ = ("children", "is_leaf", "tag", "text")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.is_leaf = True
        self.text: list[str] = []
        self.children: list[Any] = []


class ElementReader(ABC):
    """Takes a text in pieces, and gives what `_ended` makes of its elements. Read out what each piece gives.

    `feed` and `finish` raise `OutputParserException`, after what was made before the fault.
    """

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._told = StringIO()
        self._front: Front | None = Front()
        self._tokens = Tokens(self._start, self._data, self._end)
        self._open: list[Element] = []
        self._done = False
        self._made: list[dict[str, Any]] = []
        self._was_fed = False

    @abstractmethod
    def _ended(self, element: Element) -> None:
        """See to an element that has ended; those around it are in `_open`."""

    def feed(self, text: str) -> Iterator[dict[str, Any]]:
        """What this piece completes."""
        if self._done:
            return
        self._was_fed = True
        self._told.write(text)
        yield from self._advance(text)

    def finish(self) -> Iterator[dict[str, Any]]:
        """What the text's end completes. A text that was never begun is no text, and no fault either."""
        if self._done or not self._was_fed:
            return
        yield from self._advance("", last=True)
        if self._front is not None:
            raise self._fault("There is no XML element in the answer.")
        if not self._done:
            raise self._fault(f"The answer ends inside {self._place()}.")

    def _advance(self, text: str, last: bool = False) -> Iterator[dict[str, Any]]:
        fault: OutputParserException | None = None
        try:
            self._read(text, last)
        except OutputParserException as error:
            fault = error
        made, self._made = self._made, []
        yield from made
        if fault is not None:
            raise fault

    def _read(self, text: str, last: bool) -> None:
        """Hand on what belongs to the element. What is wrong after its end is wrong with something else."""
        try:
            if self._front is not None:
                text = self._front.feed(text)
                if not text:
                    return
                self._front = None
            self._tokens.feed(text, last)
        except DocumentTypeError:
            raise self._fault("The answer has a document type (`<!DOCTYPE`), which is refused.") from None
        except (expat.ExpatError, UnicodeEncodeError) as error:
            if not self._done:
                said = expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else error.reason
                raise self._fault(f"The XML is broken at {self._place()}: {said}.") from error

    def _start(self, name: str, attributes: object) -> None:
        if len(self._open) == self._max_depth:
            raise self._fault(f"The XML is nested deeper than {self._max_depth} elements.")
        if self._open:
            self._open[-1].is_leaf = False
        # Expat writes a name of a namespace as `uri}name`, the world as `{uri}name`.
        self._open.append(Element("{" + name if "}" in name else name))

    def _data(self, text: str) -> None:
        if self._open[-1].is_leaf:
            self._open[-1].text.append(text)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        self._ended(element)
        self._done = not self._open

    def _place(self) -> str:
        return "".join(f"<{element.tag}>" for element in self._open[-8:]) or "its first tag"

    def _fault(self, message: str) -> OutputParserException:
        path = [element.tag for element in self._open]
        return OutputParserException(message, llm_output=self._told.getvalue(), path=path)


class LeafReader(ElementReader):
    """Gives each leaf, in the dicts and lists that lead to it."""

    def _ended(self, element: Element) -> None:
        if not element.is_leaf:
            return
        piece = AddableDict({element.tag: "".join(element.text) or None})
        for outer in reversed(self._open):
            piece = AddableDict({outer.tag: [piece]})
        self._made.append(piece)


class TreeReader(ElementReader):
    """Gives the whole element at once."""

    def _ended(self, element: Element) -> None:
        text = "".join(element.text)
        value: Any = element.children
        if text.strip() or (element.is_leaf and self._open):
            value = text or None
        siblings = self._open[-1].children if self._open else self._made
        siblings.append({element.tag: value})


# --- the text before the element ------------------------------------------------------------------------


class DocumentTypeError(Exception):
    """A document type stands before the first element."""


class Front:
    """Finds where the first element begins: at a `<` and a letter, outside of comments."""

    _OPENING = re.compile(r"<(?:(?P<comment>!--)|(?P<type>!DOCTYPE)|[^\W\d]|:)", re.IGNORECASE)
    _CLOSING = re.compile(r"-->")
    # A piece may end inside of what is looked for, the longest of which is `<!DOCTYPE`.
    _HELD = len("<!DOCTYPE") - 1

    def __init__(self) -> None:
        self._held = ""
        self._in_comment = False

    def feed(self, text: str) -> str:
        """The text from the element's begin on; nothing as long as there is none."""
        text = self._held + text
        at = 0
        while True:
            found = (self._CLOSING if self._in_comment else self._OPENING).search(text, at)
            if found is None:
                self._held = text[max(at, len(text) - self._HELD) :]
                return ""
            if found.lastgroup == "type":
                raise DocumentTypeError
            if not self._in_comment and found.lastgroup is None:
                return text[found.start() :]
            self._in_comment = not self._in_comment
            at = found.end()


# --- the element ----------------------------------------------------------------------------------------


class Tokens:
    """Expat, made linear however the text is cut.

    Expat looks at a tag, a comment or the like again from its begin with each piece, until it is complete.
    So one that is long and comes in small pieces would cost its length squared. Here, pieces are held back
    until they make at least a thirty-second of what is incomplete: so short tags are never late, long ones
    by that much, and no character is looked at more than some thirty times.
    """

    _SHARE = 32

    def __init__(self, start: Any, data: Any, end: Any) -> None:
        self._parser = expat.ParserCreate("utf-8", "}")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = start
        self._parser.CharacterDataHandler = data
        self._parser.EndElementHandler = end
        # Newer versions of expat hold back too, but also short tags.
        undeferred = getattr(self._parser, "SetReparseDeferralEnabled", None)
        if undeferred is not None:
            undeferred(False)
        self._held: list[str] = []
        self._held_size = 0
        self._enough = 0
        self._fed = 0

    def feed(self, text: str, last: bool = False) -> None:
        """Call the handlers for what is complete. Raises `ExpatError`, `UnicodeEncodeError` and theirs."""
        self._held.append(text)
        self._held_size += len(text)
        if self._held_size < self._enough and not last:
            return
        text = "".join(self._held)
        self._held.clear()
        self._held_size = 0
        try:
            self._parse(text.encode())
        except UnicodeEncodeError as error:
            self._parse(text[: error.start].encode())
            raise

    def _parse(self, data: bytes) -> None:
        self._parser.Parse(data, False)
        self._fed += len(data)
        self._enough = (self._fed - self._parser.CurrentByteIndex) // self._SHARE
