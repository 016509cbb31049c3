"""The engine that the tests of the local model share, and the recorded pieces of real answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from millstream.providers.local.engine import Engine, engine_for
from millstream.providers.local.weights import find_model

PIECES = Path(__file__).parent / "pieces"


@pytest.fixture(scope="session")
def engine() -> Engine:
    return engine_for(find_model("smollm2"), name="smollm2", context=2048)


@pytest.fixture
def recorded() -> Callable[[str], list[bytes]]:
    """The pieces of a recording: one a line, as the server sent them."""
    return lambda name: (PIECES / name).read_bytes().splitlines()
