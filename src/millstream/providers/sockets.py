"""The sockets under an HTTP client, which it has no call for: all that is known here of its insides.

`http` is a client of httpx on httpcore, of either generation. What cannot be found, in another client or a
later version, is left alone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any


def pools_of(http: Any) -> list[Any]:
    """Its connection pools: one, and one for each proxy and other way out."""
    transports = [getattr(http, "_transport", None), *getattr(http, "_mounts", {}).values()]
    pools = [getattr(transport, "_pool", None) for transport in transports]
    return [pool for pool in pools if hasattr(pool, "_requests")]


def waiting_in(http: Any, mark: str, value: object) -> Any:
    """The entry in a pool's table for the request that carries `value` as its extension `mark`, if any."""
    for pool in pools_of(http):
        for waiting in list(pool._requests):
            if waiting.request.extensions.get(mark) is value:
                return waiting
    return None


def stream_of_connection(connection: Any) -> Any:
    """The network stream of a connection; None if it has none yet, or carries several requests at once."""
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    return None if hasattr(connection, "_h2_state") else getattr(connection, "_network_stream", None)


def stream_of_response(response: Any) -> Any:
    """The network stream that a response comes from; None if others come from it, too: of HTTP/2, closing
    the response resets its own stream alone."""
    if response.extensions.get("http_version") == b"HTTP/2":
        return None
    return response.extensions.get("network_stream")


def idle_sockets(http: Any) -> Iterator[Any]:
    """The sockets of connections that are kept to be used again."""
    for pool in pools_of(http):
        for connection in pool.connections:
            if connection.is_idle() and (stream := stream_of_connection(connection)) is not None:
                yield stream.get_extra_info("socket")


def shut_down(sock: Any) -> None:
    """End a socket's connection, from any thread: whoever reads from it comes back at once."""
    if isinstance(sock, socket.socket):
        # Below TLS, whose own shutdown would change the object that another thread reads from.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
        return
    # What an event loop shows of its socket: of the same connection, by a descriptor of our own.
    with socket.socket(fileno=os.dup(sock.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)
