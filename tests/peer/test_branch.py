"""Branches beside langchain-core's."""

from typing import Any

import pytest

from tests.peer.compare import Case, compare, each
from tests.peer.libraries import OURS, PEER
from tests.peer.steps import afail, aletters, aupper, double, fail, letters, upper


async def along(text: str) -> bool:
    return len(text) > 3


def long(text: str) -> bool:
    return len(text) > 3


def _letters(lib: Any) -> Any:
    return lib.RunnableGenerator(letters, aletters)


TEXTS = ["", "a", "abc", "abcd"]
BRANCHES = [
    Case("first branch", lambda lib: lib.RunnableBranch((long, upper), double), many=TEXTS),
    Case("default", lambda lib: lib.RunnableBranch((long, upper), double), input="ab"),
    Case(
        "several",
        lambda lib: lib.RunnableBranch(
            (lambda t: not t, lambda t: "none"), (long, upper), (str.isalpha, double), str
        ),
        many=TEXTS,
    ),
    Case("first that holds", lambda lib: lib.RunnableBranch((long, upper), (long, double), str)),
    Case("streams", lambda lib: lib.RunnableBranch((long, _letters(lib)), double), many=TEXTS),
    Case("default streams", lambda lib: lib.RunnableBranch((long, upper), _letters(lib)), input="ab"),
    Case(
        "both colours",
        lambda lib: lib.RunnableBranch(
            (lib.RunnableLambda(long, along), lib.RunnableLambda(upper, aupper)), double
        ),
    ),
    Case(
        "runnable condition", lambda lib: lib.RunnableBranch((lib.RunnableLambda(len) | bool, upper), double)
    ),
    Case(
        "dict as a step",
        lambda lib: lib.RunnableBranch((long, {"a": upper, "b": double}), str),
        interleaves=True,
    ),
    Case("list as a pair", lambda lib: lib.RunnableBranch([long, upper], double)),
    Case(
        "in a sequence", lambda lib: _letters(lib) | lib.RunnableBranch((long, _letters(lib)), double) | upper
    ),
    Case(
        "nested",
        lambda lib: lib.RunnableBranch((long, lib.RunnableBranch((str.isalpha, upper), double)), str),
    ),
    Case("condition fails", lambda lib: lib.RunnableBranch((fail, upper), double)),
    Case(
        "step fails",
        lambda lib: lib.RunnableBranch((long, lib.RunnableLambda(fail, afail)), double),
        many=TEXTS,
    ),
    Case(
        "keywords",
        lambda lib: lib.RunnableBranch((long, lambda t, n: t * n), lambda t, n: t),
        kwargs={"n": 2},
    ),
    Case(
        "numbers",
        lambda lib: lib.RunnableBranch((lambda x: x > 2, lambda x: x * 10), lambda x: -x),
        input=3,
        pieces=[1, 2],
        many=[1, 2, 3],
    ),
]


@each(BRANCHES)
def test_branches(case, verb, colour):
    compare(case, verb, colour)


@pytest.mark.parametrize(
    "branches", [[(long, 3), upper], [(3, upper), upper], [upper, upper], [(long, upper), 3]]
)
def test_refused(branches):
    for lib in (OURS, PEER):
        with pytest.raises(TypeError):
            lib.RunnableBranch(*branches)
