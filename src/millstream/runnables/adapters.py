"""A caller's own iterators as sources: what `transform` and `atransform` read."""

from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable
from typing import Any


class SyncSource:
    """A plain iterable as a source; pulled in the thread of whoever reads it."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)

    def __aiter__(self) -> "SyncSource":
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._items)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close the iterable, if it is a generator: a file, say, is still the caller's."""
        if isinstance(self._items, Generator):
            self._items.close()


class AsyncSource:
    """An async iterable as a source."""

    __slots__ = ("_items",)

    def __init__(self, items: AsyncIterable[Any]) -> None:
        self._items: AsyncIterator[Any] = aiter(items)

    def __aiter__(self) -> "AsyncSource":
        return self

    async def __anext__(self) -> Any:
        return await self._items.__anext__()

    async def aclose(self) -> None:
        """Close the iterable, if it is a generator or another stream."""
        aclose = getattr(self._items, "aclose", None)
        if aclose is not None:
            await aclose()
