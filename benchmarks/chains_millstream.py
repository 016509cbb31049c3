"""The chain that is measured, as a user of millstream writes it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseChatModel,
    BaseMessage,
    ChatPromptTemplate,
    Runnable,
    StrOutputParser,
)

INPUT = {"topic": "rivers"}


class PlainModel(BaseChatModel):
    """Streams with `def`."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = words

    def _stream(self, messages: list[BaseMessage], **kwargs: Any) -> Iterator[AIMessageChunk]:
        for word in self.words:
            yield AIMessageChunk(content=word)


class AsyncModel(BaseChatModel):
    """Streams with `async def`."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = words

    async def _stream(self, messages: list[BaseMessage], **kwargs: Any) -> AsyncIterator[AIMessageChunk]:
        for word in self.words:
            yield AIMessageChunk(content=word)


class AnsweringModel(BaseChatModel):
    """Answers once."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.text = "".join(words)

    def _generate(self, messages: list[BaseMessage], **kwargs: Any) -> AIMessage:
        return AIMessage(content=self.text)


def chain_of(model: BaseChatModel) -> Runnable[Any, str]:
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "Tell me about {topic}.")])
    return prompt | model | StrOutputParser()
