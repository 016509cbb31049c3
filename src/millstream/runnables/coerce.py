"""What may stand in a chain: runnables, functions of any kind, and dicts of those."""

from collections.abc import Mapping
from typing import Any

from millstream.errors import CoercionError
from millstream.runnables.runnable import Runnable


def coerce_to_runnable(thing: Any) -> Runnable[Any, Any]:
    """The runnable that `thing` stands for; a `CoercionError` (a `TypeError`) if it is none.

    A dict becomes a `RunnableParallel`, a generator function (sync or async) a `RunnableGenerator`, any
    other callable a `RunnableLambda`.
    """
    from millstream.runnables.function import RunnableGenerator, RunnableLambda, is_generator_function
    from millstream.runnables.parallel import RunnableParallel

    if isinstance(thing, Runnable):
        return thing
    if isinstance(thing, Mapping):
        return RunnableParallel(thing)
    if isinstance(thing, type) and issubclass(thing, Runnable):
        raise CoercionError(f"{thing.__name__} is a class: put an instance of it into the chain.")
    if is_generator_function(thing):
        return RunnableGenerator(thing)
    if callable(thing):
        return RunnableLambda(thing)
    raise CoercionError(
        f"A step is a runnable, a function, a generator function or a dict of those, not {thing!r} "
        f"({type(thing).__name__})."
    )
