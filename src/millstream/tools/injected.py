"""What a tool's function is given by its run, and the model does not know of."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from millstream.errors import ConfigError
from millstream.kernel.scope import RunnableConfig, Scope
from millstream.runnables.run_manager import RunManager

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_UNION = (typing.Union, types.UnionType)


_MAKERS: Mapping[str, Callable[[Scope], Any]] = {
    "config": lambda scope: scope.config,
    "callbacks": lambda scope: scope.config.get("callbacks"),
    "run_manager": RunManager,
}


class Parameters:
    """A function's parameters: `visible` ones, which the model fills, and those that its run does."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        try:
            self.all = dict(inspect.signature(function).parameters)
        except (TypeError, ValueError) as error:  # some builtins
            raise ConfigError(f"{_name(function)} has no signature that can be read.") from error
        self.takes_any = any(each.kind is each.VAR_KEYWORD for each in self.all.values())
        self._makers = {
            name: _MAKERS["config" if _is_config(self._hint_or_text(each)) else name]
            for name, each in self.all.items()
            if name in _MAKERS or _is_config(self._hint_or_text(each))
        }
        self.visible = {
            name: each for name, each in self.all.items() if name not in self._makers and each.kind in _NAMED
        }
        unnamed = [name for name, each in self.all.items() if each.kind is each.POSITIONAL_ONLY]
        if unnamed:
            raise ConfigError(
                f"{_name(function)} cannot be called by the names of its arguments: {', '.join(unnamed)} "
                "can only be given by place."
            )

    def injected(self, scope: Scope) -> dict[str, Any]:
        """What the run gives."""
        return {name: make(scope) for name, make in self._makers.items()}

    def hint(self, name: str) -> Any:
        """The type of a parameter. Raises `ConfigError` if it names what is not known where it stands."""
        annotation = self.all[name].annotation
        if annotation is inspect.Parameter.empty:
            return Any
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        try:
            hints = typing.get_type_hints(holder, _globals(self.function), include_extras=True)
        except (NameError, TypeError, SyntaxError, AttributeError) as error:
            raise ConfigError(
                f"The type of {name!r} in {_name(self.function)} cannot be found: {error}. "
                "It has to be known in the function's module when the tool is made."
            ) from error
        return hints[name]

    def _hint_or_text(self, parameter: inspect.Parameter) -> Any:
        try:
            return self.hint(parameter.name)
        except ConfigError:
            # Imported for type checkers only, perhaps.
            return parameter.annotation


def _is_config(hint: Any) -> bool:
    if typing.get_origin(hint) in _UNION:
        return any(_is_config(each) for each in typing.get_args(hint))
    return hint is RunnableConfig or (isinstance(hint, str) and "RunnableConfig" in hint)


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


def _globals(function: Any) -> dict[str, Any]:
    """The names that are known where a function was written."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(getattr(function, "__func__", function))
    if not inspect.isroutine(function) and not isinstance(function, type):
        function = type(function).__call__
    return getattr(function, "__globals__", {})
