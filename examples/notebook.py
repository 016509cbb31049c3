"""Sync verbs inside a running event loop, as in a notebook: async steps work too."""

import asyncio
from collections.abc import AsyncIterator

from millstream import StrOutputParser
from millstream.testing import FakeChatModel


async def louder(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        await asyncio.sleep(0)
        yield piece.upper()


chain = FakeChatModel([["rivers ", "bend"]]) | StrOutputParser() | louder


async def cell() -> None:
    """What a notebook does with a cell: run it in its own event loop."""
    print(chain.invoke("?"))
    for piece in chain.stream("?"):
        print(repr(piece))


asyncio.run(cell())
