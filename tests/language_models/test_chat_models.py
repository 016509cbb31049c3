"""Chat models that users write: four forms, all inputs, ids, usage, and what goes wrong."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseChatModel,
    Cancelled,
    ChatPromptTemplate,
    HumanMessage,
    InputError,
    SystemMessage,
    ToolCallChunk,
    UsageMetadata,
)
from millstream.kernel.scope import current_scope
from millstream.messages import BaseMessage
from millstream.testing import FakeChatModel
from tests.conftest import Colour


class Echo(BaseChatModel):
    """Says what it was told, word by word."""

    def _stream(self, messages: list[BaseMessage], **kwargs: Any) -> Iterator[str]:
        yield from " ".join(f"{message.type}:{message.text}" for message in messages).split(" ")


@pytest.mark.parametrize(
    "given",
    [
        "hi",
        [("human", "hi")],
        [{"role": "user", "content": "hi"}],
        [HumanMessage("hi")],
        HumanMessage("hi"),
        ChatPromptTemplate.from_template("{x}").invoke({"x": "hi"}),
    ],
)
def test_every_form_of_input(colour: Colour, given: Any) -> None:
    assert colour.invoke(Echo(), given).content == "human:hi"


def test_several_messages(colour: Colour) -> None:
    given = [("system", "be kind"), HumanMessage("hi"), {"role": "assistant", "content": "hello"}]
    assert colour.invoke(Echo(), given).content == "system:bekindhuman:hiai:hello"


@pytest.mark.parametrize("given", [3, None, [3], {"x": 1}])
def test_an_input_of_the_wrong_kind(colour: Colour, given: Any) -> None:
    with pytest.raises(InputError):
        colour.invoke(Echo(), given)


def test_all_chunks_of_a_run_carry_one_id_and_the_last_is_marked(colour: Colour) -> None:
    chunks = colour.stream(Echo(), "a b c")
    assert [chunk.content for chunk in chunks] == ["human:a", "b", "c", ""]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].id.startswith("run-")
    assert [chunk.chunk_position for chunk in chunks] == [None, None, None, "last"]
    again = colour.stream(Echo(), "a b c")
    assert again[0].id != chunks[0].id


def test_the_id_is_that_of_the_run() -> None:
    runs: list[Any] = []
    message = Echo().with_listeners(on_end=runs.append).invoke("x")
    assert message.id == f"run-{runs[0].id}"


def test_a_providers_id_is_kept_and_spreads(colour: Colour) -> None:
    model = FakeChatModel([[AIMessageChunk("a", id="msg_1"), AIMessageChunk("b")]])
    assert [chunk.id for chunk in colour.stream(model, "x")] == ["msg_1"] * 3
    assert colour.invoke(model, "x").id == "msg_1"


def test_a_chunk_that_is_yielded_again_gets_the_new_runs_id(colour: Colour) -> None:
    shared = [AIMessageChunk("a"), AIMessageChunk("b")]

    class Shares(BaseChatModel):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
            yield from shared

    first = [(chunk.id, chunk.content) for chunk in colour.stream(Shares(), "x")]
    second = [(chunk.id, chunk.content) for chunk in colour.stream(Shares(), "x")]
    assert len(set(first)) == len(set(second)) == 3
    assert {chunk_id for chunk_id, _ in first}.isdisjoint({chunk_id for chunk_id, _ in second})


def test_usage_that_the_model_reports_is_kept(colour: Colour) -> None:
    usage = UsageMetadata(input_tokens=3, output_tokens=2, total_tokens=5)
    model = FakeChatModel([["a", AIMessageChunk("", usage_metadata=usage)]])
    chunks = colour.stream(model, "x")
    assert [chunk.usage_metadata for chunk in chunks] == [None, usage, None]
    assert colour.invoke(model, "x").usage_metadata == usage


def test_usage_is_estimated_where_the_model_reports_none(colour: Colour) -> None:
    message = colour.invoke(FakeChatModel([["eight ch", "aracters"]]), "12345678")
    assert message.usage_metadata == {
        "input_tokens": 2,
        "output_tokens": 4,
        "total_tokens": 6,
        "estimated": True,
    }


def test_a_models_tags_and_metadata_are_its_own_runs(colour: Colour) -> None:
    runs: list[Any] = []
    model = FakeChatModel(["a"], tags=["mine"], metadata={"size": 1, "kept": True})
    colour.invoke(model.with_listeners(on_end=runs.append), "x", {"tags": ["all"], "metadata": {"size": 2}})
    assert runs[0].tags == ["mine", "all"]
    assert runs[0].metadata == {"size": 2, "kept": True}


def test_the_last_chunk_is_empty_in_the_way_of_the_one_before(colour: Colour) -> None:
    block = [{"type": "text", "text": "a", "index": 0}]

    class Mixes(BaseChatModel):
        def __init__(self, *contents: Any) -> None:
            super().__init__()
            self.contents = contents

        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[AIMessageChunk]:
            for content in self.contents:
                yield AIMessageChunk(content)

    assert colour.stream(Mixes("a", block), "x")[-1].content == []
    assert colour.stream(Mixes(block, "a"), "x")[-1].content == ""


def test_a_returned_chunk_gets_an_id_and_usage_too(colour: Colour) -> None:
    class Returns(BaseChatModel):
        def _generate(self, messages: Any, **kwargs: Any) -> AIMessageChunk:
            return AIMessageChunk("abcd")

    message = colour.invoke(Returns(), "x")
    assert type(message) is AIMessage
    assert message.id.startswith("run-")
    assert message.usage_metadata.estimated
    assert message.usage_metadata.output_tokens == 1


def test_a_cancel_is_noticed_between_the_items_of_an_answer(colour: Colour) -> None:
    said: list[int] = []

    class Endless(BaseChatModel):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
            for number in range(10**9):
                said.append(number)
                if number == 100:
                    scope = current_scope()
                    assert scope is not None
                    scope.cancel()
                yield "x"

    with pytest.raises(Cancelled):
        colour.invoke(Endless(), "x")
    assert len(said) < 1000


def test_listeners_are_told_the_usage() -> None:
    runs: list[Any] = []
    list(Echo().with_listeners(on_end=runs.append).stream("x"))
    assert runs[0].usage.estimated


def test_tool_call_fragments_merge(colour: Colour) -> None:
    model = FakeChatModel(
        [
            [
                AIMessageChunk("", tool_call_chunks=[ToolCallChunk(name="f", args='{"a', id="1", index=0)]),
                AIMessageChunk("", tool_call_chunks=[ToolCallChunk(args='": 1}', index=0)]),
                AIMessageChunk("", tool_call_chunks=[ToolCallChunk(name="g", args="", id="2", index=1)]),
            ]
        ]
    )
    message = colour.invoke(model, "x")
    assert [(call.name, call.args, call.id) for call in message.tool_calls] == [
        ("f", {"a": 1}, "1"),
        ("g", {}, "2"),
    ]


class Whole(BaseChatModel):
    def _generate(self, messages: list[BaseMessage], **kwargs: Any) -> AIMessage:
        return AIMessage("all at once", response_metadata={"model": "whole"})


class Both(Whole):
    def _stream(self, messages: list[BaseMessage], **kwargs: Any) -> Iterator[str]:
        yield from ("all ", "at ", "once")


def test_a_model_without_streaming_streams_one_chunk(colour: Colour) -> None:
    (chunk,) = colour.stream(Whole(), "x")
    assert isinstance(chunk, AIMessageChunk)
    assert (chunk.content, chunk.chunk_position) == ("all at once", "last")
    message = colour.invoke(Whole(), "x")
    assert type(message) is AIMessage
    assert message.response_metadata == {"model": "whole"}
    assert message.usage_metadata is not None


def test_a_model_with_both_uses_the_one_that_fits(colour: Colour) -> None:
    assert [chunk.content for chunk in colour.stream(Both(), "x")] == ["all ", "at ", "once", ""]
    assert colour.invoke(Both(), "x").response_metadata == {"model": "whole"}


def test_keywords_of_the_call_reach_the_model(colour: Colour) -> None:
    seen: list[dict[str, Any]] = []

    class Notes(BaseChatModel):
        async def _stream(self, messages: Any, **kwargs: Any) -> AsyncIterator[str]:
            seen.append(kwargs)
            yield "x"

    colour.invoke(Notes(), "x", stop=["\n"], temperature=0.5)
    colour.stream(Notes().bind(seed=1), "x", max_tokens=3)
    assert seen == [{"stop": ["\n"], "temperature": 0.5}, {"seed": 1, "max_tokens": 3}]


def test_what_cannot_be_a_model_is_told_so() -> None:
    with pytest.raises(TypeError, match="_stream is a generator"):

        class Returns(BaseChatModel):
            def _stream(self, messages: Any) -> str:
                return "x"

    with pytest.raises(TypeError, match="_generate returns"):

        class Yields(BaseChatModel):
            def _generate(self, messages: Any) -> Iterator[str]:
                yield "x"

    class Empty(BaseChatModel):
        pass

    with pytest.raises(TypeError, match="neither _stream nor _generate"):
        Empty().invoke("x")


def test_a_model_that_yields_something_else(colour: Colour) -> None:
    class Odd(BaseChatModel):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[Any]:
            yield SystemMessage("no")

    with pytest.raises(InputError, match="yields text or AIMessageChunks"):
        colour.invoke(Odd(), "x")


def test_a_model_that_says_nothing(colour: Colour) -> None:
    class Silent(BaseChatModel):
        def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
            yield from ()

    (chunk,) = colour.stream(Silent(), "x")
    assert (chunk.content, chunk.chunk_position) == ("", "last")
    assert colour.invoke(Silent(), "x").content == ""


def test_the_text_of_blocks_counts_in_an_estimate(colour):
    blocks = [{"type": "text", "text": "12345678"}, {"type": "image", "url": "x"}]
    model = FakeChatModel([[AIMessageChunk(blocks), "1234"]])
    assert colour.invoke(model, "1234").usage_metadata.output_tokens == 3
    assert sum(colour.stream(model, "1234"), AIMessageChunk("")).usage_metadata.output_tokens == 3
