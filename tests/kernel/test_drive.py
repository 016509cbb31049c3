"""The sync driver, and the worker threads."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from millstream import Runnable
from millstream.kernel import threads
from millstream.kernel.scope import Scope, new_id
from millstream.kernel.sources import NOTHING, AddableDict, merge


class AwaitsALoop(Runnable[Any, Any]):
    """Written wrongly: it awaits asyncio's objects in a step of the library's kind."""

    async def _transform(self, source: Any, scope: Scope, /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        async with scope.reading(source):
            yield "first"
            await asyncio.sleep(0)
            yield "second"


def test_a_step_that_suspends_under_a_sync_verb_is_told_so() -> None:
    stream = AwaitsALoop().stream("x")
    assert next(stream) == "first"
    with pytest.raises(RuntimeError, match=r"scope\.here"):
        next(stream)
    with pytest.raises(RuntimeError, match=r"scope\.here"):
        AwaitsALoop().invoke("x")


def test_a_runnable_that_overrides_nothing_says_so() -> None:
    with pytest.raises(TypeError, match="overrides neither"):
        Runnable().invoke("x")


def test_ids_are_version_7_uuids_that_sort_by_time() -> None:
    import uuid

    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(uuid.UUID(text).version == 7 and uuid.UUID(text).variant == uuid.RFC_4122 for text in ids)
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)


@pytest.mark.parametrize(
    ("items", "whole"),
    [
        (["a", "b"], "ab"),
        ([[1], [2, 3]], [1, 2, 3]),
        ([1, 2], 3),
        ([{"a": 1}, {"b": 2}], {"b": 2}),
        ([AddableDict(a="x"), AddableDict(a="y", b=1)], {"a": "xy", "b": 1}),
        ([AddableDict(a=None), AddableDict(a="y")], {"a": "y"}),
        ([None, None], None),
        (["a", 1], 1),
        ([{"a": 1}], {"a": 1}),
    ],
)
def test_merge(items: list[Any], whole: Any) -> None:
    assert merge(items) == whole


def test_merge_leaves_its_items_as_they_are() -> None:
    items = [[1], [2]]
    merge(items)
    assert items == [[1], [2]]
    assert repr(NOTHING) == "NOTHING"


def test_workers_are_used_again_and_have_no_bound() -> None:
    gate = threading.Event()
    seen: set[int] = set()

    def work() -> None:
        seen.add(threading.get_ident())
        gate.wait(5)

    jobs = [threads.start(work) for _ in range(50)]
    assert not jobs[0].join(0)
    gate.set()
    assert all(job.join(5) for job in jobs)
    assert len(seen) == 50
    again: set[int] = set()
    for _ in range(10):
        assert threads.start(lambda: again.add(threading.get_ident())).join(5)
    assert again <= seen


def test_a_job_that_raises_is_reported_and_its_worker_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda details: reported.append(details.exc_type))

    def fails() -> None:
        raise LookupError

    for _ in range(3):
        assert threads.start(fails).join(5)
    ran = threading.Event()
    assert threads.start(ran.set).join(5)
    assert ran.is_set()
    assert reported == [LookupError] * 3


@pytest.mark.parametrize(
    "program",
    [
        # A stream that is kept and never read to its end.
        "from millstream.testing import FakeChatModel\n"
        "stream = FakeChatModel([['a', 'b']]).stream('x')\nnext(stream)",
        # A branch that is still at work when the program ends.
        "import time\nfrom millstream import RunnableParallel\n"
        "stream = RunnableParallel(a=lambda x: x, b=lambda x: time.sleep(0.2)).stream('x')\nnext(stream)",
        # A plain generator under asyncio, let go of as the last thing.
        "import asyncio\nfrom millstream import RunnableGenerator\n"
        "def numbers(items):\n    yield from range(10**9)\n"
        "async def main():\n    async for _ in RunnableGenerator(numbers).astream('x'):\n        break\n"
        "asyncio.run(main())",
    ],
    ids=["kept", "branch", "bridge"],
)
def test_the_interpreter_exits_cleanly(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
