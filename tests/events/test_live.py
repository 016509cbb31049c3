"""Runs with projections: what they give, in every colour, and in all the ways they can be cut short."""

import asyncio
import concurrent.futures
import gc
import threading
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseChatModel,
    Cancelled,
    ChatPromptTemplate,
    ConfigError,
    CustomEvent,
    EventsMissed,
    HumanMessage,
    InputError,
    JsonOutputParser,
    ReasoningDelta,
    RunCancelled,
    RunDone,
    RunFailed,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunReset,
    RunStarted,
    RunTruncated,
    StepFinished,
    StepStarted,
    StreamTruncated,
    StrOutputParser,
    TextDelta,
    ToolCall,
    ToolCallChunk,
    ToolCallDelta,
    ToolCallReady,
    ToolCallStarted,
    ToolMessage,
    ToolOutputDelta,
    ToolResult,
    UsageMetadata,
    UsageReported,
    adispatch_custom_event,
    dispatch_custom_event,
    tool,
)
from millstream.kernel import sink, timeline
from millstream.kernel.drive import drive
from millstream.kernel.timeline import Timeline
from millstream.testing import FakeChatModel, FakeLLM
from tests.events.chains import Case
from tests.events.opened import WAYS, Way
from tests.events.typed import check, check_run, make_run

WAIT = 10.0


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


PROMPT = ChatPromptTemplate.from_template("Why do {things} bend?")


def chain(*answer: Any) -> Any:
    return PROMPT | FakeChatModel([list(answer) or ["Rivers ", "are ", "lazy."]]) | StrOutputParser()


# --- what has to hold for every run -----------------------------------------------------------------------


async def story(run: Any) -> tuple[list[Any], BaseException | None]:
    """All events, checked, and what was raised behind them."""
    events: list[Any] = []
    error = None
    try:
        async for event in run.each("events"):
            events.append(event)
    except Exception as raised:
        error = raised
    check(events)
    return events, error


# --- the projections --------------------------------------------------------------------------------------


def test_each_projection(way: Way) -> None:
    async def test() -> None:
        async with way.start(chain(), {"things": "rivers"}) as run:
            assert await run.all("text") == ["Rivers ", "are ", "lazy."]
            assert await run.answer() == "Rivers are lazy."
            events, error = await story(run)
            assert error is None
            assert [type(event) for event in events if not isinstance(event, TextDelta)] == [
                *(RunStarted, StepStarted, StepFinished, StepStarted, StepStarted),
                *(UsageReported, StepFinished, StepFinished, RunDone),
            ]
            (message,) = await run.all("messages")
            assert (type(message), message.content) == (AIMessage, "Rivers are lazy.")
            assert await run.all("tool_calls") == []
            usage = UsageMetadata(5, 4, estimated=True)
            assert (run.status, run.usage) == ("done", usage)
            assert (events[-1].output, events[-1].usage) == ("Rivers are lazy.", usage)
            assert (events[0].name, events[0].kind, events[0].input) == (
                "RunnableSequence",
                "chain",
                {"things": "rivers"},
            )

    way.run(test())


def test_the_text_of_a_model_is_told_apart_from_the_answer(way: Way) -> None:
    async def test() -> None:
        async with way.start(chain() | RunnableGenerator(shout), {"things": "rivers"}) as run:
            events, _ = await story(run)
            deltas = [event for event in events if type(event) is TextDelta]
            assert "".join(event.text for event in deltas if not event.is_answer) == "Rivers are lazy."
            assert "".join(event.text for event in deltas if event.is_answer) == "RIVERS ARE LAZY."
            assert await run.all("text") == ["RIVERS ", "ARE ", "LAZY."]

    way.run(test())


def shout(items: Any) -> Any:
    for item in items:
        yield item.upper()


@pytest.mark.parametrize(
    "model", [FakeChatModel([["ri", "ver"]]), FakeLLM([["ri", "ver"]])], ids=["chat", "llm"]
)
def test_a_model_alone(way: Way, model: Any) -> None:
    async def test() -> None:
        async with way.start(model, "Why?") as run:
            assert await run.all("text") == ["ri", "ver"]
            events, _ = await story(run)
            assert [event.text for event in events if type(event) is TextDelta] == ["ri", "ver"]
            assert [type(event) for event in events[-2:]] == [UsageReported, RunDone]
            output = await run.answer()
            assert output == "river" or (type(output), output.content) == (AIMessage, "river")

    way.run(test())


def test_an_answer_that_is_no_text(way: Way) -> None:
    async def test() -> None:
        model = FakeChatModel([['{"a": ', "1}"]]) | JsonOutputParser()
        async with way.start(model, "q") as run:
            assert await run.all("text") == []
            assert await run.answer() == {"a": 1}

    way.run(test())


def test_text_that_grows_is_told_as_what_came(way: Way) -> None:
    async def test() -> None:
        model = FakeChatModel([['{"name": "Lo', "ire", '", "x": 1}']])
        async with way.start(model | JsonOutputParser() | pick_name(), "q") as run:
            assert "".join(await run.all("text")) == await run.answer() == "Loire"

    way.run(test())


def pick_name() -> Any:
    from millstream import RunnablePick

    return RunnablePick("name")


@tool
def depth(river: str, at: int = 0) -> str:
    """How deep a river is."""
    return f"{river}: 3 m"


def _fragments(*texts: str, name: str = "depth", index: int = 0, id: str = "c1") -> list[AIMessageChunk]:
    first, *rest = texts
    chunks = [
        ToolCallChunk(name, first, id, index),
        *(ToolCallChunk(None, text, None, index) for text in rest),
    ]
    return [AIMessageChunk("", tool_call_chunks=[chunk]) for chunk in chunks]


def test_tool_calls_grow(way: Way) -> None:
    answer = [
        "Let me see.",
        *_fragments("", '{"riv', 'er": "Lo', 'ire", "at', '": 12', "}"),
        *_fragments('{"river": "Po"}', index=1, id="c2"),
    ]

    async def test() -> None:
        async with way.start(FakeChatModel([answer]), "q") as run:
            states = await run.all("tool_calls")
            first = [(state.args, state.is_complete) for state in states if state.index == 0]
            assert first == [
                ({}, False),
                ({"river": "Lo"}, False),
                ({"river": "Loire"}, False),
                ({"river": "Loire", "at": 12}, False),
                ({"river": "Loire", "at": 12}, True),
            ]
            assert [state.args for state in states if state.index == 1] == [{}, *[{"river": "Po"}] * 2]
            assert {(state.name, state.id) for state in states} == {("depth", "c1"), ("depth", "c2")}
            events, _ = await story(run)
            calls = [event for event in events if event.type.startswith("tool_call")]
            assert [type(event) for event in calls] == [
                *(ToolCallStarted, *[ToolCallDelta] * 5, ToolCallStarted, ToolCallDelta),
                *(ToolCallReady, ToolCallReady),
            ]
            assert calls[-2].args == {"river": "Loire", "at": 12}
            assert (await run.answer()).tool_calls[0] == ToolCall("depth", {"river": "Loire", "at": 12}, "c1")

    way.run(test())


def test_a_call_whose_name_comes_late_begins_with_it(way: Way) -> None:
    chunks = [ToolCallChunk(None, '{"riv', "c1", 0), ToolCallChunk("depth", 'er": "Po"}', None, 0)]
    answer = [AIMessageChunk("", tool_call_chunks=[chunk]) for chunk in chunks]

    async def test() -> None:
        async with way.start(FakeChatModel([answer]), "q") as run:
            events, _ = await story(run)
            calls = [event for event in events if event.type.startswith("tool_call")]
            assert [type(event) for event in calls] == [
                *(ToolCallStarted, ToolCallDelta, ToolCallDelta, ToolCallReady)
            ]
            assert [(event.args, event.piece) for event in calls[1:3]] == [('{"riv', 0), ('er": "Po"}', 1)]
            assert (await run.all("tool_calls"))[-1].args == {"river": "Po"}

    way.run(test())


def test_calls_that_cannot_be_read_say_so(way: Way) -> None:
    async def test() -> None:
        async with way.start(FakeChatModel([_fragments('{"river": ', "oops")]), "q") as run:
            last = (await run.all("tool_calls"))[-1]
            assert (last.is_complete, last.args) == (True, {})
            assert "no JSON object" in last.error

    way.run(test())


def test_whole_calls_of_a_model_that_does_not_stream(way: Way) -> None:
    class Model(BaseChatModel):
        def _generate(self, messages: Any, **kwargs: Any) -> Any:
            return AIMessage("", tool_calls=[ToolCall("depth", {"river": "Po"}, "c1")])

    async def test() -> None:
        async with way.start(RunnableLambda(Model(streaming=False).invoke), "q") as run:
            *_, last = await run.all("tool_calls")
            assert (last.name, last.args, last.is_complete) == ("depth", {"river": "Po"}, True)

    way.run(test())


def test_tools_tell_their_output_and_result(way: Way) -> None:
    @tool
    def measure(river: str):
        """Measures."""
        yield "2 m, "
        yield "3 m"
        return "between 2 and 3 m"

    async def test() -> None:
        call = ToolCall("measure", {"river": "Po"}, "c1")
        async with way.start(RunnableLambda(lambda _: measure.invoke(call)), "q") as run:
            events, _ = await story(run)
            assert [event.output for event in events if type(event) is ToolOutputDelta] == ["2 m, ", "3 m"]
            (result,) = [event for event in events if type(event) is ToolResult]
            assert (result.name, result.tool_call_id) == ("measure", "c1")
            (message,) = await run.all("messages")
            assert type(message) is ToolMessage
            assert message.content == result.output.content == "between 2 and 3 m"

    way.run(test())


@pytest.mark.parametrize("result", [2, {"a": 1}, [1], "text"])
def test_a_tools_result_is_told_once(way: Way, result: Any) -> None:
    @tool
    def measure(river: str):
        """Measures."""
        yield "piece"
        return result

    async def test() -> None:
        async with way.start(measure, {"river": "Po"}) as run:
            events, _ = await story(run)
            told = [event.output for event in events if type(event) in (ToolOutputDelta, ToolResult)]
            assert told == ["piece", result]
            assert await run.answer() == result

    way.run(test())


def test_reasoning_is_told_apart_from_text(way: Way) -> None:
    thought = AIMessageChunk("", additional_kwargs={"reasoning_content": "hm"})
    block = AIMessageChunk([{"type": "thinking", "thinking": " so"}])
    text = AIMessageChunk([{"type": "text", "text": "yes"}])

    async def test() -> None:
        whole = AIMessageChunk([*block.content, *text.content])
        for answer, reasoning in (([thought, "yes"], "hm"), ([block, text], " so"), ([whole], " so")):
            async with way.start(FakeChatModel([answer]), "q") as run:
                events, _ = await story(run)
                kinds = [type(event) for event in events if type(event) in (ReasoningDelta, TextDelta)]
                assert kinds == [ReasoningDelta, TextDelta]
                told = "".join(event.text for event in events if type(event) is ReasoningDelta)
                assert told == reasoning
                assert await run.all("text") == ["yes"]

    way.run(test())


def test_custom_events_and_retries_are_told(way: Way) -> None:
    tries: list[int] = []

    def shaky(text: str) -> str:
        dispatch_custom_event("try", {"n": len(tries)})
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("wet")
        return text

    async def test() -> None:
        step = RunnableLambda(shaky).with_retry(wait_exponential_jitter=False)
        async with way.start(step, "q") as run:
            events, _ = await story(run)
            assert [event.data for event in events if type(event) is CustomEvent] == [
                {"n": 0},
                {"n": 1},
                {"n": 2},
            ]
            resets = [event for event in events if type(event) is RunReset]
            assert [(event.attempt, str(event.error)) for event in resets] == [(1, "wet"), (2, "wet")]

    way.run(test())


def test_usage_is_the_sum_over_all_models(way: Way) -> None:
    def answer(*tokens: int) -> list[Any]:
        return [AIMessageChunk("x", usage_metadata=UsageMetadata(*tokens), chunk_position="last")]

    model = FakeChatModel([answer(1, 2), answer(10, 20)])
    both = RunnableParallel(a=model, b=RunnableLambda(lambda text: model.invoke(text).text))

    async def test() -> None:
        async with way.start(both, "q") as run:
            await run.answer()
            assert run.usage == UsageMetadata(11, 22)

    way.run(test())


def test_the_usage_of_a_stream_that_was_left_behind_is_counted(way: Way) -> None:
    async def function(text: str) -> str:
        async for piece in FakeChatModel([["a ", "b "]]).astream(text):
            return piece.text
        return ""

    async def test() -> None:
        async with way.start(RunnableLambda(function), "q") as run:
            assert await run.answer() == "a "
            for _ in range(20):  # turns of the loop, which closes the stream
                await asyncio.sleep(0) if way.is_async else None
        assert run.usage == UsageMetadata(1, 1, estimated=True)

    way.run(test())


# --- live -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def", "thread"])
def test_what_happens_inside_a_function_is_told_while_it_runs(way: Way, kind: str) -> None:
    told = threading.Event()
    seen_in_time: list[bool] = []

    def gate(_: Any) -> str:
        seen_in_time.append(told.wait(WAIT))
        return ""

    async def agate(_: Any) -> str:
        while not told.is_set():
            await asyncio.sleep(0.001)
        seen_in_time.append(True)
        return ""

    model = FakeChatModel([["first ", "second"]])

    def function(text: str) -> str:
        return model.invoke(text).text + RunnableLambda(gate).invoke("")

    async def afunction(text: str) -> str:
        return (await model.ainvoke(text)).text + await RunnableLambda(agate).ainvoke("")

    def threaded(text: str) -> str:
        both = RunnableParallel(a=lambda _: model.invoke(text).text, b=lambda _: gate(text))
        return both.invoke(text)["a"]

    async def test() -> None:
        step = RunnableLambda({"def": function, "async def": afunction, "thread": threaded}[kind])
        async with way.start(step, "q") as run:
            async for event in run.each("events"):
                if type(event) is TextDelta and event.text == "second":
                    told.set()
        assert seen_in_time == [True]

    way.run(test())


def test_a_run_inside_a_run_belongs_to_both(way: Way) -> None:
    inner_texts: list[str] = []

    async def function(text: str) -> str:
        async with chain().astart({"things": text}) as run:
            async for piece in run.text:
                inner_texts.append(piece)
            return await run.output

    async def test() -> None:
        async with way.start(RunnableLambda(function), "rivers") as run:
            events, _ = await story(run)
            assert await run.answer() == "Rivers are lazy."
            names = [event.name for event in events if type(event) is StepStarted]
            assert names[0] == "RunnableSequence"
            assert "FakeChatModel" in names

    way.run(test())
    assert inner_texts == ["Rivers ", "are ", "lazy."]


@pytest.mark.parametrize("around", ["mine", "another"])
def test_runs_inside_may_be_given_an_id_that_is_taken(way: Way, around: str) -> None:
    model = FakeChatModel([["lazy ", "rivers"]], delay=0.001) | StrOutputParser()

    async def read(text: str) -> str:
        async with model.astart(text, {"run_id": "mine"}) as run:
            events = [event async for event in run.events]
            check(events)
            assert {StepStarted, TextDelta} <= {type(event) for event in events}
            return await run.output

    async def function(text: str) -> list[str]:
        return await asyncio.gather(read(text), read(text))

    async def test() -> None:
        async with way.start(RunnableLambda(function), "rivers", {"run_id": around}) as run:
            events, _ = await story(run)
            assert (run.run_id, events[0].run_id) == (around, around)
            assert await run.answer() == ["lazy rivers"] * 2

    way.run(test())


# --- many readers -----------------------------------------------------------------------------------------


def test_several_readers_each_see_everything(way: Way) -> None:
    async def test() -> None:
        async with way.start(chain(), {"things": "rivers"}) as run:
            if way.is_async:
                first, second, third = await asyncio.gather(
                    run.all("text"), run.all("text"), run.all("events")
                )
            else:
                found: dict[int, Any] = {}

                def read(number: int, name: str) -> None:
                    found[number] = list(getattr(run.run, name))

                readers = [
                    threading.Thread(target=read, args=(number, name))
                    for number, name in enumerate(["text", "text", "events"])
                ]
                for reader in readers:
                    reader.start()
                for reader in readers:
                    reader.join(WAIT)
                first, second, third = found[0], found[1], found[2]
            assert first == second == ["Rivers ", "are ", "lazy."]
            check(third)

    way.run(test())


def test_what_comes_between_two_looks_of_a_reader_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, ended = threading.Event(), threading.Event()
    at, finish = Timeline.at, Timeline.finish

    def slow_at(line: Timeline, position: int) -> tuple[Any, int]:
        found = at(line, position)
        if found == (None, 0) and not looked.is_set():
            looked.set()
            assert ended.wait(WAIT)
        return found

    def told_finish(line: Timeline) -> None:
        finish(line)
        ended.set()

    def answer(text: str) -> str:
        assert looked.wait(WAIT)
        return text

    monkeypatch.setattr(Timeline, "at", slow_at)
    monkeypatch.setattr(Timeline, "finish", told_finish)
    with RunnableLambda(answer).start("q") as run:
        check(list(run.events))


@pytest.mark.parametrize("where", ["_take", "_waiter"])
@pytest.mark.parametrize("kind", ["typed", "dicts"])
def test_the_garbage_collector_may_close_a_stream_at_any_time(
    monkeypatch: pytest.MonkeyPatch, where: str, kind: str
) -> None:
    events: list[Any] = []
    dropped, collected = threading.Event(), threading.Event()
    owner = {
        ("_take", "typed"): Timeline,
        ("_take", "dicts"): sink.Sink,
        ("_waiter", "typed"): timeline,
        ("_waiter", "dicts"): sink,
    }[where, kind]
    original = getattr(owner, where)

    def collecting(*args: Any) -> Any:
        if dropped.is_set() and not collected.is_set():
            gc.collect()
            collected.set()
        return original(*args)

    def function(text: str) -> str:
        stream = FakeChatModel([["a", "b"]]).stream(text)
        next(stream)
        circle: list[Any] = [stream]
        circle.append(circle)
        del stream, circle
        dropped.set()
        dispatch_custom_event("dropped", text)
        if where == "_waiter":
            assert collected.wait(WAIT)
        return text

    def read() -> None:
        step = RunnableLambda(function)
        if kind == "typed":
            with step.start("q") as run:
                events.extend(run.events)
        else:
            events.extend(step.stream_events("q"))

    monkeypatch.setattr(owner, where, collecting)
    gc.disable()
    try:
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(WAIT)
    finally:
        gc.enable()
    assert not reader.is_alive()
    if kind == "typed":
        check(events)
    else:
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert [event["event"] for event in events].count("on_chat_model_error") == 1


class Counting(BaseChatModel):
    """Counts what was asked of it, and notes that it was closed."""

    def __init__(self, count: int = 10_000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count
        self.made = 0
        self.closed = threading.Event()

    def _stream(self, messages: Any, **kwargs: Any) -> Any:
        try:
            for number in range(self.count):
                self.made = number + 1
                yield f"{number} "
        finally:
            self.closed.set()


class AsyncCounting(Counting):
    async def _stream(self, messages: Any, **kwargs: Any) -> Any:
        try:
            for number in range(self.count):
                self.made = number + 1
                yield f"{number} "
        finally:
            self.closed.set()


def test_a_laggard_gets_a_typed_gap_and_the_whole_text(way: Way) -> None:
    async def test() -> None:
        model = Counting(1000)
        async with way.start(model, "q", buffer=16) as run:
            slow, slow_text, fast = run.each("events"), run.each("text"), run.each("events")
            all_events = [await anext(fast)]
            assert type(await anext(slow)) is RunStarted
            assert await anext(slow_text) == "0 "
            all_events += [event async for event in fast]
            check(all_events)
            gap = await anext(slow)
            assert type(gap) is EventsMissed
            rest = [event async for event in slow]
            assert (gap.run_id, gap.seq, gap.missed) == (run.run_id, 1 + gap.missed, len(all_events) - 17)
            assert rest == all_events[-16:]
            text = "0 " + "".join([piece async for piece in slow_text])
            assert text == "".join(f"{number} " for number in range(1000))

    way.run(test())


@pytest.mark.parametrize("kind", [Counting, AsyncCounting])
@pytest.mark.parametrize("buffer", [1, 8])
def test_a_reader_that_stops_stops_the_model(way: Way, kind: Any, buffer: int) -> None:
    model = kind()

    async def test() -> None:
        async with way.start(model, "q", buffer=buffer) as run:
            events = run.each("events")
            for _ in range(20):
                await anext(events)
            before = -1
            while before != model.made:  # until it stands still
                before = model.made
                for _ in range(20):
                    await asyncio.sleep(0.001) if way.is_async else time.sleep(0.001)
            # 20 events hold 19 tokens. A plain generator in a thread has its own read-ahead under asyncio.
            ahead = 65 if way.is_async and kind is Counting else 1
            assert model.made <= 19 + buffer + ahead
            await events.aclose()

    way.run(test())
    assert model.closed.is_set()
    assert model.made < 200


def test_whoever_waits_for_the_output_alone_needs_no_reader(way: Way) -> None:
    async def test() -> None:
        async with way.start(Counting(5000), "q", buffer=4) as run:
            assert len((await run.answer()).text.split()) == 5000
            first = await anext(run.each("events"))
            assert type(first) is EventsMissed
        async with way.start(Counting(50), "q", buffer=4) as run:
            assert len(await run.all("text")) == 50

    way.run(test())


def test_the_events_of_a_sync_verb_in_an_async_function_are_counted() -> None:
    async def function(text: str) -> str:
        return Counting(100).invoke(text).text  # it holds up the loop of the reader

    async def test() -> None:
        async with RunnableLambda(function).astart("q", buffer=8) as run:
            events = [event async for event in run.events]
            check(events)
            assert run.overflow > 50

    asyncio.run(test())


def test_memory_does_not_grow_with_the_events() -> None:
    def run(count: int) -> int:
        def items(_: Any) -> Any:
            for number in range(count):
                yield {"a": None} if number % 2 else {"b": None}

        gc.collect()
        tracemalloc.start()
        with RunnableGenerator(items).start("q") as run:
            for _ in run.events:
                pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    run(100)
    # What is kept of an item is its reference in the gathered output.
    assert run(20_000) - run(200) < 20_000 * 500


# --- cut short --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Counting, AsyncCounting])
def test_leaving_the_block_ends_the_run_and_closes_everything(way: Way, kind: Any) -> None:
    model = kind()

    async def test() -> None:
        async with way.start(PROMPT | model | StrOutputParser(), {"things": "rivers"}) as run:
            async for _ in run.each("text"):
                break
            assert run.status == "running"
        assert run.status == "cancelled"
        assert model.closed.is_set()
        assert run.usage.estimated
        assert run.usage.output_tokens > 0
        # What was told can be read afterwards.
        left = []
        with pytest.raises(Cancelled):
            async for event in run.each("events"):
                left.append(event)
        assert type(left[-1]) is RunCancelled

    way.run(test())


def test_an_error_in_the_block_ends_the_run_and_is_raised(way: Way) -> None:
    model = Counting()

    async def test() -> None:
        with pytest.raises(KeyError, match="mine"):
            async with way.start(model, "q") as run:
                await anext(run.each("text"))
                raise KeyError("mine")
        assert model.closed.is_set()

    way.run(test())


class Silent(BaseChatModel):
    """Says one word, and then nothing."""

    closed = False

    async def _stream(self, messages: Any, **kwargs: Any) -> Any:
        try:
            yield "word"
            await asyncio.sleep(3600)
        finally:
            type(self).closed = True


def test_cancel_reaches_a_model_that_is_silent(way: Way) -> None:
    async def test() -> None:
        Silent.closed = False
        async with way.start(Silent() | StrOutputParser(), "q") as run:
            threading.Timer(0.05, run.cancel).start()
            texts = []
            with pytest.raises(Cancelled):
                async for text in run.each("text"):
                    texts.append(text)
            assert texts == ["word"]
            assert run.status == "cancelled"
            assert Silent.closed
            events, _ = await story(run)
            assert type(events[-1]) is RunCancelled
            assert events[-1].usage == run.usage
            assert (run.usage.estimated, run.usage.output_tokens) == (True, 1)
            with pytest.raises(Cancelled):
                await run.answer()

    way.run(test())


def test_an_error_that_is_no_exception_is_raised_as_it_is(way: Way) -> None:
    class Torn(BaseException):
        pass

    def tear(_: Any) -> str:
        raise Torn

    async def test() -> None:
        async with way.start(RunnableLambda(tear), "q") as run:
            with pytest.raises(Torn):
                await run.all("text")
            assert run.status == "error"

    way.run(test())


def test_cancel_with_a_reason_of_ones_own(way: Way) -> None:
    async def test() -> None:
        async with way.start(Counting(), "q", buffer=4) as run:
            reading = run.each("text")
            await anext(reading)
            run.cancel(TimeoutError("too slow"))
            with pytest.raises(TimeoutError, match="too slow"):
                async for _ in reading:
                    pass
            assert run.status == "error"

    way.run(test())


def test_a_run_that_was_cancelled_before_it_began_does_nothing(way: Way) -> None:
    ran: list[str] = []

    async def test() -> None:
        run = way.start(RunnableLambda(ran.append), "q")
        run.cancel()
        async with run:
            events, error = await story(run)
            assert [type(event) for event in events] == [RunStarted, RunCancelled]
            assert isinstance(error, Cancelled)
        assert not ran

    way.run(test())


def test_nothing_is_told_behind_the_end_if_ctrl_c_did_not_wait_for_it() -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(text: str) -> str:
        begun.set()
        assert go.wait(WAIT)
        return text

    class Interrupted:
        def stop(self) -> None:
            pass

        async def join(self) -> None:
            raise KeyboardInterrupt

    run = (RunnableLambda(slow) | str.upper).start("q")
    with pytest.raises(KeyboardInterrupt), run:
        assert begun.wait(WAIT)
        worker, run._worker = run._worker, Interrupted()
    assert run.status == "cancelled"
    go.set()
    assert worker is not None
    drive(worker.join())
    events = []
    with pytest.raises(Cancelled, match="left"):
        for event in run.events:
            events.append(event)
    assert type(events[-1]) is RunCancelled


def test_an_error_of_a_thread_pool_is_no_cancel_of_the_run(way: Way) -> None:
    def function(_: str) -> str:
        raise concurrent.futures.CancelledError("a job's")

    async def test() -> None:
        async with way.start(RunnableLambda(function), "q") as run:
            with pytest.raises(concurrent.futures.CancelledError, match="a job's"):
                await run.answer()
            assert run.status == "error"

    way.run(test())


def test_a_keyboard_interrupt_that_nobody_was_told_of_is_raised_at_the_end(way: Way) -> None:
    def function(_: str) -> str:
        raise KeyboardInterrupt

    async def test() -> None:
        with pytest.raises(KeyboardInterrupt):
            async with way.start(RunnableLambda(function), "q") as run:
                while run.status == "running":
                    await asyncio.sleep(0.001) if way.is_async else time.sleep(0.001)
        assert run.status == "cancelled"

    way.run(test())


def test_an_error_comes_behind_what_was_said(way: Way) -> None:
    async def test() -> None:
        async with way.start(chain("a", "b", ValueError("dam")), {"things": "rivers"}) as run:
            texts = []
            with pytest.raises(ValueError, match="dam"):
                async for text in run.each("text"):
                    texts.append(text)
            assert texts == ["a", "b"]
            events, error = await story(run)
            assert type(events[-1]) is RunFailed
            assert events[-1].error is error
            assert run.status == "error"
            failed = [event for event in events if type(event) is StepFinished and event.error]
            assert [event.name for event in failed] == ["FakeChatModel", "StrOutputParser"]
            assert run.usage.estimated

    way.run(test())


def test_an_error_that_nobody_was_told_of_is_raised_at_the_end(way: Way) -> None:
    async def left() -> None:
        async with way.start(chain(ValueError("dam")), {"things": "rivers"}) as run:
            while run.status == "running":
                await asyncio.sleep(0.001) if way.is_async else time.sleep(0.001)

    async def told() -> None:
        async with way.start(chain(ValueError("dam")), {"things": "rivers"}) as run:
            with pytest.raises(ValueError, match="dam"):
                await run.answer()

    with pytest.raises(ValueError, match="dam"):
        way.run(left())
    way.run(told())


def test_a_truncated_stream_is_told_as_one(way: Way) -> None:
    async def test() -> None:
        async with way.start(chain("a", StreamTruncated("cut")), {"things": "rivers"}) as run:
            events, error = await story(run)
            assert (type(events[-1]), run.status) == (RunTruncated, "truncated")
            assert isinstance(error, StreamTruncated)
            assert error.retryable

    way.run(test())


def test_a_run_that_is_left_at_once(way: Way) -> None:
    async def test() -> None:
        async with way.start(Counting(10), "q") as run:
            pass
        events, _ = await story(run)
        assert type(events[-1]) in (RunCancelled, RunDone)  # a thread may have been quick

    way.run(test())


def test_a_cancelled_task_ends_its_run() -> None:
    model = AsyncCounting()

    async def reader() -> None:
        async with model.astart("q", buffer=4) as run:
            await anext(run.text)
            await asyncio.sleep(3600)

    async def test() -> None:
        task = asyncio.create_task(reader())
        while not model.made:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.closed.is_set()

    asyncio.run(test())


def test_a_reader_that_is_cancelled_leaves_the_run_alone() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def wait(text: str) -> str:
            await go.wait()
            return "done"

        async with RunnableLambda(wait).astart("q") as run:

            async def read() -> list[str]:
                return [text async for text in run.text]

            task = asyncio.create_task(read())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            go.set()
            assert await run.output == "done"

    asyncio.run(test())


@given(case=st.randoms(use_true_random=False).map(make_run))
@settings(max_examples=150, deadline=None)
def test_the_contract_holds(case: Case) -> None:
    check_run(case)


# --- bad input --------------------------------------------------------------------------------------------


def test_a_run_is_read_in_its_block(way: Way) -> None:
    async def test() -> None:
        run = way.start(chain(), {"things": "rivers"})
        assert run.status == "pending"
        assert run.usage == UsageMetadata()
        with pytest.raises(InputError, match="in a block"):
            await run.all("text")
        async with run:
            assert await run.answer() == "Rivers are lazy."
        with pytest.raises(InputError, match="started already"):
            async with run:
                pass

    way.run(test())


@pytest.mark.parametrize("buffer", [0, -1, "x", 1.5, True])
def test_a_bad_buffer(buffer: Any) -> None:
    with pytest.raises(ConfigError, match="buffer is a whole number"):
        chain().start({"things": "x"}, buffer=buffer)


@pytest.mark.parametrize("reason", ["too slow", ValueError])
def test_a_bad_reason_to_cancel(reason: Any) -> None:
    with pytest.raises(InputError, match="is an exception"):
        chain().start({"things": "x"}).cancel(reason)


def test_a_step_that_refuses_its_input(way: Way) -> None:
    async def test() -> None:
        with pytest.raises(KeyError, match="things"):
            async with way.start(chain(), {}) as run:
                await run.all("text")
        assert run.status == "error"

    way.run(test())


def test_async_custom_events(way: Way) -> None:
    async def function(text: str) -> str:
        await adispatch_custom_event("mine", [HumanMessage(text)])
        return text

    async def test() -> None:
        async with way.start(RunnableLambda(function), "q") as run:
            events, _ = await story(run)
            assert [event.data for event in events if type(event) is CustomEvent] == [[HumanMessage("q")]]

    way.run(test())
