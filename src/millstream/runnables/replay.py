"""A source that can be read again from its start: what trying again with a streamed input takes."""

from collections.abc import AsyncGenerator
from typing import Any

from millstream.kernel.sources import Source


class Replay:
    """Keeps what is read from a source, until `forget`. The source itself belongs to whoever made this."""

    __slots__ = ("_items", "_keeps", "_source", "error")

    def __init__(self, source: Source[Any]) -> None:
        self._source = source
        self._items: list[Any] = []
        self._keeps = True
        #: What the source failed with: an error from before the step, which another attempt would not mend.
        self.error: BaseException | None = None

    async def read(self) -> AsyncGenerator[Any, None]:
        """The items from the first one on."""
        for item in list(self._items):
            yield item
        while True:
            try:
                item = await self._source.__anext__()
            except StopAsyncIteration:
                return
            except BaseException as error:
                self.error = error
                raise
            if self._keeps:
                self._items.append(item)
            yield item

    def forget(self) -> None:
        """Keep nothing any more: it will not be read again."""
        self._keeps = False
        self._items.clear()
