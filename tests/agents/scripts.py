"""What the tests of agents share: models that say what they are told, and note what they were asked."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from millstream import AIMessage, AIMessageChunk, BaseChatModel, BaseMessage, tool
from millstream.testing import FakeChatModel

Asked = list[tuple[list[BaseMessage], dict[str, Any]]]


class Recorded(BaseChatModel):
    """A model with answers in turn, which are lists of items; `asked` is what it was asked, with keywords."""

    def __init__(self, *answers: list[Any]) -> None:
        super().__init__()
        self.answers = answers
        self.asked: Asked = []

    def _stream(self, messages: list[BaseMessage], **kwargs: Any) -> Iterator[Any]:
        self.asked.append((messages, kwargs))
        yield from self.answers[(len(self.asked) - 1) % len(self.answers)]


class Stuck(BaseChatModel):
    """A model that says a word and then nothing. `started` is set behind the word, `closed` at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.closed = threading.Event(), threading.Event()

    async def _stream(self, messages: list[BaseMessage], **kwargs: Any) -> AsyncIterator[str]:
        import asyncio

        try:
            yield "Well, "
            self.started.set()
            await asyncio.Event().wait()
        finally:
            self.closed.set()


def call(name: str, *args: str, id: str = "1", index: int = 0) -> list[AIMessageChunk]:
    """The chunks of a tool call, of which each has a part of the arguments."""
    first = {"name": name, "id": id}
    return [
        AIMessageChunk("", tool_call_chunks=[{"args": part, "index": index, **({} if place else first)}])
        for place, part in enumerate(args)
    ]


def weather_model() -> FakeChatModel:
    """Two calls at once, and an answer."""
    asks = ["Let me ", "look.", *call("weather", '{"ci', 'ty": "Rome"}')]
    asks += call("weather", '{"city": "Oslo"}', id="2", index=1)
    return FakeChatModel([asks, ["It is ", "warm."]])


@tool
def weather(city: str) -> str:
    """How warm it is."""
    return f"20 C in {city}"


def plain(messages: list[BaseMessage]) -> list[tuple[Any, ...]]:
    """Messages without what differs from run to run."""
    return [
        (
            type(each).__name__,
            each.content,
            [dict(call) for call in each.tool_calls] if isinstance(each, AIMessage) else None,
            [dict(call) for call in each.invalid_tool_calls] if isinstance(each, AIMessage) else None,
            getattr(each, "tool_call_id", None),
            getattr(each, "status", None),
            getattr(each, "usage_metadata", None),
        )
        for each in messages
    ]


def added(pieces: list[Any]) -> Any:
    """What the pieces of a stream add up to, one by one."""
    total, *rest = pieces
    for piece in rest:
        total = total + piece
    return total
