"""The marker that ties a test to the table of differences, and the peer kept to this machine."""

import os

import pytest

# langchain-core sends traces away if the environment asks for it.
for _name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"):
    os.environ[_name] = "false"

pytest.register_assert_rewrite("tests.peer.compare")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "differs(key, ...): shows these entries of the table of differences")
