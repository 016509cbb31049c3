"""The rows of a terminal that can still change, and what to write so that they show something else.

The cursor always stands at the start of the row below them. A row that scrolls out of the window cannot be
reached any more, so only rows that never change may do that.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """One row: its text, with the escape sequences of its colours, and how many cells it takes."""

    text: str
    cells: int


#: Around a change, for terminals that know it: show nothing of it before it is complete.
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"

# Never what a row shows, so that a row said to show it is written anew.
_UNKNOWN = Line("\x1b", 1 << 30)


class Window:
    """Keeps what its rows show. It writes nothing itself: its functions return what is to be written."""

    def __init__(self, height: int) -> None:
        self._shown: list[Line] = []
        self.room = 1
        self.resize(height)

    def show(self, final: Sequence[Line], live: Sequence[Line]) -> str:
        """Put `final` in place of what is shown, for good, and below it what there is room for of `live`.

        That is its end.
        Rows that stay as they are are not written.
        """
        live = live[-self.room :]
        old, new = self._shown, [*final, *live]
        self._shown = list(live)
        if old == new:
            return ""
        same = next((n for n, (was, now) in enumerate(zip(old, new, strict=False)) if was != now), None)
        if same is None:
            same = min(len(old), len(new))
        written = [f"\x1b[{len(old) - same}A"] if same < len(old) else []
        for n in range(same, len(new)):
            written.append(_row(old[n] if n < len(old) else None, new[n]))
        if len(new) < len(old):
            written.append("\x1b[J")
        return "".join((BEGIN, *written, END))

    def resize(self, height: int, *, rewrapped: bool = False) -> None:
        """Take a new height. `rewrapped` says that the terminal may have moved words from row to row."""
        self.room = max(1, height - 1)
        self._shown = self._shown[-self.room :]
        if rewrapped:
            self._shown = [_UNKNOWN] * len(self._shown)


def _row(was: Line | None, now: Line) -> str:
    if was == now:
        return "\r\n"
    # Erased only where the old row was longer: one that is full has the cursor on its last cell.
    rest = "\x1b[K" if was is not None and now.cells < was.cells else ""
    return f"{now.text}{rest}\r\n"
