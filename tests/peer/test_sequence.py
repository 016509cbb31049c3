"""Sequences beside langchain-core's."""

from typing import Any

from tests.peer.compare import Case, Differs, compare, each, fails
from tests.peer.steps import (
    Broken,
    abreak_after_two,
    afail,
    aletters,
    ashout,
    aupper,
    break_after_two,
    double,
    fail,
    letters,
    shout,
    upper,
)


def _streaming(lib: Any) -> Any:
    return lib.RunnableGenerator(letters, aletters) | lib.RunnableGenerator(shout, ashout)


SEQUENCES = [
    Case("two functions", lambda lib: lib.RunnableLambda(upper) | double),
    Case("five functions", lambda lib: lib.RunnableLambda(upper) | double | upper | double | upper),
    Case("both colours", lambda lib: lib.RunnableLambda(upper, aupper) | lib.RunnableLambda(double)),
    Case("by class", lambda lib: lib.RunnableSequence(upper, double, upper)),
    Case(
        "sequences joined",
        lambda lib: (lib.RunnableLambda(upper) | double) | (lib.RunnableLambda(double) | upper),
    ),
    Case("pipe", lambda lib: lib.RunnableLambda(upper).pipe(double, upper)),
    Case("generators", _streaming),
    Case("generators after a function", lambda lib: lib.RunnableLambda(double) | _streaming(lib)),
    Case("function after generators", lambda lib: _streaming(lib) | double),
    Case("function between generators", lambda lib: _streaming(lib) | double | _streaming(lib)),
    Case("passthroughs", lambda lib: lib.RunnablePassthrough() | lib.RunnablePassthrough() | _streaming(lib)),
    Case("first step fails", lambda lib: lib.RunnableLambda(fail, afail) | upper),
    Case("middle step fails", lambda lib: lib.RunnableLambda(upper) | fail | double),
    Case("last step fails", lambda lib: _streaming(lib) | lib.RunnableLambda(fail, afail)),
    Case(
        "fails in the stream",
        lambda lib: _streaming(lib) | lib.RunnableGenerator(break_after_two, abreak_after_two),
        many=["ab", "abcd", "b"],
    ),
    Case(
        "fails in the stream, handed on",
        lambda lib: (
            lib.RunnableGenerator(letters, aletters)
            | lib.RunnableGenerator(break_after_two, abreak_after_two)
            | lib.RunnableGenerator(shout, ashout)
        ),
        many=["ab", "abcd", "b"],
    ),
    Case("wrong input", lambda lib: lib.RunnableLambda(upper) | double, input=3),
    Case("keywords", lambda lib: lib.RunnableLambda(lambda x, n: x * n) | double, kwargs={"n": 3}),
    Case(
        "numbers",
        lambda lib: lib.RunnableLambda(lambda x: x + 1) | (lambda x: x * 2),
        input=1,
        pieces=[1, 2, 3],
    ),
    Case("lists", lambda lib: lib.RunnableLambda(lambda x: [*x, 0]) | len, input=[1], pieces=[[1], [2], [3]]),
    Case("nothing in it", lambda lib: lib.RunnableLambda(lambda x: None) | (lambda x: x), input="x"),
]


def headed(pieces: Any) -> Any:
    yield "heading "
    yield from pieces


async def aheaded(pieces: Any) -> Any:
    yield "heading "
    async for piece in pieces:
        yield piece


LAZY = Differs("first-input", ours=fails(Broken, after=["heading "]), peer=fails(Broken))
SEQUENCES.append(
    Case(
        "yields before it reads",
        lambda lib: lib.RunnableLambda(fail, afail) | lib.RunnableGenerator(headed, aheaded),
        differs={"stream": LAZY, "transform": LAZY},
    )
)


@each(SEQUENCES)
def test_sequences(case, verb, colour):
    compare(case, verb, colour)
