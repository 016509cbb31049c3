"""What all tests share: the leak check around each, the two colours of verb, and a real server."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream import Runnable
from millstream.testing import COLOURS, Colour, Sync, check_leaks
from tests.providers.local_server import LocalServer


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # The leak check walks the heap, to which every import and every report of a test adds: take what is there
    # before a test out of the garbage collector's sight, and so out of the check's.
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, task, socket or suspended generator behind."""
    if request.node.get_closest_marker("leaks"):
        yield
        return
    with check_leaks():
        yield


@pytest.fixture(scope="session")
def local_server() -> Iterator[LocalServer]:
    """The real local model behind its own HTTP server: both wires, tools and embeddings."""
    # Where a person asks, and tools are told of, this template shows the model a call first, for it to copy.
    template = (Path(__file__).parent / "providers" / "tools.jinja").read_text(encoding="utf-8")
    server = LocalServer(chat_template=template)
    yield server
    server.close()


class SyncInLoop(Sync):
    """The sync verbs inside a running event loop, as in a notebook."""

    name = "sync in a loop"

    def invoke(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> Any:
        async def run() -> Any:
            return step.invoke(input, *args, **kwargs)

        return asyncio.run(run())

    def stream(self, step: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> list[Any]:
        async def run() -> list[Any]:
            return list(step.stream(input, *args, **kwargs))

        return asyncio.run(run())

    def batch(self, step: Runnable[Any, Any], inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        async def run() -> list[Any]:
            return step.batch(inputs, *args, **kwargs)

        return asyncio.run(run())

    def transform(self, step: Runnable[Any, Any], items: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        async def run() -> list[Any]:
            return list(step.transform(iter(items), *args, **kwargs))

        return asyncio.run(run())


IN_LOOP: list[Colour] = [*COLOURS, SyncInLoop()]


@pytest.fixture(params=IN_LOOP, ids=lambda colour: colour.name)
def colour(request: pytest.FixtureRequest) -> Colour:
    """Each test that asks for it runs under the sync verbs, the async ones, and the sync ones in a loop."""
    return request.param
