"""A step that chooses: the first branch whose condition holds for the input."""

from collections.abc import AsyncGenerator
from typing import Any

from millstream.errors import CoercionError
from millstream.kernel.scope import Scope
from millstream.kernel.sources import NOTHING, Single, Source
from millstream.kernel.stage import answer, open_stream
from millstream.runnables.coerce import coerce_to_runnable
from millstream.runnables.runnable import Input, Output, Runnable


class RunnableBranch(Runnable[Input, Output]):
    """`RunnableBranch((condition, step), ..., default)`: conditions are asked in turn, on the whole input."""

    def __init__(self, *branches: Any) -> None:
        if len(branches) < 2:
            raise CoercionError("A RunnableBranch has at least one (condition, step) pair and a default.")
        *pairs, default = branches
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise CoercionError(f"Each branch but the default is a pair (condition, step), not {pair!r}.")
        self.branches = [(coerce_to_runnable(test), coerce_to_runnable(step)) for test, step in pairs]
        self.default = coerce_to_runnable(default)
        steps = [*(step for _, step in self.branches), self.default]
        self._tells_events = any(step._tells_events for step in steps)  # type: ignore[misc]

    async def _choose(self, input: Any, scope: Scope) -> tuple[Runnable[Any, Any], str]:
        for number, (condition, step) in enumerate(self.branches, 1):
            if await answer(condition, input, scope, f"condition:{number}"):
                return step, f"branch:{number}"
        return self.default, "branch:default"

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        step, tag = await self._choose(input, scope)
        return await answer(step, input, scope, tag, kwargs)

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with scope.reading(source) as items:
            input = await scope.gather(items)
            if input is NOTHING:
                return
            step, tag = await self._choose(input, scope)
            chosen = open_stream(step, Single(input), scope, tag, kwargs, gives=scope.flow())
            async with scope.reading(chosen) as outputs:
                async for item in outputs:
                    yield item
