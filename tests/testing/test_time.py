"""Virtual time: delays that take none."""

import asyncio
import time

from millstream import RunnableLambda, StrOutputParser
from millstream.testing import FakeChatModel, VirtualClock, run_virtual


def test_sync_sleeps_move_the_clock() -> None:
    model = FakeChatModel([["a", "b", "c"]], delay=10.0) | StrOutputParser()
    begun = time.monotonic()
    with VirtualClock() as clock:
        assert list(model.stream("x")) == ["a", "b", "c", ""]
        assert clock.now() == 30.0
    assert time.monotonic() - begun < 2


def test_async_sleeps_run_side_by_side() -> None:
    model = FakeChatModel([["a", "b"]], delay=10.0)

    async def run() -> list[str]:
        answers = await asyncio.gather(*(model.ainvoke("x") for _ in range(5)))
        await asyncio.sleep(1.5)
        return [answer.text for answer in answers]

    begun = time.monotonic()
    answers, seconds = run_virtual(run())
    assert answers == ["ab"] * 5
    assert seconds == 21.5
    assert time.monotonic() - begun < 2


def test_threads_are_waited_for_in_real_time() -> None:
    def slow(text: str) -> str:
        time.sleep(0.05)
        return text

    async def run() -> str:
        return await RunnableLambda(slow).ainvoke("x")

    assert run_virtual(run())[0] == "x"
