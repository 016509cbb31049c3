"""Messages in their order, as they come in pieces: what an agent's stream is made of."""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby

from millstream.messages.ai import AIMessageChunk
from millstream.messages.base import BaseMessage
from millstream.messages.merge import merge_chunks, to_message


class Conversation(list[BaseMessage]):
    """A list of messages, some of which may be chunks. Such lists merge: chunks in a row are one message.

    It is a message, and no chunk any more, when its last chunk is there.
    """

    @property
    def text(self) -> str:
        """The text that a model is saying in it: that of the chunks."""
        return "".join(message.text for message in self if isinstance(message, AIMessageChunk))

    @staticmethod
    def merge_all(pieces: "Sequence[list[BaseMessage]]") -> "Conversation":
        """What all pieces say, in time linear in their length."""
        return Conversation(_joined(chain.from_iterable(pieces)))


def _joined(messages: Iterator[BaseMessage]) -> Iterator[BaseMessage]:
    for kind, several in groupby(messages, type):
        if kind is AIMessageChunk:
            said = merge_chunks([each for each in several if isinstance(each, AIMessageChunk)])
            yield said if said.chunk_position is None else to_message(said)
        else:
            yield from several
