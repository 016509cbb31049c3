"""Models as functions, and `generate`: answers with what the model says of them and what they took."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseChatModel,
    BaseLLM,
    ChatGeneration,
    ChatGenerationChunk,
    Generation,
    GenerationChunk,
    HumanMessage,
    InputError,
    LLMResult,
    UsageMetadata,
)
from millstream.testing import FakeChatModel, FakeLLM
from tests.callbacks.recording import Recorder


def test_models_are_callable() -> None:
    assert FakeLLM(["dry"])("How is the river?") == "dry"
    answer = FakeChatModel([["d", "ry"]])([HumanMessage("How is the river?")])
    assert (type(answer), answer.content) == (AIMessage, "dry")


def test_a_call_takes_what_older_programs_give_it() -> None:
    given: list[Any] = []

    class Model(BaseLLM):
        def _stream(self, prompt, stop=None, **kwargs):
            given.append((prompt, stop, kwargs))
            yield "x"

    assert Model()("a", ["\n"], tags=["t"], metadata={"m": 1}, seed=3) == "x"
    assert given == [("a", ["\n"], {"seed": 3})]


class Telling(BaseLLM):
    """Says how it ended and what it took."""

    def _stream(self, prompt, **kwargs):
        yield "ri"
        yield GenerationChunk("ver", {"logprobs": [1]})
        usage = {"input_tokens": 2, "output_tokens": 3}
        yield GenerationChunk("", {"finish_reason": "stop", "model_name": "m1", "usage_metadata": usage})


def run(model: Any, is_async: bool, *args: Any, **kwargs: Any) -> LLMResult:
    if is_async:
        return asyncio.run(model.agenerate(*args, **kwargs))
    return model.generate(*args, **kwargs)


both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@both
def test_generate_of_a_text_model(is_async: bool) -> None:
    result = run(Telling(), is_async, ["a", "b"])
    info = {"logprobs": [1], "finish_reason": "stop", "model_name": "m1"}
    assert result == LLMResult(
        generations=[[Generation("river", info)], [Generation("river", info)]],
        llm_output={
            "token_usage": {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10},
            "model_name": "m1",
        },
    )
    first, second = result.flatten()
    assert first.llm_output == result.llm_output
    assert second.llm_output == {"token_usage": {}, "model_name": "m1"}
    assert [first.generations, second.generations] == [[result.generations[0]], [result.generations[1]]]


def test_what_a_text_model_streams_is_text() -> None:
    assert list(Telling().stream("a")) == ["ri", "ver"]
    assert Telling().invoke("a") == "river"


@both
def test_generate_of_a_chat_model(is_async: bool) -> None:
    last = AIMessageChunk(
        "",
        response_metadata={"finish_reason": "stop", "model_name": "m2"},
        usage_metadata=UsageMetadata(3, 4),
        chunk_position="last",
    )
    model = FakeChatModel([["ri", "ver", last]])
    result = run(model, is_async, [[HumanMessage("a")]])
    ((generation,),) = result.generations
    assert isinstance(generation, ChatGeneration)
    assert (generation.text, generation.message.content) == ("river", "river")
    assert generation.generation_info == {"finish_reason": "stop"}
    assert result.llm_output == {
        "token_usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        "model_name": "m2",
    }


@both
def test_usage_that_no_model_told_is_estimated_and_says_so(is_async: bool) -> None:
    result = run(FakeLLM(["12345678"]), is_async, ["1234"])
    assert result.llm_output == {
        "token_usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "estimated": True},
        "model_name": "FakeLLM",
    }


@both
def test_an_error_in_one_request_is_raised(is_async: bool) -> None:
    with pytest.raises(ValueError, match="dam"):
        run(FakeLLM(["a", [ValueError("dam")]]), is_async, ["1", "2"])


@both
def test_runs_have_the_name_and_the_first_the_id_that_are_given(is_async: bool) -> None:
    handler, given = Recorder(), uuid4()
    model = FakeChatModel(["a"], callbacks=[handler])
    run(model, is_async, [[HumanMessage("q")]] * 2, run_name="ask", run_id=given)
    starts = [kwargs for _, kwargs in handler.of("on_chat_model_start")]
    assert [start["name"] for start in starts] == ["ask", "ask"]
    assert [start["run_id"] == given for start in starts].count(True) == 1


def test_no_requests() -> None:
    assert FakeLLM(["a"]).generate([]) == LLMResult(
        generations=[], llm_output={"token_usage": {}, "model_name": "FakeLLM"}
    )


@both
def test_a_text_alone_is_no_list_of_requests(is_async: bool) -> None:
    with pytest.raises(InputError, match="list of requests"):
        run(FakeLLM(["a"]), is_async, "Why?")


def test_generations_of_pieces_add_up() -> None:
    total = GenerationChunk("a", {"x": 1}) + GenerationChunk("b") + GenerationChunk("c", {"y": 2})
    assert total == GenerationChunk("abc", {"x": 1, "y": 2})
    chunks = [ChatGenerationChunk(message=AIMessageChunk(text)) for text in "ab"]
    assert (chunks[0] + chunks[1]).text == "ab"
    with pytest.raises(TypeError):
        GenerationChunk("a") + "b"


@both
@pytest.mark.parametrize("parts", [2, 3], ids=["in the middle", "at the last piece"])
def test_a_stream_that_is_cut_has_an_estimate(is_async: bool, parts: int) -> None:
    seen: list[Any] = []

    class Model(BaseChatModel):
        def _stream(self, messages, **kwargs):
            yield AIMessageChunk("12345678", usage_metadata=UsageMetadata(7, 1))
            yield "1234"
            yield "1234"

    model = Model().with_listeners(on_error=lambda run: seen.append(run.usage))
    if is_async:

        async def read() -> None:
            stream = model.astream("12345678")
            for _ in range(parts):
                await anext(stream)
            await stream.aclose()

        asyncio.run(read())
    else:
        stream = model.stream("12345678")
        for _ in range(parts):
            next(stream)
        stream.close()
    assert seen == [UsageMetadata(7, 1 + parts, estimated=True)]
