"""Steps one after the other: the `|` of runnables."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from millstream.kernel.cancel import Cancellation
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, Flow, Single, Source
from millstream.kernel.stage import answer, open_stream
from millstream.runnables.coerce import coerce_to_runnable
from millstream.runnables.runnable import Input, Output, Runnable


class RunnableSequence(Runnable[Input, Output]):
    """Each step's output is the next one's input. It streams as far as its steps do."""

    def __init__(self, *steps: Any, name: str | None = None) -> None:
        self.name = name
        flat: list[Runnable[Any, Any]] = []
        for step in steps:
            runnable = coerce_to_runnable(step)
            flat.extend(runnable.steps if isinstance(runnable, RunnableSequence) else [runnable])
        if len(flat) < 2:
            raise ValueError(f"A sequence has at least two steps, not {len(flat)}.")
        self.steps: list[Runnable[Any, Any]] = flat
        """The steps, in order. A sequence in a sequence has become its steps."""
        self._tagged = [(f"seq:step:{number}", step) for number, step in enumerate(flat, 1)]
        self._may_block = any(step._may_block for step in flat)  # type: ignore[misc]
        # Steps behind one that tells events are streamed to, also for one answer.
        telling = [number for number, step in enumerate(flat[:-1]) if step._tells_events]
        cut = telling[0] if telling else len(flat)
        self._answering, self._streaming = self._tagged[:cut], self._tagged[cut:]
        self._tells_events = flat[-1]._tells_events  # type: ignore[misc]

    @property
    def first(self) -> Runnable[Input, Any]:
        """The first step."""
        return self.steps[0]

    @property
    def middle(self) -> list[Runnable[Any, Any]]:
        """The steps between the first and the last."""
        return self.steps[1:-1]

    @property
    def last(self) -> Runnable[Any, Output]:
        """The last step."""
        return self.steps[-1]

    def __repr__(self) -> str:
        return " | ".join(repr(step) for step in self.steps)

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        for tag, step in self._answering:
            input = await answer(step, input, scope, tag, kwargs)
            kwargs = {}
        if not self._streaming:
            return input
        output = await scope.gather(_open(self._streaming, Single(input), scope, kwargs), scope.flow())
        return None if output is NOTHING else output

    def _transform(self, source: Source[Any], scope: Scope, /, **kwargs: Any) -> AsyncGenerator[Any, None]:
        # The last step's own stream is the sequence's: no generator of ours stands in between.
        return _open(self._tagged, source, scope, kwargs)


def _open(
    tagged: Sequence[tuple[str, Runnable[Any, Any]]], source: Any, scope: Scope, kwargs: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    """The stream of steps one after the other."""
    # Each step's cancellation is below that of the step behind it: who reads no more can end all before.
    nodes = [scope.cancellation]
    for _ in tagged[1:]:
        nodes.append(Cancellation(nodes[-1], inner=True))
    stream = source
    upstream, takes = scope.upstream, scope.takes
    for tag, step in tagged:
        node = nodes.pop()
        # What the last step gives is what the chain gives.
        gives = Flow() if nodes else scope.flow()
        stream = open_stream(step, stream, scope, tag, kwargs, upstream, node, takes, gives)
        upstream, takes, kwargs = node, gives, {}
    return stream  # type: ignore[no-any-return]


def join(first: Any, second: Any) -> RunnableSequence[Any, Any]:
    """`first | second`: a named sequence keeps its name, unless a runnable is put before it."""
    name: str | None = None
    if isinstance(first, RunnableSequence):
        name = first.name or (second.name if isinstance(second, RunnableSequence) else None)
    elif isinstance(second, RunnableSequence) and not isinstance(first, Runnable):
        name = second.name
    return RunnableSequence(first, second, name=name)
