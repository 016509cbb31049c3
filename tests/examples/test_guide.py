"""What the guide shows of an example's output is what the example prints."""

import re

import pytest

from tests.examples.test_examples import EXAMPLES, run

GUIDE = EXAMPLES.parent / "docs" / "guide"
# A line of dots in the guide leaves out any number of lines.
LEFT_OUT = "..."


def shown(page: str, example: str) -> list[str]:
    """The lines of the block behind the example's text."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    snippet = re.escape(f'--8<-- "examples/{example}"')
    found = re.search(rf"{snippet}\n```.*?```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, f"{page} shows no output of {example}"
    return found[1].splitlines()


def matches(wanted: list[str], printed: list[str]) -> bool:
    pattern = "".join(r"(?:.*\n)*?" if line == LEFT_OUT else re.escape(line) + r"\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def test_lines_may_be_left_out() -> None:
    assert matches(["a", LEFT_OUT, "d"], ["a", "b", "c", "d"])
    assert not matches(["a", LEFT_OUT, "d"], ["a", "b", "c"])
    assert not matches(["a", "c"], ["a", "b", "c"])


@pytest.mark.parametrize(
    ("page", "example"),
    [
        pytest.param("callbacks.md", "callbacks.py", marks=pytest.mark.local),
        pytest.param("json.md", "countries.py", marks=pytest.mark.local),
        pytest.param("structured.md", "typed.py", marks=pytest.mark.local),
        pytest.param("local.md", "tool_calls.py", marks=pytest.mark.local),
        pytest.param("retrieval.md", "retrieval.py", marks=pytest.mark.local),
        pytest.param("runs.md", "runs.py", marks=pytest.mark.local),
        ("tracing.md", "tracing.py"),
        pytest.param("events-examples.md", "events.py", marks=pytest.mark.local),
        pytest.param("events-examples.md", "event_filters.py", marks=pytest.mark.local),
        pytest.param("events-examples.md", "events_waiting.py", marks=pytest.mark.local),
        pytest.param("events-examples.md", "events_inside.py", marks=pytest.mark.local),
    ],
)
def test_the_guide_shows_what_the_example_prints(page: str, example: str) -> None:
    assert matches(shown(page, example), run(example).splitlines())
