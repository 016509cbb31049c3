"""The recorded pieces of real answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

PIECES = Path(__file__).parent / "pieces"


@pytest.fixture
def recorded() -> Callable[[str], list[bytes]]:
    """The pieces of a recording: one a line, as the server sent them."""
    return lambda name: (PIECES / name).read_bytes().splitlines()
