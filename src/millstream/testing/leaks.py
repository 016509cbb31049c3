"""A check that nothing stays open: threads, tasks, sockets, suspended generators."""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from inspect import GEN_SUSPENDED, getgeneratorstate
from pathlib import Path
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from millstream.kernel import threads

_PACKAGE = str(Path(__file__).parent.parent)

# A worker that has just ended its job, or a loop's last callback, may need a moment.
GRACE_SECONDS = 2.0


class Leak(AssertionError):
    """Something was left open. The message lists it."""


@contextmanager
def check_leaks() -> Iterator[None]:
    """Raise `Leak` if the block leaves a thread, task, socket or suspended generator behind.

    Idle workers, and connections that providers keep to use them again, are no leak. Of generators, async
    ones count wherever they were written, plain ones only if the library wrote them: a test's own fixtures
    are suspended generators too.
    """
    before = _open()
    yield
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        left = {key: name for key, name in _open().items() if key not in before}
        if not left:
            return
        if time.monotonic() > deadline:
            raise Leak("left open: " + "; ".join(sorted(left.values())))
        time.sleep(0.01)


def _open() -> dict[Any, str]:
    gc.collect()
    found: dict[Any, str] = {}
    idle = threads.idle_threads()
    pools = sys.modules.get("millstream.providers.pools")  # its asyncio costs time to import
    kept = _names([sock.fileno() for sock in pools.kept_sockets()]) if pools else []
    for thread in threading.enumerate():
        if thread not in idle:
            found[thread.ident] = f"thread {thread.name}"
    for name in set(_sockets()).difference(kept):
        found[name] = f"socket {name}"
    for thing in gc.get_objects():
        # By type and not isinstance: some objects in the heap answer `__class__` with code of their own.
        kind = type(thing)
        if kind is AsyncGeneratorType and _is_suspended(thing):
            if pools is None or not pools.is_keeper(thing):
                found[id(thing)] = f"async generator {thing.__qualname__}"
        elif kind is GeneratorType and thing.gi_code.co_filename.startswith(_PACKAGE):
            if getgeneratorstate(thing) == GEN_SUSPENDED and thing.__name__ != "check_leaks":
                found[id(thing)] = f"generator {thing.__qualname__}"
        elif issubclass(kind, asyncio.Task) and not thing.done():
            found[id(thing)] = f"task {thing.get_name()} ({thing.get_coro()!r})"
    return found


def _is_suspended(generator: Any) -> bool:
    frame = generator.ag_frame
    # Before 3.12 there is no `ag_suspended`: a generator that never began stands at its first instruction.
    return frame is not None and not generator.ag_running and frame.f_lasti > _FIRST


_DESCRIPTORS = "/proc/self/fd"


def _sockets() -> list[str]:
    """The names of this process's sockets, where the system tells them."""
    descriptors = os.listdir(_DESCRIPTORS) if os.path.isdir(_DESCRIPTORS) else []
    return [name for name in _names(descriptors) if name.startswith("socket:")]


def _names(descriptors: Iterable[object]) -> list[str]:
    names = []
    for descriptor in descriptors:
        with suppress(OSError):  # closed meanwhile
            names.append(os.readlink(f"{_DESCRIPTORS}/{descriptor}"))
    return names


async def _never() -> Any:
    yield


_new: Any = _never()
_FIRST = _new.ag_frame.f_lasti
