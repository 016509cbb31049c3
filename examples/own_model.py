"""A chat model of your own: one method, in one of four forms. The rest follows."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from millstream import BaseChatModel, BaseMessage, StrOutputParser

Messages = list[BaseMessage]


class Streaming(BaseChatModel):
    """For a client that blocks and streams. Under async verbs it runs in a thread."""

    def _stream(self, messages: Messages, **kwargs: Any) -> Iterator[str]:
        for word in messages[-1].text.split():
            time.sleep(0.001)
            yield word + " "


class AsyncStreaming(BaseChatModel):
    """For a client that awaits and streams. Under sync verbs it has a private loop."""

    async def _stream(self, messages: Messages, **kwargs: Any) -> AsyncIterator[str]:
        for word in messages[-1].text.split():
            await asyncio.sleep(0.001)
            yield word + " "


class Whole(BaseChatModel):
    """For a client that gives its answer at once. It streams in one piece."""

    def _generate(self, messages: Messages, **kwargs: Any) -> str:
        return messages[-1].text


class AsyncWhole(BaseChatModel):
    """The same for a client that awaits."""

    async def _generate(self, messages: Messages, **kwargs: Any) -> str:
        await asyncio.sleep(0.001)
        return messages[-1].text


async def main() -> None:
    for model in (Streaming(), AsyncStreaming(), Whole(), AsyncWhole()):
        chain = model | StrOutputParser()
        pieces = [piece async for piece in chain.astream("rivers bend slowly")]
        print(f"{model.get_name():15} astream {pieces}")


if __name__ == "__main__":
    for model in (Streaming(), AsyncStreaming(), Whole(), AsyncWhole()):
        chain = model | StrOutputParser()
        pieces = list(chain.stream("rivers bend slowly"))
        print(f"{model.get_name():15} stream  {pieces}")
    asyncio.run(main())
