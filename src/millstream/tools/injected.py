"""What a tool's function is given by its run or by the program, and the model does not know of."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from millstream.errors import ConfigError
from millstream.kernel.scope import RunnableConfig, Scope
from millstream.runnables.run_manager import RunManager
from millstream.schemas import fields_of

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_UNION = (typing.Union, types.UnionType)
_PLAIN = (str, int, float, bool)
_CONFIG = RunnableConfig.__name__

_MAKERS: Mapping[str, Callable[[Scope], Any]] = {
    "config": lambda scope: scope.config,
    "callbacks": lambda scope: scope.config.get("callbacks"),
    "run_manager": RunManager,
}


class InjectedToolArg:
    """Marks an argument that the program gives, and no model is told of: `Annotated[str, InjectedToolArg]`.

    Its value stands among the other arguments when the tool is called, or is bound: `tool.bind(user="eva")`.
    It goes to the function as it is, unless it is a field of an `args_schema`, which is checked as a whole.
    What is bound replaces what a model may have written under that name.
    """


class Parameters:
    """A function's parameters: `visible` ones, which the model fills, and those that are hidden from it.

    Of the hidden ones, the run makes some, the program gives some (`InjectedToolArg`), and some were given
    when a `partial` was made of the function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        try:
            self.all = dict(inspect.signature(function).parameters)
        except (TypeError, ValueError) as error:  # some builtins
            raise ConfigError(f"{_name(function)} has no signature that can be read.") from error
        self._check_form()
        hints = {name: self._hint_or_text(each) for name, each in self.all.items()}
        others = [name for name, each in self.all.items() if each.kind is each.VAR_KEYWORD]
        #: The type of arguments that no parameter names, that of `**others`; None if it takes none.
        self.others = _plain(hints[others[0]]) if others else None
        #: The names of those that the program gives.
        self.given_names = [name for name, hint in hints.items() if is_injected(hint)]
        self._makers = {
            name: _MAKERS["config" if _is_config(hint) else name]
            for name, hint in hints.items()
            if (name in _MAKERS or _is_config(hint)) and self._may_be_made(name)
        }
        for name in self._makers:
            self._check_name(name, hints[name])
        #: The names that a model has no say in.
        self.hidden = {*self._makers, *self.given_names, *_bound(function)}
        self.visible = {
            name: each for name, each in self.all.items() if name not in self.hidden and each.kind in _NAMED
        }

    def made(self, scope: Scope) -> dict[str, Any]:
        """What the run gives."""
        return {name: make(scope) for name, make in self._makers.items()}

    def given(self, arguments: Mapping[str, Any], tool: str) -> dict[str, Any]:
        """What the program gives. Raises `ConfigError`, which names `tool`, if it gives too little."""
        needed = (name for name in self.given_names if self.all[name].default is inspect.Parameter.empty)
        check_given(needed, arguments, tool)
        return {name: arguments[name] for name in self.given_names if name in arguments}

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

    def _may_be_made(self, name: str) -> bool:
        return self.all[name].kind in _NAMED and name not in self.given_names

    def _hint_or_text(self, parameter: inspect.Parameter) -> Any:
        try:
            return self.hint(parameter.name)
        except ConfigError:
            # Imported for type checkers only, perhaps.
            return parameter.annotation

    def _check_form(self) -> None:
        """Raise `ConfigError` for a function that cannot be called by the names of its arguments alone."""
        name = _name(self.function)
        unnamed = [name for name, each in self.all.items() if each.kind is each.POSITIONAL_ONLY]
        if unnamed:
            raise ConfigError(
                f"{name} cannot be called by the names of its arguments: {', '.join(unnamed)} can only be "
                "given by place."
            )
        first = next(iter(self.all.values()), None)
        if first is not None and first.name in ("self", "cls") and first.annotation is first.empty:
            raise ConfigError(
                f"{name} is a method, and lacks its object. Make a tool of the object's: "
                f"tool(thing.{name.rpartition('.')[2]})."
            )

    def _check_name(self, name: str, hint: Any) -> None:
        """Raise `ConfigError` for an argument of a model's under the name of what the run gives."""
        kinds = typing.get_args(hint) if typing.get_origin(hint) in _UNION else (hint,)
        if any(each in _PLAIN or _is_record(each) for each in kinds):
            raise ConfigError(
                f"{_name(self.function)} has an argument {name!r} that is a {shown(hint)}, and that name "
                "stands for what the run gives. Call it otherwise."
            )


def _plain(hint: Any) -> Any:
    """A type, if JSON could be of it: a text was not found, and `Unpack` is about several."""
    return Any if isinstance(hint, str) or typing.get_origin(hint) is typing.Unpack else hint


def is_injected(hint: Any) -> bool:
    """Whether a type says that the program gives the argument, and not the model."""
    if isinstance(hint, str):
        return InjectedToolArg.__name__ in hint
    if typing.get_origin(hint) in (*_UNION, typing.Required, typing.NotRequired):
        return any(is_injected(each) for each in typing.get_args(hint))
    return any(is_mark(each) for each in getattr(hint, "__metadata__", ()))


def is_mark(thing: Any) -> bool:
    """Whether what stands in an `Annotated` is `InjectedToolArg`, or a class or an object of its kind."""
    return issubclass(thing if isinstance(thing, type) else type(thing), InjectedToolArg)


def shown(hint: Any) -> str:
    """A type as text."""
    return hint.__name__ if isinstance(hint, type) else str(hint)


def check_given(needed: Iterable[str], arguments: Mapping[str, Any], tool: str) -> None:
    """Raise `ConfigError` if the program has to give more: no model can mend that."""
    missing = [name for name in needed if name not in arguments]
    if missing:
        raise ConfigError(
            f"The tool {tool!r} needs {', '.join(missing)}, which the program gives and not the model: put "
            "it among the arguments, or bind it."
        )


def _is_config(hint: Any) -> bool:
    if typing.get_origin(hint) in _UNION:
        return any(_is_config(each) for each in typing.get_args(hint))
    # LangChain's has the same name.
    return (isinstance(hint, str) and _CONFIG in hint) or getattr(hint, "__name__", None) == _CONFIG


def _is_record(kind: Any) -> bool:
    """Whether it is a class with fields, but no dict: a config may be said to be one."""
    return bool(fields_of(kind)) and not issubclass(kind, dict)


def _bound(function: Any) -> Iterable[str]:
    """The names that a `partial` gives: what the program knows, a key perhaps, is not for a model to see."""
    if not isinstance(function, partial):
        return ()
    by_place = list(inspect.signature(function.func).parameters)[: len(function.args)]
    return [*function.keywords, *by_place]


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
