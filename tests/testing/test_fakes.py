"""The fake models."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from millstream import AIMessageChunk, Cancelled
from millstream.testing import FakeChatModel, FakeLLM
from tests.conftest import Colour


def test_each_item_is_one_chunk_and_invoke_joins_them(colour: Colour) -> None:
    model = FakeChatModel([["a", AIMessageChunk("b"), "c"], "whole"])
    assert [chunk.content for chunk in colour.stream(model, "x")] == ["a", "b", "c", ""]
    assert colour.invoke(model, "x").content == "whole"
    assert colour.invoke(model, "x").content == "abc"


def test_an_exception_is_raised_at_its_place(colour: Colour) -> None:
    error = LookupError("gone")
    model = FakeChatModel([["a", error, "never"], ["b", ValueError]])
    with pytest.raises(LookupError) as caught:
        colour.stream(model, "x")
    assert caught.value is error
    with pytest.raises(ValueError):
        colour.invoke(model, "x")


def test_one_fake_serves_many_threads_and_tasks_at_once() -> None:
    model = FakeLLM([[str(number)] for number in range(100)])
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(model.invoke, ["x"] * 100))

    async def run() -> list[str]:
        return await asyncio.gather(*(model.ainvoke("x") for _ in range(100)))

    expected = sorted(str(number) for number in range(100))
    assert sorted(answers) == sorted(asyncio.run(run())) == expected


def test_a_delay_is_cut_short_by_a_cancel() -> None:
    import threading

    from millstream import RunnableLambda
    from millstream.kernel.scope import current_scope

    def cancel_soon(text: str) -> str:
        scope = current_scope()
        assert scope is not None
        assert scope.parent is not None
        threading.Timer(0.05, scope.parent.cancel).start()
        return text

    with pytest.raises(Cancelled):
        (RunnableLambda(cancel_soon) | FakeChatModel(["a"], delay=30)).invoke("x")


@pytest.mark.parametrize("responses", ["text", []])
def test_responses_are_a_list(responses: object) -> None:
    with pytest.raises(ValueError, match="list of answers"):
        FakeChatModel(responses)  # type: ignore[arg-type]
