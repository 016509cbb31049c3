"""Draw the README's picture of the terminal: a real session with the real local model, as an SVG.

The session runs in a pseudo-terminal, and what the emulator shows at its end is drawn, cell by cell. Run it
from the checkout: `python scripts/picture.py`.
"""

import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

import pyte

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "assets" / "terminal.svg"
OPTIONS = ("--system", "Answer in Markdown.", "--temperature", "0")
COLUMNS, ROWS = 80, 32

# The size of a cell, and what is around all of them: a border, and a bar with the title.
WIDTH, HEIGHT, BORDER, BAR = 8.4, 18, 14, 30
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
# How the emulator names colours, if it does not give their value.
PALETTE = {
    "default": "d8dee9",
    "black": "3b4252",
    "red": "e06c75",
    "green": "98c379",
    "brown": "e5c07b",
    "blue": "61afef",
    "magenta": "c678dd",
    "cyan": "56b6c2",
    "white": "e5e9f0",
    "brightblack": "7f8796",
}
BACKGROUND = "1e222a"


class Look(NamedTuple):
    """How the cells of one run look."""

    colour: str
    background: str
    bold: bool
    italic: bool
    underlined: bool


def play() -> pyte.HistoryScreen:
    """Hold the session, and return the screen at its end."""
    from tests.cli.running import REAL, Terminal

    with (
        tempfile.TemporaryDirectory() as state,
        Terminal(
            REAL,
            *("chat", *OPTIONS),
            columns=COLUMNS,
            rows=ROWS,
            TERM="xterm-256color",
            COLORTERM="truecolor",
            XDG_STATE_HOME=state,
        ) as terminal,
    ):
        terminal.until_shown(r"\n>\Z")
        terminal.press("How do I print hello in Python? Give a short code example.\r")
        terminal.until_shown(r"tokens/s\n\n>\Z")
        terminal.press("List three good habits, as a Markdown list with bold names.\r")
        terminal.until_shown(r"code\.\n\d+ tokens.*\n\n>\Z")
        terminal.press("Tell me a long story.\r")
        terminal.until_shown("a brilliant scientist")
        terminal.press("\x03")
        terminal.until_shown(r"stopped\n\n>\Z")
        return terminal.emulator


def draw(screen: pyte.HistoryScreen, title: str) -> str:
    """The SVG of this screen in a window of this title."""
    used = max(y for y, row in enumerate(screen.display) if row.strip()) + 2
    width, height = COLUMNS * WIDTH + 2 * BORDER, used * HEIGHT + BAR + BORDER
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f"aria-label={quoteattr('A terminal: ' + title)}>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#{BACKGROUND}"/>',
        *(f'<circle cx="{x}" cy="15" r="5" fill="#4c566a"/>' for x in (18, 36, 54)),
        f'<g font-family="{FONT}" font-size="14" xml:space="preserve" style="white-space:pre">',
        f'<text x="{width / 2:g}" y="20" fill="#7f8796" text-anchor="middle">{escape(title)}</text>',
        *(part for y in range(used) for part in _row(screen, y)),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(screen: pyte.HistoryScreen, y: int) -> Iterator[str]:
    top = BAR + y * HEIGHT
    if y == screen.cursor.y:
        yield _rect(BORDER + screen.cursor.x * WIDTH, top, 1, PALETTE["default"])
    x = 0
    for look, cells in groupby((screen.buffer[y][x] for x in range(screen.columns)), _look):
        text = "".join(cell.data for cell in cells)
        left, x = BORDER + x * WIDTH, x + len(text)
        if look.background != BACKGROUND:
            yield _rect(left, top, len(text), look.background)
        if text.strip():
            # Spaces at the ends are drawn by no viewer, and would be made up for by stretching the rest.
            indent = len(text) - len(text.lstrip())
            yield _text(text.strip(), look, left + indent * WIDTH, top + 13)


def _rect(left: float, top: int, cells: int, colour: str) -> str:
    size = f'width="{cells * WIDTH:g}" height="{HEIGHT}"'
    return f'<rect x="{left:g}" y="{top}" {size} fill="#{colour}"/>'


def _text(text: str, look: Look, left: float, base: int) -> str:
    style = f'fill="#{look.colour}"'
    style += ' font-weight="bold"' if look.bold else ""
    style += ' font-style="italic"' if look.italic else ""
    style += ' text-decoration="underline"' if look.underlined else ""
    # The cells stay where they are, whatever font there is.
    size = f'textLength="{len(text) * WIDTH:g}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{left:g}" y="{base}" {size} {style}>{escape(text)}</text>'


def _look(cell: pyte.screens.Char) -> Look:
    colour = PALETTE.get(cell.fg, cell.fg)
    background = BACKGROUND if cell.bg == "default" else PALETTE.get(cell.bg, cell.bg)
    if cell.reverse:
        colour, background = background, colour
    return Look(colour, background, cell.bold, cell.italics, cell.underscore)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PICTURE.parent.mkdir(exist_ok=True)
    system = f'{OPTIONS[0]} "{OPTIONS[1]}" {" ".join(OPTIONS[2:])}'
    PICTURE.write_text(draw(play(), f"millstream chat {system}"), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}, {PICTURE.stat().st_size} bytes")
