"""What the pages say about files of the project is so."""

import re

import pytest

from tests.docs.test_code_blocks import ROOT, blocks_of

TOP = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
_TEST = re.compile(r"`(test_rule_\d+_\w+)`")


@pytest.mark.parametrize("name", TOP)
def test_links_lead_to_files(name: str) -> None:
    # The pages in docs/ are checked by the strict build.
    links = _LINK.findall((ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_shows_the_first_example() -> None:
    block, *_ = blocks_of((ROOT / "README.md").read_text(encoding="utf-8"))
    program = (ROOT / "examples" / "hello.py").read_text(encoding="utf-8")
    assert program.partition('"""\n\n')[2] == block.code


def test_the_table_of_rules_names_the_tests_that_there_are() -> None:
    named = set(_TEST.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")))
    source = (ROOT / "tests" / "kernel" / "test_rules.py").read_text(encoding="utf-8")
    there = set(re.findall(r"^(?:async )?def (test_rule_\d+_\w+)", source, re.MULTILINE))
    assert named == there


def test_the_architecture_names_every_folder_and_kernel_file() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "millstream"
    folders = [path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"]
    files = [path.name for path in (package / "kernel").glob("[!_]*.py")]
    assert [name for name in folders if f"`{name}/" not in text] == []
    assert [name for name in files if f"`{name}`" not in text] == []
