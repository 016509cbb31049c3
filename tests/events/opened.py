"""Runs with projections in either colour, for tests that are written once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from millstream import Runnable
from millstream.kernel.drive import drive


class Opened:
    """A started run, used in the same way in both colours: `async with way.start(chain, input) as run`."""

    def __init__(self, run: Any, is_async: bool) -> None:
        self.run = run
        self.is_async = is_async

    async def __aenter__(self) -> "Opened":
        if self.is_async:
            await self.run.__aenter__()
        else:
            self.run.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        if self.is_async:
            await self.run.__aexit__(*error)
        else:
            self.run.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)

    async def each(self, name: str) -> AsyncIterator[Any]:
        items = getattr(self.run, name)
        if self.is_async:
            async with aclosing(items):
                async for item in items:
                    yield item
        else:
            for item in items:
                yield item

    async def all(self, name: str) -> list[Any]:
        return [item async for item in self.each(name)]

    async def answer(self) -> Any:
        return await self.run.output if self.is_async else self.run.output


class Way:
    """How a test's coroutine is run, and which verb starts runs in it."""

    def __init__(self, name: str, is_async: bool, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.name = name
        self.is_async = is_async
        self.run = run

    def start(self, chain: Runnable[Any, Any], input: Any, *args: Any, **kwargs: Any) -> Opened:
        verb = chain.astart if self.is_async else chain.start
        return Opened(verb(input, *args, **kwargs), self.is_async)


def in_loop(test: Coroutine[Any, Any, Any]) -> Any:
    async def run() -> Any:
        return drive(test)

    return asyncio.run(run())


WAYS = [Way("sync", False, drive), Way("async", True, asyncio.run), Way("sync in a loop", False, in_loop)]
