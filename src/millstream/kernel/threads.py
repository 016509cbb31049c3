"""Worker threads: as many as are needed at once, kept for a while and used again.

A pool with a bound deadlocks as soon as code inside it waits for other code that needs a place in it (a
chain inside a step inside a parallel, say), so there is no bound here: whoever starts workers bounds how
many it starts. An idle worker takes the next job, and goes after `IDLE_SECONDS` without one.

Workers are daemon threads, so that an idle one never holds up the exit of the interpreter. Busy ones are
aborted and joined at exit: native code that still runs while the interpreter is taken down would crash it.
"""

import atexit
import contextvars
import os
import threading
import time
from collections.abc import Callable

from millstream.kernel.cancel import cancel_everything

IDLE_SECONDS = 5.0
EXIT_SECONDS = 5.0


class Job:
    """A function on its way through a worker thread. Its errors are its own affair: it must not raise."""

    __slots__ = ("_done", "_thread", "context", "function")

    def __init__(self, function: Callable[[], None], context: contextvars.Context) -> None:
        self.function = function
        self.context = context
        self._thread: int | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def run(self) -> None:
        """Run it, in the context that it was started from."""
        self._thread = threading.get_ident()
        try:
            self.context.run(self.function)
        finally:
            self._done.release()

    def join(self, timeout: float = -1) -> bool:
        """Wait until it ended; True if it has. Interruptible by Ctrl-C in the main thread.

        A job does not wait for itself: the garbage collector may close a stream in one of its own threads.
        """
        if self._thread == threading.get_ident() and self._done.locked():
            return False
        if self._done.acquire(timeout=timeout):
            self._done.release()
            return True
        return False


class _Worker:
    def __init__(self) -> None:
        self.wake = threading.Semaphore(0)
        self.job: Job | None = None
        self.thread = threading.Thread(target=self._work, name="millstream-worker", daemon=True)

    def _work(self) -> None:
        while self.wake.acquire(timeout=IDLE_SECONDS) or not _retire(self):
            job, self.job = self.job, None
            if job is None:
                continue
            try:
                job.run()
            except BaseException as error:
                # A job keeps its errors to itself; one that does not is reported, and the worker lives on.
                details = (type(error), error, error.__traceback__, self.thread)
                threading.excepthook(threading.ExceptHookArgs(details))
            finally:
                del job
                with _lock:
                    _busy.discard(self)
                    _idle.append(self)


_lock = threading.Lock()
_idle: list[_Worker] = []
_busy: set[_Worker] = set()


def _retire(worker: _Worker) -> bool:
    """Let an idle worker go, unless a job was given to it at the last moment."""
    with _lock:
        if worker in _idle:
            _idle.remove(worker)
            return True
        return False


def start(function: Callable[[], None], context: contextvars.Context | None = None) -> Job:
    """Run `function` in a worker thread, in `context` or a copy of the caller's."""
    job = Job(function, contextvars.copy_context() if context is None else context)
    worker: _Worker | None = None
    with _lock:
        if _idle:
            worker = _idle.pop()
            _busy.add(worker)
            worker.job = job
    if worker is None:
        # Made outside the lock: the garbage collector may run in here, and need it.
        worker = _Worker()
        worker.job = job
        with _lock:
            _busy.add(worker)
        worker.thread.start()
    worker.wake.release()
    return job


def idle_threads() -> set[threading.Thread]:
    """The threads that wait for a job: cached, not leaked."""
    return {worker.thread for worker in list(_idle)}


def _at_exit() -> None:
    cancel_everything()
    deadline = time.monotonic() + EXIT_SECONDS
    while _busy and time.monotonic() < deadline:
        time.sleep(0.005)


def _after_fork() -> None:
    # The child has none of the parent's threads.
    global _lock
    _lock = threading.Lock()
    _idle.clear()
    _busy.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
