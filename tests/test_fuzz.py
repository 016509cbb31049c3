import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.events import chains

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_runs_as_a_script(tmp_path):
    command = [sys.executable, SCRIPT, "--n", "150", "--seed", "7", "--out", tmp_path / "new"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")
    sections = ("json", "sse", "openai", "anthropic", "events", "runs")
    lines = [rf"{section}: 150 cases, 0 failures, .* s\n" for section in sections]
    assert re.fullmatch("".join(["seed 7\n", *lines]), said.stdout)
    results = json.loads((tmp_path / "new" / "fuzz.json").read_text())
    assert [results["seed"], *((section["n"], section["failures"]) for section in results["sections"])] == [
        7,
        *[(150, [])] * len(sections),
    ]
    assert "| json | 150 | 0 |" in (tmp_path / "new" / "FUZZ.md").read_text()


def test_a_failure_is_made_small_and_told(fuzz, tmp_path, monkeypatch, capsys):
    def check(case):
        assert case.text.count("[") < 2, "brackets"

    monkeypatch.setattr(fuzz, "SECTIONS", [fuzz.Section("json", fuzz.json_case, check, fuzz.smaller_cases)])
    assert fuzz.main(["--n", "100", "--out", str(tmp_path)]) == 1
    failures = json.loads((tmp_path / "fuzz.json").read_text())["sections"][0]["failures"]
    assert 1 < len(failures) < 100
    assert failures[0]["case"] == "Case(text='[[', places=())"
    assert "AssertionError in test_fuzz.py, check: brackets" in capsys.readouterr().out
    assert "`Case(text='[[', places=())`" in (tmp_path / "FUZZ.md").read_text()


def test_a_crash_is_a_failure(fuzz):
    def check(case):
        raise RecursionError("deep")

    section = fuzz.Section("json", fuzz.json_case, check, fuzz.smaller_cases)
    assert [failure.case for failure in fuzz.run(section, 2, 1)] == [fuzz.Case("", ())] * 2


def test_the_seed_makes_the_cases(fuzz):
    make = [fuzz.json_case(fuzz.Random(f"{seed}/json/3")) for seed in (1, 1, 2)]
    assert make[0] == make[1] != make[2]


def test_a_damaged_wire_is_made_small(fuzz):
    def check(case):
        assert b"finish_reason" not in case.data, "a reason"

    section = fuzz.Section("openai", fuzz.wire_cases.make_openai, check, fuzz.smaller_cases)
    found = {failure.case for failure in fuzz.run(section, 20, 1)[: fuzz.SHOWN]}
    assert found == {fuzz.wire_cases.Case(b"finish_reason", ())}


def test_a_parser_that_depends_on_the_cutting_is_found(fuzz, monkeypatch):
    feed = fuzz.sse_cases.SseParser.feed

    def hasty(parser, piece):
        # Half a character at the end of a piece is lost.
        return feed(parser, piece.decode("utf-8", "replace").encode())

    monkeypatch.setattr(fuzz.sse_cases.SseParser, "feed", hasty)
    for section in fuzz.SECTIONS[1:4]:
        monkeypatch.setattr(fuzz, "TRIES", 100)
        failures = fuzz.run(section, 100, 1)
        assert 0 < len(failures) < 100, section.name
        assert "AssertionError" in failures[0].said


def test_a_stream_that_holds_too_much_is_found(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz.wire_cases, "HELD", 10**6)
    data = fuzz.wire_cases.openai_wires.OPENROUTER
    case = fuzz.wire_cases.Case(data, (), times=300)
    with pytest.raises(AssertionError, match="more is held"):
        fuzz.wire_cases.check_openai(case)
    monkeypatch.undo()
    fuzz.wire_cases.check_openai(case)


def test_a_chain_is_made_small(fuzz):
    def check(case):
        assert "retry" not in chains.kinds_in(case.chain), "a retry"

    section = fuzz.Section("events", chains.make_case, check, chains.smaller_cases)
    found = {failure.case for failure in fuzz.run(section, 100, 1)[: fuzz.SHOWN]}
    assert found == {chains.Case(("retry", ("text",)))}


def test_a_case_that_does_not_end_is_told():
    code = (
        "import sys, threading; sys.path.insert(0, 'scripts'); import fuzz; fuzz.HANGS_SECONDS = 0.1;"
        "wait = lambda _: threading.Event().wait();"
        "section = fuzz.Section('json', fuzz.json_case, wait, fuzz.smaller_cases);"
        "fuzz.run(section, 1, 7)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 2
    assert "json: case 0 does not end: Case(text=" in said.stderr
