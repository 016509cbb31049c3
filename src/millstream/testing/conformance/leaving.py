"""All ways to leave a stream before its end, and how long each takes."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from millstream.errors import Cancelled
from millstream.runnables import Runnable

#: How many pieces are read before the stream is left.
READ = 2

#: Leaves the stream of a step; returns how many seconds that took.
Leave = Callable[[Runnable[Any, Any], Any], float]


#: Leaves the stream of a step for a long input; returns its answer to another one.
Again = Callable[[Runnable[Any, Any], Any, Any], Any]


class _Stopwatch:
    """The seconds since it was started; from the moment when the reader leaves."""

    def __init__(self) -> None:
        self._begun: float | None = None

    def start(self) -> None:
        self._begun = time.monotonic()

    def seconds(self) -> float:
        assert self._begun is not None, (
            f"the answer had ended when {READ} pieces of it were read: give the suite a `long_prompt` whose "
            "answer is longer, if it does not come all at once"
        )
        return time.monotonic() - self._begun


def sync_break(step: Runnable[Any, Any], input: Any) -> float:
    """`break` in a `for`."""
    watch = _Stopwatch()
    for read, _ in enumerate(step.stream(input), 1):
        if read == READ:
            watch.start()
            break
    return watch.seconds()


def sync_close(step: Runnable[Any, Any], input: Any) -> float:
    """`close()` of a stream that is kept."""
    watch = _Stopwatch()
    stream = step.stream(input)
    for read, _ in enumerate(stream, 1):
        if read == READ:
            watch.start()
            stream.close()
    return watch.seconds()


def sync_cancel(step: Runnable[Any, Any], input: Any) -> float:
    """`run.cancel()` in another thread than the reader's."""
    watch = _Stopwatch()
    with step.start(input) as run:
        pieces: Iterator[str] = iter(run.text)
        with _cancelled(watch, run.cancel) as read:
            for _ in pieces:
                read()
    assert run.status == "cancelled", f"the run was cancelled, and is {run.status!r}"
    return watch.seconds()


def async_break(step: Runnable[Any, Any], input: Any) -> float:
    """`break` in an `async for`."""
    watch = _Stopwatch()

    async def run() -> None:
        read = 0
        async for _ in step.astream(input):
            read += 1
            if read == READ:
                watch.start()
                break

    asyncio.run(run())
    return watch.seconds()


def async_close(step: Runnable[Any, Any], input: Any) -> float:
    """`aclose()` of a stream that is kept."""
    watch = _Stopwatch()

    async def run() -> None:
        stream, read = step.astream(input), 0
        async for _ in stream:
            read += 1
            if read == READ:
                watch.start()
                await stream.aclose()

    asyncio.run(run())
    return watch.seconds()


def async_cancel_task(step: Runnable[Any, Any], input: Any) -> float:
    """`cancel()` of the task that reads."""
    watch = _Stopwatch()

    async def read(reached: asyncio.Event) -> None:
        count = 0
        async for _ in step.astream(input):
            count += 1
            if count == READ:
                reached.set()

    async def run() -> None:
        reached = asyncio.Event()
        task = asyncio.ensure_future(read(reached))
        waiting = asyncio.ensure_future(reached.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not task.done():
            watch.start()
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        watch.seconds()
        raise AssertionError("the task was cancelled, and went on to the end")

    asyncio.run(run())
    return watch.seconds()


def async_cancel(step: Runnable[Any, Any], input: Any) -> float:
    """`run.cancel()` in another thread than the loop's."""
    watch = _Stopwatch()

    async def main() -> None:
        async with step.astart(input) as run:
            pieces: AsyncIterator[str] = run.text
            with _cancelled(watch, run.cancel) as read:
                async for _ in pieces:
                    read()
        assert run.status == "cancelled", f"the run was cancelled, and is {run.status!r}"

    asyncio.run(main())
    return watch.seconds()


@contextmanager
def _cancelled(watch: _Stopwatch, cancel: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Have the block cancelled by another thread when it has read enough; it has to be told so."""
    count = 0
    canceller = threading.Thread(target=cancel)

    def read() -> None:
        nonlocal count
        count += 1
        if count == READ:
            watch.start()
            canceller.start()

    try:
        yield read
    except Cancelled:
        pass
    else:
        watch.seconds()
        raise AssertionError("the run was cancelled, and its reader was not told")
    finally:
        if canceller.ident is not None:
            canceller.join()


def sync_again(step: Runnable[Any, Any], long: Any, input: Any) -> Any:
    """In the same thread."""
    stream = step.stream(long)
    next(stream)
    stream.close()
    return step.invoke(input)


def async_again(step: Runnable[Any, Any], long: Any, input: Any) -> Any:
    """In the same event loop, whose connections the stream may have used."""

    async def run() -> Any:
        async for _ in step.astream(long):
            break
        return await step.ainvoke(input)

    return asyncio.run(run())


#: How the answer to another question is had from a model whose stream was left.
AGAIN: list[Again] = [sync_again, async_again]

WAYS: list[Leave] = [
    sync_break,
    sync_close,
    sync_cancel,
    async_break,
    async_close,
    async_cancel_task,
    async_cancel,
]
