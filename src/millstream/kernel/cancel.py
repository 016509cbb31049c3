"""Cancellation: one node a run, and one a branch of it, with the aborts of whatever is blocked below.

A leaf that can block (a socket, a local model, a thread that waits) registers a thread-safe function that
wakes it up: its *abort*. Cancelling a node marks it and calls every abort below it, from any thread, and
only then does anybody wait for threads or tasks: abort before join. Each abort is called once, however often
the nodes above it are cancelled: what it wakes may be running `finally` blocks by then, which must not be cut
short. A node's own aborts come before those of the nodes below it.

A node is linked to its parent only while an abort is registered below it, so a run that never blocks costs
one small object, and one that was forgotten leaves nothing behind.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from millstream.errors import Cancelled

Abort = Callable[[], object]

# One lock for all registries: it is taken when a leaf begins or ends to block, never for each token. Nothing
# is allocated while it is held that could start the garbage collector: that may close a stream, and so wait
# for a thread that waits for this lock.
_lock = threading.RLock()

# The roots below which something is registered now: what has to be aborted when the interpreter exits.
_roots: "set[Cancellation]" = set()


class Cancellation:
    """Whether a run, or a branch of one, was cancelled, and what to wake up if it is."""

    __slots__ = ("_aborts", "branch", "inner", "parent", "set_here")

    def __init__(self, parent: "Cancellation | None" = None, inner: bool = False) -> None:
        self.parent = parent
        #: Whether it only serves to end a part of a run early: to cancel the run, begin above it.
        self.inner = inner
        #: Whether it ends a branch: what is below it runs in workers of its own.
        self.branch = False
        self.set_here: BaseException | None = None
        self._aborts: dict[object, Abort | Cancellation] = {}

    @property
    def reason(self) -> BaseException | None:
        """What this node, or one above it, was cancelled with; None while it is not."""
        if self.set_here is None and self.parent is not None:
            return self.parent.reason
        return self.set_here

    @property
    def branch_is_over(self) -> bool:
        """Whether the whole branch, or run, was cancelled, and not only a run that was started inside it."""
        node = self
        while not node.branch and node.parent is not None:
            node = node.parent
        return node.reason is not None

    def check(self) -> None:
        """Raise the reason if this node was cancelled."""
        reason = self.reason
        if reason is not None:
            raise reason

    def cancel(self, reason: BaseException | None = None) -> None:
        """Mark this node and wake whatever blocks below it. Safe from any thread; the first reason stays."""
        if self.set_here is None:
            self.set_here = Cancelled("The run was cancelled.") if reason is None else reason
        # Marked first: an abort that is registered meanwhile sees the mark, or is seen here.
        self._abort_below()

    def _abort_below(self) -> None:
        failed: Exception | None = None
        # Its own first: that wakes the outermost code of a task, which the others leave the task to.
        for key, abort in sorted(self._snapshot(), key=_is_node):
            try:
                if isinstance(abort, Cancellation):
                    abort._abort_below()
                else:
                    self._call(key)
            except Exception as error:  # the others are called all the same
                failed = error
        if failed is not None:
            raise failed

    def _call(self, key: object) -> None:
        """Call an abort, unless another thread was first, or it is not wanted any more."""
        abort: Abort | Cancellation = _called
        with _lock:
            if key in self._aborts:
                # Its place is kept, for `unregister`.
                abort, self._aborts[key] = self._aborts[key], _called
        abort()  # type: ignore[operator]

    def _snapshot(self) -> "list[tuple[object, Abort | Cancellation]]":
        while True:
            try:
                return list(self._aborts.items())
            except RuntimeError:  # it changed meanwhile
                continue

    def register(self, key: object, abort: Abort) -> None:
        """Have `abort` called when this node is cancelled: at once, if that is so already."""
        node: Cancellation | None = self
        entry: Abort | Cancellation = abort
        name = key
        with _lock:
            while node is not None:
                linked = bool(node._aborts)
                node._aborts[name] = entry
                if linked:
                    break
                if node.parent is None:
                    _roots.add(node)
                entry = name = node
                node = node.parent
        if self.reason is not None:
            self._call(key)

    def unregister(self, key: object) -> None:
        """Forget an abort. Forgetting it twice is harmless."""
        with _lock:
            if self._aborts.pop(key, None) is None or self._aborts:
                return
            if self.parent is not None:
                self.parent.unregister(self)
            else:
                _roots.discard(self)

    @contextmanager
    def aborting(self, abort: Abort) -> Iterator[None]:
        """Have `abort` called if this node is cancelled while the block runs."""
        key = object()
        self.register(key, abort)
        try:
            yield
        finally:
            self.unregister(key)


def _is_node(entry: "tuple[object, Abort | Cancellation]") -> bool:
    return isinstance(entry[1], Cancellation)


def _called() -> None:
    """What stands for an abort that was called."""


def cancel_everything() -> None:
    """Cancel each run that has something blocked: the interpreter is about to exit."""
    for root in list(_roots):
        root.cancel()
