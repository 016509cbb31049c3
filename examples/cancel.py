"""Ways to stop a stream. Each closes the model before the next line is reached."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from millstream import BaseChatModel, StrOutputParser


class Endless(BaseChatModel):
    """Talks until somebody closes it."""

    async def _stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0.005)
                yield "and "
        finally:
            print("(closed)", end=" ")


chain = Endless() | StrOutputParser()


def by_break() -> None:
    for count, piece in enumerate(chain.stream("go")):
        print(piece, end="")
        if count == 2:
            break


async def by_leaving() -> None:
    async with chain.astream("go") as stream:
        async for piece in stream:
            print(piece, end="")
            break


async def by_timeout() -> None:
    try:
        async with asyncio.timeout(0.3):
            await chain.ainvoke("go")
    except TimeoutError:
        print("too slow", end=" ")


async def by_cancel() -> None:
    task = asyncio.create_task(chain.ainvoke("go"))
    await asyncio.sleep(0.2)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled", end=" ")


if __name__ == "__main__":
    by_break()
    print("after a break")
    for way in (by_leaving, by_timeout, by_cancel):
        asyncio.run(way())
        print("after", way.__name__)
