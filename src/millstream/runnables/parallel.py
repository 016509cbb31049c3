"""Steps side by side on one input: the dict of a chain."""

from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any

from millstream.kernel.branches import Body, Inlet, Put, run_branches, run_shared
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, AddableDict, Flow, Single, Source
from millstream.kernel.stage import answer, open_stream
from millstream.runnables.coerce import coerce_to_runnable
from millstream.runnables.runnable import Runnable

Branch = tuple[str, Runnable[Any, Any]]


class RunnableParallel(Runnable[Any, dict[str, Any]]):
    """Runs its steps at once on the same input, and answers a dict of their answers.

    Its stream interleaves the branches' pieces as they come, each as `{key: piece}`. `max_concurrency` in
    the config bounds how many run at once. Branches that cannot block run in place; of those that can, each
    has a thread (under sync verbs) or a task of its own, and may run 64 pieces ahead of the reader.
    """

    def __init__(self, steps: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        given = {**(steps or {}), **more}
        self.steps = {str(key): coerce_to_runnable(step) for key, step in given.items()}
        """The steps by their keys."""
        self._may_block = any(step._may_block for step in self.steps.values())  # type: ignore[misc]

    def get_name(self) -> str:
        """The name that its runs carry."""
        return self.name or f"RunnableParallel<{','.join(self.steps)}>"

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{key}: {step!r}" for key, step in self.steps.items()) + "}"

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        if self._in_place(scope):
            for key, step in self.steps.items():
                answers[key] = await answer(step, input, scope, f"map:key:{key}")
            return answers

        async def run(branch: Branch, scope: Scope, put: Put) -> None:
            key, step = branch
            answers[key] = await answer(step, input, scope, f"map:key:{key}")

        async with scope.reading(run_branches(scope, self._bodies(run, scope))) as nothing:
            async for _ in nothing:
                pass
        return {key: answers[key] for key in self.steps}

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        async with scope.reading(source) as items:
            limit = scope.settings.max_concurrency
            if not isinstance(items, Single) and limit is not None and limit < len(self.steps):
                # A branch that has not begun reads nothing, and would hold up the others: wait for the whole.
                value = await scope.gather(items)
                if value is NOTHING:
                    return
                items = Single(value)
            async with scope.reading(self._pieces(items, scope)) as pieces:
                async for piece in pieces:
                    yield piece

    def _pieces(self, source: Source[Any], scope: Scope) -> AsyncGenerator[dict[str, Any], None]:
        if isinstance(source, Single):
            return self._one_input(source.value, scope)
        if len(self.steps) == 1:
            return self._alone(source, scope)
        return self._shared(source, scope)

    async def _alone(self, source: Source[Any], scope: Scope) -> AsyncGenerator[dict[str, Any], None]:
        ((key, step),) = self.steps.items()
        flow = Flow()
        alone = open_stream(step, source, scope, f"map:key:{key}", takes=scope.takes, gives=flow)
        async with scope.reading(alone) as stream:
            async for item in stream:
                yield _piece(key, item, flow)

    async def _one_input(self, value: Any, scope: Scope) -> AsyncGenerator[dict[str, Any], None]:
        if self._in_place(scope):
            # Those that cannot block first: their pieces are there at once.
            for key, step in sorted(self.steps.items(), key=lambda branch: branch[1]._may_block):
                flow = Flow()
                one = open_stream(step, Single(value), scope, f"map:key:{key}", gives=flow)
                async with scope.reading(one) as stream:
                    async for item in stream:
                        yield _piece(key, item, flow)
            return

        async def run(branch: Branch, scope: Scope, put: Put) -> None:
            await _forward(branch, Single(value), scope, put)

        async with scope.reading(run_branches(scope, self._bodies(run, scope))) as pieces:
            async for piece in pieces:
                yield piece

    def _shared(self, source: Source[Any], scope: Scope) -> AsyncGenerator[dict[str, Any], None]:
        async def run(branch: Branch, inlet: Inlet, scope: Scope, put: Put) -> None:
            await _forward(branch, inlet, scope, put)

        return run_shared(scope, source, [partial(run, branch) for branch in self.steps.items()])

    def _in_place(self, scope: Scope) -> bool:
        """Whether at most one branch can block: then nothing is gained by running them at once."""
        return (
            sum(step._may_block for step in self.steps.values()) <= 1 or scope.settings.max_concurrency == 1
        )

    def _bodies(self, run: Any, scope: Scope) -> list[Body]:
        """One worker a branch; or, under a limit, that many workers that take the branches in turn."""
        limit = scope.settings.max_concurrency
        if limit is None or limit >= len(self.steps):
            return [partial(run, branch) for branch in self.steps.items()]
        todo = iter(list(self.steps.items()))

        async def take(scope: Scope, put: Put) -> None:
            for branch in todo:
                await run(branch, scope, put)

        return [take for _ in range(limit)]


async def _forward(branch: Branch, source: Source[Any], scope: Scope, put: Put) -> None:
    key, step = branch
    flow = Flow()
    takes = None if isinstance(source, Single) else scope.takes
    one = open_stream(step, source, scope, f"map:key:{key}", takes=takes, gives=flow)
    async with scope.reading(one) as stream:
        async for item in stream:
            await put(_piece(key, item, flow))


def _piece(key: str, item: Any, flow: Flow) -> AddableDict:
    return AddableDict.replacing([(key, item)], [key]) if flow.replaces else AddableDict({key: item})


RunnableMap = RunnableParallel
"""Another name of `RunnableParallel`."""
