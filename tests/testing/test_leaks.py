"""The leak check can fail: each kind of leak, left on purpose, is found."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from millstream import RunnableGenerator, RunnablePassthrough
from millstream.testing import Leak, check_leaks, leaks

pytestmark = pytest.mark.leaks


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "GRACE_SECONDS", 0.05)


def test_nothing_left_is_no_leak() -> None:
    with check_leaks():
        assert list(RunnablePassthrough().stream("x")) == ["x"]


def test_a_thread() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, name="left behind")
    with pytest.raises(Leak, match="thread left behind"), check_leaks():
        thread.start()
    gate.set()
    thread.join()


def test_a_socket() -> None:
    left: list[socket.socket] = []
    with pytest.raises(Leak, match="socket"), check_leaks():
        left.append(socket.socket())
    left[0].close()


def test_a_task() -> None:
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(60), name="left behind")

    task: Any = None
    with pytest.raises(Leak, match="task left behind"), check_leaks():
        task = loop.run_until_complete(start())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_a_stream_that_nobody_closed() -> None:
    def numbers(items: Any) -> Any:
        yield from range(3)

    left: list[Any] = []
    with pytest.raises(Leak, match=r"generator (iterate|SyncHost\.each)"), check_leaks():
        left.append(RunnableGenerator(numbers).stream("x"))
        next(left[0])
    left[0].close()


def test_an_async_generator_of_a_users() -> None:
    async def numbers() -> Any:
        yield 1
        yield 2

    left: Any = numbers()
    with pytest.raises(Leak, match="async generator .*numbers"), check_leaks(), pytest.raises(StopIteration):
        left.__anext__().send(None)
    with pytest.raises(StopIteration):
        left.aclose().send(None)
