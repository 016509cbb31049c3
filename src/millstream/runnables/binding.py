"""A runnable with a config, keywords or listeners put on: no run of its own, the kernel sees through it."""

from collections.abc import Mapping
from typing import Any

from millstream.kernel.scope import RunnableConfig, check_config, merge_configs
from millstream.kernel.stage import Watcher
from millstream.runnables.coerce import coerce_to_runnable
from millstream.runnables.runnable import Input, Output, Runnable


class RunnableBinding(Runnable[Input, Output]):
    """What `bind`, `with_config` and `with_listeners` return. Bindings of bindings are one binding."""

    def __init__(
        self,
        bound: Any,
        *,
        config: Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        inner = coerce_to_runnable(bound)
        given = RunnableConfig(**check_config(config or {}))  # type: ignore[typeddict-item]
        self._bound_config = merge_configs(inner._bound_config, given)
        self._bound_kwargs = {**inner._bound_kwargs, **(kwargs or {})}
        self._bound_watchers = inner._bound_watchers + watchers
        self._bound = inner if inner._bound is None else inner._bound
        self._may_block = self.bound._may_block or bool(watchers)  # type: ignore[misc]
        self._tells_events = self.bound._tells_events  # type: ignore[misc]

    @property
    def bound(self) -> Runnable[Any, Any]:
        """The runnable that is run."""
        assert self._bound is not None
        return self._bound

    @property
    def config(self) -> RunnableConfig:
        """The config that is put on."""
        return self._bound_config

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keywords that it is called with."""
        return self._bound_kwargs

    def get_name(self) -> str:
        """The name of what is bound; a `run_name` in the config names the runs, and not the runnable."""
        return self.bound.get_name()

    def __repr__(self) -> str:
        return (
            f"RunnableBinding({self._bound!r}, config={self._bound_config!r}, kwargs={self._bound_kwargs!r})"
        )

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        """As of the chat model that is bound, with this config, these keywords and listeners on the model."""
        from millstream.runnables.sequence import RunnableSequence

        chain: Any = getattr(self.bound, "with_structured_output")(schema, **kwargs)  # noqa: B009
        model, *others = chain.steps
        return RunnableSequence(self._around(model), *others)

    def bind_tools(self, tools: Any, **kwargs: Any) -> "RunnableBinding[Any, Any]":
        """As of the chat model that is bound, with this config, these keywords and listeners."""
        return self._around(getattr(self.bound, "bind_tools")(tools, **kwargs))  # noqa: B009

    def _around(self, model: Runnable[Any, Any]) -> "RunnableBinding[Any, Any]":
        """What this binding holds, put on the model that is bound, whose own keywords win."""
        return RunnableBinding(
            model,
            config=self._bound_config,
            kwargs={**self._bound_kwargs, **model._bound_kwargs},
            watchers=self._bound_watchers,
        )

    def __getattr__(self, name: str) -> Any:
        # A model with a config is still asked for its own attributes and methods. Underscores stay out, so
        # that copying and inspecting do not wander off.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._bound, name)
