"""The types that reach users, as mypy and pyright see them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHECKERS = {
    "mypy": [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-pretty"],
    "pyright": [sys.executable, "-m", "pyright", "--pythonpath", sys.executable],
}


def errors(checker: str, name: str) -> list[int]:
    """The lines of a file in which a checker finds an error."""
    command = [*CHECKERS[checker], str(HERE / name)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)
    found = re.findall(rf"{re.escape(name)}:(\d+)(?::\d+)?(?: -|:) error", done.stdout)
    assert bool(found) == bool(done.returncode), done.stdout + done.stderr
    return sorted({int(line) for line in found})


@pytest.mark.parametrize("checker", CHECKERS)
def test_chains_have_the_types_that_users_expect(checker: str) -> None:
    assert errors(checker, "chains.py") == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_mistakes_are_found(checker: str) -> None:
    lines = (HERE / "mistakes.py").read_text().splitlines()
    wrong = [number for number, line in enumerate(lines, 1) if line.endswith("# wrong")]
    assert len(wrong) >= 5
    assert errors(checker, "mistakes.py") == wrong
