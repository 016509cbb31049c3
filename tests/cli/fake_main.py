"""The command line with models that need no weights: `--model fake:<answer>`."""

import sys
import time
from collections.abc import Iterator
from typing import Any

from millstream import AIMessageChunk, BaseChatModel, register_chat_model
from millstream.cli.main import main
from millstream.errors import ContextLengthError, ModelError
from millstream.testing import FakeChatModel


def a_minute() -> None:
    # In bits: Python does not see a signal that comes just as a sleep begins, until that sleep ends.
    for _ in range(600):
        time.sleep(0.1)


class Endless(BaseChatModel):
    """Goes on until it is closed, and says that it was."""

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        try:
            while True:
                yield "word "
                time.sleep(0.01)
        finally:
            print("[closed]", file=sys.stderr)


class Stubborn(BaseChatModel):
    """Does not let itself be closed."""

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        try:
            yield "word"
            a_minute()
        finally:
            time.sleep(60)


class Silent(BaseChatModel):
    """Keeps one waiting."""

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        a_minute()
        yield "late"


class Echo(BaseChatModel):
    """Says what it was asked, and with which parameters."""

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        yield f"{[(message.type, message.text) for message in messages]} {sorted(kwargs.items())}"


class Loads(Echo):
    """Has to be loaded first."""

    def load(self) -> None:
        self.name = "loaded"


class Broken(Echo):
    """Cannot be loaded."""

    def load(self) -> None:
        raise ModelError("It does not fit into memory.")


class Heavy(Echo):
    """Takes its time to be loaded."""

    def load(self) -> None:
        a_minute()


CUT = AIMessageChunk("", response_metadata={"finish_reason": "length"}, chunk_position="last")
MARKDOWN = (
    "# Rivers\n\nThey *bend* because:\n\n1. water is **lazy**\n2. banks are soft\n\n```py\nx = 1\n```\n"
)
# llama.cpp's words.
FULL = "request (5012 tokens) exceeds the available context size (4096 tokens), try increasing it"
REFUSED = (
    "Unable to generate parser for this template. Automatic parser generation failed: "
    "JSON schema error at #: unrecognized type x"
)
MODELS = {
    "endless": Endless,
    "stubborn": Stubborn,
    "silent": Silent,
    "echo": Echo,
    "loads": Loads,
    "broken": Broken,
    "heavy": Heavy,
    "flaky": lambda: FakeChatModel([["Once", ModelError("The model fell over.")], ["Better."]]),
    "markdown": lambda: FakeChatModel([[*MARKDOWN]]),
    "long": lambda: FakeChatModel([[f"para{n} goes\non.\n\n" for n in range(40)]], delay=0.005),
    "json": lambda: FakeChatModel([['{"city":"Os', 'lo","in":{"a":[],"b":[1,', "2]}}"]]),
    "plain": lambda: FakeChatModel([["Two ", "words."]]),
    "ended": lambda: FakeChatModel([["A line.\n"]]),
    "empty": lambda: FakeChatModel([[""]]),
    "escapes": lambda: FakeChatModel([["\x1b]0;title", "\x07\x1b[2J\x9b31mred\x7f\r\n\tend"]]),
    "cut": lambda: FakeChatModel([["Two ", "words", CUT]]),
    "fails": lambda: FakeChatModel([["Once", ModelError("The model fell over.")]]),
    "toolong": lambda: FakeChatModel([[ContextLengthError("5000 tokens do not fit into 4096")]]),
    "full": lambda: FakeChatModel([[ContextLengthError(FULL)]]),
    "refuses": lambda: FakeChatModel([[ModelError(REFUSED)]]),
    "bug": lambda: FakeChatModel([["Once", ZeroDivisionError("division by zero")]]),
}

if __name__ == "__main__":
    register_chat_model("fake", lambda model, **kwargs: MODELS[model]())
    sys.exit(main())
