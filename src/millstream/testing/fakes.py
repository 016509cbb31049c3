"""Models that say what they are told to say, and embeddings without a model."""

import itertools
import math
import random
import re
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from millstream.embeddings import Embeddings
from millstream.kernel.scope import Scope
from millstream.language_models import BaseChatModel, BaseLLM
from millstream.messages import AIMessageChunk, BaseMessage

if TYPE_CHECKING:
    from millstream.language_models.structured import Ways

#: One answer: what is yielded in turn (text or a chunk), or raised at that point.
Answer = str | Sequence[str | AIMessageChunk | BaseException | type[BaseException]]


class _Script:
    """Answers taken in turn, and then from the start. Safe to use from many threads and tasks at once."""

    def __init__(self, responses: Sequence[Answer], delay: float) -> None:
        if isinstance(responses, str) or not responses:
            raise ValueError("responses is a list of answers, each of them text or a list of items.")
        self._answers = [[answer] if isinstance(answer, str) else list(answer) for answer in responses]
        self._turn = itertools.count()  # its next() is atomic
        self._delay = delay

    async def play(self, scope: Scope) -> AsyncGenerator[Any, None]:
        """Say the next answer, each item after the delay."""
        for item in self._answers[next(self._turn) % len(self._answers)]:
            if self._delay:
                await scope.here.sleep(scope, self._delay)
            if isinstance(item, BaseException) or (
                isinstance(item, type) and issubclass(item, BaseException)
            ):
                raise item
            yield item


class Asked(NamedTuple):
    """What a fake chat model was asked: the messages, and the keywords of the call that were given."""

    messages: list[BaseMessage]
    kwargs: dict[str, Any]


class FakeChatModel(BaseChatModel):
    """A chat model that gives `responses` in turn, then from the start again.

    Each answer is a text, or a list of items: text, an `AIMessageChunk`, or an exception to raise at that
    point. `stream` yields each item as one chunk, `delay` seconds apart; `invoke` joins them. What it is
    asked is ignored, and stands in `requests`, in the order of the calls, for a test to look at.
    """

    def __init__(self, responses: Sequence[Answer], delay: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._script = _Script(responses, delay)
        self.requests: list[Asked] = []

    def _structured(self, json_schema: dict[str, Any], strict: bool | None) -> "Ways":
        from millstream.language_models.structured import answer_tool

        said = {} if strict is None else {"strict": strict}
        return {
            "json_schema": {"json_schema": json_schema, **said},
            "function_calling": {**answer_tool(json_schema), **said},
            "json_mode": {"response_format": {"type": "json_object"}},
        }

    def _items(
        self, request: list[BaseMessage], scope: Scope, kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, None]:
        self.requests.append(Asked(request, kwargs))
        return self._script.play(scope)


class FakeLLM(BaseLLM):
    """A text model that gives `responses` in turn, then from the start again. See `FakeChatModel`."""

    def __init__(self, responses: Sequence[Answer], delay: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._script = _Script(responses, delay)

    def _items(self, request: Any, scope: Scope, kwargs: dict[str, Any]) -> AsyncGenerator[Any, None]:
        return self._script.play(scope)


class FakeEmbeddings(Embeddings):
    """Embeddings by spelling: texts that share words are near each other, and others are not.

    The same text always has the same vector, of `size` numbers, in every process. Case and the order of
    words do not count; a text without words has only zeros.
    """

    def __init__(self, size: int = 64) -> None:
        self.size = size

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of texts, each with a length of 1."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        words = [self._word(word) for word in re.findall(r"\w+", text.lower())]
        total = [math.fsum(numbers) for numbers in zip(*words, strict=True)] or [0.0] * self.size
        length = math.hypot(*total) or 1.0
        return [number / length for number in total]

    def _word(self, word: str) -> list[float]:
        # Directions at random are nearly at right angles to each other.
        chance = random.Random(word)
        return [chance.gauss() for _ in range(self.size)]
