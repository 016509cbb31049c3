"""A conversation: what was asked and answered, what the model is sent of it, and how it is written down."""

from dataclasses import dataclass, field

import msgspec

from millstream.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, messages_to_dict


@dataclass
class Turn:
    """A question, and the answer once there is one."""

    question: str
    answer: AIMessage | None = None


@dataclass
class Conversation:
    """The turns so far, below what the model is told to be."""

    system: str | None = None
    turns: list[Turn] = field(default_factory=list)

    def ask(self, question: str) -> None:
        """Begin a turn. One that got no answer is forgotten."""
        if self.turns and self.turns[-1].answer is None:
            self.turns.pop()
        self.turns.append(Turn(question))

    def answer(self, message: AIMessage | None) -> None:
        """Answer the last turn; None takes its answer back, so that it can be asked again."""
        self.turns[-1].answer = message

    @property
    def question(self) -> str | None:
        """What was asked last."""
        return self.turns[-1].question if self.turns else None

    def messages(self) -> list[BaseMessage]:
        """What the model is sent, and what is saved."""
        messages: list[BaseMessage] = [SystemMessage(self.system)] if self.system else []
        for turn in self.turns:
            messages.append(HumanMessage(turn.question))
            if turn.answer is not None:
                messages.append(turn.answer)
        return messages


def as_json(messages: list[BaseMessage]) -> bytes:
    """The messages as `messages_from_dict` reads them."""
    return msgspec.json.format(msgspec.json.encode(messages_to_dict(messages)), indent=2) + b"\n"


def as_markdown(messages: list[BaseMessage]) -> bytes:
    """The messages for people to read."""
    titles = {"system": "System", "human": "Question", "ai": "Answer"}
    sections = [f"## {titles[message.type]}\n\n{message.text.strip()}\n" for message in messages]
    return "\n".join(sections).encode()
