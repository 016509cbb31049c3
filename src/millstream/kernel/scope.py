"""The scope of a run: who it is, what it inherits, and how it can be cancelled.

Each step of a chain runs in a scope of its own. The library's steps hand scopes on explicitly; only while a
user's code runs does `CURRENT` hold the scope, so that a chain which is called in there nests under it
without anybody passing a config on. (Set inside a generator, the variable would leak to whoever pulls it.)
"""

import contextvars
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar

import msgspec

from millstream.errors import ConfigError
from millstream.kernel.cancel import Cancellation
from millstream.kernel.sources import NOTHING, Flow, Single, Source, gathered, merge

if TYPE_CHECKING:
    from millstream.kernel.host import Host
    from millstream.kernel.stage import Step, Watcher

T = TypeVar("T")

DEFAULT_RECURSION_LIMIT = 25


class RunnableConfig(TypedDict, total=False):
    """What a call may bring along. Everything but `run_name` and `run_id` is inherited by the steps below.

    All keys are optional; one that is not listed is a `ConfigError`.
    """

    tags: list[str]
    """Words that listeners are shown, added to those from above."""
    metadata: dict[str, Any]
    """Values that listeners are shown, added to those from above."""
    callbacks: Any
    """Who is told of the run and of all below it: a list of handlers. Or the run to nest under, as the config
    that a function is given holds it."""
    run_name: str
    """The run's name; the step's own without."""
    run_id: str
    """The run's id; a new UUID without."""
    max_concurrency: int | None
    """How many inputs of a batch, or branches of a parallel step, run at once. Without: 16 inputs, and all
    branches."""
    recursion_limit: int
    """How deep functions may answer with runnables: 25 without."""
    configurable: dict[str, Any]
    """Values of the application's, for functions with a `config` parameter; added to those from above."""


_KEYS = frozenset(RunnableConfig.__annotations__)


_KINDS: tuple[tuple[str, Any, str], ...] = (
    ("tags", (list, tuple), "a list of strings"),
    ("metadata", Mapping, "a dict"),
    ("configurable", Mapping, "a dict"),
    ("recursion_limit", int, "a whole number"),
)


class Settings(msgspec.Struct, frozen=True):
    """The part of a config that the steps below inherit."""

    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = {}
    max_concurrency: int | None = None
    recursion_limit: int = DEFAULT_RECURSION_LIMIT
    configurable: Mapping[str, Any] = {}

    def merged(self, config: Mapping[str, Any]) -> "Settings":
        """These settings with a config's on top: tags and dicts join, the rest is replaced."""
        tags = config.get("tags") or ()
        limit = config.get("max_concurrency")
        recursion = config.get("recursion_limit")
        return Settings(
            tags=tuple(dict.fromkeys((*self.tags, *tags))),
            metadata={**self.metadata, **(config.get("metadata") or {})},
            max_concurrency=self.max_concurrency if limit is None else limit,
            recursion_limit=self.recursion_limit if recursion is None else recursion,
            configurable={**self.configurable, **(config.get("configurable") or {})},
        )


NO_SETTINGS = Settings()


def check_config(config: Any) -> Mapping[str, Any]:
    """`config` itself, if it is one; else a `ConfigError` that says what is wrong with it."""
    if not isinstance(config, Mapping):
        raise ConfigError(f"A config is a dict such as {{'tags': ['a']}}, not {type(config).__name__}.")
    unknown = sorted(str(key) for key in config.keys() - _KEYS)
    if unknown:
        raise ConfigError(f"Unknown config key(s) {', '.join(unknown)}. Known: {', '.join(sorted(_KEYS))}.")
    for key, kind, what in _KINDS:
        value = config.get(key)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f"The config's {key} is {what}, not {value!r}.")
    limit = config.get("max_concurrency")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ConfigError(f"max_concurrency is a whole number from 1, or None, not {limit!r}.")
    callbacks = config.get("callbacks")
    if callbacks is not None and type(callbacks) is not Nesting:
        watchers_of(callbacks)
    return config


def watchers_of(callbacks: Any) -> "tuple[Watcher, ...]":
    """Who watches runs for these handlers. Raises `ConfigError` if one of them is no handler."""
    if isinstance(callbacks, str) or not isinstance(callbacks, Sequence):
        raise ConfigError(f"callbacks is a list of handlers, not {type(callbacks).__name__}.")
    for each in callbacks:
        if isinstance(each, type) or not callable(getattr(each, "watcher", None)):
            raise ConfigError(
                f"A callback is an object of a subclass of BaseCallbackHandler, not {each!r}. "
                "To be told of a run by functions, use with_listeners(on_start=, on_end=, on_error=)."
            )
    return joined((), tuple(each.watcher() for each in callbacks))


def joined(first: "tuple[Watcher, ...]", second: "tuple[Watcher, ...]") -> "tuple[Watcher, ...]":
    """The watchers of both, each once."""
    return (*first, *(watcher for watcher in dict.fromkeys(second) if watcher not in first))


def merge_configs(first: Mapping[str, Any], second: Mapping[str, Any]) -> RunnableConfig:
    """Two configs as one: tags join, metadata and configurable merge, anything else of the second wins."""
    merged: dict[str, Any] = {**first, **{key: value for key, value in second.items() if value is not None}}
    if first.get("tags") and second.get("tags"):
        merged["tags"] = [*first["tags"], *(tag for tag in second["tags"] if tag not in first["tags"])]
    handlers = first.get("callbacks"), second.get("callbacks")
    if all(isinstance(each, Sequence) for each in handlers):
        merged["callbacks"] = [*handlers[0], *handlers[1]]  # type: ignore[misc]
    for key in ("metadata", "configurable"):
        if first.get(key) and second.get(key):
            merged[key] = {**first[key], **second[key]}
    return merged  # type: ignore[return-value]


def new_id() -> str:
    """A version 7 UUID as text (RFC 9562, section 5.7): sorts by time, costs a quarter of a `uuid4`."""
    digits = f"{time.time_ns() // 1_000_000:012x}{random.getrandbits(72):018x}"
    # Version 7, and the first of the four variants that the RFC allows: 72 bits of noise are left.
    return f"{digits[:8]}-{digits[8:12]}-7{digits[12:15]}-8{digits[15:18]}-{digits[18:]}"


class Around(Protocol):
    """What stands around a user's code in a run, so that the code finds it in its context."""

    def enter(self) -> Any:
        """The code is going to run, in the context that this is called in."""
        ...

    def leave(self, entered: Any) -> None:
        """It runs no more, and others use the context: take back what `enter` did, which answered this."""
        ...


class Scope(msgspec.Struct, eq=False, weakref=True):
    """One run of one step. `step` is what runs, `parent` the scope that it runs in, None at the top."""

    step: "Step"
    parent: "Scope | None"
    host: "Host"
    cancellation: Cancellation
    settings: Settings
    tag: str | None = None
    run_name: str | None = None
    _run_id: str | None = None
    watchers: "tuple[Watcher, ...]" = ()
    #: Cancels what feeds this step, where that is steps of the same chain.
    upstream: Cancellation | None = None
    #: What is known of the items that it takes and gives.
    takes: Flow | None = None
    gives: Flow | None = None
    #: Whether what it gives now is its whole answer, and stands for the pieces before: for who watches it.
    gives_whole: bool = False
    #: What the run of a model cost, once that is known: for whoever watches it.
    usage: Any = None
    #: What a text model says of its answer beside the text: why it ended, say.
    generation_info: dict[str, Any] | None = None
    #: The answers beside the first one, if a model was asked for several.
    alternatives: Sequence[Any] = ()
    #: Who watches this run and all that run below it.
    audience: "tuple[Watcher, ...]" = ()
    #: The context that the run was called in, where it is a call's own and somebody watches it.
    called_in: contextvars.Context | None = None
    #: What those who watch have put around a user's code in this run.
    around: tuple[Around, ...] = ()

    @property
    def name(self) -> str:
        """The run's name: from its config, or the step's own."""
        return self.run_name or self.step.get_name()

    @property
    def run_id(self) -> str:
        """The run's id, made when it is first asked for."""
        if self._run_id is None:
            self._run_id = new_id()
        return self._run_id

    def forget_id(self) -> None:
        """Have the run named anew: its id belongs to another one."""
        self._run_id = None

    @property
    def tags(self) -> list[str]:
        """The run's own tag (`seq:step:1`, say), those of its step, then those it inherited or was given."""
        own = [] if self.tag is None else [self.tag]
        return list(dict.fromkeys([*own, *self.step._own_tags, *self.settings.tags]))

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of its step, under what it inherited or was given."""
        return {**self.step._own_metadata, **self.settings.metadata}

    @property
    def path(self) -> str:
        """Where the step stands, from the outermost run: `RunnableSequence > shout (seq:step:2)`."""
        scopes: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            scopes.append(scope)
            scope = scope.parent
        return " > ".join(f"{s.name} ({s.tag})" if s.tag else s.name for s in reversed(scopes))

    @property
    def config(self) -> RunnableConfig:
        """What a function with a `config` parameter is given: pass it on, and the inner run nests here."""
        settings = self.settings
        return RunnableConfig(
            tags=list(settings.tags),
            metadata=dict(settings.metadata),
            callbacks=Nesting(self),
            max_concurrency=settings.max_concurrency,
            recursion_limit=settings.recursion_limit,
            configurable=dict(settings.configurable),
        )

    @property
    def here(self) -> "Host":
        """The host for what this step does now."""
        return self.host.here()

    def reading(self, source: Source[T]) -> "Reading[T]":
        """Hold a source while it is read: `async with scope.reading(source) as items`."""
        return Reading(self, source)

    def flow(self) -> Flow:
        """What is known of the items that it gives: to be said before the first one."""
        if self.gives is None:
            self.gives = Flow()
        return self.gives

    def hands_on(self) -> None:
        """Say of the items that it gives what is known of those that it takes, before each is given."""
        if self.takes is not None and self.takes.replaces:
            self.flow().replaces = True

    async def gather(self, source: Source[Any], flow: Flow | None = None) -> Any:
        """Read a source to its end and return the one value its items make; `NOTHING` if it had none.

        `flow` tells of its items; without, they are those that this step takes.
        """
        if type(source) is Single and source.untouched():
            await source.aclose()
            return source.value
        collected: list[Any] = []
        flow = self.takes if flow is None else flow
        async with Reading(self, source) as items:
            async for item in items:
                gathered(collected, item, flow)
        return merge(collected) if collected else NOTHING

    def cancel(self, reason: BaseException | None = None) -> None:
        """Cancel the run that this step is a part of, or the branch of it, from any thread."""
        node = self.cancellation
        while node.inner and node.parent is not None:
            node = node.parent
        node.cancel(reason)

    def part(self) -> "Part":
        """While a block runs, the step has a cancellation of its own: `with scope.part() as cancellation`."""
        return Part(self)

    def branch(self, cancellation: Cancellation) -> "Scope":
        """The same run, with a cancellation of its own: a part that can be stopped alone."""
        return Scope(
            self.step,
            self.parent,
            self.host,
            cancellation,
            self.settings,
            self.tag,
            self.run_name,
            self.run_id,
            upstream=self.upstream,
            takes=self.takes,
            gives=self.gives,
            watchers=self.watchers,
            audience=self.audience,
            called_in=self.called_in,
            around=self.around,
        )

    def watched_by(self, watcher: "Watcher") -> None:
        """Have one more watch this run, which has not begun, and all that run below it."""
        self.audience = (*self.audience, watcher)
        self.watchers = (*self.watchers, watcher)

    def aside(self) -> "Scope":
        """The same run for code that watches it: not cancelled with it, and watched by nobody."""
        scope = self.branch(Cancellation())
        scope.watchers = scope.audience = ()
        return scope


class StepNote(str):
    """The note that names the step on an exception; a type of its own, so that it is put on once."""

    __slots__ = ()


def note_step(error: BaseException, scope: Scope) -> None:
    """Name the step on an exception that it raised: the innermost one, once."""
    if isinstance(error, Exception):
        # A courtesy: an exception that takes no notes arrives without one.
        with suppress(Exception):
            notes = getattr(error, "__notes__", ())
            if not any(isinstance(note, StepNote) for note in notes):
                error.add_note(StepNote(f"In the step {scope.path}"))


class Reading(Generic[T]):
    """A stage's hold on its source: closes it when the stage ends, and names the stage on its errors."""

    __slots__ = ("_scope", "_source")

    def __init__(self, scope: Scope, source: Source[T]) -> None:
        self._scope = scope
        self._source = source

    async def __aenter__(self) -> Source[T]:
        return self._source

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            note_step(error, self._scope)
        await self._source.aclose()


class Part:
    """A part of a step's work that can be ended alone, with all that was started in it.

    Its cancellation stands in the scope itself, since a user's code may nest there by a config that it was
    given before. (No `contextmanager`: that writes to exceptions which pass through it.)
    """

    __slots__ = ("_around", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __enter__(self) -> Cancellation:
        self._around = self._scope.cancellation
        self._scope.cancellation = Cancellation(self._around, inner=True)
        return self._scope.cancellation

    def __exit__(self, *_: object) -> None:
        self._scope.cancellation = self._around


class Nesting:
    """Stands as `callbacks` in the config that a user's function is given: the run to nest under."""

    __slots__ = ("scope",)

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __repr__(self) -> str:
        return f"<runs nest under {self.scope.name!r}>"

    def add_handler(self, handler: Any, inherit: bool = True) -> None:
        """Have a handler told of the runs that nest here, and of all inside them: `inherit` must be true."""
        if not inherit:
            raise ConfigError("A handler is added for all runs inside. Give it to the one step instead.")
        scope = self.scope.branch(self.scope.cancellation)
        scope.audience = joined(scope.audience, watchers_of([handler]))
        self.scope = scope


CURRENT: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("millstream_scope", default=None)


def current_scope() -> Scope | None:
    """The scope of the step whose code is running now; None outside of any run."""
    return CURRENT.get()


def user_context(scope: Scope) -> contextvars.Context:
    """A copy of the caller's context in which `CURRENT` is `scope`: what a user's code runs in."""
    context = contextvars.copy_context()
    context.run(CURRENT.set, scope)
    for each in scope.around:
        context.run(each.enter)
    return context
