"""What a retriever is: one method to write, of either colour."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from millstream.documents import Document
from millstream.errors import InputError
from millstream.kernel.scope import Scope, watchers_of
from millstream.runnables.fields import fill
from millstream.runnables.function import Kind, kind_of
from millstream.runnables.run_manager import RunManager
from millstream.runnables.runnable import Runnable, own_watchers


class _Written(NamedTuple):
    """A method that a retriever wrote, and how to call it."""

    name: str
    kind: Kind
    takes_manager: bool
    takes_more: bool


class BaseRetriever(Runnable[str, list[Document]]):
    """A step that finds the documents for a text.

    To write one, write `_get_relevant_documents(self, query)` or `_aget_relevant_documents(self, query)`,
    which return a list of `Document`s. Either runs under all verbs, whether it is `def` or `async def`; if
    both are there, the second is for async verbs. A parameter named `run_manager` is filled; nothing has to
    be done with it, since what the method calls nests by itself.

    `tags` and `metadata` are shown to whoever watches its runs, and `callbacks` are handlers that are told of
    these. All can be set in the class as well. Other attributes that your class has with a type can be given
    as keywords when it is made.
    """

    _get_relevant_documents: Any = None
    _aget_relevant_documents: Any = None
    _written: ClassVar[tuple[_Written, ...]] = ()

    _run_type = "retriever"
    _own_watchers = own_watchers

    name: str | None = None
    """The name that its runs carry; None for that of its class."""
    tags: Sequence[str] | None = None
    """What its own runs are tagged with."""
    metadata: Mapping[str, Any] | None = None
    """What its own runs carry along."""
    callbacks: Sequence[Any] | None = None
    """Handlers that are told of its own runs."""

    def __init__(
        self,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        callbacks: Sequence[Any] | None = None,
        **fields: Any,
    ) -> None:
        # What is not given is left as the class has it.
        known = {"name": name, "tags": tags, "metadata": metadata, "callbacks": callbacks}
        fields |= {key: value for key, value in known.items() if value is not None}
        fill(self, BaseRetriever, fields)
        watchers_of(self.callbacks or ())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        names = ("_get_relevant_documents", "_aget_relevant_documents")
        cls._written = tuple(_written(cls, name) for name in names if getattr(cls, name) is not None)

    @property
    def _own_tags(self) -> Sequence[str]:  # type: ignore[override]
        return self.tags or ()

    @property
    def _own_metadata(self) -> Mapping[str, Any]:  # type: ignore[override]
        return self.metadata or {}

    def _shown_input(self, input: Any) -> Any:
        return {"query": input}

    async def _answer(self, input: Any, scope: Scope, /, **kwargs: Any) -> list[Document]:
        host = scope.here
        if not self._written:
            raise TypeError(
                f"{type(self).__name__} has neither _get_relevant_documents nor _aget_relevant_documents: "
                "write one of them."
            )
        written = self._written[-1 if host.is_async else 0]
        keywords = dict(kwargs) if written.takes_more else {}
        if written.takes_manager:
            keywords["run_manager"] = RunManager(scope)
        run = host.call if written.kind == "call" else host.wait
        found = await run(scope, getattr(self, written.name), input, **keywords)
        if inspect.iscoroutine(found):
            # Of a plain function around an async one: a decorator that knows nothing of colours.
            found = await host.wait(scope, lambda: found)
        if isinstance(found, (list, tuple)):
            return list(found)
        raise InputError(
            f"{type(self).__name__}.{written.name} returns a list of documents, not {type(found).__name__}."
        )


def _written(cls: type, name: str) -> _Written:
    method = getattr(cls, name)
    kind = kind_of(method)
    if kind not in ("call", "acall"):
        raise TypeError(f"{cls.__name__}.{name} returns a list of documents; it does not yield them.")
    names = inspect.signature(method).parameters.keys()
    return _Written(name, kind, "run_manager" in names, bool(names - {"self", "query", "run_manager"}))
