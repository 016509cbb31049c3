"""The two libraries behind one kind of object, so that one description of a chain is built twice."""

from collections.abc import AsyncIterator, Iterator, Sequence
from types import ModuleType
from typing import Any

import langchain_core.callbacks
import langchain_core.documents
import langchain_core.messages
import langchain_core.output_parsers
import langchain_core.prompts
import langchain_core.retrievers
import langchain_core.runnables
import langchain_core.runnables.utils
import langchain_core.tools
import langchain_core.utils.function_calling
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.language_models.llms import LLM
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult, GenerationChunk

import millstream
from millstream.testing import FakeChatModel, FakeLLM

#: What a fake model says in one answer: pieces of text, chunks, and errors to raise in between.
Script = Sequence[Any]


class Library:
    """One library: its public names as attributes, and fake models that are made alike."""

    def __init__(self, name: str, chat: Any, llm: Any, *modules: ModuleType) -> None:
        self.name = name
        self._chat = chat
        self._llm = llm
        self._modules = modules

    def __getattr__(self, name: str) -> Any:
        for module in self._modules:
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"{self.name} has no {name}")

    def __repr__(self) -> str:
        return self.name

    def chat(self, *answers: Script) -> Any:
        """A chat model that gives these answers in turn."""
        return self._chat(answers, "model")

    def llm(self, *answers: Script) -> Any:
        """A text model that gives these answers in turn."""
        return self._llm(answers, "text model")


def _play(turn: Iterator[Script]) -> Iterator[Any]:
    for item in next(turn):
        if isinstance(item, Exception):
            raise item
        yield item


class PeerChat(BaseChatModel):
    """langchain-core's chat model with a script; it streams in both colours and joins for `invoke`."""

    turn: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages))

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for item in _play(self.turn):
            chunk = AIMessageChunk(content=item) if isinstance(item, str) else item
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk


class PeerLLM(LLM):
    """langchain-core's text model with a script."""

    turn: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
        return "".join(_play(self.turn))

    def _stream(
        self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[GenerationChunk]:
        for item in _play(self.turn):
            if run_manager is not None:  # here, telling of pieces is left to the model
                run_manager.on_llm_new_token(item)
            yield GenerationChunk(text=item)


class Turns:
    """Answers in turn, and then from the start."""

    def __init__(self, answers: Sequence[Script]) -> None:
        self._answers = answers
        self._next = 0

    def __iter__(self) -> "Turns":
        return self

    def __next__(self) -> Script:
        answer = self._answers[self._next % len(self._answers)]
        self._next += 1
        return answer


OURS = Library(
    "millstream",
    lambda answers, name: FakeChatModel(answers, name=name),
    lambda answers, name: FakeLLM(answers, name=name),
    millstream,
)
PEER = Library(
    "langchain-core",
    lambda answers, name: PeerChat(turn=Turns(answers), name=name),
    lambda answers, name: PeerLLM(turn=Turns(answers), name=name),
    langchain_core.tools,  # before messages, where `tool` is a module
    langchain_core.utils.function_calling,
    langchain_core.runnables,
    langchain_core.runnables.utils,
    langchain_core.messages,
    langchain_core.prompts,
    langchain_core.output_parsers,
    langchain_core.callbacks,
    langchain_core.documents,
    langchain_core.retrievers,
)
