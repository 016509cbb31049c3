"""The table of events in the guide holds what the guide's own chain tells."""

import re
from collections.abc import Iterator
from typing import Any

from millstream import Runnable, StreamEvent
from tests.docs.test_code_blocks import ROOT, blocks_of, run_block

PAGE = ROOT / "docs" / "guide" / "events.md"
GIVEN = {"river": "Rhine", "bends": 99}
KEYS = ("chunk", "input", "output")
# What is another one in each run, or beside the point.
LEFT_OUT = re.compile(r", (?:id='run-[^']*'|usage_metadata=UsageMetadata\([^)]*\)|chunk_position='last')")
TYPES = ("tool", "retriever", "chain", "prompt", "chat_model", "parser", "llm")
STREAMING = ("chain", "chat_model", "parser", "llm")


def told(chain: Runnable[Any, Any]) -> list[StreamEvent]:
    """The events of the steps, each step's together, and of its pieces only the first."""
    steps: dict[str, dict[str, StreamEvent]] = {}
    for event in chain.stream_events(GIVEN):
        if event["parent_ids"]:
            steps.setdefault(event["run_id"], {}).setdefault(event["event"], event)
    return [event for step in steps.values() for event in step.values()]


def table(events: list[StreamEvent]) -> Iterator[str]:
    """The lines of the table."""
    yield f"| event | name | {' | '.join(KEYS)} |"
    yield "|---|---|" + "---|" * len(KEYS)
    for event in events:
        shown = [LEFT_OUT.sub("", repr(event["data"][key])) if key in event["data"] else "" for key in KEYS]
        cells = [event["event"], event["name"], *shown]
        yield "| " + " | ".join(f"`{cell}`" if cell else "" for cell in cells) + " |"


def test_the_table_of_events_is_what_the_chain_tells() -> None:
    text = PAGE.read_text(encoding="utf-8")
    page: dict[str, Any] = {"__name__": PAGE.stem}
    for block in blocks_of(text):
        run_block(block, PAGE, page)
    events = told(page["everything"])
    lines = "\n".join(table(events))
    assert f"\n\n{lines}\n\n" in text, f"The table should be:\n{lines}"
    kinds = [
        f"on_{kind}_{what}"
        for kind in TYPES
        for what in (("start", "stream", "end") if kind in STREAMING else ("start", "end"))
    ]
    assert [event["event"] for event in events] == kinds
