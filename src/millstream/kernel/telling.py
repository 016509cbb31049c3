"""Telling a user's code what happens in a run: code that watches, and is no part of the run."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from millstream.kernel.host import SyncHost
from millstream.kernel.scope import Scope, user_context


async def tell(
    scope: Scope,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    in_place: bool = False,
    may_await: bool = True,
) -> None:
    """Call a user's function, of either colour, from a run in either colour. What it raises is raised.

    `scope` is the run's `aside()`. A plain function has a worker thread under async verbs, unless it is to
    run `in_place`. Where nothing can be awaited it blocks: without `may_await`, and where the event loop has
    gone and the garbage collector closes what was left in it.
    """
    if may_await and _can_await(scope):
        await _call(scope, function, args, kwargs, in_place)
        return
    host = scope.host = SyncHost()
    try:
        await _call(scope, function, args, kwargs, in_place)
    finally:
        host.close()


def _can_await(scope: Scope) -> bool:
    if not scope.here.is_async:
        return True
    import asyncio  # it is loaded already

    return asyncio._get_running_loop() is not None


async def _call(
    scope: Scope, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], in_place: bool
) -> None:
    host = scope.here
    if inspect.iscoroutinefunction(function):
        await host.wait(scope, function, *args, **kwargs)
        return
    if in_place:
        answer = user_context(scope).run(function, *args, **kwargs)
    else:
        answer = await host.call(scope, function, *args, **kwargs)
    if inspect.iscoroutine(answer):
        # A plain function that hands on what an async one gives.
        await host.wait(scope, _itself, answer)


def _itself(awaitable: Awaitable[Any]) -> Awaitable[Any]:
    return awaitable


def report(message: str, *args: Any) -> None:
    """Log the exception that is being handled: it does not disturb the run."""
    import logging  # code that raises here is rare, and the import takes milliseconds

    logging.getLogger("millstream").warning(message, *args, exc_info=True)
