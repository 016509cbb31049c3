"""The text of an answer, as it comes."""

from collections.abc import AsyncGenerator
from typing import Any

from millstream.messages import AIMessageChunk
from millstream.output_parsers.base import BaseOutputParser, text_of


class StrOutputParser(BaseOutputParser[str]):
    """A message's text. A stream of chunks becomes a stream of their texts, one for one, empty ones too."""

    def parse(self, text: str) -> str:
        """The text itself."""
        return text

    async def _transform(self, source: Any, scope: Any, /, **kwargs: Any) -> AsyncGenerator[str, None]:
        async with scope.reading(source) as items:
            async for item in items:
                # The common case by exact type: this runs once a token.
                content = item.content if type(item) is AIMessageChunk else item
                yield content if type(content) is str else text_of(item, self.get_name())
