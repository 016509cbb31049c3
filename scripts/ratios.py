"""Fills the table of ratios in the README from benchmarks/results.json. Run by `make bench`."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

# The rows that the README shows, and what it calls them.
SHOWN = {
    "token, `def` model, sync": "a token, `def` model, `stream`",
    "token, `async def` model, asyncio": "a token, `async def` model, `astream`",
    "token, `def` model, asyncio": "a token, `def` model, `astream`",
    "`invoke`, model with `_generate`": "`invoke` of the chain",
    "events v2, an event, asyncio": "an event of `astream_events`",
    "OpenAI's wire, a chunk, sync": "a chunk from OpenAI's wire, `stream`",
    "OpenAI's wire, a chunk, asyncio": "a chunk from OpenAI's wire, `astream`",
    "JSON, snapshots, a piece at 20 KB": "a piece of JSON at 20 KB, `JsonOutputParser`",
    "import of the same names": "import of the same names",
}


def table(results: dict[str, Any]) -> str:
    """The table, and below it what it was measured on."""
    rows = {row["what"]: row for row in results["rows"]}
    lines = ["| what | millstream | langchain-core | ratio |", "|---|---:|---:|---:|"]
    for what, title in SHOWN.items():
        row = rows[what]
        # The median of the rounds' ratios where there is one: that of the medians mixes fast and slow rounds.
        measured = [limit["ratio"] for limit in row["limits"] if limit["against"] == "x below"]
        ratio = measured[0] if measured else row["langchain_core"] / row["millstream"]
        figures = (
            row["shown"]["millstream"],
            row["shown"]["langchain-core"],
            f"{ratio:.{int(ratio < 10)}f}x",
        )
        lines.append(f"| {title} | {' | '.join(figures)} |")
    facts = results["facts"]
    taken = (
        f"{facts['date']}, {facts['machine']}, {facts['Python']}, langchain-core {facts['langchain-core']}, "
        f"langchain-openai {facts['langchain-openai']}."
    )
    return "\n".join([*lines, "", taken])


def main() -> None:
    """Write the README anew."""
    readme = ROOT / "README.md"
    filled = table(json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8")))
    text = f"<!-- ratios -->\n{filled}\n<!-- /ratios -->"
    pattern = r"<!-- ratios -->\n.*?<!-- /ratios -->"
    readme.write_text(re.sub(pattern, lambda _: text, readme.read_text(encoding="utf-8"), flags=re.S))


if __name__ == "__main__":
    main()
