"""Markdown rendered while it streams: finished parts are written once, and only the open one is redrawn.

`blocks.py` says what is finished, rich makes lines of it, and `window.py` what to write. An open part that is
higher than the window shows its end there. Its beginning is written when it can no longer change: that of a
code block at once, line by line; that of a table, whose columns may still widen, when the table is finished.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from markdown_it.token import Token
from rich.console import COLOR_SYSTEMS, Console, ConsoleOptions, RenderResult
from rich.markdown import ListElement, Markdown, TableElement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from millstream.cli.blocks import Blocks, Part, parser
from millstream.cli.terminal import harmless
from millstream.cli.window import Line, Window

_CODE = ("fence", "code_block")
_WORD = parser().parse("x")


class MarkdownStream:
    """Text goes in with `feed`; `draw` returns what to write to the terminal for it."""

    def __init__(self, console: Console, height: int) -> None:
        self._blocks = Blocks()
        self._painter = Painter(console)
        self._window = Window(height)
        # Of the open part: how many of its lines were written for good.
        self._gone = 0

    def feed(self, text: str) -> None:
        """Take the next piece of the answer."""
        self._blocks.feed(harmless(text))

    def draw(self) -> str:
        """What to write so that the terminal shows all that came."""
        final = self._finish(self._blocks.finished())
        parts = self._blocks.open()
        live = self._painter.preview(parts)[self._gone :]
        if len(live) > self._window.room and parts[0].kind in _CODE:
            leaving = max(0, min(len(live) - self._window.room, self._stable() - self._gone))
            final += live[:leaving]
            live = live[leaving:]
            self._gone += leaving
        return self._window.show(final, live)

    def finish(self) -> str:
        """What to write at the end, when nothing more will come."""
        return self._window.show(self._finish(self._blocks.finished() + self._blocks.close()), [])

    def resize(self, width: int, height: int) -> None:
        """Go on with another size of the terminal. If its width changed, the open part is drawn anew."""
        rewrapped = self._painter.resize(width)
        if rewrapped:
            self._gone = 0
        self._window.resize(height, rewrapped=rewrapped)

    def _stable(self) -> int:
        """How many lines of the open code block stay as they are, whatever follows."""
        complete = self._blocks.open(complete=True)[:1]
        # An empty block shows an empty line that others take the place of.
        has_code = any(part.tokens[0].content.strip() for part in complete)
        # The last line is the block's lower edge.
        return len(self._painter.preview(complete)) - 1 if has_code else 0

    def _finish(self, parts: Sequence[Part]) -> list[Line]:
        lines: list[Line] = []
        for part in parts:
            lines += self._painter.paint(part)[self._gone :]
            self._gone = 0
        return lines


class Painter:
    """Parts into lines, by rich. It remembers what the blank line before the next part depends on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = console.width
        self._before = ""

    def paint(self, part: Part) -> list[Line]:
        """The lines of the next part, with the blank line that belongs before it."""
        lines = self._lines(part)
        self._before = part.kind
        return lines

    def preview(self, parts: Iterable[Part]) -> list[Line]:
        """The lines of the parts that come next, without going on to what follows them."""
        before = self._before
        lines = [line for part in parts for line in self.paint(part)]
        self._before = before
        return lines

    def resize(self, width: int) -> bool:
        """Take a new width, and return whether it is another one."""
        changed, self._width = width != self._width, width
        return changed

    def _lines(self, part: Part) -> list[Line]:
        # rich puts a blank line before each block but the first one, and one after a rule. A word stands in
        # for what came before; a list has its blank line even if it is the first.
        stand_in = not part.follows and self._before not in ("", "hr")
        tokens = [*_WORD, *part.tokens] if stand_in else part.tokens
        lines = render(self._console, tokens, self._width)
        return lines[1:] if stand_in or part.follows else lines


def render(console: Console, tokens: list[Token], width: int) -> list[Line]:
    """The lines that rich makes of these tokens."""
    options = console.options.update(width=max(1, width))
    return [
        line_of(segments, console) for segments in console.render_lines(_Tokens(tokens), options, pad=False)
    ]


class _List(ListElement):
    """A list whose items are indented alike, however many are to come."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.list_type == "bullet_list_open":
            yield from super().__rich_console__(console, options)
            return
        for number, item in enumerate(self.items, self.list_start or 0):
            yield from item.render_number(console, options, number, max(number, 99))


class _Table(TableElement):
    """A table that cuts nothing: what is too wide for its column goes on in the next row."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            assert isinstance(table, Table)
            # Two cells hold any character, and two more are between columns.
            if options.max_width < 4 * len(table.columns) - 2:
                yield from self._in_one_column()
                return
            # Its edges are blank, and there is a blank line on each side already.
            table.show_edge = False
            for column in table.columns:
                column.overflow = "fold"
            yield table

    def _in_one_column(self) -> Iterator[Text]:
        """For windows that no table fits into: the cells below each other, with their headings."""
        row = self.header.row if self.header is not None else None
        headings = [cell.content for cell in row.cells] if row is not None else []
        rows = self.body.rows if self.body is not None else []
        if not rows:
            yield from headings
        for n, row in enumerate(rows):
            if n:
                yield Text("")
            for heading, cell in zip(headings, row.cells, strict=False):
                yield Text.assemble(heading, ": ", cell.content)


class _Tokens(Markdown):
    """What was parsed already. Links show their address: nobody can see where a hidden one leads."""

    elements = Markdown.elements | {
        "ordered_list_open": _List,
        "bullet_list_open": _List,
        "table_open": _Table,
    }

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = tokens


def line_of(segments: list[Segment], console: Console) -> Line:
    """The row that these segments make, without the blanks at its end, and without control characters."""
    system = None
    if console.color_system and not console.no_color:
        system = COLOR_SYSTEMS[console.color_system]
    kept = segments[: len(segments) - sum(1 for _ in takewhile(_is_padding, reversed(segments)))]
    if kept and _is_invisible(kept[-1]):
        kept[-1] = Segment(kept[-1].text.rstrip(" "), kept[-1].style)
    texts = (
        segment.style.render(harmless(segment.text), color_system=system)
        if segment.style
        else harmless(segment.text)
        for segment in kept
    )
    return Line("".join(texts), Segment.get_line_length(kept))


def _is_padding(segment: Segment) -> bool:
    return _is_invisible(segment) and not segment.text.strip(" ")


def _is_invisible(segment: Segment) -> bool:
    """Whether its spaces look like nothing. They are left out: copied text has none, and rows can shrink."""
    style = segment.style
    return style is None or not (style.bgcolor or style.underline or style.reverse or style.strike)
