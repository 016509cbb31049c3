"""The local model in this process, loaded once for all tests."""

import pytest

from millstream.providers.local.engine import Engine, engine_for
from millstream.providers.local.weights import find_model


@pytest.fixture(scope="session")
def engine() -> Engine:
    """It generates in this process."""
    return engine_for(find_model("smollm2"), name="smollm2", context=2048)
