"""Steps that hand on what comes in: whole, with keys added, or a part of it."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from millstream.errors import InputError
from millstream.kernel.branches import Inlet, Put, run_shared
from millstream.kernel.scope import Scope
from millstream.kernel.sources import AddableDict, Single, Source, gathered, merge
from millstream.kernel.stage import answer, open_stream
from millstream.runnables.function import _UserFunction
from millstream.runnables.parallel import RunnableParallel
from millstream.runnables.runnable import Other, Runnable


class RunnablePassthrough(Runnable[Other, Other]):
    """Hands its input on, piece by piece. `func`, if given, is called with the whole input at the end."""

    def __init__(
        self, func: Callable[..., Any] | None = None, afunc: Callable[..., Any] | None = None
    ) -> None:
        self._func = None if func is None else _UserFunction(func)
        self._afunc = None if afunc is None else _UserFunction(afunc)
        self._may_block = func is not None or afunc is not None  # type: ignore[misc]

    async def _tell(self, value: Any, scope: Scope, kwargs: dict[str, Any]) -> None:
        function = (self._afunc or self._func) if scope.here.is_async else (self._func or self._afunc)
        if function is not None:
            await function.call(value, scope, kwargs)

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        await self._tell(input, scope, kwargs)
        return input

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        seen: list[Any] = []
        keep = self._may_block
        async with scope.reading(source) as items:
            async for item in items:
                scope.hands_on()
                if keep:
                    gathered(seen, item, scope.takes)
                yield item
            if seen:
                await self._tell(merge(seen), scope, kwargs)

    @staticmethod
    def assign(**steps: Any) -> "RunnableAssign":  # type: ignore[override]
        """A step that hands on the dict it is given, with keys added that are made from it."""
        return RunnableAssign(RunnableParallel(steps))


def _check_dict(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{what} takes a dict, not {type(value).__name__}.")
    return value


def _replaced(piece: Any, scope: Scope) -> Iterable[str]:
    """The keys of a piece whose values replace those before."""
    if scope.takes is not None and scope.takes.replaces:
        return piece.keys() if isinstance(piece, Mapping) else ()
    return piece.replaced if type(piece) is AddableDict else ()


class RunnableAssign(Runnable[dict[str, Any], dict[str, Any]]):
    """Hands on the dict it is given, with the keys of a parallel step added, which sees the whole dict."""

    def __init__(self, mapper: RunnableParallel | Mapping[str, Any]) -> None:
        self.mapper = mapper if isinstance(mapper, RunnableParallel) else RunnableParallel(mapper)
        self._may_block = self.mapper._may_block  # type: ignore[misc]

    def get_name(self) -> str:
        """The name that its runs carry."""
        return self.name or f"RunnableAssign<{','.join(self.mapper.steps)}>"

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> dict[str, Any]:
        given = _check_dict(input, "RunnablePassthrough.assign()")
        return {**given, **await answer(self.mapper, input, scope, kwargs=kwargs)}

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        async with scope.reading(source) as items:
            if isinstance(items, Single):
                stream = self._one_input(items.value, scope, kwargs)
            else:
                # Pieces without the new keys go through at once, while the mapper reads the same pieces.
                stream = run_shared(scope, items, (self._hand_on, partial(self._add, kwargs)))
            async with scope.reading(stream) as pieces:
                async for piece in pieces:
                    yield piece

    async def _one_input(
        self, value: Any, scope: Scope, kwargs: dict[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        kept = self._kept(value, scope)
        if kept:
            yield kept
        async with scope.reading(open_stream(self.mapper, Single(value), scope, kwargs=kwargs)) as pieces:
            async for piece in pieces:
                yield piece

    async def _hand_on(self, inlet: Inlet, scope: Scope, put: Put) -> None:
        async with scope.reading(inlet) as items:
            async for item in items:
                kept = self._kept(item, scope)
                if kept:
                    await put(kept)

    async def _add(self, kwargs: dict[str, Any], inlet: Inlet, scope: Scope, put: Put) -> None:
        added = open_stream(self.mapper, inlet, scope, kwargs=kwargs, takes=scope.takes)
        async with scope.reading(added) as pieces:
            async for piece in pieces:
                await put(piece)

    def _kept(self, value: Any, scope: Scope) -> AddableDict:
        given = _check_dict(value, "RunnablePassthrough.assign()")
        kept = {key: item for key, item in given.items() if key not in self.mapper.steps}
        return AddableDict.replacing(kept.items(), _replaced(value, scope))


class RunnablePick(Runnable[dict[str, Any], Any]):
    """Of each dict that comes by, one key's value, or a dict of the keys in a list that are there."""

    _may_block = False

    def __init__(self, keys: str | list[str]) -> None:
        self.keys = keys

    def get_name(self) -> str:
        """The name that its runs carry."""
        keys = [self.keys] if isinstance(self.keys, str) else self.keys
        return self.name or f"RunnablePick<{','.join(keys)}>"

    def _pick(self, value: Any, replaced: Iterable[str] = ()) -> Any:
        given = _check_dict(value, "pick()")
        if isinstance(self.keys, str):
            return given.get(self.keys)
        picked = [(key, given[key]) for key in self.keys if key in given]
        return AddableDict.replacing(picked, replaced) or None

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> Any:
        return self._pick(input)

    async def _transform(
        self, source: Source[Any], scope: Scope, /, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async with scope.reading(source) as items:
            async for item in items:
                replaced = _replaced(item, scope)
                picked = self._pick(item, replaced)
                if picked is not None:
                    if isinstance(self.keys, str):
                        scope.flow().replaces = self.keys in replaced
                    yield picked
