"""Where millstream differs from langchain-core on purpose: the one table.

The side-by-side suite reads it (`normal.py` levels what an entry tells it to, a test names the entries it
shows by the marker `differs`), `scripts/differences.py` writes `docs/differences.md` from it, and an entry
that no test shows fails the suite.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]
Level = Callable[[Fields], Fields]

#: How a levelled id of a run begins.
RUN_ID = "run:"


@dataclass(frozen=True)
class Difference:
    """One difference: what each library does, and why ours does otherwise.

    `level` takes the difference out of a message's plain fields, so that the rest can be compared.
    """

    key: str
    area: str
    title: str
    peer: str
    ours: str
    why: str
    level: Level | None = None


DIFFERENCES: dict[str, Difference] = {}


def _differs(
    area: str, key: str, title: str, *, peer: str, ours: str, why: str, level: Level | None = None
) -> None:
    if key in DIFFERENCES:
        raise ValueError(f"Two differences are called {key!r}.")
    DIFFERENCES[key] = Difference(key, area, title, peer, ours, why, level)


_OWN_ID = re.compile(r"(?:lc_run--|run-)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-\d+)?")


def _level_run_id(fields: Fields) -> Fields:
    found = _OWN_ID.fullmatch(fields["id"] or "")
    return {**fields, "id": RUN_ID + found[1]} if found else fields


def _level_estimate(fields: Fields) -> Fields:
    usage = fields["usage"]
    return {**fields, "usage": None} if usage and usage.get("estimated") else fields


MODELS = "Models"

_differs(
    MODELS,
    "run-ids",
    "Ids of messages that have none of their own",
    peer="`lc_run--<run id>`, and on a whole answer `lc_run--<run id>-0`.",
    ours="`run-<run id>`, the same on a whole answer and on each of its chunks.",
    why="One run, one id; and the prefix is the library's own.",
    level=_level_run_id,
)
_differs(
    MODELS,
    "estimated-usage",
    "Usage of a model that reports none",
    peer="`usage_metadata` is None.",
    ours="An estimate from the numbers of characters, flagged `estimated`, on the last chunk and the message.",
    why="A budget can be kept for every model, and nobody takes the estimate for a bill.",
    level=_level_estimate,
)
