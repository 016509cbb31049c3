"""What the side-by-side suite cannot say: configs, errors, bounds, and what is ours alone."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from millstream import (
    Cancelled,
    CoercionError,
    ConfigError,
    InputError,
    RecursionLimitError,
    Run,
    Runnable,
    RunnableBranch,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
    StrOutputParser,
    chain,
)
from millstream.kernel.scope import Scope, current_scope
from millstream.testing import FakeChatModel, VirtualClock, run_virtual
from tests.conftest import Colour


def identity(value: Any) -> Any:
    return value


@pytest.mark.parametrize("thing", [3, None, "text", object(), RunnablePassthrough])
def test_what_is_no_step_is_a_clear_type_error(thing: Any) -> None:
    with pytest.raises(TypeError, match="runnable|instance") as caught:
        RunnableLambda(identity) | thing
    assert isinstance(caught.value, CoercionError)


@pytest.mark.parametrize(
    "config", [{"tag": ["a"]}, {"tags": "a"}, {"max_concurrency": 0}, {"max_concurrency": "2"}, ["a"], 3]
)
def test_a_wrong_config_says_what_is_wrong(colour: Colour, config: Any) -> None:
    with pytest.raises(ConfigError):
        colour.invoke(RunnableLambda(identity), "x", config)
    with pytest.raises(ConfigError):
        colour.stream(RunnableLambda(identity), "x", config)


def test_a_config_is_inherited_and_names_are_not(colour: Colour) -> None:
    seen: dict[str, Scope] = {}

    def look(value: Any) -> Any:
        scope = current_scope()
        assert scope is not None
        seen[scope.name] = scope
        return value

    inner = RunnableLambda(look, name="inner").with_config(tags=["inner"], metadata={"b": 2})
    outer = RunnableLambda(look, name="outer") | RunnableParallel(
        a=inner, b=RunnableLambda(look, name="beside")
    )
    config: RunnableConfig = {"tags": ["all"], "metadata": {"a": 1}, "run_name": "mine", "run_id": "my-id"}
    colour.invoke(outer, "x", config)
    assert seen["inner"].tags == ["map:key:a", "all", "inner"]
    assert seen["inner"].settings.metadata == {"a": 1, "b": 2}
    assert seen["beside"].tags == ["map:key:b", "all"]
    root = seen["outer"].parent
    assert root is not None
    assert (root.name, root.run_id) == ("mine", "my-id")
    assert seen["outer"].path == "mine > outer (seq:step:1)"


def test_a_config_parameter_is_filled_and_nests_what_it_is_passed_to() -> None:
    scopes: list[Scope | None] = []

    def inner(value: Any) -> Any:
        scopes.append(current_scope())
        return value

    def outer(value: Any, config: RunnableConfig) -> Any:
        # In a thread of the user's own nothing but the config tells where it came from.
        job = threading.Thread(target=RunnableLambda(inner).invoke, args=(value, config))
        job.start()
        job.join()
        return value

    RunnableLambda(outer).invoke("x", {"tags": ["a"]})
    (scope,) = scopes
    assert scope is not None
    assert scope.path == "outer > inner"
    assert scope.tags == ["a"]


def test_a_call_inside_a_step_nests_by_itself(colour: Colour) -> None:
    paths: list[str] = []

    def inner(value: Any) -> Any:
        scope = current_scope()
        assert scope is not None
        paths.append(scope.path)
        return value

    @chain
    def outer(value: Any) -> Any:
        return RunnableLambda(inner).invoke(value)

    @chain
    async def aouter(value: Any) -> Any:
        return await RunnableLambda(inner).ainvoke(value)

    colour.invoke(outer | aouter, "x")
    assert paths == [
        "RunnableSequence > outer (seq:step:1) > inner",
        "RunnableSequence > aouter (seq:step:2) > inner",
    ]


def test_recursion_has_a_limit(colour: Colour) -> None:
    endless: Runnable[Any, Any] = RunnableLambda(lambda value: endless)
    for run in (colour.invoke, colour.stream):
        with pytest.raises(RecursionLimitError, match="recursion_limit"):
            run(endless, "x")

    def down(number: int) -> Any:
        return number if number == 0 else RunnableLambda(lambda _: number - 1) | RunnableLambda(down)

    assert colour.invoke(RunnableLambda(down), 20) == 0
    with pytest.raises(RecursionLimitError):
        colour.invoke(RunnableLambda(down), 20, {"recursion_limit": 5})


class AtOnce:
    """Counts how many threads are inside it, and the most there ever were."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.running -= 1


@pytest.mark.parametrize("limit", [1, 3, None])
def test_a_batch_never_runs_more_than_its_bound(colour: Colour, limit: int | None) -> None:
    at_once = AtOnce()

    def count(value: int) -> int:
        with at_once:
            time.sleep(0.002)
        return value

    config: RunnableConfig | None = None if limit is None else {"max_concurrency": limit}
    assert colour.batch(RunnableLambda(count), list(range(60)), config) == list(range(60))
    assert at_once.most <= (limit or 16)
    assert at_once.most > 1 or limit == 1


@pytest.mark.parametrize("mapped", [False, True])
def test_a_bound_in_a_binding_holds_too(colour: Colour, mapped: bool) -> None:
    at_once = AtOnce()

    def count(value: int) -> int:
        with at_once:
            time.sleep(0.002)
        return value

    step = RunnableLambda(count).with_config(max_concurrency=2)
    if mapped:
        assert colour.invoke(step.map(), list(range(30))) == list(range(30))
    else:
        assert colour.batch(step, list(range(30))) == list(range(30))
    assert at_once.most <= 2


def test_an_id_given_once_names_one_run_of_a_batch(colour: Colour) -> None:
    ids: list[str] = []
    step = RunnableLambda(identity).with_listeners(on_end=lambda run: ids.append(run.id))
    colour.batch(step.with_config(run_id="mine"), ["a", "b", "c"])
    colour.batch(step, ["a", "b", "c"], {"run_id": "mine"})
    assert ids.count("mine") == 2
    assert len(set(ids)) == 5


@pytest.mark.parametrize("limit", [1, 2])
def test_a_parallel_step_keeps_to_max_concurrency(colour: Colour, limit: int) -> None:
    at_once = AtOnce()

    def branch(items: Iterator[str]) -> Iterator[str]:
        with at_once:
            for item in items:
                time.sleep(0.002)
                yield item

    step = RunnableParallel({name: RunnableGenerator(branch) for name in "abcde"})
    config: RunnableConfig = {"max_concurrency": limit}
    assert colour.invoke(step, "x", config) == dict.fromkeys("abcde", "x")
    assert len(colour.stream(step, "x", config)) == 5
    assert len(colour.transform(step, ["x", "y"], config)) == 5
    assert at_once.most <= limit


def test_one_batch_error_ends_the_others(colour: Colour) -> None:
    begun: list[int] = []

    def step(value: int) -> int:
        begun.append(value)
        if value == 2:
            raise LookupError(value)
        time.sleep(0.005)
        return value

    with pytest.raises(LookupError):
        colour.batch(RunnableLambda(step), list(range(200)), {"max_concurrency": 4})
    assert len(begun) < 100


def test_batch_configs(colour: Colour) -> None:
    names: list[str] = []

    def look(value: Any) -> Any:
        scope = current_scope()
        assert scope is not None
        names.append(scope.name)
        return value

    colour.batch(RunnableLambda(look), ["x", "y"], [{"run_name": "first"}, {"run_name": "second"}])
    assert sorted(names) == ["first", "second"]
    with pytest.raises(ConfigError, match="2 inputs was given 1"):
        colour.batch(RunnableLambda(look), ["x", "y"], [{"run_name": "first"}])
    assert colour.batch(RunnableLambda(look), []) == []


def test_as_completed_yields_the_quick_ones_first() -> None:
    def sleep(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    waits = [0.2, 0.0, 0.1]
    step = RunnableLambda(sleep)
    assert [index for index, _ in step.batch_as_completed(waits)] == [1, 2, 0]

    async def run() -> list[int]:
        return [index async for index, _ in step.abatch_as_completed(waits)]

    assert asyncio.run(run()) == [1, 2, 0]


def test_leaving_as_completed_ends_the_rest() -> None:
    done: list[int] = []

    def step(value: int) -> int:
        time.sleep(0.005)
        done.append(value)
        return value

    for _ in RunnableLambda(step).batch_as_completed(range(500), {"max_concurrency": 2}):
        break
    assert len(done) < 200


def test_retry_waits_longer_each_time() -> None:
    attempts: list[float] = []

    async def fails(value: Any) -> Any:
        attempts.append(asyncio.get_running_loop().time())
        raise LookupError

    step = RunnableLambda(fails).with_retry(stop_after_attempt=4)

    async def run() -> None:
        with pytest.raises(LookupError):
            await step.ainvoke("x")

    _, seconds = run_virtual(run())
    waits = [after - before for before, after in pairwise(attempts)]
    assert [1 <= waits[0] <= 2, 2 <= waits[1] <= 3, 4 <= waits[2] <= 5] == [True] * 3
    assert seconds == pytest.approx(sum(waits))


def test_retry_repeats_a_stream_only_before_its_first_item(colour: Colour) -> None:
    tries: list[int] = []

    def flaky(items: Iterator[str]) -> Iterator[str]:
        tries.append(len(tries))
        if len(tries) < 3:
            raise LookupError("early")
        yield "a"
        raise LookupError("late")

    step = RunnableGenerator(flaky).with_retry(wait_exponential_jitter=False, stop_after_attempt=5)
    with pytest.raises(LookupError, match="late"):
        colour.stream(step, "x")
    assert len(tries) == 3


def test_retry_in_a_chain_lets_the_input_stream_through(colour: Colour) -> None:
    tries: list[list[str]] = []

    def flaky(items: Iterator[str]) -> Iterator[str]:
        tries.append([])
        for item in items:
            tries[-1].append(item)
            if len(tries) < 3 and len(tries[-1]) == 2:
                raise LookupError
            if len(tries) == 3 and len(tries[-1]) == 2:
                yield "".join(tries[-1])
            elif len(tries[-1]) > 2:
                yield item

    step = RunnableGenerator(flaky).with_retry(wait_exponential_jitter=False)
    assert colour.transform(step, ["a", "b", "c", "d"]) == ["ab", "c", "d"]
    assert tries == [["a", "b"], ["a", "b"], ["a", "b", "c", "d"]]


def test_retry_does_not_try_again_what_failed_before_it(colour: Colour) -> None:
    tries: list[int] = []

    def fails(items: Iterator[str]) -> Iterator[str]:
        yield from items
        raise LookupError("before")

    def whole(items: Iterator[str]) -> Iterator[str]:
        tries.append(1)
        yield "".join(items)

    step = RunnableGenerator(fails) | RunnableGenerator(whole).with_retry(wait_exponential_jitter=False)
    with pytest.raises(LookupError, match="before"):
        colour.stream(step, "x")
    assert tries == [1]


def test_retry_ends_at_a_cancel() -> None:
    tries: list[int] = []

    def cancels(value: Any) -> Any:
        scope = current_scope()
        assert scope is not None
        assert scope.parent is not None
        tries.append(1)
        scope.parent.cancel()
        raise LookupError

    with VirtualClock(), pytest.raises(LookupError):
        RunnableLambda(cancels).with_retry().invoke("x")
    assert len(tries) == 1


def test_a_failing_listener_is_logged_and_disturbs_nothing(
    colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    def bad(run: Run) -> None:
        raise LookupError("listener")

    step = RunnableLambda(identity).with_listeners(on_start=bad, on_end=bad)
    with caplog.at_level(logging.WARNING, logger="millstream"):
        assert colour.invoke(step, "x") == "x"
        assert colour.stream(step, "x") == ["x"]
    assert len(caplog.records) == 4


def test_listeners_see_one_end_or_one_error(colour: Colour) -> None:
    seen: list[tuple[str, Any]] = []

    async def on_start(run: Run) -> None:
        seen.append(("start", run.name))

    def on_end(run: Run) -> None:
        seen.append(("end", (run.inputs, run.outputs)))

    def on_error(run: Run) -> None:
        seen.append(("error", type(run.error)))

    def words(items: Iterator[str]) -> Iterator[str]:
        for item in items:
            yield from item.split()
            if "bad" in item:
                raise LookupError

    step = RunnableGenerator(words).with_listeners(on_start=on_start, on_end=on_end, on_error=on_error)
    colour.transform(step, ["a b", "c"])
    assert seen == [("start", "words"), ("end", ("a bc", "abc"))]
    seen.clear()
    with pytest.raises(LookupError):
        colour.stream(step, "bad")
    assert seen == [("start", "words"), ("error", LookupError)]
    seen.clear()
    for _ in step.stream("a b"):
        break
    assert seen == [("start", "words"), ("error", GeneratorExit)]


def test_listeners_are_told_of_a_run_that_was_let_go_of(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def on_error(run: Run) -> None:
        seen.append("plain")

    async def aon_error(run: Run) -> None:
        await asyncio.sleep(0.001)
        seen.append("async")

    def words(items: Iterator[str]) -> Iterator[str]:
        yield from "abc"

    step = RunnableGenerator(words).with_listeners(on_error=on_error).with_listeners(on_error=aon_error)

    async def run() -> None:
        async for _ in step.astream("x"):
            break
        for _ in range(400):
            await asyncio.sleep(0.005)
            if len(seen) == 2:
                break

    asyncio.run(run())
    assert seen == ["plain", "async"]
    assert caplog.records == []


def test_a_step_can_cancel_its_run(colour: Colour) -> None:
    def cancels(value: Any) -> Any:
        scope = current_scope()
        assert scope is not None
        scope.cancel()
        return value

    def generates(items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            yield item
            cancels(item)
            yield item

    with pytest.raises(Cancelled):
        colour.invoke(RunnableLambda(cancels) | identity, "x")
    with pytest.raises(Cancelled):
        colour.stream(RunnableGenerator(generates) | RunnablePassthrough(), "x")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_step_anywhere_in_a_chain_cancels_all_of_it(colour: Colour, place: int) -> None:
    seen: list[int] = []

    def endless(items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            for number in range(10**9):
                seen.append(number)
                yield item

    def cancels(items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            yield item
            scope = current_scope()
            assert scope is not None
            scope.cancel()

    steps: list[Any] = [RunnablePassthrough(), RunnablePassthrough()]
    steps.insert(place, RunnableGenerator(cancels))
    chain_of_steps: Runnable[Any, Any] = RunnableGenerator(endless)
    for step in steps:
        chain_of_steps = chain_of_steps | step
    with pytest.raises(Cancelled):
        colour.stream(chain_of_steps, "x")
    assert len(seen) < 1000


def test_bad_inputs_are_named(colour: Colour) -> None:
    for step, given in [
        (RunnablePassthrough.assign(a=identity), "text"),
        (RunnablePassthrough().pick("a"), "text"),
        (RunnableLambda(identity).map(), "text"),
        (RunnableLambda(identity).with_fallbacks([], exception_key="error"), "text"),
    ]:
        with pytest.raises(InputError):
            colour.invoke(step, given)


def test_wrong_constructions_are_named() -> None:
    with pytest.raises(ValueError, match="at least two"):
        RunnableSequence(identity)
    with pytest.raises(TypeError, match="pair"):
        RunnableBranch(identity, identity)
    with pytest.raises(TypeError, match="at least one"):
        RunnableBranch(identity)
    with pytest.raises(TypeError, match="yield"):
        RunnableGenerator(identity)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="function"):
        RunnableLambda("text")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="stop_after_attempt"):
        RunnableLambda(identity).with_retry(stop_after_attempt=0)


def test_an_empty_stream_stays_empty(colour: Colour) -> None:
    def nothing(items: Iterator[str]) -> Iterator[str]:
        yield from ()

    steps: list[Any] = [
        identity,
        RunnablePassthrough(),
        RunnablePassthrough(identity),
        {"a": identity, "b": identity},
    ]
    for step in steps:
        assert colour.stream(RunnableGenerator(nothing) | step, "x") == []
    assert colour.invoke(RunnableGenerator(nothing), "x") is None


def test_two_functions_serve_two_colours(colour: Colour) -> None:
    def sync(value: str) -> str:
        return value + " sync"

    async def asynchronous(value: str) -> str:
        return value + " async"

    expected = "x async" if colour.name == "async" else "x sync"
    assert colour.invoke(RunnableLambda(sync, asynchronous), "x") == expected


@pytest.mark.parametrize("key", ["input", "scope", "step", "tag", "parent", "function", "source", "config2"])
def test_keywords_may_be_called_what_the_library_calls_its_own(colour: Colour, key: str) -> None:
    def function(value: str, **kwargs: Any) -> str:
        return f"{value} {kwargs}"

    def generator(items: Iterator[str], **kwargs: Any) -> Iterator[str]:
        yield from (f"{item} {kwargs}" for item in items)

    expected = "x " + repr({key: 1})
    for step in (RunnableLambda(function), RunnableGenerator(generator)):
        bound = step.bind(**{key: 1})
        assert colour.invoke(bound | identity, "x") == expected
        assert colour.stream(RunnablePassthrough() | bound, "x") == [expected]


def test_a_binding_hands_through_what_it_binds() -> None:
    bound = RunnableLambda(identity, name="inner").bind(a=1).with_config(tags=["t"])
    assert bound.get_name() == "inner"
    assert bound.func is identity  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        bound.nothing  # type: ignore[attr-defined]
    assert bound.with_config(run_name="other").get_name() == "inner"


def test_a_retry_waits_as_it_is_told():
    def fails(_):
        raise ValueError

    waits = {"initial": 3.0, "exp_base": 10.0, "max": 20.0, "jitter": 0.0}
    step = RunnableLambda(fails).with_retry(stop_after_attempt=4, exponential_jitter_params=waits)
    with VirtualClock() as clock, pytest.raises(ValueError):
        step.invoke("x")
    assert clock.now() == 3 + 20 + 20


class Piece:
    """Adds up by `merge_all` alone."""

    def __init__(self, *words):
        self.words = words

    @staticmethod
    def merge_all(pieces):
        return Piece(*(word for piece in pieces for word in piece.words))


@pytest.mark.parametrize(
    ("items", "whole"),
    [
        ([{"a": 1}, {"a": 1, "b": 2}], {"a": 1, "b": 2}),
        ([[1], [2]], [1, 2]),
        ([None, None], None),
        ([{"a": 1}, "x"], "x"),
    ],
)
def test_what_a_function_behind_a_stream_is_given(colour, items, whole):
    assert colour.transform(RunnableLambda(lambda value: value), items) == [whole]
    told = colour.transform(
        RunnableParallel(value=RunnablePassthrough()) | (lambda each: each["value"]), items
    )
    assert told == [whole]


def test_pieces_that_add_up_by_merge_all_alone(colour):
    step = RunnableLambda(lambda piece: piece.words)
    assert colour.transform(step, [Piece("a"), Piece("b"), Piece("c")]) == [("a", "b", "c")]


def test_only_the_last_state_of_what_grows_is_kept():
    states = 0

    class State(dict):
        def __init__(self, *args):
            nonlocal states
            states += 1
            super().__init__(*args)

        def __del__(self):
            nonlocal states
            states -= 1

    most = 0

    def grow(_):
        nonlocal most
        for number in range(100):
            yield State({"n": number})
            most = max(most, states)

    assert (RunnableGenerator(grow) | RunnableLambda(len)).invoke("x") == 1
    assert most <= 3


@pytest.mark.leaks
@pytest.mark.filterwarnings("ignore")  # Python's own complaints
def test_listeners_are_told_of_a_run_whose_loop_is_gone_and_keep_nothing_of_it(caplog):
    ended = []

    async def told(run):
        ended.append(type(run.error))

    chain = (FakeChatModel([["a", "b"]]) | StrOutputParser()).with_listeners(on_error=told)

    loop = asyncio.new_event_loop()
    stream = chain.astream("x")
    loop.run_until_complete(anext(stream))
    loop.close()
    del stream
    gc.collect()
    assert len(chain._bound_watchers[0]._started) == 0
    assert caplog.records == []
    assert ended == [GeneratorExit]
