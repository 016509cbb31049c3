"""Steps for the kernel's tests: they note what happens to them, or block until they are aborted."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from millstream import Runnable, RunnableGenerator
from millstream.kernel.scope import Scope
from millstream.kernel.sources import Source


class Log(list[str]):
    """What happened, in order."""


def sync_stage(log: Log, name: str) -> Runnable[Any, Any]:
    """A generator function that hands on, and notes when its `finally` ran."""

    def stage(items: Iterator[Any]) -> Iterator[Any]:
        try:
            for item in items:
                yield item
        finally:
            log.append(name)

    return RunnableGenerator(stage, name=name)


def async_stage(log: Log, name: str) -> Runnable[Any, Any]:
    """The same, async, with a `finally` that waits."""

    async def stage(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            async for item in items:
                yield item
        finally:
            await asyncio.sleep(0.001)
            log.append(name)

    return RunnableGenerator(stage, name=name)


def library_stage(log: Log, name: str) -> Runnable[Any, Any]:
    """A step that is written as the library's own are."""

    class Stage(Runnable[Any, Any]):
        async def _transform(
            self, source: Source[Any], scope: Scope, /, **kwargs: Any
        ) -> AsyncGenerator[Any, None]:
            async with scope.reading(source) as items:
                try:
                    async for item in items:
                        yield item
                finally:
                    log.append(name)

    stage = Stage()
    stage.name = name
    return stage


STAGES = {"sync": sync_stage, "async": async_stage, "library": library_stage}


def counting(log: Log, name: str, end: int = 10_000) -> Runnable[Any, Any]:
    """Yields numbers as text, whatever it is given, and notes each and its end."""

    def numbers(items: Iterator[Any]) -> Iterator[str]:
        try:
            for number in range(end):
                log.append(f"{name}:{number}")
                yield str(number)
        finally:
            log.append(name)

    return RunnableGenerator(numbers, name=name)


class Blocked(Runnable[Any, Any]):
    """A leaf that blocks in a worker thread until it is aborted, as a silent socket would."""

    def __init__(self, first: Any = None) -> None:
        self.first = first
        self.blocked = threading.Event()
        self.aborted = threading.Event()
        self.scope: Scope | None = None

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        self.scope = scope

        def produce(emit: Any, cancellation: Any) -> None:
            with cancellation.aborting(self.aborted.set):
                if self.first is not None:
                    emit(self.first)
                self.blocked.set()
                assert self.aborted.wait(10)

        async with scope.reading(source) as items:
            await scope.gather(items)
            async with scope.reading(scope.here.pump(scope, produce)) as pieces:
                async for piece in pieces:
                    yield piece
