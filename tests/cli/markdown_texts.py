"""Markdown of the kind that models write, and worse, for tests that try any."""

from itertools import pairwise

from hypothesis import strategies as st

BITS = [
    *(
        "word ",
        "another",
        "\n",
        "\n\n",
        "- ",
        "* ",
        "+ ",
        "1. ",
        "9. ",
        "10) ",
        "2",
        "> ",
        "# ",
        "## ",
        "    ",
        "  ",
    ),
    *(
        "```",
        "```py\n",
        "```\n",
        "~~~\n",
        "---\n",
        "***\n",
        "===\n",
        "-",
        "--\n",
        "=",
        "**",
        "*",
        "`",
        "~~",
        "\\",
    ),
    *("[x](http://u.v)", "[x]", "![i](u)", "<b>", "&amp;", "&#27;", "|", " | ", "| c | d"),
    *(
        "| a | b |\n|---|---|\n",
        "\t",
        "#",
        "1",
        ".",
        "x = 1\n",
        '"""',
        "日本",
        "x" * 50,
        "\x1b",
        "\r\n",
        "\u2028",
    ),
]
TEXTS = st.lists(st.sampled_from(BITS), max_size=50).map("".join)


def cut(text: str, data: st.DataObject) -> list[str]:
    """The text in pieces, as a model might have sent it."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=25), label="cuts"))
    return [text[a:b] for a, b in pairwise([0, *cuts, len(text)])]
