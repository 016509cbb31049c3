"""One case, run under each verb and colour by both libraries, and what comes of it compared.

A case is a description of a chain (a function of a library), an input, and the input cut into pieces for
`transform`. Where a verb differs on purpose, the case says so: `Differs` names the entry of the table and
says what each library does.
"""

import asyncio
import copy
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from tests.peer.libraries import OURS, PEER, Library
from tests.peer.normal import Plain, Raised, by_key, merged, raised

Build = Callable[[Library], Any]
Colour = Literal["sync", "async", "sync in a loop"]
COLOURS: tuple[Colour, ...] = ("sync", "async", "sync in a loop")


@dataclass(frozen=True)
class Outcome:
    """What came of a call: the pieces that were given out, or the one answer, and the error at the end."""

    pieces: Any
    error: Raised | None = None


def gives(*pieces: Any) -> Outcome:
    """The outcome of a call that gives these pieces, or this one answer."""
    return Outcome(list(pieces))


def fails(kind: type[BaseException], *args: Any, after: Sequence[Any] = ()) -> Outcome:
    """The outcome of a call that raises; without `args`, whatever it says."""
    return Outcome(list(after), Raised(kind.__name__, args or None))


@dataclass(frozen=True)
class Differs:
    """What differs on purpose in some calls of a case: the table's key, and both outcomes.

    `ours` may be the name of a colour: then ours does what the peer does in that colour.
    """

    key: str
    ours: Outcome | Colour
    peer: Outcome


@dataclass(frozen=True)
class Case:
    """A chain and what it is given.

    `interleaves`, for all streaming verbs or those named: pieces are compared key by key, since which key's
    comes first is chance.

    `differs` holds for every call, or is keyed by verb, by colour, or by `verb colour`.
    """

    name: str
    build: Build
    input: Any = "abcd"
    pieces: Sequence[Any] | None = None
    many: Sequence[Any] | None = None
    config: Any = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    interleaves: bool | Sequence[str] = False
    verbs: Sequence[str] | None = None
    differs: Differs | Mapping[str, Differs] = field(default_factory=dict)

    def difference(self, verb: str, colour: str) -> Differs | None:
        """The one that holds for a call; the narrowest key counts."""
        if isinstance(self.differs, Differs):
            return self.differs
        for key in (f"{verb} {colour}", verb, colour):
            if key in self.differs:
                return self.differs[key]
        return None


def _resolved(value: Any, lib: Library) -> Any:
    return value(lib) if callable(value) else copy.deepcopy(value)


class _Call:
    """A case's arguments, made for one library and one call."""

    def __init__(self, case: Case, lib: Library) -> None:
        self.input = _resolved(case.input, lib)
        self.pieces = _resolved(case.pieces, lib)
        if self.pieces is None:
            self.pieces = _cut(self.input, lib)
        self.many = _resolved(case.many, lib)
        if self.many is None:
            self.many = [self.input, copy.deepcopy(self.input)]
        self.config = _resolved(case.config, lib)
        self.kwargs = dict(case.kwargs)


def _cut(value: Any, lib: Library) -> list[Any]:
    if isinstance(value, str) and len(value) > 1:
        return [value[:1], value[1:3], value[3:]]
    if isinstance(value, dict) and value:
        return [lib.AddableDict({key: item}) for key, item in value.items()]
    return [value]


# --- the verbs: each puts what it is given into a list -------------------------------------------------

Put = Callable[[Any], None]


def _invoke(step: Any, call: _Call, put: Put) -> None:
    put(step.invoke(call.input, call.config, **call.kwargs))


async def _ainvoke(step: Any, call: _Call, put: Put) -> None:
    put(await step.ainvoke(call.input, call.config, **call.kwargs))


def _stream(step: Any, call: _Call, put: Put) -> None:
    for item in step.stream(call.input, call.config, **call.kwargs):
        put(item)


async def _astream(step: Any, call: _Call, put: Put) -> None:
    async for item in step.astream(call.input, call.config, **call.kwargs):
        put(item)


def _transform(step: Any, call: _Call, put: Put) -> None:
    for item in step.transform(iter(call.pieces), call.config, **call.kwargs):
        put(item)


async def _atransform(step: Any, call: _Call, put: Put) -> None:
    async def pieces() -> Any:
        for piece in call.pieces:
            yield piece

    async for item in step.atransform(pieces(), call.config, **call.kwargs):
        put(item)


def _batch(step: Any, call: _Call, put: Put) -> None:
    put(step.batch(call.many, call.config, **call.kwargs))


async def _abatch(step: Any, call: _Call, put: Put) -> None:
    put(await step.abatch(call.many, call.config, **call.kwargs))


def _batch_errors(step: Any, call: _Call, put: Put) -> None:
    put(step.batch(call.many, call.config, return_exceptions=True, **call.kwargs))


async def _abatch_errors(step: Any, call: _Call, put: Put) -> None:
    put(await step.abatch(call.many, call.config, return_exceptions=True, **call.kwargs))


def _completed(step: Any, call: _Call, put: Put) -> None:
    done = step.batch_as_completed(call.many, call.config, return_exceptions=True, **call.kwargs)
    put(sorted(done, key=lambda pair: pair[0]))


async def _acompleted(step: Any, call: _Call, put: Put) -> None:
    stream = step.abatch_as_completed(call.many, call.config, return_exceptions=True, **call.kwargs)
    put(sorted([pair async for pair in stream], key=lambda pair: pair[0]))


VERBS: dict[str, tuple[Any, Any]] = {
    "invoke": (_invoke, _ainvoke),
    "stream": (_stream, _astream),
    "transform": (_transform, _atransform),
    "batch": (_batch, _abatch),
    "batch with errors": (_batch_errors, _abatch_errors),
    "batch as completed": (_completed, _acompleted),
}
STREAMING = ("stream", "transform")
BATCHING = ("batch", "batch with errors", "batch as completed")
USUAL = ("invoke", "stream", "transform", "batch")
EVERY = tuple(VERBS)
# In a running loop the driver differs, and not the steps: one verb of each kind shows it.
IN_LOOP = ("invoke", "stream", "batch as completed")


def run_in(colour: Colour, run: Callable[[], None], arun: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run what uses the sync verbs, or what uses the async ones."""

    async def in_loop() -> None:
        run()

    if colour == "sync":
        run()
    else:
        asyncio.run(arun() if colour == "async" else in_loop())


def outcome(case: Case, lib: Library, verb: str, colour: Colour) -> Outcome:
    """Run a case once."""
    step, call = case.build(lib), _Call(case, lib)
    sync_verb, async_verb = VERBS[verb]
    pieces: list[Any] = []

    error: Exception | None = None
    try:
        run_in(
            colour,
            lambda: sync_verb(step, call, pieces.append),
            lambda: async_verb(step, call, pieces.append),
        )
    except Exception as caught:
        error = caught
    return _told(case, verb, pieces, error)


def _told(case: Case, verb: str, pieces: list[Any], error: Exception | None) -> Outcome:
    plain = Plain()
    end = None if error is None else raised(error, plain)
    interleaves = verb in STREAMING and (case.interleaves is True or verb in (case.interleaves or ()))
    if not interleaves:
        return Outcome([plain(piece) for piece in pieces], end)
    if error is not None:
        return Outcome([], end)  # how far the others came is chance
    return Outcome([by_key(pieces, plain), plain(merged(pieces))])


def compare(case: Case, verb: str, colour: Colour) -> None:
    """Both libraries on one case, verb and colour: equal, or different as the case says."""
    peer_colour: Colour = "async" if colour == "async" else "sync"
    ours, peer = outcome(case, OURS, verb, colour), outcome(case, PEER, verb, peer_colour)
    told = case.difference(verb, colour)
    if told is None:
        assert ours == peer
        return
    assert _fits(peer, told.peer), f"{told.key}: langchain-core does otherwise: {peer}"
    wanted = told.ours if isinstance(told.ours, Outcome) else outcome(case, PEER, verb, told.ours)
    assert _fits(ours, wanted), f"{told.key}: millstream does otherwise: {ours}, not {wanted}"
    assert ours != peer, f"{told.key}: there is no difference"


def _fits(found: Outcome, wanted: Outcome) -> bool:
    if found == wanted:
        return True
    # Among collected errors, each has to be the one.
    answers = found.pieces[0] if len(found.pieces) == 1 else None
    if wanted.error is None or not isinstance(answers, list) or not answers:
        return False
    return all(_last(answer) == wanted.error for answer in answers)


def _last(answer: Any) -> Any:
    return answer[1] if isinstance(answer, tuple) else answer


def each(cases: Iterable[Case], verbs: Sequence[str] = USUAL) -> pytest.MarkDecorator:
    """Parametrise a test over cases, verbs and colours."""
    parameters = []
    for case in cases:
        for verb in case.verbs or verbs:
            for colour in COLOURS if verb in IN_LOOP else COLOURS[:2]:
                told = case.difference(verb, colour)
                marks = [] if told is None else [pytest.mark.differs(told.key)]
                parameters.append(
                    pytest.param(case, verb, colour, id=f"{case.name}: {verb}, {colour}", marks=marks)
                )
    return pytest.mark.parametrize(("case", "verb", "colour"), parameters)
