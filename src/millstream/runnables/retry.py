"""Trying again after an error."""

import random
from collections.abc import AsyncGenerator, Iterator, Mapping
from copy import copy
from typing import Any

from millstream.errors import ConfigError
from millstream.kernel.scope import Scope
from millstream.kernel.sources import Source
from millstream.kernel.stage import answer, open_stream, tell_retry
from millstream.runnables.coerce import coerce_to_runnable
from millstream.runnables.replay import Replay
from millstream.runnables.runnable import Input, Output, Runnable

# Seconds before the second attempt; they double from there to the longest wait, plus up to `jitter` seconds
# at random, so that many clients do not come back at the same moment.
DEFAULT_WAITS: Mapping[str, float] = {"initial": 1.0, "max": 60.0, "exp_base": 2.0, "jitter": 1.0}

#: How many seconds a provider may have us wait.
LONGEST_ASKED = 60.0


class RunnableRetry(Runnable[Input, Output]):
    """Runs a runnable again after an error, on the same input, at most `stop_after_attempt` times in all.

    It waits longer each time, and as long as a provider asks for (`retry_after`), but a minute at most.
    A stream is tried again only until its first item: what was delivered is never repeated. A streamed input
    is kept until then, so that the next attempt reads it from its start; its own errors are not tried again.
    """

    def __init__(
        self,
        bound: Any,
        *,
        retry_if_exception_type: tuple[type[BaseException], ...] = (Exception,),
        wait_exponential_jitter: bool = True,
        stop_after_attempt: int = 3,
        exponential_jitter_params: Mapping[str, float] | None = None,
    ) -> None:
        if stop_after_attempt < 1:
            raise ConfigError(f"stop_after_attempt is a whole number from 1, not {stop_after_attempt!r}.")
        self.bound = coerce_to_runnable(bound)
        self.retry_if_exception_type = retry_if_exception_type
        self.stop_after_attempt = stop_after_attempt
        self._waits = {**DEFAULT_WAITS, **(exponential_jitter_params or {})}
        self._wait = wait_exponential_jitter
        self._may_block = True  # type: ignore[misc]
        self._tells_events = self.bound._tells_events  # type: ignore[misc]

    def get_name(self) -> str:
        """The name that its runs carry: that of what is tried."""
        return self.name or self.bound.get_name()

    def _attempts(self) -> Iterator[tuple[int, str | None]]:
        for number in range(1, self.stop_after_attempt + 1):
            yield number, f"retry:attempt:{number}" if number > 1 else None

    def _gives_up(self, number: int, scope: Scope) -> bool:
        return number == self.stop_after_attempt or scope.cancellation.reason is not None

    async def _pause(self, number: int, scope: Scope, asked: float) -> None:
        if self._wait:
            waits = self._waits
            longest = min(waits["initial"] * waits["exp_base"] ** (number - 1), waits["max"])
            await scope.here.sleep(scope, max(longest, asked) + random.uniform(0, waits["jitter"]))

    def bind_tools(self, tools: Any, **kwargs: Any) -> "RunnableRetry[Any, Any]":
        """As of the chat model that is tried."""
        return self._of(getattr(self.bound, "bind_tools")(tools, **kwargs))  # noqa: B009

    def with_structured_output(self, schema: Any, **kwargs: Any) -> "RunnableRetry[Any, Any]":
        """As of the chat model that is tried, which is tried again also for an answer that is not valid."""
        return self._of(getattr(self.bound, "with_structured_output")(schema, **kwargs))  # noqa: B009

    def _of(self, bound: Runnable[Any, Any]) -> "RunnableRetry[Any, Any]":
        """The same for another one."""
        again = copy(self)
        again.bound = bound
        return again

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        for number, tag in self._attempts():
            try:
                return await answer(self.bound, input, scope, tag, kwargs)
            except self.retry_if_exception_type as error:
                if self._gives_up(number, scope):
                    raise
                asked = _asked_wait(error)
                await tell_retry(scope, number, error)
            await self._pause(number, scope, asked)
        raise AssertionError("the last attempt returns or raises")

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with scope.reading(source) as items:
            replay = Replay(items)
            for number, tag in self._attempts():
                begun = False
                try:
                    flow = scope.flow()
                    flow.replaces = False
                    stream = open_stream(
                        self.bound,
                        replay.read(),
                        scope,
                        tag,
                        kwargs,
                        scope.upstream,
                        takes=scope.takes,
                        gives=flow,
                    )
                    async with scope.reading(stream) as outputs:
                        async for item in outputs:
                            if not begun:
                                begun = True
                                replay.forget()
                            yield item
                    return
                except self.retry_if_exception_type as error:
                    if begun or error is replay.error or self._gives_up(number, scope):
                        raise
                    asked = _asked_wait(error)
                    await tell_retry(scope, number, error)
                await self._pause(number, scope, asked)


def _asked_wait(error: BaseException) -> float:
    """How many seconds a provider wants to be left alone, as far as that is bearable."""
    asked = getattr(error, "retry_after", None)
    return min(float(asked), LONGEST_ASKED) if isinstance(asked, (int, float)) else 0.0
