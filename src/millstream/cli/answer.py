"""One answer: from the model to the screen, with the line that says what it took."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from typing import Any, NamedTuple, Protocol

from millstream.cli import interrupts
from millstream.cli.tally import Tally
from millstream.cli.terminal import note
from millstream.language_models import BaseChatModel
from millstream.messages import AIMessage, AIMessageChunk, BaseMessage, merge_chunks, to_message


class Writer(Protocol):
    """Takes an answer piece by piece."""

    def write(self, text: str, /) -> None:
        """Show this piece."""
        ...


class Answer(NamedTuple):
    """What a model said, if it said anything, whether it was stopped, and whether it was cut at the limit."""

    message: AIMessage | None
    stopped: bool
    cut: bool


def stream_answer(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    parameters: dict[str, Any],
    screen: AbstractContextManager[Writer],
) -> Answer:
    """Show the model's answer while it is written. Ctrl-C closes the stream, and keeps what came.

    So do signals that end the program, inside `interrupts.ending_late`.
    """
    tally = Tally()
    chunks = model.stream(list(messages), **parameters)
    said: list[AIMessageChunk] = []
    stopped = False
    try:
        with interrupts.stoppable(), closing(chunks), screen as writer:
            for chunk in chunks:
                tally.add(chunk)
                said.append(chunk)
                writer.write(chunk.text)
    except KeyboardInterrupt:
        stopped = True
    except Exception:
        # A terminal that is gone can be written to no more.
        if not interrupts.ending():
            raise
        stopped = True
    if not interrupts.ending():
        note(tally.line(stopped=stopped))
    return Answer(_message(said), stopped, tally.cut)


def _message(said: list[AIMessageChunk]) -> AIMessage | None:
    if not any(chunk.text for chunk in said):
        return None
    message = to_message(merge_chunks(said))
    assert isinstance(message, AIMessage)
    return message
