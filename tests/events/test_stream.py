"""Event streams: the contract, live, closed early, cancelled, and read slowly."""

import asyncio
import contextvars
import signal
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream import (
    AIMessageChunk,
    BaseChatModel,
    JsonOutputParser,
    Runnable,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    StrOutputParser,
    dispatch_custom_event,
)
from millstream.errors import Cancelled, ConfigError
from millstream.kernel.scope import current_scope
from millstream.testing import FakeChatModel
from tests.events.chains import Case, check_case, make_case
from tests.events.contract import check

Events = list[dict[str, Any]]


def sync_events(step: Runnable[Any, Any], input: Any, **kwargs: Any) -> tuple[Events, Exception | None]:
    events: Events = []
    try:
        events.extend(step.stream_events(input, **kwargs))
    except Exception as error:
        return events, error
    return events, None


def async_events(step: Runnable[Any, Any], input: Any, **kwargs: Any) -> tuple[Events, Exception | None]:
    async def collect() -> tuple[Events, Exception | None]:
        events: Events = []
        try:
            async for event in step.astream_events(input, **kwargs):
                events.append(event)
        except Exception as error:
            return events, error
        return events, None

    return asyncio.run(collect())


def sync_in_loop(step: Runnable[Any, Any], input: Any, **kwargs: Any) -> tuple[Events, Exception | None]:
    async def run() -> tuple[Events, Exception | None]:
        return sync_events(step, input, **kwargs)

    return asyncio.run(run())


@pytest.fixture(params=[sync_events, async_events, sync_in_loop], ids=["sync", "async", "sync in a loop"])
def collect(request: pytest.FixtureRequest) -> Callable[..., tuple[Events, Exception | None]]:
    return request.param


# --- the contract, over random chains ---------------------------------------------------------------------


@given(st.randoms(use_true_random=False).map(make_case))
@settings(max_examples=300, deadline=None)
def test_the_contract_holds(case: Case) -> None:
    check_case(case)


# Each broke the contract, or did not end, before it was mended.
FOUND = [
    # A sync verb in the reader's own loop, with a private loop below it, and with threads.
    Case(("blocks", ("blocks", ("retriever",))), "async", buffer=7),
    Case(("blocks", ("parallel", ("model",), ("model",))), "async", buffer=1, length=3),
    # Kept past `asyncio.run`: what is cancelled once waits for no reader.
    Case(("gathers", ("model",), ("tells",)), "async", buffer=2, leave=(8, "keep")),
    Case(("thread", ("passthrough",)), "async", buffer=1, leave=(1, "keep")),
    # Cancelled from inside, all of it and a part of it.
    Case(("async tells",), "async", "v1", fault=(2, "its run cancelled")),
    Case(
        ("batches", ("model",)),
        buffer=1,
        length=400,
        fault=(8, "its run cancelled"),
        leave=(22, "close"),
        slow=1,
    ),
    # An async generator that was begun outside of the private loop.
    Case(("sequence", ("async model",), ("async generator",)), "sync", buffer=2),
    Case(("sequence", ("async model",), ("generator",), ("async generator",))),
    # A shared input that ends in no mere error.
    Case(("assign", ("model",), ("async",)), "sync", length=3, fault=(3, "a cancel")),
    # A stream of a batch, cut short between two answers.
    Case(
        ("joined", ("to thread", ("text model",)), ("async batches", ("first",)), ("words",)),
        "sync in a loop",
        buffer=7,
        fault=(1, "a base exception"),
    ),
    # A generator function that fails keeps its error, and with it what it read.
    Case(("retry", ("generator",)), "async", fault=(1, "an error")),
]


@pytest.mark.parametrize("case", FOUND, ids=lambda case: f"{case.chain[0]}, {case.colour}")
def test_the_contract_holds_where_it_did_not(case: Case) -> None:
    for _ in range(5):
        check_case(case)


def first_two(items: Iterator[Any]) -> Iterator[Any]:
    for number, item in enumerate(items, 1):
        yield item
        if number == 2:
            return


# --- live -------------------------------------------------------------------------------------------------


class Gate(BaseChatModel):
    """Says a word, and the next one only when it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = threading.Event()
        self.pulled = 0
        self.closed = False

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        try:
            self.pulled += 1
            yield "one"
            assert self.seen.wait(20)
            self.pulled += 1
            yield "two"
        finally:
            self.closed = True


def around_plain(model: Gate) -> Runnable[Any, Any]:
    return RunnableLambda(lambda text: model.invoke(text).text)


def around_async(model: Gate) -> Runnable[Any, Any]:
    async def ask(text: str) -> str:
        return (await model.ainvoke(text)).text

    return RunnableLambda(ask)


def around_branch(model: Gate) -> Runnable[Any, Any]:
    return RunnableParallel(a=model, b=RunnableLambda(str)) | (lambda both: both["a"].text)


def around_config(model: Gate) -> Runnable[Any, Any]:
    return RunnableLambda(lambda text, config: model.invoke(text, config).text)


def around_thread(model: Gate) -> Runnable[Any, Any]:
    def ask(text: str, config: Any) -> str:
        said: list[str] = []
        thread = threading.Thread(target=lambda: said.append(model.invoke(text, config).text))
        thread.start()
        thread.join()
        return said[0]

    return RunnableLambda(ask)


AROUND = [around_plain, around_async, around_branch, around_config, around_thread]


@pytest.mark.parametrize("around", AROUND)
def test_what_happens_inside_a_function_is_live_sync(around: Any) -> None:
    model = Gate()
    pieces = []
    for event in around(model).stream_events("q"):
        if event["event"] == "on_chat_model_stream":
            pieces.append(event["data"]["chunk"].content)
            # The function has not returned: its model waits for this.
            model.seen.set()
    assert pieces == ["one", "two", ""]


@pytest.mark.parametrize("around", AROUND)
def test_what_happens_inside_a_function_is_live_async(around: Any) -> None:
    async def run() -> list[str]:
        model = Gate()
        pieces = []
        async for event in around(model).astream_events("q"):
            if event["event"] == "on_chat_model_stream":
                pieces.append(event["data"]["chunk"].content)
                model.seen.set()
        return pieces

    assert asyncio.run(run()) == ["one", "two", ""]


def test_passing_the_config_on_doubles_nothing(collect: Any) -> None:
    def ask(text: str, config: Any) -> str:
        model = FakeChatModel([["a"]])
        return model.invoke(text, config).text + model.invoke(text).text

    events, _ = collect(RunnableLambda(ask), "q")
    check(events)
    assert [event["event"] for event in events].count("on_chat_model_start") == 2


async def shout(text: Any) -> str:
    return str(text).upper()


# --- closed, cancelled, slow --------------------------------------------------------------------------------


class Endless(BaseChatModel):
    """Counts how often it is pulled, and notes when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.pulled = 0
        self.closed = threading.Event()

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        try:
            while True:
                self.pulled += 1
                yield "x"
        finally:
            self.closed.set()


@pytest.mark.parametrize("buffer", [1, 8, 64])
def test_a_reader_that_stops_stops_the_model(buffer: int) -> None:
    model = Endless()
    stream = (model | StrOutputParser()).stream_events("q", buffer=buffer)
    for _ in range(20):
        next(stream)
    # Three events for each word.
    at_most = (20 + buffer) / 3 + 2
    assert model.pulled <= at_most
    stream.close()
    assert model.closed.is_set()
    assert model.pulled <= at_most


@pytest.mark.parametrize("buffer", [1, 8, 64])
def test_a_reader_that_stops_stops_the_model_async(buffer: int) -> None:
    async def run() -> None:
        model = Endless()
        async with (model | StrOutputParser()).astream_events("q", buffer=buffer) as stream:
            for _ in range(20):
                await anext(stream)
            await asyncio.sleep(0.01)
            # The model has a thread, which is at most 64 words ahead.
            pulled = model.pulled
            assert pulled <= (20 + buffer) / 3 + 64 + 2
        assert model.closed.is_set()
        assert model.pulled <= pulled + 1

    asyncio.run(run())


def test_leaving_an_async_for_closes_the_model() -> None:
    async def run() -> None:
        model = Endless()
        async for event in model.astream_events("q"):
            if event["event"] == "on_chat_model_stream":
                break
        for _ in range(100):
            if model.closed.is_set():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("still open")

    asyncio.run(run())


def test_a_task_that_is_cancelled_closes_the_model() -> None:
    async def run() -> None:
        model = Endless()
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in model.astream_events("q"):
                begun.set()
                await asyncio.sleep(0)

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.closed.wait(5)

    asyncio.run(run())


def test_what_is_cut_short_ends_with_an_error_of_its_kind(collect: Any) -> None:
    events, error = collect(FakeChatModel([["a", "b", "c"]]) | StrOutputParser() | first_two, "q")
    assert error is None
    check(events)
    cut = [event for event in events if event["event"] in ("on_chat_model_error", "on_parser_error")]
    assert [type(event["data"]["error"]).__name__ for event in cut] == ["Cancelled", "Cancelled"]


def test_a_sync_verb_in_the_readers_own_loop_does_not_hang() -> None:
    async def ask(text: str) -> str:
        # In the loop's own thread: nobody can read meanwhile.
        return FakeChatModel([["x"] * 50]).invoke(text).text

    events, error = async_events(RunnableLambda(ask), "q", buffer=4)
    assert error is None
    check(events)
    assert len(events) > 50


def cancels(text: str) -> str:
    scope = current_scope()
    assert scope is not None
    scope.cancel(Cancelled("enough"))
    return text


def test_a_run_that_is_cancelled_tells_so_before_it_raises(collect: Any) -> None:
    events, error = collect(RunnableLambda(str) | cancels | str, "q", buffer=1)
    check(events)
    assert [event["event"] for event in events[-2:]] == ["on_chain_error", "on_chain_error"]
    assert isinstance(error, Cancelled)
    assert str(error) == "enough"
    assert events[-1]["data"]["error"] is error


def test_a_stream_that_another_task_closes_tells_so_before_it_raises() -> None:
    async def run() -> Events:
        stream = FakeChatModel([["a", "b"]], delay=3600).astream_events("q")
        events = [await anext(stream)]

        async def read() -> None:
            async for event in stream:
                events.append(event)

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        await stream.aclose()
        with pytest.raises(Cancelled):
            await reader
        return events

    events = asyncio.run(run())
    check(events)
    assert events[-1]["event"] == "on_chat_model_error"
    assert isinstance(events[-1]["data"]["error"], Cancelled)


def test_a_stream_that_is_kept_past_its_loop_ends() -> None:
    kept = []

    async def run() -> None:
        kept.append(FakeChatModel([["a"] * 50]).astream_events("q", buffer=1))
        await anext(kept[0])

    asyncio.run(run())


@pytest.mark.parametrize("verb", ["stream_events", "astream_events"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"version": "v3"}, "'v2', or 'v1'"),
        ({"buffer": 0}, "a whole number from 1, not 0"),
        ({"buffer": -1}, "a whole number from 1, not -1"),
        ({"buffer": "x"}, "a whole number from 1, not 'x'"),
        ({"buffer": True}, "a whole number from 1, not True"),
        ({"include_names": "docs"}, r"include_names is a list of strings such as \['docs'\], not 'docs'"),
        ({"exclude_tags": [1]}, "exclude_tags is a list of strings"),
        ({"include_types": 5}, "include_types is a list of strings"),
        ({"config": 5}, "A config is a dict"),
    ],
)
def test_bad_arguments_are_named_at_once(verb: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        getattr(RunnablePassthrough(), verb)("q", **given)


def test_a_set_of_names_is_as_good_as_a_list(collect: Any) -> None:
    events, _ = collect(RunnableLambda(str) | shout, "q", include_names={"shout"})
    assert {event["name"] for event in events} == {"shout"}


def test_two_runs_do_not_share_an_id(collect: Any) -> None:
    def ask(text: str, config: Any) -> str:
        return FakeChatModel([["a"]]).invoke(text, {**config, "run_id": "mine"}).text

    events, _ = collect(RunnableLambda(ask), "q", config={"run_id": "mine"})
    check(events)
    assert {event["run_id"] for event in events if event["name"] == "ask"} == {"mine"}
    assert len({event["run_id"] for event in events}) == 2


def test_a_task_group_that_is_cancelled_closes_the_model() -> None:
    async def run() -> None:
        model = Endless()

        async def read(stream: Any) -> None:
            async for _ in stream:
                await asyncio.sleep(0)

        async def fail() -> None:
            raise LookupError("other")

        stream = model.astream_events("q")
        await anext(stream)
        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(read(stream))
                group.create_task(fail())
        await stream.aclose()
        assert not model.pulled or model.closed.is_set()

    asyncio.run(run())


def test_two_loops_read_one_chain_at_once() -> None:
    chain = RunnableLambda(lambda text: FakeChatModel([["a", "b"]]).invoke(text).text) | shout
    read: list[Events] = []
    threads = [
        threading.Thread(target=lambda: read.append(async_events(chain, "q", buffer=1)[0])) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for events in read:
        check(events)
    assert len({len(events) for events in read}) == 1
    assert len(read) == 6


def test_ctrl_c_closes_the_model() -> None:
    model = Endless()
    stream = model.stream_events("q")
    with pytest.raises(KeyboardInterrupt):
        for event in stream:
            if event["event"] == "on_chat_model_stream":
                signal.raise_signal(signal.SIGINT)
    stream.close()
    assert model.closed.is_set()


def test_what_was_read_is_not_kept() -> None:
    def same(_: Any) -> Iterator[str]:
        for _ in range(20_000):
            yield "x"

    async def run() -> int:
        count = 0
        async for _ in RunnableLambda(same).astream_events("q"):
            count += 1
        return count

    tracemalloc.start()
    try:
        assert asyncio.run(run()) == 20_002
        # The gathered output is 20,000 references to one text; the events would be fifty times as much.
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_what_a_function_left_running_goes_on_untold() -> None:
    async def run() -> str:
        ended = asyncio.Event()
        tasks = []

        async def late() -> str:
            await ended.wait()
            return (await FakeChatModel([["late"]]).ainvoke("q")).text

        async def ask(text: str) -> str:
            tasks.append(asyncio.create_task(late()))
            return text

        events = [event async for event in RunnableLambda(ask).astream_events("q")]
        check(events)
        ended.set()
        return await tasks[0]

    assert asyncio.run(run()) == "late"


def test_a_thread_that_a_function_left_running_goes_on_untold() -> None:
    ended, said, threads = threading.Event(), [], []

    def late() -> None:
        ended.wait(20)
        said.append(FakeChatModel([["late"]]).invoke("q").text)

    def ask(text: str) -> str:
        threads.append(threading.Thread(target=contextvars.copy_context().run, args=(late,)))
        threads[0].start()
        return text

    check(list(RunnableLambda(ask).stream_events("q")))
    ended.set()
    threads[0].join()
    assert said == ["late"]


def test_a_partial_value_is_told(collect: Any) -> None:
    events, _ = collect(FakeChatModel([['{"a": "x', 'y"}']]) | JsonOutputParser(), "q")
    told = [event["data"]["chunk"] for event in events if event["event"] == "on_parser_stream"]
    assert told == [{"a": "x"}, {"a": "xy"}]


def test_usage_is_in_the_models_end(collect: Any) -> None:
    chunk = AIMessageChunk(
        "", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}, chunk_position="last"
    )
    events, _ = collect(FakeChatModel([["a", chunk]]), "q")
    assert events[-1]["data"]["output"].usage_metadata.total_tokens == 3


def test_outside_of_a_step_there_is_nothing_to_tell() -> None:
    with pytest.raises(RuntimeError, match="belongs to a step"):
        dispatch_custom_event("lost", 1)
