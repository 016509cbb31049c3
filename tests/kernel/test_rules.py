"""One test and more for each rule of the kernel (see ARCHITECTURE.md): each was seen to fail without it."""

import asyncio
import contextvars
import gc
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from millstream import Cancelled, Runnable, RunnableGenerator, RunnableLambda, RunnableParallel
from millstream.kernel.channel import READ_AHEAD
from millstream.kernel.scope import CURRENT, current_scope
from tests.conftest import Colour
from tests.kernel.steps import Blocked, Log, async_stage, counting, sync_stage


def words(items: Iterator[str]) -> Iterator[str]:
    for item in items:
        for word in item.split():
            yield word + " "


async def awords(items: AsyncIterator[str]) -> AsyncIterator[str]:
    async for item in items:
        for word in item.split():
            await asyncio.sleep(0)
            yield word + " "


mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="unset")

# --- 1. scope ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [words, awords])
def test_rule_1_the_scope_is_seen_in_user_code_and_nowhere_else(step: Any) -> None:
    seen: list[Any] = []

    def look(items: Iterator[str]) -> Iterator[str]:
        for item in items:
            seen.append(CURRENT.get())
            yield item

    chain = RunnableGenerator(step) | look
    for _ in chain.stream("a b c"):
        assert CURRENT.get() is None

    async def run() -> None:
        async for _ in chain.astream("a b c"):
            assert CURRENT.get() is None

    asyncio.run(run())
    assert {scope.name for scope in seen} == {"look"}


def test_rule_1_a_variable_set_in_a_generator_does_not_leak_to_whoever_pulls_it(colour: Colour) -> None:
    def setter(items: Iterator[str]) -> Iterator[str]:
        for number, item in enumerate(items):
            mine.set(f"inner {number}")
            yield item
            assert mine.get() == f"inner {number}"

    chain = RunnableGenerator(words) | setter
    assert colour.stream(chain, "a b") == ["a ", "b "]
    for _ in chain.stream("a b"):
        assert mine.get() == "unset"


# --- 2. nothing structured across a yield -----------------------------------------------------------------


def test_rule_2_a_failing_branch_does_not_cancel_the_consumers_body() -> None:
    def fails(text: str) -> str:
        raise LookupError(text)

    chain = RunnableParallel(good=words, bad=fails)
    finished: list[str] = []

    async def run() -> None:
        with pytest.raises(LookupError):
            async for piece in chain.astream("a b c"):
                await asyncio.sleep(0.02)  # the branch has failed by now: this is not cancelled
                finished.append(*piece)

    asyncio.run(run())
    assert all(key == "good" for key in finished)


@pytest.mark.parametrize("step", [words, awords])
def test_rule_2_leaving_the_loop_leaves_no_task(step: Any) -> None:
    chain = RunnableParallel(a=step, b=step, c=step)

    async def run() -> None:
        async with aclosing(chain.astream("a b c d e f")) as stream:
            async for _ in stream:
                break
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


# --- 3. one owner -----------------------------------------------------------------------------------------


def test_rule_3_a_generator_is_advanced_and_closed_by_one_thread(colour: Colour) -> None:
    owners: dict[str, set[int]] = {}

    def owned(name: str) -> Any:
        def generator(items: Iterator[str]) -> Iterator[str]:
            owners.setdefault(name, set())
            try:
                for item in items:
                    owners[name].add(threading.get_ident())
                    yield item
            finally:
                owners[name].add(threading.get_ident())

        return generator

    chain = RunnableGenerator(words) | owned("a") | RunnableParallel(b=owned("b"), c=owned("c"))
    colour.stream(chain, "x y z")
    assert {name: len(threads) for name, threads in owners.items()} == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_rule_3_the_wrapper_closes_the_input_that_a_generator_did_not_read(
    colour: Colour, asynchronous: bool
) -> None:
    log = Log()

    # Kept, so that it is not the garbage collector that closes it.
    kept: list[Any] = []

    def first(items: Iterator[str]) -> Iterator[str]:
        kept.append(items)
        yield next(items)
        log.append("end of first")

    async def afirst(items: AsyncIterator[str]) -> AsyncIterator[str]:
        kept.append(items)
        yield await anext(items)
        log.append("end of first")

    async def behind(items: AsyncIterator[str]) -> AsyncIterator[str]:
        async for item in items:
            yield item
        log.append("behind")

    chain = counting(log, "source") | (afirst if asynchronous else first) | behind
    assert colour.stream(chain, "") == ["0"]
    # Closed before the step behind sees the end. Under asyncio the source may have run ahead meanwhile.
    assert [entry for entry in log if ":" not in entry] == ["end of first", "source", "behind"]


# --- 4. async-only code under sync verbs ------------------------------------------------------------------


def test_rule_4_async_steps_share_one_private_loop_in_the_callers_thread() -> None:
    loops: list[Any] = []

    async def note(items: AsyncIterator[str]) -> AsyncIterator[str]:
        async for item in items:
            loops.append((asyncio.get_running_loop(), threading.get_ident()))
            await asyncio.sleep(0)
            yield item

    async def whole(text: str) -> str:
        loops.append((asyncio.get_running_loop(), threading.get_ident()))
        return text

    # Two such steps, one inside the other: the second is awaited where the first runs.
    chain = RunnableGenerator(awords) | note | note | whole | note
    for run in (lambda: [chain.invoke("a b")], lambda: list(chain.stream("a b"))):
        loops.clear()
        assert run() == ["a b "]
        assert len(loops) > 2
        assert len(set(loops)) == 1
        assert loops[0][1] == threading.get_ident()


def test_rule_4_in_a_running_loop_it_moves_to_a_helper_thread_and_the_input_does_not() -> None:
    where: dict[str, set[int]] = {"plain": set(), "async": set()}

    def plain(items: Iterator[str]) -> Iterator[str]:
        for item in items:
            where["plain"].add(threading.get_ident())
            yield item

    async def asynchronous(items: AsyncIterator[str]) -> AsyncIterator[str]:
        async for item in items:
            where["async"].add(threading.get_ident())
            await asyncio.sleep(0)
            yield item

    async def run() -> None:
        chain = RunnableGenerator(words) | plain | asynchronous | plain
        assert list(chain.stream("a b")) == ["a ", "b "]
        here = threading.get_ident()
        assert where["plain"] == {here}
        assert here not in where["async"]
        assert len(where["async"]) == 1

    asyncio.run(run())


def test_rule_4_code_bound_to_the_outer_loop_gets_an_error_not_a_hang() -> None:
    async def run() -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def needs_the_outer_loop(text: str) -> str:
            return await future

        with pytest.raises(RuntimeError, match="attached to a different loop"):
            RunnableLambda(needs_the_outer_loop).invoke("x")
        future.cancel()

    asyncio.run(run())


# --- 5. a running loop's hooks ----------------------------------------------------------------------------


@pytest.mark.parametrize("pulled", [0, 1])
def test_rule_5_a_stream_kept_past_asyncio_run_is_whole(pulled: int) -> None:
    chain = RunnableGenerator(words) | words
    kept: list[Iterator[str]] = []
    got: list[str] = []

    async def run() -> None:
        kept.append(chain.stream("a b c"))
        got.extend(next(kept[0]) for _ in range(pulled))

    asyncio.run(run())
    assert got + list(kept[0]) == ["a ", "b ", "c "]


def test_rule_5_the_hooks_are_back_after_each_step() -> None:
    async def run() -> None:
        hooks = sys.get_asyncgen_hooks()
        for _ in RunnableGenerator(words).stream("a b"):
            assert sys.get_asyncgen_hooks() == hooks

    asyncio.run(run())


# --- 6. no shared bounded pool ----------------------------------------------------------------------------


def nested(depth: int) -> Runnable[Any, Any]:
    if depth == 0:
        return RunnableGenerator(words)
    return RunnableParallel(a=nested(depth - 1), b=nested(depth - 1), c=nested(depth - 1))


def test_rule_6_nested_parallels_do_not_deadlock(colour: Colour) -> None:
    whole = "a b "
    for _ in range(3):
        whole = {"a": whole, "b": whole, "c": whole}  # type: ignore[assignment]
    assert colour.invoke(nested(3), "a b") == whole


def test_rule_6_forty_streams_at_once_do_not_deadlock() -> None:
    chain = RunnableGenerator(words) | RunnableParallel(a=words, b=words)

    async def one(number: int) -> list[Any]:
        return [piece async for piece in chain.astream(f"{number} x y")]

    async def run() -> list[list[Any]]:
        return await asyncio.gather(*(one(number) for number in range(40)))

    assert [len(pieces) for pieces in asyncio.run(run())] == [6] * 40


def test_rule_6_a_function_may_wait_for_the_loop_that_runs_it() -> None:
    inner = RunnableLambda(lambda text: text + "!")

    async def run() -> list[str]:
        loop = asyncio.get_running_loop()

        def waits(text: str) -> str:
            return asyncio.run_coroutine_threadsafe(inner.ainvoke(text), loop).result(10)

        return await RunnableLambda(waits).abatch(
            [str(number) for number in range(40)], {"max_concurrency": 40}
        )

    assert asyncio.run(run()) == [f"{number}!" for number in range(40)]


def test_rule_6_a_stop_iteration_of_the_users_becomes_a_runtime_error(colour: Colour) -> None:
    def stops(text: str) -> str:
        raise StopIteration(text)

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        colour.invoke(RunnableLambda(stops), "x")
    assert isinstance(caught.value.__cause__, StopIteration)


# --- 7. plain generators under asyncio --------------------------------------------------------------------


def test_rule_7_a_plain_generator_runs_at_most_the_read_ahead_ahead() -> None:
    log = Log()

    async def run() -> int:
        async with aclosing(counting(log, "n").astream("")) as stream:
            async for item in stream:
                if item == "5":
                    await asyncio.sleep(0.1)  # time enough to run away
                    return len(log)
        raise AssertionError

    made = asyncio.run(run())
    assert 6 <= made <= 6 + READ_AHEAD + 1
    assert log[-1] == "n"


# --- 8. abort before join ---------------------------------------------------------------------------------


def from_another_thread(leaf: Blocked) -> threading.Thread:
    def cancel() -> None:
        assert leaf.blocked.wait(5)
        assert leaf.scope is not None
        leaf.scope.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    return thread


@pytest.mark.parametrize("in_a_branch", [False, True])
def test_rule_8_a_blocked_leaf_is_aborted_from_another_thread(colour: Colour, in_a_branch: bool) -> None:
    leaf = Blocked()
    chain = RunnableParallel(a=leaf, b=words) if in_a_branch else leaf | words
    canceller = from_another_thread(leaf)
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        colour.stream(chain, "x")
    canceller.join()
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("in_a_branch", [False, True])
def test_rule_8_closing_aborts_a_blocked_leaf_and_then_joins(in_a_branch: bool) -> None:
    leaf = Blocked(first="one")
    chain = RunnableParallel(a=leaf, b=words) if in_a_branch else leaf
    begun = time.monotonic()
    for _ in chain.stream("x"):
        assert leaf.blocked.wait(5)
        break
    assert leaf.aborted.is_set()

    async def run() -> None:
        async with aclosing(chain.astream("x")) as stream:
            async for _ in stream:
                break

    asyncio.run(run())
    assert time.monotonic() - begun < 3


def test_rule_8_leaving_an_async_for_aborts_before_the_next_statement() -> None:
    leaf = Blocked(first="one")

    async def run() -> None:
        async for _ in leaf.astream("x"):
            break
        assert leaf.aborted.is_set()
        await asyncio.sleep(0.05)  # the `finally` blocks run in the next turns of the loop

    asyncio.run(run())


def test_rule_8_an_async_leaf_is_cancelled_from_another_thread(colour: Colour) -> None:
    inside = threading.Event()
    scopes: list[Any] = []

    async def waits(text: str) -> str:
        scopes.append(current_scope())
        inside.set()
        await asyncio.sleep(30)
        return text

    def cancel() -> None:
        assert inside.wait(5)
        scopes[0].cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled):
        colour.invoke(RunnableLambda(waits), "x")
    canceller.join()


# --- 9. generators that never began, and notes --------------------------------------------------------------


@pytest.mark.parametrize("stage", [sync_stage, async_stage])
def test_rule_9_a_stream_that_never_began_holds_nothing(stage: Any) -> None:
    log = Log()
    chain = stage(log, "a") | stage(log, "b")
    before = threading.active_count()
    chain.stream("x")
    stream = chain.stream("x")
    stream.close()

    async def run() -> None:
        chain.astream("x")
        await chain.astream("x").aclose()

    asyncio.run(run())
    gc.collect()
    assert log == []
    assert threading.active_count() <= before + 1


def test_rule_9_an_error_gets_its_note_once_and_from_the_innermost_step(colour: Colour) -> None:
    def fails(text: str) -> str:
        raise LookupError("gone")

    inner = RunnableLambda(fails) | words
    chain = RunnableGenerator(words) | RunnableParallel(a=inner, b=words) | RunnableLambda(lambda d: d)
    for run in (colour.invoke, colour.stream):
        with pytest.raises(LookupError, match="gone") as caught:
            run(chain, "x")
        (note,) = caught.value.__notes__
        assert note.startswith("In the step RunnableSequence > RunnableParallel<a,b> (seq:step:2)")
        assert note.endswith("fails (seq:step:1)")
