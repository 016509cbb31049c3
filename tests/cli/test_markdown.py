"""Markdown on a terminal: at the end it is what rich makes of the whole, and on the way nothing is redone."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from millstream.cli.blocks import parser
from millstream.cli.markdown import MarkdownStream, render
from millstream.cli.terminal import harmless
from millstream.cli.window import BEGIN, END
from tests.cli.markdown_texts import TEXTS, cut
from tests.cli.running import emulator, rows_of

PLAIN = Console(file=io.StringIO(), color_system=None)
SIZES = [(80, 24), (40, 10), (40, 4), (20, 3), (20, 2), (12, 8)]


def console(columns: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=columns)


def writes(pieces: Iterable[str], columns: int, rows: int) -> Iterator[str]:
    """What is written for these pieces, drawn after each of them."""
    stream = MarkdownStream(console(columns), rows)
    for piece in pieces:
        stream.feed(piece)
        yield stream.draw()
    yield stream.finish()


def emulated(written: Iterable[str], columns: int, rows: int) -> pyte.HistoryScreen:
    screen = emulator(columns, rows)
    stream = pyte.Stream(screen)
    for text in written:
        stream.feed(text)
    return screen


def whole(text: str, columns: int, rows: int) -> pyte.HistoryScreen:
    """The screen after all was rendered at once."""
    lines = render(console(columns), parser().parse(harmless(text)), columns)
    return emulated((f"{line.text}\r\n" for line in lines), columns, rows)


def coloured(screen: pyte.HistoryScreen) -> dict[tuple[int, int], object]:
    """What is on the screen, but for blanks that look like nothing."""
    blank = screen.default_char
    cells = {(y, x): cell for y, row in screen.buffer.items() for x, cell in row.items()}
    return {place: cell for place, cell in cells.items() if cell != blank}


@settings(deadline=None, max_examples=200)
@given(TEXTS, st.sampled_from(SIZES), st.data())
def test_at_the_end_screen_and_history_are_those_of_the_whole(
    text: str, size: tuple[int, int], data: st.DataObject
) -> None:
    shown = rows_of(emulated(writes(cut(text, data), *size), *size))
    assert shown == rows_of(whole(text, *size))


def char_by_char(text: str, columns: int, rows: int) -> list[str]:
    return rows_of(emulated(writes(text, columns, rows), columns, rows))


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{n}. item\n" for n in range(1, 13)),
        "".join(f"{n}. item\n" for n in range(98, 102)),
        "".join(f"- item {n}\n  - inner\n\n" for n in range(8)),
        "```py\nx = 1\n\n" + "long_name " * 12 + "\n\n\nab\ncd\n```\n",
        "a | b\n--|--\nc | d\n" * 4,
        "words\n" + "-" * 5 + "\nmore\n" + "=" * 5,
        "- a\n- b\n\nwords\n***\n> quote\n> - inner\nlazy\n\n---\n- c",
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_it_is_so_for_what_models_write_char_by_char(text: str, size: tuple[int, int]) -> None:
    assert char_by_char(text, *size) == rows_of(whole(text, *size))


def test_what_turns_out_to_be_nothing_is_taken_away() -> None:
    stream = MarkdownStream(console(40), 8)
    stream.feed("[a]: <http://" + "long/" * 12)
    screen = emulated([stream.draw()], 40, 8)
    assert len(rows_of(screen)) > 1
    stream.feed(">\n")
    pyte.Stream(screen).feed(stream.draw())
    assert rows_of(screen) == []


ANSWER = """# Rivers

They *bend* because `water` is **lazy**, see [why](http://a.b).

1. one
2. two
   - nested

> quoted
> text

| a | b |
|---|--:|
| c | d |

---

```python
def bend(river: str) -> None:
    print(river)  # slowly
```

Done.
"""


def test_the_colours_are_those_of_the_whole_too() -> None:
    pieces = [ANSWER[n : n + 3] for n in range(0, len(ANSWER), 3)]
    shown = coloured(emulated(writes(pieces, 60, 50), 60, 50))
    assert shown == coloured(whole(ANSWER, 60, 50))
    assert any("bold=True" in str(cell) for cell in shown.values())


def test_a_finished_line_is_never_written_again() -> None:
    text = "".join(f"Here is para{n} of many.\n\n- item{n}\n- last\n\n" for n in range(10, 40))
    written = list(writes([text[n : n + 5] for n in range(0, len(text), 5)], 60, 20))
    for mark in [f"{kind}{n}" for kind in ("para", "item") for n in range(10, 39)]:
        first = next(n for n, writing in enumerate(written) if re.search(rf"{mark}\b", writing))
        last = max(n for n, writing in enumerate(written) if re.search(rf"{mark}\b", writing))
        assert last - first <= 6


@pytest.mark.parametrize("block", ["words and words\n\n", "- an item\n", "x = 1\n", "| a | b |\n"])
def test_what_is_written_grows_as_the_answer_does(block: str) -> None:
    def written(count: int) -> int:
        opening = {"x": "```\n", "|": "| a | b |\n|---|---|\n"}.get(block[0], "")
        return sum(map(len, writes([opening, *[block] * count], 40, 10)))

    assert written(80) < 4.5 * written(20)


def test_a_code_block_that_is_higher_than_the_window_scrolls_line_by_line() -> None:
    screen = emulated(list(writes(["```\n", *[f"line {n}\n" for n in range(30)]], 40, 8))[:-1], 40, 8)
    rows = [row.strip() for row in rows_of(screen)]
    assert [row for row in rows if row] == [f"line {n}" for n in range(30)]


def test_a_table_that_is_higher_than_the_window_shows_its_end_until_it_is_whole() -> None:
    pieces = ["| a | b |\n|---|---|\n", *[f"| r{n} | {'x' * n} |\n" for n in range(20)]]
    written = list(writes(pieces, 40, 8))
    before = rows_of(emulated(written[:-1], 40, 8))
    assert len(before) == 7
    assert before[-1].startswith("r19")
    assert [row.split()[0] for row in rows_of(emulated(written, 40, 8)) if row[:1] == "r"] == [
        f"r{n}" for n in range(20)
    ]


ROWS = st.integers(1, 6).flatmap(
    lambda count: st.lists(
        st.lists(st.text("ab1日 ", max_size=12), min_size=count, max_size=count), min_size=1, max_size=4
    )
)


@settings(deadline=None)
@given(ROWS, st.integers(2, 40))
def test_a_finished_table_holds_all_of_its_cells(rows: list[list[str]], columns: int) -> None:
    text = "".join(f"|{'|'.join(row)}|\n" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
    shown = Counter("".join(line.text for line in render(PLAIN, parser().parse(text), columns)))
    assert not Counter("".join("".join(row) for row in rows).replace(" ", "")) - shown


def test_a_wide_table_folds_its_cells_and_a_table_that_fits_nowhere_is_a_list() -> None:
    text = "| name | number |\n|---|--:|\n| Alexandria | 1234567890 |\n| b | 2 |"
    assert char_by_char(text, 12, 20) == [
        "",
        "       numbe",
        "name       r",
        "────────────",
        "Alexa  12345",
        "ndria  67890",
        "b          2",
    ]
    assert char_by_char(text, 5, 20)[-5:] == ["", "name:", "b", "numbe", "r: 2"]


def test_one_blank_line_between_a_table_and_what_follows() -> None:
    table = "| a |\n|---|\n| b |\n\n"
    assert char_by_char(f"{table}words", 20, 20)[-3:] == ["b", "", "words"]
    # The second one is the code's own upper edge, and has its colour.
    assert char_by_char(f"{table}```\nx\n```", 20, 20)[-4:] == ["b", "", "", " x"]


def test_a_drawing_is_one_update_that_the_terminal_shows_whole() -> None:
    first, second, _ = writes(["some ", "words"], 40, 8)
    assert (first, second) == (f"{BEGIN}some\r\n{END}", f"{BEGIN}\x1b[1Asome words\r\n{END}")


def test_nothing_new_writes_nothing() -> None:
    stream = MarkdownStream(console(40), 8)
    stream.feed("words")
    assert stream.draw()
    assert stream.draw() == ""


@pytest.mark.parametrize("size", [(20, 10), (80, 10), (40, 30), (40, 3), (1, 1)])
def test_another_size_in_the_middle_loses_nothing(size: tuple[int, int]) -> None:
    stream = MarkdownStream(console(40), 10)
    screen = emulator(40, 10)
    output = pyte.Stream(screen)
    text = "Before.\n\n```\n" + "".join(f"line{n}\n" for n in range(20)) + "```\n\nAfter."
    for n, piece in enumerate(text[n : n + 4] for n in range(0, len(text), 4)):
        if n == 15:
            screen.resize(size[1], size[0])
            stream.resize(*size)
        stream.feed(piece)
        output.feed(stream.draw())
    output.feed(stream.finish())
    letters = "".join(rows_of(screen)).replace(" ", "")
    # When the emulator gets fewer rows it drops some, which a terminal would let scroll away.
    assert all(f"line{n}" in letters for n in range(20 if size[1] >= 10 else 0))
    assert letters.endswith("After.")


def test_controls_that_are_written_as_entities_are_harmless() -> None:
    screen = rows_of(emulated(writes(["a&#27;[31mb &#x9b;c \x1b]0;t\x07"], 40, 8), 40, 8))
    assert screen == ["a\N{REPLACEMENT CHARACTER}[31mb \N{REPLACEMENT CHARACTER}c ␛]0;t␇"]
