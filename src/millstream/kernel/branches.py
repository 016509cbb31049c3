"""Branches: coroutines that run at once, and whose items come out as one stream, in the order they are made.

Nothing structured spans a `yield` here (PEP 789): the generator owns its workers, their errors travel
through its channel and are raised bare, and its `finally` cancels, aborts and joins them, in that order.
"""

import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import Any

from millstream.kernel.cancel import Cancellation
from millstream.kernel.channel import Channel, Closed
from millstream.kernel.host import Ended, Worker
from millstream.kernel.scope import Scope, current_scope
from millstream.kernel.sink import Sink
from millstream.kernel.sources import Source

Put = Callable[[Any], Awaitable[None]]
Body = Callable[[Scope, Put], Awaitable[None]]
SharedBody = Callable[["Inlet", Scope, Put], Awaitable[None]]


async def run_branches(
    scope: Scope, bodies: Sequence[Body], feeder: Body | None = None, sink: Sink | None = None
) -> AsyncGenerator[Any, None]:
    """Run every body at once; yields what they `put`, as it comes. The first error ends the others.

    A `feeder` runs beside them, and is ended when they have ended. With a `sink`, what is in there comes out.
    """
    host = scope.here
    channel: Channel = host.channel() if sink is None else sink
    cancellation = Cancellation(scope.cancellation)
    cancellation.branch = True
    if feeder is not None and scope.upstream is not None:
        scope.upstream.branch = True
    inner = scope.branch(cancellation)
    cancellation.register(channel, channel.abort)
    workers: list[Worker] = []
    left = len(bodies)
    try:
        if feeder is not None:
            workers.append(host.spawn(_run(feeder, inner, channel, counts=False)))
        for body in bodies:
            workers.append(host.spawn(_run(body, inner, channel)))
        while left:
            # What is there already costs no coroutine.
            item = None if sink is None else sink.pop()
            if item is None:
                try:
                    item = await channel.get()
                except Closed:
                    cancellation.check()
                    raise
            if type(item) is Ended:
                item.check()
                left -= 1
            else:
                yield item
    finally:
        if left or feeder is not None:
            # Not when all have ended: what their code started and left running still belongs to the run.
            cancellation.cancel()
        if feeder is not None and scope.upstream is not None:
            # What the feeder may be blocked in was started further up the chain.
            scope.upstream.cancel()
        cancellation.unregister(channel)
        channel.close()
        await join_all(workers)


async def join_all(workers: Sequence[Worker]) -> None:
    """Stop all workers and wait for each, even if the wait itself is cancelled."""
    failed: BaseException | None = None
    for worker in workers:
        worker.stop()
    for worker in workers:
        try:
            await worker.join()
        except BaseException as error:
            failed = error
    if failed is not None:
        raise failed


async def _run(body: Body, scope: Scope, channel: Channel, counts: bool = True) -> None:
    ended = Ended()
    try:
        await body(scope, channel.put)
    except Closed:
        return
    except BaseException as error:
        ended = Ended(error)
    if counts or ended.error is not None:
        channel.post(ended)


async def run_shared(
    scope: Scope, source: Source[Any], bodies: "Sequence[SharedBody]"
) -> AsyncGenerator[Any, None]:
    """Run every body at once on its own reading of one source; yields what they `put`, as it comes.

    One more branch pulls the source, no faster than the slowest of them reads.
    """
    cancellation = Cancellation(scope.cancellation)
    inner = scope.branch(cancellation)
    reading = scope.branch(Cancellation(cancellation))
    inlets = [Inlet(reading) for _ in bodies]

    async def feed(scope: Scope, put: Put) -> None:
        # Now and not before: the aborts of the branches come before those of what they read (`_let_cancel`).
        for inlet in inlets:
            inlet.watch()
        await _share(scope, source, inlets)

    async def read(body: SharedBody, inlet: Inlet, scope: Scope, put: Put) -> None:
        try:
            await body(inlet, scope, put)
        finally:
            # Also if its steps never began to read: the others must not wait for it.
            await inlet.aclose()

    branches = [partial(read, body, inlet) for body, inlet in zip(bodies, inlets, strict=True)]
    try:
        async with scope.reading(run_branches(inner, branches, feed)) as items:
            async for item in items:
                yield item
    finally:
        # The inlets end with this stream, whichever way it ends.
        cancellation.cancel()
        for inlet in inlets:
            inlet.abandon()


async def _share(scope: Scope, source: Source[Any], inlets: "Sequence[Inlet]") -> None:
    """Read a source once and hand each item to every inlet that is still read: the body of a feeder.

    An error of the source is raised in each branch that reads it, where a fallback may catch it.
    """
    failure: BaseException | None = None
    try:
        async with scope.reading(source) as items:
            async for item in items:
                open_inlets = [inlet for inlet in inlets if not inlet.closed]
                if not open_inlets:
                    return
                for inlet in open_inlets:
                    await inlet.put(item)
    except BaseException as error:
        if scope.cancellation.reason is not None and not isinstance(error, Exception):
            # The branches are being ended too, each by its own abort.
            raise
        failure = error
    for inlet in inlets:
        inlet.end(failure)


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Let the event loop run once."""
    yield


class Inlet:
    """One branch's share of a source that several branches read: itself a source."""

    __slots__ = ("_cancellation", "_channel", "_done", "_scope", "closed")

    def __init__(self, scope: Scope) -> None:
        self._channel = scope.here.channel()
        self._scope = scope
        self._cancellation = scope.cancellation
        self._done = False
        self.closed = False

    def watch(self) -> None:
        """Have a cancel wake the reader, from now on."""
        self._cancellation.register(self, self._channel.abort)
        if self.closed:
            self._cancellation.unregister(self)

    def __aiter__(self) -> "Inlet":
        return self

    async def __anext__(self) -> Any:
        if self._done or self.closed:
            await self._let_cancel()
            raise StopAsyncIteration
        try:
            item = await self._channel.get()
        except Closed:
            await self._let_cancel()
            if self.closed:
                raise StopAsyncIteration from None
            self._cancellation.check()
            raise
        if type(item) is Ended:
            self._done = True
            await self._let_cancel()
            item.check()
            raise StopAsyncIteration
        return item

    async def _let_cancel(self) -> None:
        """In a private loop, which stood still meanwhile: let a cancel that waits there arrive here.

        Else it would arrive in the `finally` blocks that run because of what is raised here.
        """
        scope = self._scope
        if scope.host.is_async or not scope.here.is_async:
            return
        reader = current_scope()
        if reader is not None and reader.cancellation.reason is not None:
            await _turn()

    async def aclose(self) -> None:
        """This branch reads no more; the others go on."""
        self.closed = True
        self._channel.close()
        self._cancellation.unregister(self)

    def abandon(self) -> None:
        """Nothing comes any more, and nobody waits for it."""
        self._channel.close()
        self._cancellation.unregister(self)

    async def put(self, item: Any) -> None:
        """Hand on an item, waiting for room; nothing happens if nobody reads any more."""
        try:
            await self._channel.put(item)
        except Closed:
            self.closed = True

    def end(self, error: BaseException | None) -> None:
        """Tell the reader that the source ended."""
        self._channel.post(Ended(error))
