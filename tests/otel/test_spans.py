"""When spans begin and end, below what, and for which code they are the current one."""

import asyncio
import gc
import subprocess
import sys
import threading
from contextlib import aclosing
from typing import Any

import pytest
from opentelemetry import baggage
from opentelemetry import context as otel
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from millstream import (
    BaseChatModel,
    Cancelled,
    ChatPromptTemplate,
    MissingDependency,
    OpenTelemetryTracer,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    StrOutputParser,
    tool,
)
from millstream.testing import FakeChatModel
from tests.conftest import Colour
from tests.otel.conftest import Traces

CHAT = "chat FakeChatModel"


def model(*items: Any, **kwargs: Any) -> FakeChatModel:
    return FakeChatModel([items or ("ri", "ver")], **kwargs)


def current() -> str:
    """The name of the span that is current here."""
    return getattr(get_current_span(), "name", "none")


# --- parents ------------------------------------------------------------------------------------------


def test_a_chain_is_a_tree_of_spans(traces: Traces, colour: Colour) -> None:
    chain = ChatPromptTemplate.from_template("{x}") | model() | StrOutputParser()
    for run in (colour.invoke, colour.stream):
        run(chain, {"x": 1}, traces.config())
    assert traces.tree == {
        (None, "RunnableSequence"),
        ("RunnableSequence", "ChatPromptTemplate"),
        ("RunnableSequence", CHAT),
        ("RunnableSequence", "StrOutputParser"),
    }
    assert len(traces.spans) == 8
    assert len({span.context.trace_id for span in traces.spans if span.context}) == 2


def test_the_ids_are_those_of_the_events(traces: Traces) -> None:
    chain = RunnableLambda(str) | model()
    events = list(chain.stream_events(1, traces.config()))
    parents = {event["run_id"]: event["parent_ids"] for event in events}
    ids = {span.context.span_id: span.attributes["millstream.run.id"] for span in traces.spans}  # type: ignore[union-attr, index]
    assert len(ids) == 3
    for span in traces.spans:
        assert span.context is not None
        above = [] if span.parent is None else [ids[span.parent.span_id]]
        assert parents[str(ids[span.context.span_id])][-1:] == above


def test_branches(traces: Traces, colour: Colour) -> None:
    both = RunnableParallel(a=model() | StrOutputParser(), b=RunnableLambda(lambda x: model().invoke(x)))
    colour.stream(both, "x", traces.config())
    assert traces.tree == {
        (None, "RunnableParallel<a,b>"),
        ("RunnableParallel<a,b>", "RunnableSequence"),
        ("RunnableSequence", CHAT),
        ("RunnableSequence", "StrOutputParser"),
        ("RunnableParallel<a,b>", "RunnableLambda"),
        ("RunnableLambda", CHAT),
    }


def test_models_inside_functions_tools_and_threads(traces: Traces, colour: Colour) -> None:
    @tool
    def ask(question: str) -> str:
        """Ask."""
        return str(model().invoke(question).content)

    def outer(value: str, config: RunnableConfig) -> str:
        thread = threading.Thread(target=lambda: model().with_config(config).invoke(value))
        thread.start()
        thread.join()
        return str(ask.invoke({"question": value}))

    async def aouter(value: str, config: RunnableConfig) -> str:
        await asyncio.to_thread(model().invoke, value)
        return str(await ask.ainvoke({"question": value}))

    for function in (outer, aouter):
        colour.invoke(RunnableLambda(function), "x", traces.config())
        assert traces.tree >= {
            (None, function.__name__),
            (function.__name__, CHAT),
            (function.__name__, "execute_tool ask"),
            ("execute_tool ask", CHAT),
        }
    assert len(traces.spans) == 8


def test_fallbacks(traces: Traces, colour: Colour) -> None:
    chain = model(ValueError("x")).with_fallbacks([RunnableLambda(lambda x: "dry").with_config(run_name="b")])
    colour.stream(chain, "x", traces.config())
    assert traces.tree == {
        (None, "RunnableWithFallbacks"),
        ("RunnableWithFallbacks", CHAT),
        ("RunnableWithFallbacks", "b"),
    }
    assert traces.named(CHAT).status.status_code is StatusCode.ERROR
    assert traces.named("RunnableWithFallbacks").status.status_code is StatusCode.UNSET


def test_batches(traces: Traces, colour: Colour) -> None:
    with traces.own.start_as_current_span("caller"):
        colour.batch(model(), ["a", "b", "c"], traces.config())
    assert traces.tree == {(None, "caller"), ("caller", CHAT)}
    assert len(traces.spans) == 4


def test_the_callers_span_is_the_parent(traces: Traces, colour: Colour) -> None:
    chain = RunnableLambda(str) | model()
    with traces.own.start_as_current_span("caller"):
        colour.stream(chain, "x", traces.config())
        assert current() == "caller"
    assert traces.parent("RunnableSequence") == "caller"


def test_it_is_the_one_of_the_call_and_not_of_the_first_read(traces: Traces) -> None:
    with traces.own.start_as_current_span("caller"):
        stream = model().stream("x", traces.config())
    with traces.own.start_as_current_span("reader"):
        next(stream)
        assert current() == "reader"
    list(stream)
    assert traces.parent(CHAT) == "caller"


def test_so_it_is_for_events(traces: Traces) -> None:
    with traces.own.start_as_current_span("caller"):
        events = model().stream_events("x", traces.config())
    assert len(list(events)) > 3
    assert traces.parent(CHAT) == "caller"


def test_tasks_at_once_have_parents_of_their_own(traces: Traces) -> None:
    chain, config = RunnableLambda(str) | model(delay=0.001), traces.config()

    async def request(name: str) -> None:
        with traces.own.start_as_current_span(name):
            async for _ in chain.with_config(run_name=f"run {name}").astream("x", config):
                assert current() == name

    async def main() -> None:
        await asyncio.gather(*(request(name) for name in "abc"))

    asyncio.run(main())
    for name in "abc":
        assert traces.parent(f"run {name}") == name
    assert len(traces.spans) == 3 * 4


def test_one_tracer_in_many_threads(traces: Traces) -> None:
    config = traces.config()

    def request(name: str) -> None:
        with traces.own.start_as_current_span(name):
            list((RunnableLambda(str) | model()).with_config(run_name=f"run {name}").stream("x", config))

    threads = [threading.Thread(target=request, args=(str(index),)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(traces.parent(f"run {index}") == str(index) for index in range(8))
    assert len(traces.spans) == 8 * 4


def test_a_tracer_is_given_in_any_place_and_counts_once(traces: Traces, colour: Colour) -> None:
    callbacks = traces.config()["callbacks"]
    inner = model(callbacks=callbacks)
    colour.invoke(RunnableLambda(str) | inner, "x")
    assert traces.tree == {(None, CHAT)}
    chain = (RunnableLambda(str) | inner).with_config(callbacks=callbacks)
    colour.invoke(chain, "x", {"callbacks": callbacks})
    assert len(traces.spans) == 1 + 3


def test_two_tracers_do_not_mix(traces: Traces, colour: Colour) -> None:
    other = Traces()
    chain = RunnableLambda(lambda x: model().invoke(x)).with_config(run_name="f")
    colour.invoke(chain, "x", {"callbacks": [*traces.config()["callbacks"], *other.config()["callbacks"]]})
    assert traces.tree == other.tree == {(None, "f"), ("f", CHAT)}


def test_a_span_that_a_function_opens_stands_between(traces: Traces, colour: Colour) -> None:
    def work(value: Any) -> Any:
        with traces.own.start_as_current_span("mine"):
            return model().invoke(value)

    colour.invoke(RunnableLambda(work), "x", traces.config())
    assert traces.tree == {(None, "work"), ("work", "mine"), ("mine", CHAT)}


def test_what_is_not_sampled_stays_out_with_all_below_it(traces: Traces, colour: Colour) -> None:
    caller = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0)))
    token = otel.attach(set_span_in_context(caller))
    try:
        colour.stream(RunnableLambda(str) | model(), "x", traces.config())
    finally:
        otel.detach(token)
    assert traces.spans == []


def test_what_a_sampler_drops_makes_no_attributes(colour: Colour) -> None:
    off = Traces()
    off.provider.sampler = ALWAYS_OFF
    config = off.config(capture_content=True)
    seen: list[SpanContext] = []
    step = RunnableLambda(lambda x: seen.append(get_current_span().get_span_context()))
    colour.stream(model() | step, "x", config)
    assert off.spans == []
    assert seen[0].is_valid


# --- the current span ---------------------------------------------------------------------------------


def test_a_steps_own_code_finds_its_span(traces: Traces, colour: Colour) -> None:
    seen: dict[str, list[str]] = {}

    def note(name: str) -> None:
        seen.setdefault(name, []).append(current())

    def plain(value: Any) -> Any:
        note("plain")
        return value

    async def waits(value: Any) -> Any:
        note("waits")
        await asyncio.sleep(0)
        note("waits")
        return value

    def each(values: Any) -> Any:
        for value in values:
            note("each")
            yield value
        note("each")

    async def aeach(values: Any) -> Any:
        try:
            async for value in values:
                note("aeach")
                await asyncio.sleep(0)
                yield value
                note("aeach")
        finally:
            note("aeach")

    class Own(BaseChatModel):
        model = "own"

        def _stream(self, messages, **kwargs):
            for piece in ("ri", "ver"):
                note("chat own")
                yield piece

    steps = [
        RunnableLambda(plain),
        RunnableLambda(waits),
        Own(),
        RunnableGenerator(each),
        RunnableGenerator(aeach),
    ]
    chain = steps[0] | steps[1] | steps[2] | steps[3] | steps[4]
    with traces.own.start_as_current_span("caller"):
        colour.stream(chain, "x", traces.config())
        assert current() == "caller"
    assert set(seen) == {"plain", "waits", "chat own", "each", "aeach"}
    for name, spans in seen.items():
        assert set(spans) == {name}


def test_a_reader_never_finds_a_steps_span(traces: Traces) -> None:
    async def letters(values: Any) -> Any:
        async for value in values:
            yield value
            yield value

    chain = model() | RunnableGenerator(letters)

    async def main() -> None:
        async for _ in chain.astream("x", traces.config()):
            assert current() == "none"
        assert current() == "none"

    asyncio.run(main())
    for _ in chain.stream("x", traces.config()):
        assert current() == "none"


def test_baggage_of_the_caller_reaches_a_steps_code(traces: Traces, colour: Colour) -> None:
    step = RunnableLambda(lambda x: baggage.get_baggage("user"))
    token = otel.attach(baggage.set_baggage("user", "u1"))
    try:
        assert colour.invoke(step, "x", traces.config()) == "u1"
    finally:
        otel.detach(token)


# --- the end ------------------------------------------------------------------------------------------


def cancelled(traces: Traces) -> set[str]:
    """The spans that were cut short; none of them counts as an error."""
    assert all(span.status.status_code is StatusCode.UNSET for span in traces.spans)
    return {span.name for span in traces.spans if "millstream.cancelled" in (span.attributes or {})}


def chain_of(items: int = 20) -> Any:
    return ChatPromptTemplate.from_template("{x}") | model(*["piece"] * items) | StrOutputParser()


CUT = {"RunnableSequence", CHAT, "StrOutputParser"}


def test_a_break(traces: Traces) -> None:
    for number, _ in enumerate(chain_of().stream({"x": 1}, traces.config())):
        if number == 2:
            break
    assert cancelled(traces) == CUT
    said = traces.said(CHAT)
    assert (said["gen_ai.usage.output_tokens"], said["millstream.usage.estimated"]) == (4, True)
    assert "gen_ai.response.finish_reasons" not in said


def test_aclose(traces: Traces) -> None:
    async def main() -> None:
        async with aclosing(chain_of().astream({"x": 1}, traces.config())) as stream:
            await anext(stream)
        assert cancelled(traces) == CUT

    asyncio.run(main())


def test_a_break_in_async_for(traces: Traces) -> None:
    async def main() -> None:
        async for _ in chain_of().astream({"x": 1}, traces.config()):
            break

    asyncio.run(main())
    assert cancelled(traces) == CUT


def test_a_cancelled_task(traces: Traces) -> None:
    began = asyncio.Event()

    async def slow(value: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(RunnableLambda(slow).ainvoke(1, traces.config()))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cancelled(traces) == {"slow"}


def test_a_run_that_cancels_itself(traces: Traces, colour: Colour) -> None:
    def stops(value: Any) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        colour.invoke(RunnableLambda(stops), 1, traces.config())
    assert cancelled(traces) == {"stops"}


def test_a_failing_branch_ends_the_others(traces: Traces) -> None:
    waits = threading.Event()

    def fails(value: Any) -> None:
        waits.wait(10)
        raise ValueError("dam")

    class Endless(BaseChatModel):
        def _stream(self, messages, **kwargs):
            while True:
                waits.set()
                yield "x"

    with pytest.raises(ValueError):
        list(RunnableParallel(a=Endless(), b=RunnableLambda(fails)).stream("x", traces.config()))
    assert traces.said("chat Endless")["millstream.cancelled"] is True
    assert traces.named("fails").status.status_code is StatusCode.ERROR
    assert traces.named("RunnableParallel<a,b>").status.description == "dam"


def test_a_stream_that_is_forgotten(traces: Traces) -> None:
    stream = chain_of().stream({"x": 1}, traces.config())
    next(stream)
    del stream
    gc.collect()
    assert cancelled(traces) == CUT


def test_a_stream_that_never_began_has_no_span(traces: Traces) -> None:
    stream = chain_of().stream({"x": 1}, traces.config())
    del stream
    assert traces.spans == []


@pytest.mark.leaks
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python's own complaint
def test_a_loop_that_is_gone(traces: Traces) -> None:
    class Slow(BaseChatModel):
        async def _stream(self, messages, **kwargs):
            try:
                yield "x"
                yield "y"
            finally:
                await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    stream = (Slow() | StrOutputParser()).astream("x", traces.config())
    loop.run_until_complete(anext(stream))
    loop.close()
    del stream
    gc.collect()
    assert cancelled(traces) == {"RunnableSequence", "chat Slow", "StrOutputParser"}


def test_a_stream_that_a_function_leaves_behind(traces: Traces, colour: Colour) -> None:
    async def peeks(value: Any) -> str:
        async for piece in model(*["x"] * 9).astream(value):
            return str(piece.content)
        return ""

    colour.invoke(RunnableLambda(peeks), "x", traces.config())
    gc.collect()
    assert traces.tree == {(None, "peeks"), ("peeks", CHAT)}
    assert cancelled(traces) == {CHAT}


def test_nothing_is_kept_of_runs_that_are_over(traces: Traces) -> None:
    config = traces.config()
    [tracer] = config["callbacks"]
    before = {key: len(value) for key, value in vars(tracer._watcher).items() if hasattr(value, "__len__")}
    for _ in range(20):
        next(chain_of().stream({"x": 1}, config))
    assert {
        key: len(value) for key, value in vars(tracer._watcher).items() if hasattr(value, "__len__")
    } == before


# --- how a model is asked -----------------------------------------------------------------------------


def test_tracing_does_not_change_how_a_model_is_asked(traces: Traces, colour: Colour) -> None:
    class Both(BaseChatModel):
        def _stream(self, messages, **kwargs):
            yield "streamed"

        def _generate(self, messages, **kwargs):
            return "whole"

    assert colour.invoke(Both(), "x", traces.config()).content == "whole"
    assert "gen_ai.request.stream" not in traces.said("chat Both")


def test_only_the_first_item_is_shown_to_it(traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    config = traces.config()
    [tracer] = config["callbacks"]
    told: list[Any] = []
    streamed = type(tracer._watcher).streamed

    def counted(self: Any, scope: Any, item: Any) -> Any:
        told.append(item)
        return streamed(self, scope, item)

    monkeypatch.setattr(type(tracer._watcher), "streamed", counted)
    pieces = list((model(*"abcdef") | StrOutputParser()).stream("x", config))
    assert [piece for piece in pieces if piece] == list("abcdef")
    assert [item.content for item in told] == ["a"]
    list((model(*"abcdef") | StrOutputParser()).stream_events("x", config))
    assert len(told) == 2


# --- what is not installed ----------------------------------------------------------------------------


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_opentelemetry_the_error_names_the_extra() -> None:
    program = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "import millstream\n"
        "try:\n"
        "    millstream.OpenTelemetryTracer()\n"
        "except millstream.MissingDependency as error:\n"
        "    print(error.command)"
    )
    assert run(program) == "pip install 'millstream[otel]'"
    assert issubclass(MissingDependency, ImportError)


def test_with_the_api_alone_nothing_happens_and_nothing_breaks() -> None:
    program = (
        "import sys\n"
        "sys.modules['opentelemetry.sdk'] = None\n"
        "from millstream import OpenTelemetryTracer, RunnableLambda\n"
        "from millstream.testing import FakeChatModel\n"
        "chain = RunnableLambda(str) | FakeChatModel(['river'])\n"
        "config = {'callbacks': [OpenTelemetryTracer(capture_content=True)]}\n"
        "print(chain.invoke(1, config).content, ''.join(c.content for c in chain.stream(1, config)))"
    )
    assert run(program) == "river river"


def test_the_global_provider_may_be_set_after_the_tracer_is_made() -> None:
    program = (
        "from millstream import OpenTelemetryTracer, RunnableLambda\n"
        "config = {'callbacks': [OpenTelemetryTracer()]}\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "exporter = InMemorySpanExporter()\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))\n"
        "RunnableLambda(str).invoke(1, config)\n"
        "print([span.name for span in exporter.get_finished_spans()])"
    )
    assert run(program) == "['str']"


def test_a_wrong_place_says_so() -> None:
    with pytest.raises(TypeError):
        model().invoke("x", {"callbacks": OpenTelemetryTracer()})
