"""The local model, in this process and behind its own HTTP server: loaded once for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.providers.local.engine import Engine, engine_for
from millstream.providers.local.weights import find_model
from tests.providers.local_server import LocalServer


@pytest.fixture(scope="session")
def engine() -> Engine:
    """It generates in this process."""
    return engine_for(find_model("smollm2"), name="smollm2", context=2048)


@pytest.fixture(scope="session")
def local_server() -> Iterator[LocalServer]:
    """It speaks OpenAI's and Anthropic's wires, and its template knows tools."""
    template = (Path(__file__).parent / "tools.jinja").read_text(encoding="utf-8")
    server = LocalServer(chat_template=template)
    yield server
    server.close()
