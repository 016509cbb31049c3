"""Writes docs/differences.md from the table of differences that the side-by-side tests read.

Run it from the checkout: `python scripts/differences.py`.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "differences.md"
HEAD = """\
# Differences from langchain-core

Names, signatures, what is streamed and how pieces add up are those of langchain-core 1.x. Where millstream
does otherwise, it is on purpose, and stands here. Each entry is held by tests that run both libraries side by
side (`tests/peer`); one that no test shows fails them.

<!-- Written by scripts/differences.py from tests/peer/differences.py. -->
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_lines()])


def _lines() -> Iterator[str]:
    from tests.peer.differences import DIFFERENCES

    for area, entries in groupby(DIFFERENCES.values(), key=lambda entry: entry.area):
        yield f"## {area}\n"
        for entry in entries:
            yield f"### {entry.title}\n"
            yield f"- **langchain-core:** {entry.peer}"
            yield f"- **millstream:** {entry.ours}"
            yield f"- **Why:** {entry.why}\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
