"""Cancellation nodes and their aborts."""

import threading

import pytest

from millstream import Cancelled
from millstream.kernel.cancel import Cancellation, cancel_everything


def test_a_cancel_reaches_everything_below_and_nothing_beside() -> None:
    root = Cancellation()
    left, right = Cancellation(root), Cancellation(root)
    below = Cancellation(left)
    aborted: list[str] = []
    below.register("a", lambda: aborted.append("below"))
    right.register("b", lambda: aborted.append("right"))
    left.cancel()
    assert aborted == ["below"]
    assert isinstance(below.reason, Cancelled)
    assert right.reason is None
    root.cancel()
    assert sorted(set(aborted)) == ["below", "right"]


def test_the_first_reason_stays() -> None:
    node = Cancellation()
    first, second = TimeoutError("first"), TimeoutError("second")
    node.cancel(first)
    node.cancel(second)
    with pytest.raises(TimeoutError, match="first"):
        Cancellation(node).check()


def test_an_abort_that_comes_late_is_called_at_once() -> None:
    node = Cancellation(Cancellation())
    assert node.parent is not None
    node.parent.cancel()
    aborted: list[str] = []
    with node.aborting(lambda: aborted.append("late")):
        assert aborted == ["late"]


def test_nothing_stays_linked_when_the_aborts_are_gone() -> None:
    root = Cancellation()
    middle = Cancellation(root)
    leaf = Cancellation(middle)
    with leaf.aborting(lambda: None):
        assert root._aborts
    assert not root._aborts
    assert not middle._aborts
    leaf.unregister("never registered")


def test_register_and_cancel_race_and_no_abort_is_missed() -> None:
    for _ in range(200):
        root = Cancellation()
        node = Cancellation(root)
        called = threading.Event()
        ready = threading.Barrier(2)

        def cancel(root: Cancellation = root, ready: threading.Barrier = ready) -> None:
            ready.wait()
            root.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        ready.wait()
        node.register("key", called.set)
        thread.join()
        assert called.is_set()
        node.unregister("key")


def test_at_exit_whatever_blocks_is_cancelled() -> None:
    node = Cancellation()
    aborted = threading.Event()
    with node.aborting(aborted.set):
        cancel_everything()
        assert aborted.is_set()
