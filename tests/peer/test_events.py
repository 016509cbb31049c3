"""Event streams beside langchain-core's: which events, of which runs, in which order, with which data."""

import asyncio
import operator
import re
from typing import Any

import pytest

from tests.peer.libraries import OURS, PEER, Library
from tests.peer.normal import Plain

# How the keys begin under which langchain-core's models tell of themselves.
_OF_THE_PEER = ("ls_", "lc_")


def prompt(lib: Library) -> Any:
    return lib.ChatPromptTemplate.from_template("hi {x}")


def model(lib: Library) -> Any:
    return lib.chat(["a", " ", "b"])


def shout(text: Any) -> Any:
    return getattr(text, "content", text).upper()


async def ashout(text: Any) -> Any:
    return shout(text)


def broken(_: Any) -> Any:
    raise ValueError("no")


async def agrow(items: Any) -> Any:
    async for item in items:
        yield item + "!"


async def anothing(_: Any) -> Any:
    for piece in ():
        yield piece


def asks(lib: Library) -> Any:
    inner = model(lib)
    return lib.RunnableLambda(lambda text: inner.invoke(text).content)


def streams(lib: Library) -> Any:
    inner = prompt(lib) | model(lib) | lib.StrOutputParser()

    async def ask(text: Any) -> str:
        return "".join([piece async for piece in inner.astream({"x": text})])

    return lib.RunnableLambda(ask)


def batches(lib: Library) -> Any:
    double = lib.RunnableLambda(lambda number: number * 2).with_config(max_concurrency=1)
    return lib.RunnableLambda(lambda number: double.batch([number, number + 1], {"max_concurrency": 1}))


def hands_on(lib: Library) -> Any:
    return lib.RunnableLambda(lambda _: prompt(lib) | model(lib))


def decorated(lib: Library) -> Any:
    inner = model(lib)

    @lib.chain
    async def custom(text: str) -> str:
        return (await inner.ainvoke(text)).content

    return custom


CASES: dict[str, tuple[Any, Any]] = {
    "a chain": (lambda lib: prompt(lib) | model(lib) | lib.StrOutputParser(), {"x": 1}),
    "a prompt": (prompt, {"x": 1}),
    "a model": (model, "hello"),
    "a model behind a prompt": (lambda lib: prompt(lib) | model(lib), {"x": 1}),
    "a plain function": (lambda lib: lib.RunnableLambda(shout), "a"),
    "an async function": (lambda lib: lib.RunnableLambda(ashout), "a"),
    "a function behind": (lambda lib: model(lib) | lib.StrOutputParser() | shout, "q"),
    "functions in a row": (lambda lib: lib.RunnableLambda(shout) | ashout | shout, "a"),
    "a generator behind": (lambda lib: model(lib) | lib.StrOutputParser() | agrow, "q"),
    "a generator before": (lambda lib: lib.RunnableGenerator(agrow) | shout, "q"),
    "a generator of nothing": (lambda lib: lib.RunnableGenerator(anothing), "q"),
    "a model inside a function": (asks, "q"),
    "a chain inside an async function": (streams, "q"),
    "a batch inside a function": (batches, 1),
    "a function that returns a chain": (hands_on, {"x": 1}),
    "a decorated function": (decorated, "q"),
    "json": (lambda lib: lib.chat(['{"a": ', "[1", "2]}"]) | lib.JsonOutputParser(), "q"),
    "json, a function behind": (
        lambda lib: lib.chat(['{"a": ', "[1", "2]}"]) | lib.JsonOutputParser() | operator.itemgetter("a"),
        "q",
    ),
    "a list": (lambda lib: lib.chat(["a, ", "b, c"]) | lib.CommaSeparatedListOutputParser(), "q"),
    "passing on": (lambda lib: lib.RunnablePassthrough() | shout, "a"),
    "assigning": (lambda lib: lib.RunnablePassthrough.assign(y=lambda given: given["x"] + 1), {"x": 1}),
    "one branch": (lambda lib: lib.RunnableParallel(a=prompt(lib) | model(lib)), {"x": 1}),
    "choosing": (
        lambda lib: lib.RunnableBranch((lambda text: text == "a", shout), ashout),
        "a",
    ),
    "choosing the default": (
        lambda lib: lib.RunnableBranch((lambda text: text == "b", shout), prompt(lib) | model(lib)),
        {"x": 1},
    ),
    "a fallback that is not needed": (
        lambda lib: lib.RunnableLambda(shout).with_fallbacks([lib.RunnableLambda(ashout)]),
        "a",
    ),
    "names, tags and metadata": (
        lambda lib: (
            prompt(lib).with_config(run_name="P", tags=["t1"], metadata={"m": 1})
            | model(lib).with_config({"tags": ["t2"]})
            | lib.StrOutputParser().with_config(run_name="S")
        ).with_config(run_name="all", tags=["t3"], metadata={"n": 2}),
        {"x": 1},
    ),
    "bound keywords": (lambda lib: model(lib).bind(stop=["x"]) | lib.StrOutputParser(), "q"),
    "a nested chain": (
        lambda lib: (
            lib.RunnableLambda(shout) | (lib.RunnableLambda(ashout) | shout).with_config(run_name="in")
        ),
        "a",
    ),
}


async def _collect(
    step: Any, input: Any, version: str = "v2", **kwargs: Any
) -> tuple[list[dict[str, Any]], BaseException | None]:
    events = []
    try:
        async for event in step.astream_events(input, version=version, **kwargs):
            events.append(event)
    except Exception as error:
        return events, error
    return events, None


def story(lib: Library, build: Any, input: Any, sync: bool = False, **kwargs: Any) -> list[tuple[Any, ...]]:
    """The events, with runs numbered as they appear."""
    step = build(lib)
    if sync:
        events = list(step.stream_events(input, **kwargs))
    else:
        events, error = asyncio.run(_collect(step, input, **kwargs))
        assert error is None
    plain, runs = Plain(), {}
    return [_told(event, plain, runs) for event in events]


def _told(event: dict[str, Any], plain: Plain, runs: dict[str, int]) -> tuple[Any, ...]:
    number = runs.setdefault(event["run_id"], len(runs))
    metadata = {key: value for key, value in event["metadata"].items() if not key.startswith(_OF_THE_PEER)}
    parents = [runs.get(parent) for parent in event["parent_ids"]]
    data = plain(event["data"])
    if event["event"] == "on_chat_model_end":
        # Where the last chunk is a chunk of its own, theirs leaves it out (`events-whole-answers`).
        output = data["output"]
        message = output["generations"][0][0]["message"] if "generations" in output else output
        message.pop("chunk_position", None)
    # The order of tags is another one where they were merged (`tag-order`).
    return event["event"], event["name"], number, parents, sorted(event["tags"]), metadata, data


def by_run(told: list[tuple[Any, ...]]) -> list[Any]:
    """The events of each run: its first, its last, and its pieces in any order. What came first is chance."""
    runs: dict[int, list[Any]] = {}
    for event, name, number, _, tags, metadata, data in told:
        runs.setdefault(number, []).append((event, name, tags, metadata, _nameless(data)))
    return [(events[0], sorted(events[1:-1], key=repr), events[-1]) for events in runs.values()]


def _nameless(value: Any) -> Any:
    """The value, with runs that are not numbered in the order of their appearance."""
    if isinstance(value, dict):
        return {key: _nameless(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nameless(item) for item in value]
    return "run" if isinstance(value, str) and re.fullmatch(r"run \d+", value) else value


def same(ours: list[Any], peers: list[Any]) -> bool:
    """Whether both have the same elements, in any order."""
    left = list(peers)
    for one in ours:
        if one not in left:
            return False
        left.remove(one)
    return not left


# Runs at once: each run's own events are compared.
AT_ONCE: dict[str, tuple[Any, Any]] = {
    "picking": (
        lambda lib: lib.RunnablePassthrough.assign(y=lambda given: given["x"] + 1).pick("y"),
        {"x": 1},
    ),
    "two branches": (
        lambda lib: lib.RunnableParallel(a=prompt(lib) | model(lib), b=lambda given: given["x"]),
        {"x": 1},
    ),
    "two models": (
        lambda lib: prompt(lib) | {"a": model(lib), "b": model(lib) | lib.StrOutputParser()},
        {"x": 1},
    ),
    "branches in branches": (
        lambda lib: lib.RunnableParallel(
            a=lib.RunnableParallel(c=lib.RunnableLambda(shout), d=ashout), b=model(lib)
        ),
        "x",
    ),
    "branches over a stream": (
        lambda lib: model(lib) | lib.StrOutputParser() | {"a": agrow, "b": lib.RunnableLambda(shout)},
        "q",
    ),
}


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("name", AT_ONCE)
def test_events_of_runs_at_once(name: str, sync: bool) -> None:
    build, input = AT_ONCE[name]
    ours, peers = story(OURS, build, input, sync), story(PEER, build, input)
    assert same(by_run(ours), by_run(peers))
    # Each run lies inside those around it.
    for number, parents in {(event[2], tuple(event[3])) for event in ours}:
        inside = [place for place, event in enumerate(ours) if event[2] == number]
        for parent in parents:
            around = [place for place, event in enumerate(ours) if event[2] == parent]
            assert around[0] < inside[0] <= inside[-1] < around[-1]


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("name", CASES)
def test_events(name: str, sync: bool) -> None:
    build, input = CASES[name]
    assert story(OURS, build, input, sync) == story(PEER, build, input)


FILTERS = [
    {"include_names": ["model"]},
    {"include_names": ["all", "S"]},
    {"include_types": ["chat_model"]},
    {"include_types": ["prompt", "parser"]},
    {"include_tags": ["t2"]},
    {"include_tags": ["t3"]},
    {"include_names": ["P"], "include_types": ["parser"]},
    {"exclude_names": ["model"]},
    {"exclude_types": ["chain", "parser"]},
    {"exclude_tags": ["t1"]},
    {"include_types": ["chat_model", "prompt"], "exclude_tags": ["t1"]},
    {"include_names": ["nobody"]},
]


@pytest.mark.differs("events-input-of-the-run")
@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_filters(chosen: dict[str, Any]) -> None:
    build, input = CASES["names, tags and metadata"]
    ours, peer = (story(lib, build, input, **chosen) for lib in (OURS, PEER))
    # The peer puts the run's input into its first event, whichever that is.
    if peer:
        peer[0] = (*peer[0][:-1], {**peer[0][-1], "input": ours[0][-1].get("input")})
    assert [event[:-1] for event in ours] == [event[:-1] for event in peer]
    assert story(OURS, build, input, sync=True, **chosen) == ours


def failing(lib: Library) -> Any:
    return prompt(lib) | lib.chat(["a", ValueError("no"), "b"]) | lib.StrOutputParser() | shout


@pytest.mark.parametrize(
    "build",
    [
        failing,
        lambda lib: prompt(lib) | broken,
        lambda lib: lib.RunnableLambda(broken),
        lambda lib: lib.RunnableLambda(broken) | shout,
        lambda lib: lib.RunnableLambda(lambda given: failing(lib).invoke(given)),
    ],
)
@pytest.mark.differs("events-errors")
def test_errors_are_told_before_they_are_raised(build: Any) -> None:
    """langchain-core leaves the runs that failed without an end."""
    ours, error = asyncio.run(_collect(build(OURS), {"x": 1}))
    assert isinstance(error, ValueError)
    peer, peer_error = asyncio.run(_collect(build(PEER), {"x": 1}))
    assert isinstance(peer_error, ValueError)
    failed = [event for event in ours if event["event"].endswith("_error")]
    assert all(event["data"]["error"] is error for event in failed)
    assert ours[-1]["event"].endswith("_error")
    assert ours[-1]["parent_ids"] == []
    plain, runs = Plain(), {}
    others = [_told(event, plain, runs) for event in ours if event not in failed]
    plain, runs = Plain(), {}
    assert others == [_told(event, plain, runs) for event in peer]
    with pytest.raises(ValueError, match="no"):
        list(build(OURS).stream_events({"x": 1}))


@pytest.mark.filterwarnings("ignore:astream_events version='v1' is deprecated")
@pytest.mark.parametrize("name", CASES)
def test_the_first_version(name: str) -> None:
    build, input = CASES[name]
    ours, peer = (story(lib, build, input, version="v1") for lib in (OURS, PEER))
    assert ours == peer
    assert story(OURS, build, input, sync=True, version="v1") == ours


def tells(lib: Library) -> Any:
    if lib is OURS:
        from millstream import adispatch_custom_event, dispatch_custom_event
    else:
        from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event

    def plain(text: str) -> str:
        dispatch_custom_event("mine", {"text": text})
        dispatch_custom_event("other", {"text": text})
        return text

    async def asynchronous(text: str, config: Any) -> str:
        await adispatch_custom_event("mine", {"n": 1}, config=config)
        return text

    return lib.RunnableLambda(plain).with_config(tags=["t"], metadata={"m": 1}) | asynchronous


@pytest.mark.parametrize(
    "chosen", [{}, {"include_names": ["mine"]}, {"include_types": ["mine"]}, {"exclude_tags": ["t"]}], ids=str
)
def test_custom_events(chosen: dict[str, Any]) -> None:
    ours, peer = (story(lib, tells, "x", **chosen) for lib in (OURS, PEER))
    if peer and chosen:
        peer[0] = (*peer[0][:-1], ours[0][-1])
    assert ours == peer
    assert story(OURS, tells, "x", sync=True, **chosen) == ours


@pytest.mark.differs("events-cut-short")
def test_difference_a_stream_that_is_closed() -> None:
    async def first(items: Any) -> Any:
        async for item in items:
            yield item
            return

    for lib in (OURS, PEER):
        events, _ = asyncio.run(_collect(model(lib) | lib.RunnableGenerator(first), "q"))
        of_the_model = [event for event in events if event["event"].startswith("on_chat_model")]
        assert of_the_model[-1]["event"] == ("on_chat_model_error" if lib is OURS else "on_chat_model_end")


@pytest.mark.differs("events-whole-answers")
def test_difference_the_whole_answer() -> None:
    for lib in (OURS, PEER):
        events, _ = asyncio.run(_collect(model(lib), "q"))
        chunks = [event["data"]["chunk"] for event in events if event["event"] == "on_chat_model_stream"]
        assert chunks[-1].chunk_position == "last"
        assert events[-1]["data"]["output"].chunk_position == ("last" if lib is OURS else None)


@pytest.mark.differs("events-sync")
def test_difference_sync_streams() -> None:
    assert next(event["event"] for event in OURS.RunnableLambda(shout).stream_events("a")) == "on_chain_start"
    with pytest.raises(NotImplementedError):
        list(PEER.RunnableLambda(shout).stream_events("a", version="v2"))


@pytest.mark.differs("events-backpressure")
def test_difference_a_slow_reader() -> None:
    async def pulled(lib: Library) -> int:
        count = 0

        async def grow(_: Any) -> Any:
            nonlocal count
            for number in range(1000):
                count += 1
                yield number
                await asyncio.sleep(0)

        stream = lib.RunnableGenerator(grow).astream_events("q", version="v2")
        await anext(stream)
        for _ in range(3000):
            await asyncio.sleep(0)
        reached = count
        await stream.aclose()
        return reached

    assert asyncio.run(pulled(OURS)) <= 65
    assert asyncio.run(pulled(PEER)) == 1000


@pytest.mark.differs("events-numbers")
def test_difference_numbers_and_times() -> None:
    for lib in (OURS, PEER):
        events, _ = asyncio.run(_collect(model(lib), "q"))
        told = [event.get("seq") for event in events]
        assert told == (list(range(1, len(events) + 1)) if lib is OURS else [None] * len(events))
