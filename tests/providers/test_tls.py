"""Over TLS, where the socket that a cancel ends is below the one that is read."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx2
import pytest
import trustme

from millstream.testing import Hold, Reply, ScriptedServer
from tests.providers.wires import WIRES, Wire, cancelled_while_held

SOON = 1.0
wires = pytest.mark.parametrize("wire", WIRES, ids=repr)


@contextmanager
def behind_tls(server: ScriptedServer, authority: trustme.CA) -> Iterator[str]:
    """An address where the server is reached by TLS: a relay, of one connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def relay() -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port)) as inner:
            client, _ = listener.accept()
            with context.wrap_socket(client, server_side=True) as outer:
                back = threading.Thread(target=copy, args=(inner, outer))
                back.start()
                copy(outer, inner)
                inner.shutdown(socket.SHUT_RDWR)
                back.join()

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@wires
@pytest.mark.parametrize("place", ["before the head", "in the middle"])
def test_a_cancel_ends_a_sync_read(
    wire: Wire, place: str, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    hold = Hold()
    parts = wire.parts(["a"], ended=False)
    reply = Reply.sse(b"x", before=[hold]) if place == "before the head" else Reply.sse(*parts, hold)
    with (
        ScriptedServer([reply]) as server,
        behind_tls(server, authority) as url,
        httpx2.Client(verify=trusting) as http,
    ):
        cancelled = cancelled_while_held(wire.on(url, http_client=http).start("hi"), hold)
        assert server.wait_closed(timeout=SOON) - cancelled < SOON


@wires
def test_leaving_an_async_stream_ends_its_connection(
    wire: Wire, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async def run(url: str) -> float:
        async with httpx2.AsyncClient(verify=trusting) as http:
            async for _ in wire.on(url, http_async_client=http).astream("hi"):
                break
            left = time.monotonic()
            # The loop does not turn meanwhile.
            return server.wait_closed(0, SOON) - left

    hold = Hold()
    reply = Reply.sse(*wire.parts(["a"], ended=False), hold)
    with ScriptedServer([reply]) as server, behind_tls(server, authority) as url:
        assert asyncio.run(run(url)) < SOON
