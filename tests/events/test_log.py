"""Logs: patches that add up, closed early, cancelled, failed, and read slowly."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream import (
    AIMessageChunk,
    Cancelled,
    JsonOutputParser,
    RunLog,
    RunLogPatch,
    Runnable,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    StrOutputParser,
)
from millstream.errors import MillstreamError
from millstream.kernel.sources import merge
from millstream.testing import FakeChatModel
from tests.events.chains import Broken, make_chain
from tests.events.test_stream import AROUND, Endless, Gate, first_two

chains = st.randoms(use_true_random=False).map(make_chain)

Told = list[Any]


async def collected(step: Runnable[Any, Any], input: Any, **kwargs: Any) -> tuple[Told, Exception | None]:
    told: Told = []
    try:
        async for each in step.astream_log(input, **kwargs):
            told.append(each)
    except Exception as error:
        return told, error
    return told, None


def log(step: Runnable[Any, Any], input: Any, **kwargs: Any) -> Told:
    """What the log of a run tells that succeeds."""
    told, error = asyncio.run(collected(step, input, **kwargs))
    assert error is None
    return told


def whole(patches: Told) -> Any:
    """The state that patches add up to."""
    return reduce(add, patches, RunLogPatch()).state


def paths(patches: Told) -> list[str]:
    return [op["path"] for patch in patches for op in patch.ops]


def check(patches: Told, failed: bool) -> None:
    """Raise if these patches, all of one whole run, break the contract."""
    (first,) = patches[0].ops
    assert (first["op"], first["path"]) == ("replace", "")
    state = whole(patches)
    for entry in state["logs"].values():
        # Every run that began has ended, also where the code around it left it behind.
        assert entry["start_time"] <= entry["end_time"]
        assert datetime.fromisoformat(entry["end_time"]).tzinfo is not None
    ended = [path for path in paths(patches) if path.endswith("/end_time")]
    assert len(ended) == len(set(ended)) == len(state["logs"])
    pieces = [piece for piece in state["streamed_output"] if piece is not None]
    if pieces and not failed:
        assert state["final_output"] == merge(pieces)
    # Anybody else's implementation comes to the same.
    theirs = jsonpatch.apply_patch(None, [op for patch in patches for op in patch.ops])
    assert repr(theirs) == repr(state)  # it copies what is in there, and no error equals its copy


# --- the contract, over random chains ---------------------------------------------------------------------


@given(chain=chains, buffer=st.sampled_from([1, 2, 64]))
@settings(max_examples=120, deadline=None)
def test_the_contract_holds(chain: Runnable[Any, Any], buffer: int) -> None:
    patches, error = asyncio.run(collected(chain, "a b c", buffer=buffer))
    check(patches, failed=error is not None)


@given(chain=chains)
@settings(max_examples=60, deadline=None)
def test_logs_are_the_sums_of_patches(chain: Runnable[Any, Any]) -> None:
    async def both() -> None:
        logs, _ = await collected(chain, "a b c", diff=False)
        before: list[str] = []
        for each in logs:
            assert type(each) is RunLog
            told = paths([each])
            assert told[: len(before)] == before
            before = told
            assert each.state == whole([RunLogPatch(*each.ops)])

    asyncio.run(both())


@given(chain=chains, stop=st.integers(1, 12), diff=st.booleans())
@settings(max_examples=80, deadline=None)
def test_leaving_early_ends_the_run(chain: Runnable[Any, Any], stop: int, diff: bool) -> None:
    async def run() -> None:
        async with chain.astream_log("a b c", diff=diff, buffer=1) as patches:
            try:
                for _ in range(stop):
                    await anext(patches)
            except (Broken, MillstreamError, StopAsyncIteration):
                return

    asyncio.run(run())


# --- what is told -----------------------------------------------------------------------------------------


def test_the_state_of_a_chain() -> None:
    chain = FakeChatModel([["a", "b"]]) | StrOutputParser()
    state = whole(log(chain, "q", config={"run_name": "all", "tags": ["t"], "metadata": {"m": 1}}))
    assert list(state) == ["id", "streamed_output", "final_output", "logs", "name", "type"]
    assert (state["name"], state["type"]) == ("all", "chain")
    assert (state["streamed_output"], state["final_output"]) == (["a", "b", ""], "ab")
    model, parser = state["logs"]["FakeChatModel"], state["logs"]["StrOutputParser"]
    assert (model["type"], model["tags"], model["metadata"]) == ("llm", ["seq:step:1", "t"], {"m": 1})
    assert model["streamed_output_str"] == ["a", "b", ""]
    assert [piece.content for piece in model["streamed_output"]] == ["a", "b", ""]
    assert model["final_output"]["generations"][0][0]["text"] == "ab"
    assert parser["final_output"] == {"output": "ab"}
    assert parser["streamed_output_str"] == []
    assert len({state["id"], model["id"], parser["id"]}) == 3


def test_names_that_come_again() -> None:
    def named(name: str) -> Runnable[Any, Any]:
        return RunnableLambda(str).with_config(run_name=name)

    chain = named("a") | named("a:2") | named("a") | named("a") | named("a:2") | named("b/c~d")
    assert list(whole(log(chain, "q"))["logs"]) == ["a", "a:2", "a:3", "a:4", "a:2:2", "b/c~d"]


def test_what_is_filtered_out() -> None:
    chain = FakeChatModel([["a"]]) | StrOutputParser()
    for chosen in ({"include_names": ["nobody"]}, {"exclude_types": ["llm", "parser"]}):
        state = whole(log(chain, "q", **chosen))
        assert (state["logs"], state["final_output"]) == ({}, "a")
    assert list(whole(log(chain, "q", include_types=["llm"]))["logs"]) == ["FakeChatModel"]


def test_without_the_list_of_pieces() -> None:
    state = whole(log(FakeChatModel([["a", "b"]]), "q", with_streamed_output_list=False))
    assert state["streamed_output"] == []
    assert state["final_output"].content == "ab"


@pytest.mark.parametrize("around", AROUND)
def test_what_happens_inside_a_function_is_live(around: Any) -> None:
    async def run() -> list[str]:
        model = Gate()
        pieces = []
        async for patch in around(model).astream_log("q"):
            for op in patch.ops:
                if op["path"] == "/logs/Gate/streamed_output_str/-":
                    pieces.append(op["value"])
                    # The function has not returned: its model waits for this.
                    model.seen.set()
        return pieces

    assert asyncio.run(run()) == ["one", "two", ""]


# --- how the answer grows ---------------------------------------------------------------------------------


class Sum:
    """A type of the user's that adds up, and cannot be compared, as arrays cannot."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.number + other.number)

    def __eq__(self, other: object) -> Any:
        raise ValueError("ambiguous")

    __hash__ = None


class Sour:
    """A type that does not add up, and says so in its own way."""

    def __add__(self, other: object) -> Any:
        raise ArithmeticError("no")


def giving(*pieces: Any) -> Runnable[Any, Any]:
    async def give(_: Any) -> Any:
        for piece in pieces:
            yield piece

    return RunnableGenerator(give)


def grown(step: Runnable[Any, Any]) -> list[tuple[str, str, Any]]:
    """The operations on the answer."""
    ops = [op for patch in log(step, "q") for op in patch.ops]
    return [(op["op"], op["path"], op["value"]) for op in ops if op["path"].startswith("/final_output")]


def test_a_text_is_replaced_by_what_has_grown_of_it() -> None:
    assert grown(giving("a", "", "b")) == [
        ("replace", "/final_output", "a"),
        ("replace", "/final_output", "ab"),
    ]


def test_lists_grow_in_place() -> None:
    first = [1]
    assert grown(giving(first, [2, 3], [], [4])) == [
        ("replace", "/final_output", [1]),
        ("add", "/final_output/1", 2),
        ("add", "/final_output/2", 3),
        ("add", "/final_output/3", 4),
    ]
    assert first == [1]


def test_keys_of_a_parallel_step_grow_apart() -> None:
    step = RunnablePassthrough[Any]() | RunnableParallel(
        a=giving("x", "y"), b=RunnableParallel(c=giving([1], [2])), d=giving(None, "z")
    )
    patches = log(step.with_config(max_concurrency=1), "q")
    assert [path for path in paths(patches) if path.startswith("/final_output")] == [
        "/final_output",
        "/final_output/a",
        "/final_output/b",
        "/final_output/b/c/1",
        "/final_output/d",
        "/final_output/d",
    ]
    assert whole(patches)["final_output"] == {"a": "xy", "b": {"c": [1, 2]}, "d": "z"}


def test_states_of_a_json_parser_replace_one_another() -> None:
    chain = FakeChatModel([["[1", ", [2", ", 3]]"]]) | JsonOutputParser()
    assert grown(chain) == [
        ("replace", "/final_output", [1]),
        ("replace", "/final_output", [1, [2]]),
        ("replace", "/final_output", [1, [2, 3]]),
    ]
    beside = RunnablePassthrough.assign(k=RunnableLambda(lambda _: "q") | chain)
    assert whole(log(beside, {"x": 1}))["final_output"] == {"x": 1, "k": [1, [2, 3]]}


def test_types_of_the_users() -> None:
    sums = [value.number for _, _, value in grown(giving(Sum(1), Sum(2), Sum(3)))]
    assert sums == [1, 3, 6]
    sour = [Sour(), Sour()]
    assert [value for _, _, value in grown(giving(*sour))] == sour
    assert [value for _, _, value in grown(giving("a", 1, [2], "b"))] == ["a", 1, [2], "b"]


# --- closed, cancelled, failed, slow ----------------------------------------------------------------------


@pytest.mark.parametrize("diff", [True, False])
@pytest.mark.parametrize("buffer", [1, 8, 64])
def test_a_reader_that_stops_stops_the_model(buffer: int, diff: bool) -> None:
    async def run() -> None:
        model = Endless()
        chain = model | StrOutputParser()
        async with chain.astream_log("q", diff=diff, buffer=buffer) as stream:
            for _ in range(20):
                await anext(stream)
            await asyncio.sleep(0.01)
            # Three patches for each word; and the model has a thread, which is at most 64 words ahead.
            pulled = model.pulled
            assert pulled <= (20 + buffer) / 3 + 64 + 2
        assert model.closed.is_set()
        assert model.pulled <= pulled + 1

    asyncio.run(run())


def test_leaving_an_async_for_closes_the_model() -> None:
    async def run() -> None:
        model = Endless()
        async for patch in model.astream_log("q"):
            if patch.ops[0]["path"].startswith("/streamed_output"):
                break
        assert await asyncio.to_thread(model.closed.wait, 5)

    asyncio.run(run())


def test_a_task_that_is_cancelled_closes_the_model() -> None:
    async def run() -> None:
        model = Endless()
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in model.astream_log("q"):
                begun.set()
                await asyncio.sleep(0)

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.closed.wait(5)

    asyncio.run(run())


def test_closing_from_another_task_cancels_the_run() -> None:
    async def run() -> None:
        waits = asyncio.Event()

        async def never(_: Any) -> Any:
            waits.set()
            await asyncio.Event().wait()

        stream = RunnableLambda(never).astream_log("q")
        await anext(stream)
        reading = asyncio.create_task(anext(stream))
        await waits.wait()
        await asyncio.sleep(0)  # so that the other task waits in the stream
        await stream.aclose()
        with pytest.raises(Cancelled):
            await reading

    asyncio.run(run())


def test_an_error_comes_after_what_was_told() -> None:
    model = FakeChatModel([["a", LookupError("cut")]])
    patches, error = asyncio.run(collected(model | StrOutputParser(), "q"))
    assert isinstance(error, LookupError)
    state = whole(patches)
    assert (state["streamed_output"], state["final_output"]) == (["a"], "a")
    for entry in state["logs"].values():
        assert entry["end_time"] is not None
        assert entry["final_output"] is None
    logs, error = asyncio.run(collected(model, "q", diff=False))
    assert isinstance(error, LookupError)
    assert logs[-1].state["final_output"].content == "a"


def test_what_is_cut_short_has_ended() -> None:
    patches = log(FakeChatModel([["a", "b", "c"]]) | StrOutputParser() | first_two, "q")
    check(patches, failed=False)
    assert whole(patches)["logs"]["FakeChatModel"]["final_output"] is None


def test_a_run_left_behind_has_ended_before_the_answer_is_told() -> None:
    async def leave(text: str) -> str:
        async for piece in (FakeChatModel([["a", "b"]]) | StrOutputParser()).astream(text):
            return piece
        return ""

    patches = log(RunnableLambda(leave) | str, "q")
    check(patches, failed=False)
    told = paths(patches)
    assert told.index("/logs/FakeChatModel/end_time") < told.index("/logs/leave/final_output")


def test_a_sync_verb_in_the_readers_own_loop_does_not_hang() -> None:
    async def ask(text: str) -> str:
        # In the loop's own thread: nobody can read meanwhile.
        return FakeChatModel([["x"] * 50]).invoke(text).text

    patches = log(RunnableLambda(ask), "q", buffer=4)
    check(patches, failed=False)
    assert len(whole(patches)["logs"]["FakeChatModel"]["streamed_output"]) == 51


def test_runs_in_many_threads_have_names_of_their_own() -> None:
    inner = RunnableLambda(str).with_config(run_name="one")
    together = threading.Barrier(8, timeout=20)

    def work(number: int) -> str:
        together.wait()
        return inner.invoke(number)

    chain = RunnableLambda(lambda _: list(range(8))) | RunnableLambda(work).map()
    patches = log(chain, "q", config={"max_concurrency": 8})
    check(patches, failed=False)
    entries = whole(patches)["logs"]
    assert sorted(name for name in entries if name.startswith("one")) == [
        "one",
        *(f"one:{number}" for number in range(2, 9)),
    ]


# --- patches as values ------------------------------------------------------------------------------------


def replacing(value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": "", "value": value}


def test_patches_add_up_to_logs() -> None:
    first = RunLogPatch(replacing({"streamed_output": []}))
    second = RunLogPatch({"op": "add", "path": "/streamed_output/-", "value": "a"})
    both = first + second
    assert type(both) is RunLog
    assert both.ops == first.ops + second.ops
    assert both.state == {"streamed_output": ["a"]}
    more = both + second
    assert more.state == {"streamed_output": ["a", "a"]}
    # What was, stays.
    assert both.state == {"streamed_output": ["a"]}
    assert first.ops == [replacing({"streamed_output": []})]


def test_only_patches_are_added() -> None:
    patch = RunLogPatch(replacing({}))
    for left, right in ((patch, 1), (patch, patch + patch), (patch + patch, patch + patch), (1, patch)):
        with pytest.raises(TypeError):
            left + right


def test_equality_and_repr() -> None:
    patch = RunLogPatch(replacing({"id": "1"}))
    assert patch == RunLogPatch(replacing({"id": "1"}))
    assert patch != RunLogPatch()
    assert patch + RunLogPatch() == RunLog(*patch.ops, state={"id": "1"})
    assert patch + RunLogPatch() != patch
    assert repr(patch) == "RunLogPatch({'op': 'replace', 'path': '', 'value': {'id': '1'}})"
    assert repr(patch + RunLogPatch()) == "RunLog({'id': '1'})"
    with pytest.raises(TypeError):
        hash(patch)


def seconds(run: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        began = time.thread_time()
        run()
        took.append(time.thread_time() - began)
    return min(took)


def test_patches_cost_the_same_however_many_came_before() -> None:
    def read(count: int) -> None:
        log(giving(*([number] for number in range(count))), "q")

    # A square of the length would be 100 times as long.
    assert seconds(lambda: read(5000)) < 30 * seconds(lambda: read(500))


def test_chunks_of_a_model_are_told_as_they_are() -> None:
    chunk = AIMessageChunk("a", chunk_position="last")
    state = whole(log(FakeChatModel([[chunk]]), "q"))
    assert state["final_output"] == state["streamed_output"][0]
