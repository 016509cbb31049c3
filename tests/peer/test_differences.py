"""The table of differences: every entry is shown by a test, and the page says what the table says."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.differences import PAGE, page
from tests.peer.differences import DIFFERENCES


def _marks(thing: Any) -> Iterator[pytest.Mark]:
    """The marks of a test function, and those of its parameters."""
    for mark in getattr(thing, "pytestmark", ()):
        yield mark
        if mark.name == "parametrize":
            for parameters in mark.args[1]:
                yield from getattr(parameters, "marks", ())


def _shown() -> set[str]:
    """The keys that the tests of this folder are marked with, whichever of them run now."""
    names = [path.stem for path in Path(__file__).parent.glob("test_*.py")]
    modules = [importlib.import_module(f"{__package__}.{name}") for name in names]
    things = [thing for module in modules for name, thing in vars(module).items() if name.startswith("test_")]
    return {key for thing in things for mark in _marks(thing) if mark.name == "differs" for key in mark.args}


def test_every_difference_is_shown_by_a_test():
    assert sorted(DIFFERENCES.keys() - _shown()) == []


def test_tests_show_differences_of_the_table_only():
    assert sorted(_shown() - DIFFERENCES.keys()) == []


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == page(), "run: python scripts/differences.py"


def test_areas_are_not_interrupted():
    areas = [entry.area for entry in DIFFERENCES.values()]
    assert sorted(set(areas), key=areas.index) == [
        area for area, before in zip(areas, [None, *areas], strict=False) if area != before
    ]
