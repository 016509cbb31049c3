"""What watchers put around a user's code, and how they are told of no more items."""

import asyncio
from contextvars import ContextVar, Token
from typing import Any

import pytest

from millstream import RunnableGenerator, RunnableLambda, RunnableSequence
from millstream.kernel.scope import Scope
from millstream.kernel.stage import ENOUGH
from tests.conftest import Colour

WHERE: ContextVar[str] = ContextVar("where", default="outside")


class Place:
    """Tells a user's code the name of its run."""

    def __init__(self, name: str) -> None:
        self.name = name

    def enter(self) -> Token[str]:
        return WHERE.set(self.name)

    def leave(self, entered: Token[str]) -> None:
        WHERE.reset(entered)


class Places:
    """A watcher that puts a `Place` around the code of each run, and sees the first items of some."""

    makes_stream = False

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self.seen: list[Any] = []
        self.called_in: list[bool] = []

    def watcher(self) -> "Places":
        return self

    def sees_items(self, scope: Scope) -> bool:
        return bool(self._first)

    async def started(self, scope: Scope, input: Any) -> None:
        self.called_in.append(scope.called_in is not None)
        scope.around = (*scope.around, Place(scope.name))

    def streamed(self, scope: Scope, item: Any) -> Any:
        self.seen.append(item)
        return ENOUGH if len(self.seen) == self._first else None

    async def custom(self, scope: Scope, name: str, data: Any, *, may_await: bool) -> None: ...
    async def retried(self, scope: Scope, attempt: int, error: BaseException) -> None: ...
    async def ended(self, scope: Scope, input: Any, output: Any) -> None: ...
    async def failed(self, scope: Scope, input: Any, error: BaseException) -> None: ...


def plain(value: Any) -> list[str]:
    return [WHERE.get()]


async def waits(value: Any) -> list[str]:
    before = WHERE.get()
    await asyncio.sleep(0)
    return [*value, before, WHERE.get()]


def each(values: Any) -> Any:
    for value in values:
        yield [*value, WHERE.get()]


async def aeach(values: Any) -> Any:
    async for value in values:
        before = WHERE.get()
        await asyncio.sleep(0)
        yield [*value, before, WHERE.get()]


CHAIN: RunnableSequence[Any, Any] = (
    RunnableLambda(plain) | waits | RunnableGenerator(each) | RunnableGenerator(aeach)
)


def test_each_code_finds_what_stands_around_its_run(colour: Colour) -> None:
    [found] = colour.stream(CHAIN, 1, {"callbacks": [Places()]})
    assert found == ["plain", "waits", "waits", "each", "aeach", "aeach"]
    assert WHERE.get() == "outside"


def test_nothing_is_found_across_a_yield() -> None:
    async def main() -> None:
        async for _ in CHAIN.astream(1, {"callbacks": [Places()]}):
            assert WHERE.get() == "outside"
        assert WHERE.get() == "outside"

    asyncio.run(main())
    for _ in CHAIN.stream(1, {"callbacks": [Places()]}):
        assert WHERE.get() == "outside"


@pytest.mark.parametrize("first", [0, 1, 3])
def test_with_enough_a_watcher_sees_no_more_items(colour: Colour, first: int) -> None:
    def count(values: Any) -> Any:
        yield from range(5)

    some, every = Places(first), Places(99)
    colour.stream(RunnableGenerator(count), 1, {"callbacks": [some, every]})
    assert some.seen == list(range(first))
    assert every.seen == list(range(5))


def test_only_the_run_of_a_call_knows_where_it_was_called(colour: Colour) -> None:
    places = Places()
    colour.invoke(CHAIN, 1, {"callbacks": [places]})
    assert places.called_in == [True, False, False, False, False]
