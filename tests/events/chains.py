"""Event streams of random chains that go wrong in random ways, and what has to hold for each.

A `Case` is data: a chain, how it is run, where a user's code fails and when the reader leaves. `make_case`
makes one, `check_case` runs it, `smaller_cases` gives simpler ones.
"""

import asyncio
import contextvars
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from random import Random
from typing import Any, NamedTuple

from millstream import (
    BaseChatModel,
    BaseRetriever,
    ChatPromptTemplate,
    Document,
    Runnable,
    RunnableBranch,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    StrOutputParser,
    adispatch_custom_event,
    chain,
    dispatch_custom_event,
    tool,
)
from millstream.errors import MillstreamError
from millstream.kernel.channel import READ_AHEAD
from millstream.kernel.scope import current_scope
from millstream.testing import FakeChatModel, FakeLLM, check_leaks
from tests.chains import Node, build, kinds_in, make_node, smaller_nodes
from tests.events.contract import check

Step = Runnable[Any, Any]


class Case(NamedTuple):
    """One run: the chain, the verb, what fails inside it, and how it is read."""

    chain: Node
    colour: str = "sync"
    version: str = "v2"
    buffer: int = READ_AHEAD
    length: int = 2
    """How many words a model says."""
    fault: tuple[int, str] | None = None
    """At which turn of the users' code something happens, and what: see `FAULTS`."""
    leave: tuple[int, str] | None = None
    """After how many events the reader leaves, and how."""
    slow: int = 0
    """The reader dawdles at each so-manieth event; at none if this is 0."""


class Broken(Exception):
    """An error of a user's."""


class Torn(BaseException):
    """One that `except Exception` lets pass."""


def _cancel_from_a_thread(scope: Any) -> None:
    thread = threading.Thread(target=scope.cancel)
    thread.start()
    thread.join()


def _raise(error: type[BaseException]) -> Callable[[Any], None]:
    def fail(_: Any) -> None:
        raise error("on purpose")

    return fail


FAULTS: dict[str, Callable[[Any], None]] = {
    "an error": _raise(Broken),
    "a base exception": _raise(Torn),
    "an interrupt": _raise(KeyboardInterrupt),
    "a cancel": _raise(asyncio.CancelledError),
    "its run cancelled": lambda scope: scope.cancel(),
    "its run cancelled from a thread": _cancel_from_a_thread,
}


class Probe:
    """What the users' code in a chain does and sees. Of any thread."""

    def __init__(self, case: Case) -> None:
        self.length = case.length
        self.pulled = 0
        self.open = 0
        self.begun = 0
        self._lock = threading.Lock()
        self._turns = itertools.count(1)
        self._fault = case.fault or (0, "")

    def turn(self) -> None:
        """The code of a user goes one step on: it may fail here."""
        at, what = self._fault
        if next(self._turns) == at:
            FAULTS[what](current_scope())

    @contextmanager
    def held(self) -> Iterator[None]:
        """A generator of a user's is open."""
        with self._lock:
            self.open += 1
            self.begun += 1
        try:
            yield
        finally:
            with self._lock:
                self.open -= 1

    def words(self) -> Iterator[str]:
        """What a model says."""
        for number in range(self.length):
            self.turn()
            with self._lock:
                self.pulled += 1
            yield f"w{number} "


# --- the steps ---------------------------------------------------------------------------------------------


class Model(BaseChatModel):
    """A user's, of plain code."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def _stream(self, messages: Any, **kwargs: Any) -> Iterator[str]:
        with self.probe.held():
            yield from self.probe.words()


class AsyncModel(Model):
    """A user's, of async code, that takes its time to close."""

    async def _stream(self, messages: Any, **kwargs: Any) -> Any:
        with self.probe.held():
            try:
                for word in self.probe.words():
                    await asyncio.sleep(0)
                    yield word
            finally:
                await asyncio.sleep(0)


class Shelf(BaseRetriever):
    """Finds one document."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def _get_relevant_documents(self, query: str, *, run_manager: Any = None) -> list[Document]:
        self.probe.turn()
        return [Document("found")]


def _plain(probe: Probe) -> Step:
    def shout(value: Any) -> str:
        probe.turn()
        return str(value).upper()

    return RunnableLambda(shout)


def _async(probe: Probe) -> Step:
    async def shout(value: Any) -> str:
        await asyncio.sleep(0)
        probe.turn()
        return str(value).upper()

    return RunnableLambda(shout)


def _words(probe: Probe) -> Step:
    def words(value: Any) -> Iterator[str]:
        with probe.held():
            for word in str(value).split():
                probe.turn()
                yield word

    return RunnableLambda(words)


def _awords(probe: Probe) -> Step:
    async def words(value: Any) -> AsyncIterator[str]:
        with probe.held():
            try:
                for word in str(value).split():
                    probe.turn()
                    yield word
            finally:
                await asyncio.sleep(0)

    return RunnableLambda(words)


def _generator(probe: Probe) -> Step:
    def each(items: Iterator[Any]) -> Iterator[Any]:
        with probe.held():
            for item in items:
                probe.turn()
                yield item

    return RunnableGenerator(each)


def _agenerator(probe: Probe) -> Step:
    async def each(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        with probe.held():
            async for item in items:
                probe.turn()
                yield item

    return RunnableGenerator(each)


def _first(probe: Probe) -> Step:
    def first(items: Iterator[Any]) -> Iterator[Any]:
        with probe.held():
            yield next(items, "")

    return RunnableGenerator(first)


def _tool(probe: Probe) -> Step:
    @tool
    def look(query: str) -> str:
        """Look something up."""
        probe.turn()
        return query

    return RunnableLambda(str) | look


def _atool(probe: Probe) -> Step:
    @tool
    async def look(query: str) -> str:
        """Look something up."""
        await asyncio.sleep(0)
        probe.turn()
        return query

    return RunnableLambda(str) | look


def _telling_tool(probe: Probe) -> Step:
    @tool
    def look(query: str) -> Iterator[str]:
        """Look something up, and tell how far it came."""
        with probe.held():
            for word in query.split():
                probe.turn()
                yield word

    return RunnableLambda(str) | look


def _tells(probe: Probe) -> Step:
    def tell(value: Any) -> Any:
        for number in range(3):
            probe.turn()
            dispatch_custom_event("told", number)
        return value

    return RunnableLambda(tell)


def _atells(probe: Probe) -> Step:
    async def tell(value: Any) -> Any:
        for number in range(3):
            probe.turn()
            await adispatch_custom_event("told", number)
        return value

    return RunnableLambda(tell)


LEAVES: dict[str, Callable[[Probe], Step]] = {
    "text": lambda probe: RunnableLambda(str),
    "passthrough": lambda probe: RunnablePassthrough(),
    "plain": _plain,
    "async": _async,
    "words": _words,
    "async words": _awords,
    "generator": _generator,
    "async generator": _agenerator,
    "first": _first,
    "prompt": lambda probe: ChatPromptTemplate.from_template("{x}"),
    "model": Model,
    "async model": AsyncModel,
    "slow model": lambda probe: FakeChatModel([["one ", "two ", "three"]], delay=0.0005),
    "broken model": lambda probe: FakeChatModel([["one ", Broken("cut")]]),
    "text model": lambda probe: FakeLLM([["one ", "two"]]),
    "parsed model": lambda probe: Model(probe) | StrOutputParser(),
    "retriever": lambda probe: RunnableLambda(str) | Shelf(probe),
    "tool": _tool,
    "async tool": _atool,
    "telling tool": _telling_tool,
    "tells": _tells,
    "async tells": _atells,
}


# --- what stands around them -------------------------------------------------------------------------------


def _sequence(probe: Probe, first: Step, *others: Step) -> Step:
    for other in others:
        first = first | other
    return first


def _parallel(probe: Probe, *steps: Step) -> Step:
    return RunnableParallel(dict(zip("abc", steps, strict=False)))


def _map(probe: Probe, step: Step) -> Step:
    return RunnableLambda(lambda value: str(value).split()[:3]) | step.map()


def _retry(probe: Probe, step: Step) -> Step:
    waits = {"initial": 0.0005, "max": 0.001, "jitter": 0.0}
    return step.with_retry(stop_after_attempt=2, exponential_jitter_params=waits)


def _invokes(probe: Probe, step: Step) -> Step:
    @chain
    def ask(value: Any) -> Any:
        probe.turn()
        return step.invoke(value)

    return ask


def _awaits(probe: Probe, step: Step) -> Step:
    @chain
    async def ask(value: Any) -> Any:
        probe.turn()
        return await step.ainvoke(value)

    return ask


def _blocks(probe: Probe, step: Step) -> Step:
    async def ask(value: Any) -> Any:
        return step.invoke(value)

    return RunnableLambda(ask)


def _streams(probe: Probe, step: Step) -> Step:
    def ask(value: Any) -> Iterator[Any]:
        with probe.held():
            yield from step.stream(value)

    return RunnableLambda(ask)


def _astreams(probe: Probe, step: Step) -> Step:
    async def ask(value: Any) -> AsyncIterator[Any]:
        with probe.held():
            async with step.astream(value) as items:
                async for item in items:
                    yield item

    return RunnableLambda(ask)


def _leaves(probe: Probe, step: Step) -> Step:
    def ask(value: Any) -> Any:
        for item in step.stream(value):
            return item
        return ""

    return RunnableLambda(ask)


def _aleaves(probe: Probe, step: Step) -> Step:
    async def ask(value: Any) -> Any:
        async for item in step.astream(value):
            return item
        return ""

    return RunnableLambda(ask)


def _in_thread(target: Callable[[], Any]) -> Any:
    """What a function answers in a thread of a user's."""
    said: list[Any] = []

    def run() -> None:
        try:
            said.append((target(), None))
        except BaseException as error:
            said.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    answer, error = said.pop()
    if error is not None:
        try:
            raise error
        finally:
            del error
    return answer


def _thread(probe: Probe, step: Step) -> Step:
    return RunnableLambda(lambda value, config: _in_thread(lambda: step.invoke(value, config)))


def _context(probe: Probe, step: Step) -> Step:
    def ask(value: Any) -> Any:
        context = contextvars.copy_context()
        return _in_thread(lambda: context.run(step.invoke, value))

    return RunnableLambda(ask)


def _unwatched(probe: Probe, step: Step) -> Step:
    # Without the context it is a run of its own, of which nobody is told.
    return RunnableLambda(lambda value: _in_thread(lambda: step.invoke(value)))


def _to_thread(probe: Probe, step: Step) -> Step:
    async def ask(value: Any) -> Any:
        return await asyncio.to_thread(step.invoke, value)

    return RunnableLambda(ask)


def _batches(probe: Probe, step: Step) -> Step:
    return RunnableLambda(lambda value: step.batch([value, "b"])[0])


def _abatches(probe: Probe, step: Step) -> Step:
    async def ask(value: Any) -> Any:
        return (await step.abatch([value, "b"], return_exceptions=True))[1]

    return RunnableLambda(ask)


def _gathers(probe: Probe, *steps: Step) -> Step:
    async def ask(value: Any) -> Any:
        return (await asyncio.gather(*(step.ainvoke(value) for step in steps)))[0]

    return RunnableLambda(ask)


def _timed(probe: Probe, step: Step) -> Step:
    async def ask(value: Any) -> Any:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.0004):
                return await step.ainvoke(value)
        return "late"

    return RunnableLambda(ask)


def _events(probe: Probe, step: Step) -> Step:
    def ask(value: Any) -> Any:
        events = list(step.stream_events(value))
        check(events)
        return events[-1]["data"]["output"]

    return RunnableLambda(ask)


def _aevents(probe: Probe, step: Step) -> Step:
    async def ask(value: Any) -> Any:
        async with step.astream_events(value, buffer=2) as stream:
            events = [event async for event in stream]
        check(events)
        return events[-1]["data"]["output"]

    return RunnableLambda(ask)


AROUND: dict[str, tuple[Callable[..., Step], tuple[int, ...]]] = {
    "sequence": (_sequence, (2, 2, 3)),
    "parallel": (_parallel, (2, 3)),
    "joined": (lambda probe, *steps: _parallel(probe, *steps) | str, (2, 3)),
    "assign": (lambda probe, first, second: RunnableParallel(a=first).assign(b=second), (2,)),
    "branch": (lambda probe, *steps: RunnableBranch((lambda _: True, steps[0]), steps[1]), (2,)),
    "fallbacks": (lambda probe, first, second: first.with_fallbacks([second]), (2,)),
    "retry": (_retry, (1,)),
    "map": (_map, (1,)),
    "named": (lambda probe, step: step.with_config(run_name="named", tags=["t"], metadata={"m": 1}), (1,)),
    "returned": (lambda probe, step: RunnableLambda(lambda _: step), (1,)),
    "invokes": (_invokes, (1,)),
    "awaits": (_awaits, (1,)),
    "blocks": (_blocks, (1,)),
    "streams": (_streams, (1,)),
    "async streams": (_astreams, (1,)),
    "leaves": (_leaves, (1,)),
    "async leaves": (_aleaves, (1,)),
    "thread": (_thread, (1,)),
    "thread in a context": (_context, (1,)),
    "thread unwatched": (_unwatched, (1,)),
    "to thread": (_to_thread, (1,)),
    "batches": (_batches, (1,)),
    "async batches": (_abatches, (1,)),
    "gathers": (_gathers, (2,)),
    "timed": (_timed, (1,)),
    "events": (_events, (1,)),
    "async events": (_aevents, (1,)),
}
KINDS = {**LEAVES, **{kind: make for kind, (make, _) in AROUND.items()}}
COUNTS = {kind: counts for kind, (_, counts) in AROUND.items()}

# Code that leaves runs behind, to be ended a moment later: by the event loop, or never before its end.
LEAVES_BEHIND = {"async leaves", "gathers", "to thread", "timed"}
# Code whose events cannot wait for their reader, or are not told.
UNBOUNDED = {"blocks", "gathers", "thread unwatched"}

COLOURS = ("sync", "async", "sync in a loop")
WAYS = {
    "sync": ("close", "drop", "throw", "close in a thread"),
    "async": ("close", "drop", "keep", "cancel", "close from a task"),
}
WAYS["sync in a loop"] = WAYS["sync"]


def make_chain(random: Random) -> Step:
    """A chain of any kind, in which only models fail."""
    return build(make_node(random, [*LEAVES], COUNTS, depth=2), KINDS, Probe(Case(("text",))))


def make_case(random: Random) -> Case:
    """A case of any kind."""
    colour = random.choice(COLOURS)
    fault = (random.randrange(1, 12), random.choice([*FAULTS])) if random.random() < 0.5 else None
    leave = (random.randrange(1, 30), random.choice(WAYS[colour])) if random.random() < 0.4 else None
    return Case(
        make_node(random, [*LEAVES], COUNTS, depth=random.choice([1, 2, 3])),
        colour,
        random.choice(["v2", "v2", "v1"]),
        random.choice([1, 2, 7, READ_AHEAD]),
        random.choice([0, 1, 3, 3, 200]),
        fault,
        leave,
        random.choice([0, 0, 1, 3]),
    )


def smaller_cases(case: Case) -> Iterator[Case]:
    """The same case with something less in it."""
    for key, plain in Case._field_defaults.items():
        if getattr(case, key) != plain:
            yield case._replace(**{key: plain})
    for node in smaller_nodes(case.chain, "text"):
        yield case._replace(chain=node)


# --- reading -----------------------------------------------------------------------------------------------


class Read:
    """What a reader saw, and how far the users' code was when it left."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.probe = Probe(case)
        self.events: list[dict[str, Any]] = []
        self.error: BaseException | None = None
        self.left = False
        self.closed = False
        self.kept: Any = None
        self.pulled_before = self.pulled_after = self.open_after = 0

    def stream(self) -> Any:
        """The events of the case's chain."""
        case = self.case
        step = build(case.chain, KINDS, self.probe)
        verb = step.astream_events if case.colour == "async" else step.stream_events
        return verb("a b c", version=case.version, buffer=case.buffer)

    def takes(self, event: dict[str, Any]) -> bool:
        """Whether the reader goes on after this event."""
        self.events.append(event)
        return self.case.leave is None or len(self.events) < self.case.leave[0]

    def dawdles(self) -> bool:
        """Whether the reader is slow now."""
        slow = self.case.slow
        return bool(slow) and not len(self.events) % slow and len(self.events) < 20

    def leaves(self) -> str:
        """The reader leaves: how?"""
        assert self.case.leave is not None
        self.left = True
        self.pulled_before = self.probe.pulled
        return self.case.leave[1]

    def has_left(self) -> None:
        """Whatever the reader did to leave has returned."""
        assert self.case.leave is not None
        self.closed = self.case.leave[1] not in ("drop", "keep")
        self.pulled_after, self.open_after = self.probe.pulled, self.probe.open


def _read_sync(read: Read) -> None:
    stream = read.stream()
    try:
        for event in stream:
            if read.dawdles():
                time.sleep(0.0005)
            if not read.takes(event):
                break
        else:
            return
    except BaseException as error:
        read.error = error
        return
    how = read.leaves()
    if how == "close":
        stream.close()
        stream.close()
    elif how == "close in a thread":
        _in_thread(stream.close)
    elif how == "throw":
        with suppress(Torn):
            stream.throw(Torn())
    del stream
    read.has_left()


async def _read_async(read: Read) -> None:
    stream = read.stream()
    try:
        async for event in stream:
            if read.dawdles():
                await asyncio.sleep(0.0005)
            if not read.takes(event):
                break
        else:
            return
    except BaseException as error:
        read.error = error
        return
    how = read.leaves()
    if how == "close":
        await stream.aclose()
        await stream.aclose()
    elif how == "keep":
        read.kept = stream
    elif how != "drop":
        await _cut(stream, read, how)
    del stream
    read.has_left()


async def _cut(stream: Any, read: Read, how: str) -> None:
    """Have another task read on, and end that one."""

    async def read_on() -> None:
        try:
            async with aclosing(stream):
                async for event in stream:
                    read.events.append(event)
                    await asyncio.sleep(0)
        except BaseException as error:
            read.error = error.with_traceback(None)

    task = asyncio.create_task(read_on())
    for _ in range(1 + len(read.events) % 4):
        await asyncio.sleep(0)
    if how == "cancel":
        task.cancel()
    else:
        await stream.aclose()
    await task


def _run(read: Read) -> None:
    colour = read.case.colour
    if colour == "sync":
        _read_sync(read)
        return

    async def main() -> None:
        if colour == "async":
            await _read_async(read)
        else:
            _read_sync(read)

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        # Raised in a task of the users' own, it ends the loop, and the reader with it.
        read.left = True


# --- what holds --------------------------------------------------------------------------------------------


def check_case(case: Case) -> None:
    """Raise if the contract is broken in this case."""
    with check_leaks():
        # Events hold errors, whose frames hold streams that were left behind in them.
        _check(case)


def _check(case: Case) -> None:
    read = Read(case)
    _run(read)
    error, read.error = read.error, None
    if error is not None:
        error = error.with_traceback(None)
    _check_error(read, error)
    check(read.events, is_whole=not read.left)
    if not read.left:
        last = read.events[-1]
        assert (error is not None) == last["event"].endswith("_error"), f"{last['event']} and {error!r}"
        assert error is None or last["data"]["error"] is error, f"told of another error than {error!r}"
    _check_closed(read)


def _check_error(read: Read, error: BaseException | None) -> None:
    fault = None if read.case.fault is None else read.case.fault[1]
    allowed: list[type[BaseException]] = [Broken, MillstreamError]
    if fault == "a base exception":
        allowed.append(Torn)
    if fault == "an interrupt":
        allowed.append(KeyboardInterrupt)
    if read.case.leave is not None and read.case.leave[1] == "close from a task":
        # Python's word to who reads a generator that is being closed.
        allowed.append(RuntimeError)
    if fault == "a cancel" or read.left:
        allowed.append(asyncio.CancelledError)
    if error is not None and not isinstance(error, tuple(allowed)):
        raise AssertionError(f"raised {error!r}") from error


def _check_closed(read: Read) -> None:
    case, probe = read.case, read.probe
    assert probe.open == 0, f"{probe.open} generators open at the end"
    if case.leave is None or not read.left:
        return
    kinds = kinds_in(case.chain)
    if not kinds & UNBOUNDED:
        # Each word is an event. What is behind it: the buffer, and for each generator its own read-ahead.
        ahead = case.buffer + probe.begun * (READ_AHEAD + 2)
        most = case.leave[0] + ahead
        assert read.pulled_before <= most, f"{read.pulled_before} words pulled, for {most} at most"
    if read.closed and not kinds & LEAVES_BEHIND:
        assert read.open_after == 0, f"{read.open_after} generators open after it was closed"
        assert probe.pulled == read.pulled_after, "words pulled after it was closed"
