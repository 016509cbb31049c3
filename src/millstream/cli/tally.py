"""What an answer took: tokens, the time to the first one, tokens a second."""

from millstream.kernel.clock import get_clock
from millstream.messages import AIMessageChunk, UsageMetadata


class Tally:
    """Counts one answer while it streams. The clock runs from when it is made.

    `cut` says that the answer ended at the limit of its tokens.
    """

    def __init__(self) -> None:
        self._began = get_clock().now()
        self._first: float | None = None
        self._last = self._began
        self._pieces = 0
        self._usage: UsageMetadata | None = None
        self.cut = False

    def add(self, chunk: AIMessageChunk) -> None:
        """Take one chunk of the answer into account."""
        self._last = get_clock().now()
        if chunk.text:
            self._pieces += 1
            if self._first is None:
                self._first = self._last
        if chunk.usage_metadata is not None:
            self._usage = chunk.usage_metadata
        if chunk.response_metadata.get("finish_reason") == "length":
            self.cut = True

    def line(self, *, stopped: bool = False) -> str:
        """The line of statistics.

        "about" is said where the model told no number of tokens: they are counted by pieces of text, or
        estimated from their length.
        """
        if stopped and self._first is None:
            return "stopped before the first token"
        parts = [self._tokens()]
        if self._first is not None:
            parts += [f"first after {self._first - self._began:.2f} s", *self._speed(self._first)]
        if self.cut:
            parts.append("cut at the token limit")
        if stopped:
            parts.append("stopped")
        return ", ".join(parts)

    def _count(self) -> int:
        return self._pieces if self._usage is None else self._usage.output_tokens

    def _tokens(self) -> str:
        about = "about " if self._usage is None or self._usage.estimated else ""
        count = self._count()
        return f"{about}{count} token{'' if count == 1 else 's'}"

    def _speed(self, first: float) -> list[str]:
        # From the first token on: what came before is the model's loading, and its reading of the prompt.
        count, seconds = self._count() - 1, self._last - first
        if count < 1 or seconds <= 0:
            return []
        rate = count / seconds
        return [f"{rate:.0f} tokens/s" if rate >= 9.95 else f"{rate:.1f} tokens/s"]
