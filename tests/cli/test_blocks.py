"""Which parts of a Markdown text are finished: what was said once stays true, whatever comes."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.cli.blocks import Blocks, Part, parser, parts_of
from tests.cli.markdown_texts import TEXTS, cut


def shape(parts: list[Part]) -> list[object]:
    """What the parts say, without where they stand in the text."""
    return [
        (
            part.follows,
            [(t.type, t.content, t.attrs if t.type == "ordered_list_open" else 0) for t in part.tokens],
        )
        for part in parts
    ]


@settings(deadline=None)
@given(TEXTS, st.data())
def test_the_parts_are_those_of_the_whole_text(text: str, data: st.DataObject) -> None:
    blocks = Blocks()
    parts: list[Part] = []
    for piece in cut(text, data):
        blocks.feed(piece)
        parts += blocks.finished()
    parts += blocks.finished() + blocks.close()
    assert shape(parts) == shape(list(parts_of(parser().parse(text))))


def kinds(*pieces: str) -> list[str]:
    blocks = Blocks()
    found = []
    for piece in pieces:
        blocks.feed(piece)
        found += [part.kind for part in blocks.finished()]
    return found


@pytest.mark.parametrize("begun", ["#", "# head", "-", "- item", "```", "> quote", "1. one"])
def test_a_line_that_is_not_complete_finishes_nothing(begun: str) -> None:
    assert kinds("words\n", begun) == kinds(f"words\n{begun}") == []


@pytest.mark.parametrize("line", ["# head", "- item", "> quote", "```", "***"])
def test_a_block_that_has_begun_finishes_the_one_before(line: str) -> None:
    assert kinds("words\n", f"{line}\n") == ["paragraph_open"]


def test_items_are_finished_one_by_one_and_keep_their_numbers() -> None:
    blocks = Blocks()
    numbers = []
    for line in ["7. a\n", "1. b\n", "1. c\n"]:
        blocks.feed(line)
        numbers += [part.tokens[0].attrs["start"] for part in blocks.finished()]
    assert (numbers, blocks.close()[0].tokens[0].attrs["start"]) == ([7, 8], 9)


@pytest.mark.parametrize("begun", ["-", "--", "#", "```", "  ", "12", "3.", "> ", "**", "|"])
def test_what_may_become_anything_is_not_shown_yet(begun: str) -> None:
    blocks = Blocks()
    blocks.feed(f"words\n{begun}")
    assert shape(blocks.open()) == shape(list(parts_of(parser().parse("words\n"))))
    blocks.feed("x")
    assert shape(blocks.open()) == shape(list(parts_of(parser().parse(f"words\n{begun}x"))))


def test_a_link_knows_its_target_if_that_came_before() -> None:
    # Until its title is closed, the second line of a target is a paragraph.
    target = ["# head\n", "\n", "\n", "[a]: /first\n", '"one\n', 'title"\n', "\n"]
    blocks = Blocks()
    for line in [*target, "words\n", "\n", "more\n", *["# head\n"] * 3, "[a]: /second\n", "\n", "see [a]"]:
        blocks.feed(line)
        blocks.finished()
    inline = blocks.close()[-1].tokens[1]
    assert [child.attrs.get("href") for child in inline.children or []] == [None, "/first", None, None]
    assert inline.children is not None
    assert inline.children[1].attrs["title"] == "one\ntitle"


def test_the_work_does_not_grow_with_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(count: int) -> int:
        blocks = Blocks()
        total = 0
        plain = blocks._parser.parse

        def counting(text: str, environment: dict[str, object]) -> object:
            nonlocal total
            total += len(text)
            return plain(text, environment)

        monkeypatch.setattr(blocks._parser, "parse", counting)
        for _ in range(count):
            for piece in ("- an item ", "of a list\n", "\nand ", "words\n\n"):
                blocks.feed(piece)
                blocks.finished()
                blocks.open()
        return total

    small, large = parsed(20), parsed(200)
    assert large < 10.5 * small


def test_pieces_can_be_empty() -> None:
    assert list(pairwise(kinds("", "a", "", "\n\n", "", "b\n", ""))) == []
