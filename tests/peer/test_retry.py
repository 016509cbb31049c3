"""`with_retry` beside langchain-core's."""

from typing import Any

import pytest

from tests.peer.compare import USUAL, Case, Differs, compare, each, fails, gives
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import Broken, ashout, shout


def _flaky(lib: Any, failures: int, kind: Any = ValueError, **retry: Any) -> Any:
    """A function that fails that many times on each input, and then tells the attempt."""
    calls: dict[Any, int] = {}

    def attempt(value: Any) -> Any:
        calls[value] = calls.get(value, 0) + 1
        if calls[value] <= failures:
            raise kind(f"attempt {calls[value]}")
        return f"{value} after {calls[value]}"

    async def aattempt(value: Any) -> Any:
        return attempt(value)

    return lib.RunnableLambda(attempt, aattempt).with_retry(wait_exponential_jitter=False, **retry)


MANY = ["a", "b", "c"]
DONE = "batch as completed"
FIRST = fails(ValueError, "attempt 1")


def _retried(answer: str) -> dict[str, Differs]:
    told = Differs("retry-streams", ours=gives(answer), peer=FIRST)
    many = gives([(number, f"{text}{answer[4:]}") for number, text in enumerate(MANY)])
    return {"stream": told, "transform": told, DONE: Differs("retry-streams", ours=many, peer=FIRST)}


def _gave_up(error: str) -> dict[str, Differs]:
    told = Differs("retry-streams", ours=fails(ValueError, error), peer=FIRST)
    return {"stream": told, "transform": told, DONE: told}


RETRIES = [
    Case("no failure", lambda lib: _flaky(lib, 0), many=MANY),
    Case("one failure", lambda lib: _flaky(lib, 1), many=MANY, differs=_retried("abcd after 2")),
    Case("two failures", lambda lib: _flaky(lib, 2), many=MANY, differs=_retried("abcd after 3")),
    Case("too many failures", lambda lib: _flaky(lib, 3), many=MANY, differs=_gave_up("attempt 3")),
    Case(
        "more attempts",
        lambda lib: _flaky(lib, 5, stop_after_attempt=6),
        many=MANY,
        differs=_retried("abcd after 6"),
    ),
    Case("one attempt", lambda lib: _flaky(lib, 1, stop_after_attempt=1), many=MANY),
    Case(
        "errors of that kind",
        lambda lib: _flaky(lib, 1, retry_if_exception_type=(ValueError, KeyError)),
        many=MANY,
        differs=_retried("abcd after 2"),
    ),
    Case(
        "errors of another kind",
        lambda lib: _flaky(lib, 1, Broken, retry_if_exception_type=(ValueError,)),
        many=MANY,
    ),
    Case(
        "in a sequence",
        lambda lib: lib.RunnableLambda(str.upper) | _flaky(lib, 1) | str.lower,
        many=MANY,
        differs=dict(list(_retried("abcd after 2").items())[:2]),
    ),
    Case(
        "a generator",
        lambda lib: lib.RunnableGenerator(shout, ashout).with_retry(),
        pieces=["a", "b"],
    ),
    Case(
        "in a parallel",
        lambda lib: lib.RunnableParallel(a=_flaky(lib, 1)),
        many=MANY,
        verbs=["invoke", "batch"],
    ),
]


@each(RETRIES, (*USUAL, DONE))
def test_retries(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.parametrize("failures", [0, 1, 4])
def test_calls(failures):
    """As many calls on each side, whatever they come to."""
    counts = []
    for lib in (OURS, PEER):
        calls: list[Any] = []

        def attempt(value: Any, calls: list[Any] = calls) -> Any:
            calls.append(value)
            if len(calls) <= failures:
                raise Broken

        step = lib.RunnableLambda(attempt).with_retry(wait_exponential_jitter=False, stop_after_attempt=4)
        try:
            step.invoke("a")
        except Broken:
            calls.append("raised")
        counts.append(calls)
    assert counts[0] == counts[1]
