"""What models answer, as `generate` returns it and as handlers are told it: generations, and their usage."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, ClassVar, Self

import msgspec

from millstream.errors import InputError
from millstream.messages import AIMessage, AIMessageChunk, UsageMetadata
from millstream.messages.merge_calls import merge_usage
from millstream.messages.merge_values import merge_metadata

__all__ = ["ChatGeneration", "ChatGenerationChunk", "Generation", "GenerationChunk", "LLMResult"]


class Generation(msgspec.Struct, repr_omit_defaults=True):
    """One answer of a text model."""

    type: ClassVar[str] = "Generation"

    text: str = ""
    """What the model wrote."""
    generation_info: dict[str, Any] | None = None
    """What else the model says of it: why it ended (`finish_reason`), and more, as the provider has it."""


class GenerationChunk(Generation):
    """A piece of a text model's answer. Pieces add up: `a + b`."""

    type: ClassVar[str] = "GenerationChunk"

    def __add__(self, other: Any) -> Self:
        if not isinstance(other, GenerationChunk):
            return NotImplemented
        return type(self)(self.text + other.text, joined_info(self.generation_info, other.generation_info))


class ChatGeneration(Generation, kw_only=True):
    """One answer of a chat model. `text` is that of its message."""

    type: ClassVar[str] = "ChatGeneration"

    message: AIMessage
    """The answer."""

    def __post_init__(self) -> None:
        self.text = self.message.text


class ChatGenerationChunk(ChatGeneration, kw_only=True):
    """A piece of a chat model's answer. Pieces add up: `a + b`."""

    type: ClassVar[str] = "ChatGenerationChunk"

    message: AIMessageChunk  # pyright: ignore[reportIncompatibleVariableOverride]
    """The piece."""

    def __add__(self, other: Any) -> "ChatGenerationChunk":
        if not isinstance(other, ChatGenerationChunk):
            return NotImplemented
        info = joined_info(self.generation_info, other.generation_info)
        return ChatGenerationChunk(message=self.message + other.message, generation_info=info)


class LLMResult(msgspec.Struct, repr_omit_defaults=True):
    """The answers to all requests of one `generate`."""

    type: ClassVar[str] = "LLMResult"

    generations: Sequence[Sequence[Generation]]
    """For each request, its answers: one, unless the provider was asked for more."""
    llm_output: dict[str, Any] | None = None
    """`token_usage` (`prompt_tokens`, `completion_tokens`, `total_tokens`; and `estimated`, true where the
    model told none) of all requests together, and `model_name`."""

    def flatten(self) -> "list[LLMResult]":
        """A result for each request; the usage is with the first one, so that it is counted once."""
        rest = None if self.llm_output is None else {**self.llm_output, "token_usage": {}}
        return [
            LLMResult(generations=[each], llm_output=rest if index else self.llm_output)
            for index, each in enumerate(self.generations)
        ]


def joined_info(first: dict[str, Any] | None, second: dict[str, Any] | None) -> dict[str, Any] | None:
    """What two pieces of an answer say of it, as one."""
    return merge_metadata([first, second]) if first and second else first or second


def generation_of(output: Any, info: dict[str, Any] | None = None) -> Generation:
    """A model's answer, or a piece of it, as a generation. Of a message, `info` is found in its metadata."""
    if isinstance(output, str):
        return Generation(output, info)
    if not isinstance(output, AIMessage):
        raise InputError(f"A model answers with text or a message, not with {type(output).__name__}.")
    told = output.response_metadata
    known: dict[str, Any] = {key: told[key] for key in ("finish_reason", "logprobs") if key in told}
    if isinstance(output, AIMessageChunk):
        return ChatGenerationChunk(message=output, generation_info=known or None)
    return ChatGeneration(message=output, generation_info=known or None)


def generations_of(output: Any, info: dict[str, Any] | None, alternatives: Sequence[Any]) -> list[Generation]:
    """All answers to one request: the first one, of which `info` was told, and those beside it."""
    others = [each if isinstance(each, Generation) else generation_of(each) for each in alternatives]
    return [generation_of(output, info), *others]


def result_of(
    generations: Sequence[Sequence[Generation]], usages: Sequence[UsageMetadata | None], model_name: str
) -> LLMResult:
    """The result of requests that were answered with these generations and took these tokens."""
    usage = merge_usage([each for each in usages if each is not None])
    return LLMResult(
        generations=generations,
        llm_output={"token_usage": _token_usage(usage), "model_name": _named(generations) or model_name},
    )


def model_name_of(model: Any) -> str | None:
    """The name of the model that a step asks, if it tells one."""
    for name in ("model_name", "model"):
        with suppress(Exception):  # a property of a user's, which must not end the run
            told = getattr(model, name, None)
            if isinstance(told, str) and told:
                return told
    return None


def _named(generations: Sequence[Sequence[Generation]]) -> str | None:
    """The model's name, as the provider told it with the answer."""
    for each in chain.from_iterable(generations):
        told: Mapping[str, Any] = each.generation_info or {}
        if isinstance(each, ChatGeneration):
            told = each.message.response_metadata
        if told.get("model_name"):
            return str(told["model_name"])
    return None


def _token_usage(usage: UsageMetadata | None) -> dict[str, Any]:
    if usage is None:
        return {}
    counts: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    return {**counts, "estimated": True} if usage.estimated else counts
