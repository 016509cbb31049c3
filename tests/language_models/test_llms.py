"""Text models that users write."""

from collections.abc import Iterator
from typing import Any

import pytest

from millstream import BaseLLM, ChatPromptTemplate, HumanMessage, InputError, PromptTemplate
from millstream.testing import FakeLLM
from tests.conftest import Colour


class Echo(BaseLLM):
    def _stream(self, prompt: str, **kwargs: Any) -> Iterator[str]:
        yield from prompt.split(" ")


@pytest.mark.parametrize(
    ("given", "prompt"),
    [
        ("a b", "a b"),
        ([HumanMessage("a b"), ("ai", "c")], "Human: a b\nAI: c"),
        (HumanMessage("a b"), "Human: a b"),
        (PromptTemplate.from_template("{x} b").invoke({"x": "a"}), "a b"),
        (ChatPromptTemplate.from_template("{x} b").invoke({"x": "a"}), "Human: a b"),
    ],
)
def test_every_form_of_input(colour: Colour, given: Any, prompt: str) -> None:
    assert colour.stream(Echo(), given) == prompt.split(" ")
    assert colour.invoke(Echo(), given) == prompt.replace(" ", "")


@pytest.mark.parametrize("given", [3, None])
def test_an_input_of_the_wrong_kind(colour: Colour, given: Any) -> None:
    with pytest.raises(InputError):
        colour.invoke(Echo(), given)


def test_a_model_that_yields_something_else(colour: Colour) -> None:
    class Odd(BaseLLM):
        def _stream(self, prompt: str, **kwargs: Any) -> Iterator[Any]:
            yield 3

    with pytest.raises(InputError, match="yields text"):
        colour.stream(Odd(), "x")


def test_a_model_without_streaming_streams_one_piece(colour: Colour) -> None:
    class Whole(BaseLLM):
        def _generate(self, prompt: str, **kwargs: Any) -> str:
            return prompt.upper()

    assert colour.stream(Whole(), "a b") == ["A B"]
    assert colour.invoke(Whole(), "a b") == "A B"


def test_answers_are_taken_in_turn(colour: Colour) -> None:
    model = FakeLLM([["a", "b"], "c"])
    assert [colour.stream(model, "x") for _ in range(3)] == [["a", "b"], ["c"], ["a", "b"]]
