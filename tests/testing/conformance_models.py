"""A chat model that does all that the suite for providers asks for, to be broken in one way after another."""

import json
import time
from collections.abc import Iterator
from typing import Any

from millstream import AIMessageChunk, AuthenticationError, BaseChatModel, BaseMessage, ContextLengthError
from millstream.testing import ChatModelSuite
from millstream.testing.conformance.chat import BEYOND_ASCII

KEY = "the-right-key"
WORDS = [
    "I ",
    "sell ",
    "fire",
    ", ",
    "火",
    "山 ",
    "😀 ",
    "e\u0301",
    "; ",
    "quickly ",
    "and ",
    "jovially. ",
] * 5


def slowly(items: list[Any]) -> Iterator[Any]:
    """An answer that is there at once cannot be left."""
    for item in items:
        time.sleep(0.001)
        yield item


class Right(BaseChatModel):
    """Says its words."""

    def __init__(self, max_tokens: int = 60, api_key: str = KEY, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_tokens = max_tokens
        self.api_key = api_key

    def _structured(self, json_schema: dict[str, Any], strict: bool | None) -> Any:
        return {"json_schema": {"json_schema": json_schema}}

    def _stream(self, messages: list[BaseMessage], **kwargs: Any) -> Iterator[Any]:
        """Streams an answer; what the suite looks at is in methods of its own, to be broken."""
        self.admit(messages)
        if kwargs.get("tool_choice") == "required":
            pieces, reason = list(self.call()), "tool_calls"
        elif "json_schema" in kwargs:
            pieces, reason = [AIMessageChunk(piece) for piece in self.json()], "stop"
        else:
            said, reason = self.cut(list(WORDS), **kwargs)
            pieces = [AIMessageChunk(piece) for piece in said]
        yield from self.said(pieces)
        yield from self.last(messages, len(pieces), reason)

    def admit(self, messages: list[BaseMessage]) -> None:
        if self.api_key != KEY:
            raise AuthenticationError("This key is not known.")
        if self.asked(messages) > 1000:
            raise ContextLengthError("More than 1000 words.")

    def asked(self, messages: list[BaseMessage]) -> int:
        return sum(len(message.text.split()) for message in messages)

    def call(self) -> Iterator[AIMessageChunk]:
        yield AIMessageChunk(
            "", tool_call_chunks=[{"name": "weather", "args": "", "id": "call-1", "index": 0}]
        )
        for part in ('{"city"', ': "Os', 'lo"}'):
            yield AIMessageChunk("", tool_call_chunks=[{"args": part, "index": 0}])

    def json(self) -> list[str]:
        text = json.dumps({"number": 7, "text": BEYOND_ASCII}, ensure_ascii=False)
        return [text[at : at + 3] for at in range(0, len(text), 3)]

    def cut(
        self, words: list[str], max_tokens: int | None = None, stop: Any = (), **kwargs: Any
    ) -> tuple[list[str], str]:
        most = max_tokens or self.max_tokens
        said = ""
        for count, word in enumerate(words):
            if count == most:
                return words[:count], "length"
            said += word
            found = [said.index(text) for text in stop if text in said]
            if found:
                return [*words[:count], word[: len(word) - (len(said) - min(found))]], "stop"
        return words, "stop"

    def said(self, pieces: list[AIMessageChunk]) -> Iterator[AIMessageChunk]:
        yield from slowly(pieces)

    def last(self, messages: list[BaseMessage], answered: int, reason: str) -> Iterator[AIMessageChunk]:
        usage = {"input_tokens": self.asked(messages), "output_tokens": answered}
        yield AIMessageChunk("", response_metadata={"finish_reason": reason}, usage_metadata=usage)


class RightSuite(ChatModelSuite):
    """What is said of it."""

    model: type[Right] = Right
    too_long = "word " * 1001
    secret = KEY
    long_tokens = 40
    leaving_seconds = 0.2

    def make_model(self, **options: Any) -> BaseChatModel:
        return self.model(**options)
