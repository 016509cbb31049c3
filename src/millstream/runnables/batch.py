"""Many inputs at once, never more than a bound."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from millstream.errors import ConfigError, InputError
from millstream.kernel.branches import Body, Put, run_branches
from millstream.kernel.host import Host
from millstream.kernel.scope import Nesting, Scope
from millstream.kernel.stage import Step, enter_root, run_answer
from millstream.runnables.runnable import Input, Other, Runnable

# How many inputs of a batch run at once, unless `max_concurrency` says otherwise. Each has a thread under the
# sync verbs, and most wait for a network: a few times the cores, and few enough for a provider's rate limit.
DEFAULT_MAX_CONCURRENCY = 16

Call = tuple[int, Step, Any, Scope, dict[str, Any]]


class _Batch(Runnable[Any, Any]):
    """The run that stands above a batch's own ones, for their cancellation only."""

    def get_name(self) -> str:
        """The name that errors show."""
        return "batch"


_BATCH = _Batch()


def enter_batch(
    step: Runnable[Any, Any],
    inputs: Sequence[Any],
    config: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    host: Host,
    kwargs: dict[str, Any],
) -> tuple[Scope, list[Call]]:
    """The scope of a batch, and the runs in it: for `run_calls`."""
    inputs = list(inputs)
    configs = _config_list(config, len(inputs))
    callbacks = configs[0].get("callbacks") if configs else None
    nesting = {"callbacks": callbacks} if type(callbacks) is Nesting else None
    _, scope, _ = enter_root(_BATCH, nesting, host, {})
    calls: list[Call] = []
    for index, (input, each) in enumerate(zip(inputs, configs, strict=True)):
        run, own, keywords = enter_root(step, each, host, kwargs)
        if index and "run_id" not in each:
            own.forget_id()  # a binding's: one id cannot name several runs
        own.cancellation.parent = scope.cancellation
        calls.append((index, run, input, own, keywords))
    return scope, calls


def _config_list(config: Any, count: int) -> list[Mapping[str, Any]]:
    if config is None or isinstance(config, Mapping):
        first = config or {}
        rest = {key: value for key, value in first.items() if key != "run_id"}
        return [first, *(rest for _ in range(count - 1))][:count]
    if len(config) != count:
        raise ConfigError(
            f"A batch of {count} inputs was given {len(config)} configs: one each, or one for all."
        )
    return [each or {} for each in config]


async def run_calls(
    scope: Scope, calls: Sequence[Call], return_exceptions: bool
) -> AsyncGenerator[tuple[int, Any], None]:
    """Run every call, at most `max_concurrency` at once; yields `(index, answer)` as they are done."""
    limits = [bound for call in calls if (bound := call[3].settings.max_concurrency) is not None]
    limit = min(limits, default=DEFAULT_MAX_CONCURRENCY)

    async def run(call: Call) -> tuple[int, Any]:
        index, step, input, own, kwargs = call
        try:
            return index, await run_answer(step, input, own, kwargs)
        except Exception as error:
            if not return_exceptions or scope.cancellation.reason is not None:
                raise
            return index, error

    if len(calls) <= 1 or limit == 1:
        for call in calls:
            yield await run(call)
        return

    todo = iter(calls)

    async def take(branch: Scope, put: Put) -> None:
        for call in todo:
            # Cancelled with the branch, so that one call's error ends the others.
            call[3].cancellation.parent = branch.cancellation
            await put(await run(call))

    bodies: list[Body] = [take] * min(limit, len(calls))
    async with scope.reading(run_branches(scope, bodies)) as done:
        async for pair in done:
            yield pair


async def answers_of(scope: Scope, calls: Sequence[Call]) -> list[Any]:
    """The answers of all calls, in their order; the first error ends the others and is raised."""
    answers: dict[int, Any] = {}
    async with scope.reading(run_calls(scope, calls, False)) as done:
        async for index, answer in done:
            answers[index] = answer
    return [answers[index] for index in range(len(answers))]


class RunnableEach(Runnable[Sequence[Input], list[Other]]):
    """Runs a runnable on each element of a list, at most `max_concurrency` (16) at once."""

    def __init__(self, bound: Runnable[Input, Other]) -> None:
        self.bound = bound

    def get_name(self) -> str:
        """The name that its runs carry."""
        return self.name or f"RunnableEach<{self.bound.get_name()}>"

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> list[Any]:
        if isinstance(input, str | Mapping) or not isinstance(input, Sequence):
            raise InputError(f"map() takes a list of inputs, not {type(input).__name__}.")
        calls: list[Call] = []
        for index, element in enumerate(input):
            step, own, keywords = enter_root(self.bound, {"callbacks": Nesting(scope)}, scope.host, kwargs)
            if index:
                own.forget_id()
            calls.append((index, step, element, own, keywords))
        return await answers_of(scope, calls)
