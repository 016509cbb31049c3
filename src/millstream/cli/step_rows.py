"""The rows that show a tree of steps: state, name, kind, time to the first token, duration, tokens, a note.

A window too narrow for all columns has fewer of them; one too low for all rows has none for what is inside of
steps that ended, or for these either, and says how many rows there are besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from millstream.cli.steps import State, Step
from millstream.cli.terminal import harmless
from millstream.messages import UsageMetadata

_MARKS: dict[State, tuple[str, str]] = {
    "running": ("●", "yellow"),
    "done": ("✓", "green"),
    "error": ("✗", "red"),
    "cancelled": ("○", "magenta"),
}
_STEP = "step"
_HEADINGS = {"kind": "kind", "first": "first", "time": "time", "tokens": "tokens"}
#: In which order columns are left out where there is no room for them; the time stays.
_LEAVE = ("kind", "tokens", "first")
_GAP = 2
# What a name has at least, before a column is left out; and a note, before it is.
_NAME, _NOTE = 24, 8


class _Row(NamedTuple):
    mark: tuple[str, str]
    name: str
    cells: dict[str, str]
    note: str


def rows(root: Step, width: int, now: float, height: int | None = None) -> list[Text]:
    """The rows of a tree, none wider than `width`, with a heading; at most `height` of them.

    `now` is the time, in seconds since the epoch.
    """
    shown = [*_walk(root, "", _all)]
    count = len(shown)
    room = count if height is None else max(1, height - 1)
    for inside in (_of_running, _running):
        if len(shown) > room:
            shown = [*_walk(root, "", inside)]
    if len(shown) < count or len(shown) > room:
        shown = shown[: max(1, room - 1)]
    table = _table([_row(lines, step, now) for lines, step in shown], width)
    if len(shown) < count:
        table.append(_fitting(Text(f"  … {count - len(shown)} more", "dim"), width))
    return table


def _all(step: Step) -> list[Step]:
    return step.inside


def _of_running(step: Step) -> list[Step]:
    return step.inside if step.state == "running" else []


def _running(step: Step) -> list[Step]:
    return [inner for inner in step.inside if inner.state == "running"]


def _walk(step: Step, before: str, inside: Callable[[Step], list[Step]]) -> Iterator[tuple[str, Step]]:
    """Each step, with the lines that lead to it."""
    yield before, step
    lines = before.replace("├ ", "│ ").replace("└ ", "  ")
    found = inside(step)
    for inner in found:
        yield from _walk(inner, lines + ("└ " if inner is found[-1] else "├ "), inside)


def _row(lines: str, step: Step, now: float) -> _Row:
    many = f" ×{step.count}" if step.count > 1 else ""  # noqa: RUF001
    most = "≤" if many else ""
    took = now - step.began if step.duration is None else step.duration
    cells = {
        "kind": step.kind,
        "first": "" if step.first is None else most + seconds(step.first),
        "time": most + seconds(took),
        "tokens": "" if step.usage is None else tokens(step.usage),
    }
    return _Row(_MARKS[step.state], lines + _line(step.name) + many, cells, _note(step))


def _note(step: Step) -> str:
    parts = [f"{step.resets} {'retry' if step.resets == 1 else 'retries'}"] if step.resets else []
    if step.state == "cancelled":
        parts.append("cancelled")
    elif step.is_cause:
        parts.append(f"{type(step.error).__name__}: {step.error}")
    elif said := step.said.strip():
        parts.append(said.splitlines()[-1])
    return _line(", ".join(parts))


def _table(shown: Sequence[_Row], width: int) -> list[Text]:
    widths = {
        column: max(cell_len(text) for text in (heading, *(row.cells[column] for row in shown)))
        for column, heading in _HEADINGS.items()
        if any(row.cells[column] for row in shown)
    }
    # The mark and a blank are before the name.
    name = max(cell_len(_STEP), *(cell_len(row.name) for row in shown))
    room = width - 2
    for column in _LEAVE:
        if room - _taken(widths) < min(name, _NAME):
            widths.pop(column, None)
    name = max(1, min(name, room - _taken(widths)))
    note = room - name - _taken(widths) - _GAP
    heading = _joined(Text("  "), _STEP, name, _HEADINGS, widths)
    heading.stylize("dim")
    table = [_fitting(heading, width)]
    for row in shown:
        line = _joined(Text.assemble(row.mark, " "), row.name, name, row.cells, widths)
        if note >= _NOTE and row.note:
            line.append(" " * _GAP)
            line.append(row.note, row.mark[1] if row.mark != _MARKS["running"] else "dim")
        table.append(_fitting(line, width))
    return table


def _joined(line: Text, name: str, room: int, cells: dict[str, str], widths: dict[str, int]) -> Text:
    line.append(_cut(name, room))
    for column, width in widths.items():
        text = cells[column]
        blank = " " * (width - cell_len(text))
        line.append(" " * _GAP + (text + blank if column == "kind" else blank + text), "dim")
    return line


def _taken(widths: dict[str, int]) -> int:
    return sum(width + _GAP for width in widths.values())


def _cut(text: str, room: int) -> str:
    """The text in just so many cells."""
    return set_cell_size(text, room) if cell_len(text) <= room else set_cell_size(text, room - 1) + "…"


def _fitting(line: Text, width: int) -> Text:
    line.rstrip()
    line.truncate(width, overflow="ellipsis")
    return line


def _line(text: str) -> str:
    """The text on one line, as a terminal may get it."""
    return " ".join(harmless(text).split())


def seconds(count: float) -> str:
    """A time, as short as it is precise: `4 ms`, `1.32 s`, `75 s`."""
    if count < 0.9995:
        return f"{max(0, count) * 1000:.0f} ms"
    return f"{count:.2f} s" if count < 59.995 else f"{count:.0f} s"


def tokens(usage: UsageMetadata) -> str:
    """Tokens in and out: `38 → 24`, and with a `~` if they are estimated."""
    about = "~" if usage.estimated else ""
    return f"{about}{usage.input_tokens} → {about}{usage.output_tokens}"
