"""Measure everything, print the table, and write it beside this file. Fails if a budget is not met."""

import json
import sys
from importlib import import_module
from pathlib import Path

from benchmarks import imports, json_values, machine, per_token, table, wire_server
from benchmarks.measure import ROUNDS, TURNS
from benchmarks.rows import Row

_HERE = Path(__file__).parent
# Each is imported when its turn comes. The wires are last: the packages that they import make a heap that all
# others would pay for, whenever it is collected.
_PARTS = (
    *("per_token", "answers", "events", "json_values", "gathering", "imports", "memory", "counting"),
    *("wires", "closing"),
)


def main() -> int:
    rows: list[Row] = []
    for part in _PARTS:
        print(f"measuring {part} ...", file=sys.stderr)
        rows += import_module(f"benchmarks.{part}").rows()
    facts = machine.facts()
    print(table.printed(rows))
    method = {
        "rounds": ROUNDS,
        "turns": TURNS,
        "tokens": per_token.TOKENS,
        "piece": json_values.PIECE,
        "imports": imports.ROUNDS,
        "words": wire_server.WORDS,
        "burst": wire_server.BURST,
    }
    (_HERE / "RESULTS.md").write_text(table.markdown(rows, facts, **method), encoding="utf-8")
    (_HERE / "results.json").write_text(
        json.dumps(table.data(rows, facts), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    missed = [row.what for row in rows if not row.met]
    if missed:
        print(f"Over budget: {'; '.join(missed)}.", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
