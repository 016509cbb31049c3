"""Events of a user's own, told from inside a step."""

from collections.abc import Mapping
from typing import Any

from millstream.kernel.drive import drive
from millstream.kernel.scope import Nesting, Scope, current_scope


def dispatch_custom_event(name: str, data: Any, *, config: Mapping[str, Any] | None = None) -> None:
    """Tell those who watch the step whose code this is of something, as an `on_custom_event`.

    `config` is the one that the function was given, where the code runs apart from its step. If nobody
    watches, nothing happens. Raises `RuntimeError` outside of any step.
    """
    scope = _scope(config)
    for watcher in scope.watchers:
        drive(watcher.custom(scope, name, data, may_await=False))


async def adispatch_custom_event(name: str, data: Any, *, config: Mapping[str, Any] | None = None) -> None:
    """`dispatch_custom_event`, for async code: it waits while whoever reads the events is behind."""
    scope = _scope(config)
    for watcher in scope.watchers:
        await watcher.custom(scope, name, data, may_await=True)


def _scope(config: Mapping[str, Any] | None) -> Scope:
    callbacks = None if config is None else config.get("callbacks")
    scope = callbacks.scope if isinstance(callbacks, Nesting) else current_scope()
    if scope is None:
        raise RuntimeError("A custom event belongs to a step: dispatch it from a function that a chain runs.")
    return scope
