"""The scripted server, asked by raw sockets, http.client, httpx2 and asyncio."""

import asyncio
import json
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Any

import httpx2
import pytest

from millstream.testing import (
    CUT,
    RESET,
    Hold,
    Pause,
    Reply,
    Request,
    ScriptedServer,
    check_leaks,
    cut_at,
)

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
PATIENCE = 5.0


@contextmanager
def plain(server: ScriptedServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        yield client


@contextmanager
def standard(server: ScriptedServer) -> Iterator[HTTPConnection]:
    client = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        yield client
    finally:
        client.close()


def ask(client: HTTPConnection, method: str = "GET", path: str = "/", **more: Any) -> HTTPResponse:
    client.request(method, path, **more)
    return client.getresponse()


def read_until(client: socket.socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        piece = client.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


# What is on the wire


def test_each_part_is_a_chunk_and_the_connection_is_kept() -> None:
    reply = Reply(b"one", b"0123456789abcdef", headers={"X-Id": "7"})
    expected = (
        b"HTTP/1.1 200 OK\r\nx-id: 7\r\ntransfer-encoding: chunked\r\n\r\n"
        b"3\r\none\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    )
    with ScriptedServer([reply]) as server, plain(server) as client:
        for _ in range(2):
            client.sendall(GET)
            assert read_until(client, b"\r\n0\r\n\r\n") == expected
        assert (server.connections, server.open_connections) == (1, 1)


def test_with_a_length_the_body_is_not_chunked() -> None:
    with (
        ScriptedServer([Reply(b"ab", b"c", headers={"Content-Length": "3"})]) as server,
        plain(server) as client,
    ):
        client.sendall(GET)
        wire = read_until(client, b"abc")
    assert wire == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"


def test_json_and_sse_say_what_they_are() -> None:
    replies = [
        Reply.json({"error": "später"}, status=429, headers={"retry-after": "1"}),
        Reply.sse(b"data: 1\n\n"),
        Reply.sse(b"x", headers={"Content-Type": "text/plain"}),
    ]
    with ScriptedServer(replies) as server, httpx2.Client(base_url=server.url, trust_env=False) as client:
        refused = client.get("/")
        assert (refused.status_code, refused.reason_phrase) == (429, "Too Many Requests")
        assert refused.json() == {"error": "später"}
        assert refused.headers["content-type"] == "application/json"
        assert refused.headers["retry-after"] == "1"
        assert client.get("/").headers["content-type"] == "text/event-stream"
        assert client.get("/").headers["content-type"] == "text/plain"


def test_head_and_statuses_without_a_body() -> None:
    replies = [Reply.json("long"), Reply(status=204), Reply(status=304, headers={"content-length": "9"})]
    with ScriptedServer([*replies, Reply(b"end", status=529)]) as server, plain(server) as client:
        client.sendall(GET.replace(b"GET", b"HEAD") + GET * 3)
        assert read_until(client, b"\r\n0\r\n\r\n") == (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 6\r\n\r\n"
            b"HTTP/1.1 204 No Content\r\n\r\n"
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"
            b"HTTP/1.1 529 \r\ntransfer-encoding: chunked\r\n\r\n3\r\nend\r\n0\r\n\r\n"
        )


def test_a_body_is_cut_at_every_position() -> None:
    body = b"data: \xc3\xa4\n\n"
    replies = [Reply.sse(*cut_at(body, [position])) for position in range(len(body) + 1)]
    with ScriptedServer(replies) as server, httpx2.Client(trust_env=False) as client:
        for position in range(len(body) + 1):
            with client.stream("GET", server.url) as response:
                pieces = list(response.iter_raw())
            assert pieces == [piece for piece in (body[:position], body[position:]) if piece]
        assert server.connections == 1


def test_cut_at() -> None:
    assert cut_at(b"abcde", range(2, 5, 2)) == [b"ab", b"cd", b"e"]
    assert cut_at(b"abcde", [4, 1, 4, 0, 5]) == [b"a", b"bcd", b"e"]
    assert cut_at(b"abcde", []) == [b"abcde"]
    assert cut_at(b"", [0]) == []
    for outside in (-1, 6):
        with pytest.raises(ValueError, match="between 0 and 5"):
            cut_at(b"abcde", [outside])


# Endings


def test_a_cut_ends_in_the_middle_of_the_body() -> None:
    with ScriptedServer([Reply(b"half", CUT)]) as server:
        with plain(server) as client:
            client.sendall(GET)
            assert read_all(client).endswith(b"\r\n\r\n4\r\nhalf\r\n")
        with standard(server) as other, pytest.raises(IncompleteRead):
            ask(other).read()
        with pytest.raises(AssertionError, match="connection 0 was ended by the server"):
            server.wait_closed()


def test_a_body_may_be_shorter_than_its_length() -> None:
    with (
        ScriptedServer([Reply(b"half", CUT, headers={"content-length": "8"})]) as server,
        standard(server) as client,
        pytest.raises(IncompleteRead),
    ):
        ask(client).read()


def test_a_reset_is_one() -> None:
    hold = Hold()
    with ScriptedServer([Reply(b"half", hold, RESET)]) as server, plain(server) as client:
        client.sendall(GET)
        read_until(client, b"half\r\n")
        hold.release()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_no_reply_at_all() -> None:
    with ScriptedServer([Reply(before=[CUT]), Reply(before=[RESET]), Reply(b"x")]) as server:
        with standard(server) as client:
            with pytest.raises(RemoteDisconnected):
                ask(client)
            with pytest.raises(ConnectionResetError):
                ask(client)
            assert ask(client).read() == b"x"
        assert (server.connections, len(server.requests)) == (3, 3)


@pytest.mark.parametrize("from_reply", [True, False])
def test_either_side_can_say_that_it_is_the_last(from_reply: bool) -> None:
    close = {"Connection": "close"}
    with (
        ScriptedServer([Reply(b"x", headers=close if from_reply else {})]) as server,
        plain(server) as client,
    ):
        client.sendall(GET if from_reply else GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert read_all(client).endswith(b"\r\n0\r\n\r\n")


# Silence


def test_a_pause_takes_its_time() -> None:
    with ScriptedServer([Reply(b"a", Pause(0.05), b"b", before=[Pause(0.03)])]) as server:
        with plain(server) as client:
            client.sendall(GET)
            read_until(client, b"a\r\n")
            first = time.monotonic()
            read_until(client, b"b\r\n")
        # Not asked for how long it took to come: only that it did not come too early.
        assert first - server.requests[0].time >= 0.025
        assert time.monotonic() - first >= 0.04


@pytest.mark.parametrize("is_before", [True, False], ids=["before the status line", "in the body"])
def test_a_hold_is_silent_until_it_is_released(is_before: bool) -> None:
    hold = Hold()
    reply = Reply(b"late", before=[hold]) if is_before else Reply(hold, b"late")
    with ScriptedServer([reply]) as server, plain(server) as client:
        assert not hold.reached.is_set()
        client.sendall(GET)
        assert hold.reached.wait(PATIENCE)
        if not is_before:
            assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        client.settimeout(PATIENCE)
        hold.release()
        read_until(client, b"late\r\n0\r\n\r\n")
        hold.release()
        client.sendall(GET)  # it holds nobody any more
        read_until(client, b"late\r\n0\r\n\r\n")


def test_one_hold_holds_many_and_lets_all_go() -> None:
    hold = Hold()
    with ScriptedServer([Reply(b"x", hold, b"y")]) as server, ExitStack() as open_clients:
        clients = [open_clients.enter_context(plain(server)) for _ in range(8)]
        for client in clients:
            client.sendall(GET)
            read_until(client, b"x\r\n")
        assert server.connections == server.open_connections == 8
        hold.release()
        for client in clients:
            read_until(client, b"y\r\n")


def test_a_request_that_comes_during_a_reply_waits_for_its_turn() -> None:
    hold = Hold()
    with ScriptedServer([Reply(hold, b"first"), Reply(b"second")]) as server, plain(server) as client:
        client.sendall(GET + GET[:7])
        assert hold.reached.wait(PATIENCE)
        client.sendall(GET[7:])
        hold.release()
        assert b"first" in read_until(client, b"second")


# Requests


def test_a_request_is_recorded() -> None:
    before = time.monotonic()
    with ScriptedServer([Reply(b"x")]) as server:
        for _ in range(2):
            with standard(server) as client:
                headers = {"Authorization": "Bearer k"}
                ask(client, "POST", "/v1/chat?a=1", body=json.dumps({"ä": 1}), headers=headers).read()
        first, second = server.requests
    assert (first.method, first.path, first.json()) == ("POST", "/v1/chat?a=1", {"ä": 1})
    assert first.headers["AUTHORIZATION"] == first.headers["authorization"] == "Bearer k"
    assert first.headers["none"] is None
    assert (first.connection, second.connection) == (0, 1)
    assert before <= first.time <= second.time <= time.monotonic()


def test_a_request_may_come_in_chunks_and_in_any_pieces() -> None:
    wire = (
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\nA\r\n0123\r\n6789\r\n0\r\nTrailer: t\r\n\r\n"
        b"POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
    )
    with ScriptedServer([Reply(b"x")]) as server, plain(server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in wire:
            client.sendall(bytes([byte]))
        data = b""
        while data.count(b"0\r\n\r\n") < 2:
            data += client.recv(65536)
        assert [(each.path, each.body) for each in server.requests] == [
            ("/a", b"abc0123\r\n6789"),
            ("/b", b"hi"),
        ]


def test_replies_come_in_turn_and_the_last_again() -> None:
    with ScriptedServer([Reply(b"a"), Reply(b"b")]) as server, standard(server) as client:
        assert [ask(client).read() for _ in range(4)] == [b"a", b"b", b"b", b"b"]
        assert len(server.requests) == 4


def test_a_function_replies() -> None:
    def echo(request: Request) -> Reply:
        return Reply.json({"path": request.path})

    with ScriptedServer(echo) as server, standard(server) as client:
        assert json.loads(ask(client, path="/here").read()) == {"path": "/here"}


# A client that goes


def leave(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def begin(client: socket.socket, reply: Reply) -> None:
    """Ask, and come to where the reply is in the middle."""
    client.sendall(GET)
    for hold in (part for part in (*reply.before, *reply.parts) if isinstance(part, Hold)):
        assert hold.reached.wait(PATIENCE)
    if reply.parts:
        read_until(client, b"\r\n\r\n")


def trickle() -> list[Any]:
    return [part for _ in range(1000) for part in (b"x", Pause(0.005))]


GOING: dict[str, Callable[[], Reply]] = {
    "held before the status line": lambda: Reply(before=[Hold()]),
    "held": lambda: Reply(b"x", Hold()),
    "in a pause": lambda: Reply(b"x", Pause(60)),
    "while it sends": lambda: Reply(*trickle()),
    "blocked, sending": lambda: Reply(b"x" * 30_000_000),
    "between requests": lambda: Reply(b"x"),
}


@pytest.mark.parametrize("going", [leave, reset])
@pytest.mark.parametrize("make", GOING.values(), ids=GOING.keys())
def test_a_client_that_goes_is_seen(
    make: Callable[[], Reply], going: Callable[[socket.socket], None]
) -> None:
    reply = make()
    with ScriptedServer([reply]) as server, plain(server) as client:
        begin(client, reply)
        before = time.monotonic()
        assert server.open_connections == 1
        going(client)
        # Seen at all, long before the script is over; how fast is for benchmarks to say.
        assert before <= server.wait_closed(timeout=2 * PATIENCE) <= time.monotonic() < before + PATIENCE
        assert server.open_connections == 0


def test_a_request_that_is_never_whole_is_none() -> None:
    with ScriptedServer([Reply(b"x")]) as server:
        with plain(server) as client:
            client.sendall(GET[:-2])
        server.wait_closed()
        assert server.requests == []


def test_an_asyncio_client() -> None:
    hold = Hold()

    async def run(server: ScriptedServer) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        data = await reader.readuntil(b"one\r\n")
        assert await asyncio.to_thread(hold.reached.wait, PATIENCE)
        before = time.monotonic()
        writer.close()
        await writer.wait_closed()
        assert await asyncio.to_thread(server.wait_closed) >= before
        return data

    with ScriptedServer([Reply(b"one", hold)]) as server:
        assert asyncio.run(run(server)).startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_async_stream_that_is_left() -> None:
    hold = Hold()

    async def run(server: ScriptedServer) -> None:
        async with (
            httpx2.AsyncClient(trust_env=False) as client,
            client.stream("GET", server.url) as response,
        ):
            async for piece in response.aiter_raw():
                assert piece == b"one"
                break

    with ScriptedServer([Reply.sse(b"one", hold)]) as server:
        asyncio.run(run(server))
        server.wait_closed()


def test_waiting_for_a_close_that_does_not_come_says_so() -> None:
    with ScriptedServer([Reply(b"x")]) as server, standard(server) as client:
        ask(client).read()
        with pytest.raises(
            AssertionError, match=r"connection 0 .* 0.01 seconds: 1 were accepted, 1 are open"
        ):
            server.wait_closed(timeout=0.01)
        with pytest.raises(AssertionError, match="connection 1 was not closed"):
            server.wait_closed(connection=1, timeout=0.01)


# The end


@pytest.mark.parametrize("make", GOING.values(), ids=GOING.keys())
def test_closing_ends_everything_in_the_middle(make: Callable[[], Reply]) -> None:
    with check_leaks(), warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        reply = make()
        scripted = ScriptedServer([reply])
        with plain(scripted) as client, plain(scripted) as silent:
            begin(client, reply)
            before = time.monotonic()
            scripted.close()
            assert time.monotonic() - before < PATIENCE
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", scripted.port))
            assert read_all(silent) == b""
        scripted.close()  # again is nothing
        with pytest.raises(AssertionError, match="ended by the server"):
            scripted.wait_closed(timeout=0)


def test_an_error_of_the_function_reaches_both_sides() -> None:
    error = LookupError("no such city")

    def fail(request: Request) -> Reply:
        raise error

    with pytest.raises(LookupError) as caught, ScriptedServer(fail) as server, standard(server) as client:
        answer = ask(client)
        assert (answer.status, answer.headers["connection"]) == (500, "close")
        assert b"LookupError('no such city')" in answer.read()
    assert caught.value is error


def test_a_failed_test_in_the_function_is_not_lost() -> None:
    with (
        pytest.raises(pytest.fail.Exception, match="here"),
        ScriptedServer(lambda request: pytest.fail("here")) as server,
        standard(server) as client,
    ):
        assert ask(client).status == 500


def test_the_functions_own_connection_error_is_an_error_too() -> None:
    def fail(request: Request) -> Reply:
        raise ConnectionError("of the script")

    with (
        pytest.raises(ConnectionError, match="of the script"),
        ScriptedServer(fail) as server,
        standard(server) as client,
    ):
        assert ask(client).status == 500


def test_a_function_that_returns_something_else() -> None:
    def fail(request: Request) -> Any:
        return None

    with (
        pytest.raises(TypeError, match="no Reply: None"),
        ScriptedServer(fail) as server,
        plain(server) as client,
    ):
        client.sendall(GET)
        assert read_all(client).startswith(b"HTTP/1.1 500 ")


def test_a_function_that_does_not_return_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millstream.testing.server.CLOSE_SECONDS", 0.05)
    entered, gate = threading.Event(), threading.Event()

    def wait(request: Request) -> Reply:
        entered.set()
        gate.wait()
        return Reply()

    with (
        pytest.raises(RuntimeError, match="does not return, in scripted-connection-0"),
        ScriptedServer(wait) as scripted,
        plain(scripted) as client,
    ):
        client.sendall(GET)
        assert entered.wait(PATIENCE)
    gate.set()


@pytest.mark.parametrize(
    "junk",
    [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
)
def test_what_is_no_request_is_an_error(junk: bytes) -> None:
    with pytest.raises(ValueError), ScriptedServer([Reply()]) as server, plain(server) as client:
        client.sendall(junk)
        assert read_all(client).startswith(b"HTTP/1.1 500 ")


# Scripts that cannot be played


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Reply("text"), TypeError, "made of bytes, Pause(...), Hold(), RESET and CUT, not of 'text'"),
        (lambda: Reply(Hold), TypeError, "not of <class"),
        (lambda: Reply(b"a", b""), ValueError, "an empty part would end"),
        (lambda: Reply(RESET, b"a"), ValueError, "nothing can come after RESET or CUT"),
        (lambda: Reply(b"a", before=[CUT]), ValueError, "nothing can come after"),
        (lambda: Reply(before=[b"a"]), ValueError, "before the status line"),
        (lambda: Reply(status=100), ValueError, "between 200 and 599, not 100"),
        (lambda: Reply(b"a", status=204), ValueError, "204 has no body"),
        (lambda: Reply(headers={"Transfer-Encoding": "gzip"}), ValueError, "writes transfer-encoding itself"),
        (lambda: Reply(headers={"a": "b\r\nc: d"}), ValueError, "printable ASCII"),
        (lambda: Reply(b"abc", headers={"content-length": "2"}), ValueError, "not the body's 3 bytes"),
        (lambda: Reply(headers={"content-length": "2"}), ValueError, "not the body's 0 bytes"),
        (lambda: Pause(-1), ValueError, "takes a number of seconds, not -1"),
        (lambda: Pause(float("inf")), ValueError, "see Hold"),
        (lambda: ScriptedServer([]), ValueError, "replies is a list of Reply"),
        (lambda: ScriptedServer([b"data"]), ValueError, "replies is a list of Reply"),
    ],
)
def test_a_bad_script_is_an_error_when_it_is_made(
    make: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        make()
