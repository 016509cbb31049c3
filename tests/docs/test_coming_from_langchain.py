"""What the page for LangChain's users says about names is so, in both libraries."""

import re
from importlib import import_module
from typing import Any

import pytest

import millstream
from tests.docs.test_code_blocks import ROOT

PAGE = (ROOT / "docs" / "coming-from-langchain.md").read_text(encoding="utf-8")
_NAME = re.compile(r"`([A-Za-z_]\w*)`")
_PATH = re.compile(r"`([a-z_]+(?:\.\w+)+)`")

# The same word for another thing there: a part of a chat prompt.
OTHER_THINGS = {"MessageLike"}


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table whose head is this, without the head."""
    table = PAGE.partition(f"\n{heading}\n")[2].partition("\n\n")[0]
    return [row.strip("| ").split(" | ") for row in table.splitlines()[1:]]


SHARED = {
    module.strip("`"): _NAME.findall(names) for module, names in rows("| there in | here in `millstream` |")
}


@pytest.mark.parametrize("module", SHARED)
def test_the_shared_names_are_in_both(module: str) -> None:
    theirs = import_module(module)
    assert [name for name in SHARED[module] if not hasattr(theirs, name)] == []
    assert [name for name in SHARED[module] if name not in millstream.__all__] == []


def test_no_shared_name_is_left_out() -> None:
    listed = {name for names in SHARED.values() for name in names}
    for module in SHARED:
        both = set(millstream.__all__) & set(dir(import_module(module))) - listed - OTHER_THINGS
        assert both == set(), f"docs/coming-from-langchain.md lacks names of {module} in its first table"


def resolved(path: str) -> Any:
    """The thing at a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def test_the_names_that_differ_are_there() -> None:
    paths = [path for row in rows("| there | here |") for cell in row for path in _PATH.findall(cell)]
    assert len(paths) > 10
    for path in paths:
        if not path.startswith("langchain."):  # it is not installed here, langchain-core is
            resolved(path)


def test_what_is_said_to_be_missing_is_missing() -> None:
    named = {name for row in rows("| in LangChain | in millstream |") for name in _NAME.findall(row[0])}
    assert len(named) > 15
    places = (millstream, millstream.Runnable, millstream.BaseChatModel, millstream.AIMessageChunk)
    there = {name for name in named if any(hasattr(place, name) for place in places)}
    assert there == set(), "docs/coming-from-langchain.md says that these are not there"


def test_the_line_for_the_shell_rewrites_what_the_example_rewrites() -> None:
    [shell] = re.findall(r"sed -i -E 's/(.*)/(.*)/' ", PAGE)
    [example] = re.findall(r're\.sub\(r"(.*)", "(.*)", program\)', PAGE)
    assert shell == example
