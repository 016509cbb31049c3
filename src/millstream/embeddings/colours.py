"""Code of one colour called from the other, outside of steps: what twins such as `embed` and `aembed` need.

It goes through the kernel's hosts, so that a cancel of the run around it reaches it, and a chain that it
calls nests under that run.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from millstream.kernel.cancel import Cancellation
from millstream.kernel.drive import run_sync
from millstream.kernel.host import Host, SyncHost
from millstream.kernel.scope import Scope, current_scope
from millstream.kernel.stage import enter_root
from millstream.runnables.passthrough import RunnablePassthrough
from millstream.runnables.runnable import async_host

T = TypeVar("T")

# Stands for the step where there is no run around the call.
_NO_STEP: RunnablePassthrough[Any] = RunnablePassthrough()
_NO_STEP.name = "call"


def blocking(function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
    """Run a coroutine function to its end from sync code, on a private event loop."""
    scope = call_scope(SyncHost())
    answer: T = run_sync(scope, scope.host.wait(scope, function, *args, **kwargs))
    return answer


async def in_thread(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Run a plain function from async code, in a worker thread."""
    scope = call_scope(async_host())
    answer: T = await scope.host.call(scope, function, *args, **kwargs)
    return answer


def call_scope(host: Host) -> Scope:
    """The scope of a call that is no step: inside of the run around it, if there is one."""
    around = current_scope()
    if around is None:
        return enter_root(_NO_STEP, None, host, {})[1]
    scope = around.branch(Cancellation(around.cancellation))
    scope.host = host
    return scope


def writes(thing: object, base: type, name: str) -> bool:
    """Whether the class of `thing` has a method of its own in place of its base's."""
    return getattr(type(thing), name) is not getattr(base, name)
