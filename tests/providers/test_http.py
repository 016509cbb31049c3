"""What the models of both wires do over a real connection: asked, answered, refused, cut, left and kept."""

import asyncio
import copy
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from millstream import (
    AIMessage,
    AuthenticationError,
    BaseChatModel,
    Cancelled,
    ConfigError,
    ContentFilterError,
    ContextLengthError,
    InputError,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
    RunnableLambda,
    StreamTimeout,
    StreamTruncated,
)
from millstream.testing import CUT, RESET, Hold, Pause, Reply, Request, ScriptedServer, cut_at
from tests.conftest import Colour
from tests.providers.wires import ANTHROPIC, KEY, OPENAI, WIRES, Wire, cancelled_while_held

#: How soon the other side sees a connection closed: the aim is 0.05 s, and these machines are shared.
SOON = 1.0

wires = pytest.mark.parametrize("wire", WIRES, ids=repr)


# Asked and answered


@wires
def test_a_stream_is_read_with_all_that_is_told(wire: Wire, colour: Colour) -> None:
    headers = {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "9", "set-cookie": "a=b"}
    with ScriptedServer([wire.says("Hel", "lo", headers=headers)]) as server:
        chunks = colour.stream(wire.on(server.url), "hi")
    assert [chunk.content for chunk in chunks] == ["Hel", "lo", ""]
    last = chunks[-1]
    assert last.usage_metadata.total_tokens == 12
    assert not last.usage_metadata.estimated
    told = last.response_metadata
    assert (told["model_name"], told["finish_reason"], told["request_id"]) == ("a-model-1", "stop", "req_1")
    assert told["headers"] == {"x-request-id": "req_1", "x-ratelimit-remaining-requests": "9"}


@wires
def test_the_request_is_what_the_provider_expects(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([wire.says("a")]) as server:
        model = wire.on(server.url, default_headers={"x-team": "blue"}, temperature=0.5)
        colour.stream(model, "hi", extra_headers={"x-call": "1"}, stop=["."], max_tokens=3)
        [request] = server.requests
    assert (request.method, request.path) == ("POST", wire.path)
    assert KEY in (request.headers.get("authorization", "") + request.headers.get("x-api-key", ""))
    assert (request.headers["x-team"], request.headers["x-call"]) == ("blue", "1")
    body = request.json()
    assert (body["model"], body["stream"], body["temperature"]) == ("a-model", True, 0.5)
    assert "extra_headers" not in body
    assert body.get("stop") == ["."] or body.get("stop_sequences") == ["."]


@wires
def test_a_whole_answer_is_asked_for_whole(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply.json(wire.whole("Hello"), headers={"request-id": "req_2"})]) as server:
        message = colour.invoke(wire.on(server.url), "hi")
        assert not server.requests[0].json().get("stream")
    assert (message.content, message.usage_metadata.total_tokens) == ("Hello", 12)
    assert message.response_metadata["request_id"] == "req_2"


@wires
def test_with_streaming_a_whole_answer_is_streamed(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([wire.says("Hel", "lo")]) as server:
        assert colour.invoke(wire.on(server.url, streaming=True), "hi").content == "Hello"
        assert server.requests[0].json()["stream"]


@wires
def test_a_server_that_streams_nothing_still_answers(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply.json(wire.whole("Hello"))]) as server:
        [chunk] = colour.stream(wire.on(server.url), "hi")
    assert (chunk.content, chunk.chunk_position) == ("Hello", "last")


@wires
@pytest.mark.parametrize("kind", ["text/plain", "Application/JSON; charset=utf-8", "text/event-stream", ""])
def test_what_came_tells_what_it_is_and_not_its_content_type(wire: Wire, colour: Colour, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    whole = Reply(b"\n", json.dumps(wire.whole("Hello")).encode(), headers=headers)
    with ScriptedServer([whole, Reply(*wire.parts(["Hel", "lo"]), headers=headers)]) as server:
        model = wire.on(server.url)
        assert [chunk.content for chunk in colour.stream(model, "hi")] == ["Hello"]
        assert [chunk.content for chunk in colour.stream(model, "hi")] == ["Hel", "lo", ""]


@wires
def test_a_proxys_last_words_are_shown(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply(b"upstream connect error", headers={"content-type": "text/plain"})]) as server:
        for verb in (colour.stream, colour.invoke):
            with pytest.raises(ProviderError, match="upstream connect error"):
                verb(wire.on(server.url), "hi")


@wires
def test_words_without_end_are_cut(wire: Wire, colour: Colour) -> None:
    refusal = wire.refusal("no " * 100_000 + KEY, "bad_request")
    with ScriptedServer([Reply.json(refusal, status=400)]) as server, pytest.raises(ProviderError) as caught:
        colour.invoke(wire.on(server.url), "hi")
    assert 1000 < len(str(caught.value)) <= 2000
    assert len(str(caught.value.__cause__)) <= 2000


@wires
def test_a_refusal_that_breaks_off(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply(b'{"err', CUT, status=401)]) as server:
        with pytest.raises(ProviderError) as caught:
            colour.stream(wire.on(server.url), "hi")
        assert not isinstance(caught.value, StreamTruncated)


@wires
def test_a_server_that_is_no_provider(wire: Wire, colour: Colour) -> None:
    page = Reply(b"<html><body>Welcome</body></html>", headers={"content-type": "text/html; charset=utf-8"})
    with ScriptedServer([page]) as server:
        for verb in (colour.stream, colour.invoke):
            with pytest.raises(ProviderError, match="base_url"):
                verb(wire.on(server.url), "hi")


def test_the_first_use_does_not_hold_up_the_loop() -> None:
    program = """
import asyncio, sys
from tests.providers.wires import OPENAI
from millstream.testing import ScriptedServer

async def beat():
    while True:
        beats.append(sys.modules.get("openai") is None)
        await asyncio.sleep(0.005)

async def main():
    heart = asyncio.create_task(beat())
    async for _ in OPENAI.on(server.url).astream("hi"):
        pass
    heart.cancel()

beats = []
with ScriptedServer([OPENAI.says("a")]) as server:
    asyncio.run(main())
print(len(beats))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    # The import alone takes a hundred times as long.
    assert int(done.stdout) > 5


@wires
def test_another_model_may_be_asked_in_one_call(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply.json(wire.whole("a"))]) as server:
        colour.invoke(wire.on(server.url), "hi", model="another")
        assert server.requests[0].json()["model"] == "another"


# Refused


REFUSALS: list[tuple[int, str, type[ProviderError]]] = [
    (401, "invalid_api_key", AuthenticationError),
    (403, "permission_error", AuthenticationError),
    (429, "rate_limit_error", RateLimitError),
    (400, "context_length_exceeded", ContextLengthError),
    (400, "content_filter", ContentFilterError),
    (500, "server_error", ProviderUnavailable),
    (529, "overloaded_error", ProviderUnavailable),
    (404, "not_found_error", ProviderError),
]


@wires
@pytest.mark.parametrize(("status", "name", "kind"), REFUSALS, ids=[str(each[:2]) for each in REFUSALS])
def test_a_refusal_is_the_typed_error_that_it_stands_for(
    wire: Wire, colour: Colour, status: int, name: str, kind: type[ProviderError]
) -> None:
    headers = {"x-request-id": "req_9", "retry-after": "7"}
    reply = Reply.json(wire.refusal(f"No: {KEY}", name), status=status, headers=headers)
    with ScriptedServer([reply]) as server:
        for verb in (colour.invoke, colour.stream):
            with pytest.raises(ProviderError) as caught:
                verb(wire.on(server.url), "hi")
            error = caught.value
            assert type(error) is kind
            assert (error.status, error.request_id, error.retry_after) == (status, "req_9", 7.0)
            where = f" (HTTP 404 at {server.url}{wire.path})" if status == 404 else ""
            assert (error.code, str(error)) == (name, f"No: [key]{where}")
            # Nor does what a program logs of it show the key.
            assert KEY not in "".join(traceback.format_exception(error))


@wires
def test_no_secret_is_shown_of_a_header_or_in_an_answer(wire: Wire, colour: Colour) -> None:
    gateway, call = "gateway-12345", "of-this-call"
    words = f"No: {KEY}, {gateway}, {call}."
    inside = json.dumps(wire.refusal(words, "no")).encode()
    replies = [
        Reply.json(wire.refusal(words, "no"), status=400),
        Reply.json(wire.refusal(words, "no")),
        Reply(inside[:-1]),
        Reply.sse(b"event: error\ndata: " + inside + b"\n\n"),
    ]
    headers = {"x-gateway-key": gateway, "x-team": "blue"}
    for reply in replies:
        for verb in (colour.invoke, colour.stream):
            with ScriptedServer([reply]) as server, pytest.raises(ProviderError) as caught:
                model = wire.on(server.url, default_headers=headers)
                verb(model, "hi", extra_headers={"x-token": f"Bearer {call}"})
            shown = "".join(traceback.format_exception(caught.value))
            assert KEY not in shown
            assert gateway not in shown
            if reply is replies[0]:
                assert call not in shown


@wires
def test_a_refused_request_is_sent_again(wire: Wire, colour: Colour) -> None:
    busy = Reply.json(wire.refusal("Busy", "rate_limit_error"), status=429, headers={"retry-after-ms": "5"})
    with ScriptedServer([busy, busy, wire.says("a")]) as server:
        assert len(colour.stream(wire.on(server.url, max_retries=2), "hi")) == 2
        assert len(server.requests) == 3


@wires
def test_a_server_that_is_not_there(wire: Wire, colour: Colour) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ProviderUnavailable, match=f"cannot be reached at {url}: "):
        colour.invoke(wire.on(url), "hi")
    for address in ("nowhere:/", "127.0.0.1:8000", "http:///v1"):
        with pytest.raises(ConfigError, match="base_url"):
            wire.model("a-model", base_url=address)
    with pytest.raises(ConfigError) as caught:
        wire.model("a-model", base_url="htp://me:password@127.0.0.1/v1")
    assert "password" not in str(caught.value)


@wires
def test_what_is_no_json_is_told_before_it_is_sent(wire: Wire, colour: Colour) -> None:
    model = wire.on("http://127.0.0.1:1")
    for text, more in (("hi", {"extra_body": {"a": object()}}), ("hi", {"extra_body": {"a": float("nan")}})):
        with pytest.raises(InputError, match="JSON"):
            colour.invoke(model, text, **more)
    with pytest.raises(InputError, match="JSON"):
        colour.invoke(model, "half a character: \ud800")


@wires
def test_options_that_make_no_sense(wire: Wire) -> None:
    for options in (
        {"temprature": 1},
        {"http_client": 5},
        {"http_client": object},
        {"model_name": "b"},
        {"api_key": "kéy"},
        {"api_key": 5},
        {"default_headers": {"x": 5}},
    ):
        with pytest.raises(ConfigError):
            wire.model("a", **options)
    with pytest.raises(ConfigError, match="Did you mean temperature"):
        wire.model("a", temprature=0)
    assert wire.model("a", verbose=False, cache=None, tags=None).model == "a"
    assert wire.model(model_name="b").model == "b"
    assert repr(wire.model("b", api_key=KEY)) == f"{wire.model.__name__}('b')"


@wires
def test_a_model_is_copied_with_its_connections(wire: Wire) -> None:
    with ScriptedServer([Reply.json(wire.whole("a"))]) as server:
        model = wire.on(server.url, default_headers={"x-team": "blue"})
        for each in (model, copy.copy(model), copy.deepcopy(model), copy.deepcopy(model.bind(stop=["."]))):
            assert each.invoke("hi").text == "a"
        assert server.connections == 1


@wires
def test_a_missing_key(wire: Wire, colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    said = f"There is no key: set {wire.name.upper()}_API_KEY, or give `api_key`."
    with pytest.raises(AuthenticationError, match=said):
        colour.invoke(wire.model("a-model"), "hi")


# Broken off


@wires
def test_an_error_inside_a_stream_is_raised_behind_what_came(wire: Wire, colour: Colour) -> None:
    reply = Reply.sse(*wire.parts(["Hel"], ended=False), wire.broken)
    with ScriptedServer([reply]) as server:
        with pytest.raises(ProviderUnavailable, match="verloaded") as caught:
            colour.invoke(wire.on(server.url, streaming=True), "hi")
        assert _partial(caught.value) == "Hel"


@wires
@pytest.mark.parametrize("ending", [None, CUT, RESET], ids=["end", "cut", "reset"])
def test_a_stream_that_breaks_off_carries_what_arrived(wire: Wire, colour: Colour, ending: Any) -> None:
    parts = [*wire.parts(["Hel", "lo"], ended=False), Pause(0.05), *([ending] if ending else [])]
    with ScriptedServer([Reply.sse(*parts)]) as server:
        model = wire.on(server.url)
        got: list[str] = []
        with pytest.raises(StreamTruncated) as caught:
            _each(colour, model, lambda chunk: got.append(chunk.content))
        assert got == ["Hel", "lo"]
        assert _partial(caught.value) == "Hello"
        assert caught.value.retryable


@wires
def test_a_connection_that_is_cut_behind_the_end_does_no_harm(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply.sse(*wire.parts(["a"]), CUT)]) as server:
        assert [chunk.content for chunk in colour.stream(wire.on(server.url), "hi")] == ["a", ""]


@wires
def test_a_cut_before_any_byte(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([Reply.sse(CUT)]) as server, pytest.raises(StreamTruncated) as caught:
        colour.stream(wire.on(server.url), "hi")
    assert caught.value.partial is None
    with ScriptedServer([Reply(before=[CUT])]) as server, pytest.raises(ProviderUnavailable):
        colour.stream(wire.on(server.url), "hi")


@wires
def test_silence_before_the_answer_and_within_it(wire: Wire, colour: Colour) -> None:
    hold = Hold()
    for reply, phase in (
        (Reply.sse(b"x", before=[hold]), "first"),
        (Reply.sse(hold), "first"),
        (Reply.sse(*wire.parts(["a"], ended=False), hold), "idle"),
    ):
        with ScriptedServer([reply]) as server:
            with pytest.raises(StreamTimeout) as caught:
                colour.stream(wire.on(server.url, timeout=0.15), "hi")
            assert caught.value.phase == phase
            assert caught.value.retryable
            server.wait_closed(timeout=SOON)


@wires
@pytest.mark.parametrize("package", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_time_limits_of_either_http_client(wire: Wire, colour: Colour, package: Any) -> None:
    limit = package.Timeout(5, read=0.15)
    with ScriptedServer([Reply.sse(Hold())]) as server:
        with pytest.raises(StreamTimeout):
            colour.stream(wire.on(server.url, timeout=limit), "hi")
        with pytest.raises(StreamTimeout):
            colour.stream(wire.on(server.url), "hi", timeout=limit)
    for wrong in ("5", -1, object()):
        with pytest.raises(ConfigError, match="timeout"):
            wire.on("http://127.0.0.1:1", timeout=wrong)


@wires
def test_no_connection_is_free(wire: Wire) -> None:
    limits = httpx2.Limits(max_connections=1)
    with ScriptedServer([wire.says("a")]) as server, httpx2.Client(limits=limits) as http:
        model = wire.on(server.url, http_client=http, timeout=0.15)
        stream = model.stream("hi")
        next(stream)
        with pytest.raises(StreamTimeout, match="connections"):
            model.invoke("hi")
        stream.close()


@wires
def test_a_stream_that_ended_is_not_waited_for(wire: Wire, colour: Colour) -> None:
    hold = Hold()
    with ScriptedServer([Reply.sse(*wire.parts(["a"]), hold)]) as server:
        began = time.monotonic()
        assert [chunk.content for chunk in colour.stream(wire.on(server.url), "hi")] == ["a", ""]
        assert time.monotonic() - began < 5 * SOON
        server.wait_closed(timeout=SOON)


@wires
def test_any_cut_of_the_bytes_reads_the_same(wire: Wire, colour: Colour) -> None:
    body = b"".join(wire.parts(["Hé", "llo ", "wörld 🌍"]))
    # Each place in one colour, and some in the others: the parsers are tried in each place by themselves.
    places = range(1, len(body), 1 if colour.name == "sync" else 7)
    with ScriptedServer([Reply.sse(*cut_at(body, [place])) for place in places]) as server:
        model = wire.on(server.url)
        for _ in places:
            assert "".join(chunk.content for chunk in colour.stream(model, "hi")) == "Héllo wörld 🌍"


# Again, and elsewhere


@wires
def test_a_stream_is_tried_again_before_its_first_chunk_and_not_behind(wire: Wire, colour: Colour) -> None:
    down = Reply.json(wire.refusal("Down", "server_error"), status=503)
    cut = Reply.sse(*wire.parts(["a"], ended=False), CUT)
    with ScriptedServer([down, Reply.sse(CUT), wire.says("a", "b"), cut]) as server:
        model = wire.on(server.url).with_retry(wait_exponential_jitter=False)
        assert [chunk.text for chunk in colour.stream(model, "hi")] == ["a", "b", ""]
        got: list[str] = []
        with pytest.raises(StreamTruncated):
            _each(colour, model, lambda chunk: got.append(chunk.text))
        assert got == ["a"]
        assert len(server.requests) == 4


@wires
def test_another_provider_answers_instead(wire: Wire, colour: Colour) -> None:
    [other] = [each for each in WIRES if each is not wire]
    down = Reply.json(wire.refusal("Down", "server_error"), status=503)
    with ScriptedServer([down]) as first, ScriptedServer([other.says("a")]) as second:
        model = wire.on(first.url).with_fallbacks([other.on(second.url)])
        assert [chunk.text for chunk in colour.stream(model, "hi")] == ["a", ""]


# Left


@wires
@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "talking"])
def test_leaving_a_sync_stream_closes_its_socket(wire: Wire, is_silent: bool) -> None:
    with ScriptedServer([_endless(wire, is_silent)]) as server:
        for count, _ in enumerate(wire.on(server.url).stream("hi"), 1):
            if count == 5:
                break
        left = time.monotonic()
        assert server.wait_closed(timeout=SOON) - left < SOON


@wires
@pytest.mark.parametrize("is_silent", [True, False], ids=["silent", "talking"])
@pytest.mark.parametrize("how", ["break", "aclose", "cancel"])
def test_leaving_an_async_stream_closes_its_socket(wire: Wire, is_silent: bool, how: str) -> None:
    async def run(server: ScriptedServer) -> float:
        stream = wire.on(server.url).astream("hi")
        for _ in range(5):
            await anext(stream)
        left = time.monotonic()
        if how == "aclose":
            await stream.aclose()
        elif how == "cancel" and is_silent:
            task = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.05)
            left = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        del stream
        # The loop does not turn meanwhile: what was not closed was aborted.
        return server.wait_closed(0, SOON) - left

    with ScriptedServer([_endless(wire, is_silent)]) as server:
        assert asyncio.run(run(server)) < SOON


@wires
@pytest.mark.parametrize("place", ["before the head", "before the first", "in the middle"])
def test_a_cancel_from_another_thread_reaches_a_silent_server(wire: Wire, colour: Colour, place: str) -> None:
    hold = Hold()
    reply = {
        "before the head": Reply.sse(b"x", before=[hold]),
        "before the first": Reply.sse(hold),
        "in the middle": Reply.sse(*wire.parts(["a"], ended=False), hold),
    }[place]
    with ScriptedServer([reply]) as server:
        cancelled = cancelled_while_held(wire.on(server.url).start("hi"), hold)
        assert server.wait_closed(timeout=SOON) - cancelled < SOON


@wires
def test_a_cancel_ends_the_wait_before_the_next_try(wire: Wire) -> None:
    busy = Reply.json(wire.refusal("Busy", "rate_limit_error"), status=429, headers={"retry-after": "30"})
    with ScriptedServer([busy]) as server:
        began = time.monotonic()
        run = wire.on(server.url, max_retries=3).start("hi")
        threading.Timer(0.2, run.cancel).start()
        with pytest.raises(Cancelled), run:
            _ = run.output
        assert time.monotonic() - began < 5 * SOON
        assert len(server.requests) == 1


@wires
@pytest.mark.parametrize("package", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_cancel_reaches_the_users_own_client(wire: Wire, package: Any) -> None:
    if wire is ANTHROPIC and package is httpx:
        return  # the SDK takes no such client, and the error says so: see the test below
    hold = Hold()
    with ScriptedServer([Reply.sse(b"x", before=[hold])]) as server, package.Client() as http:
        run = wire.on(server.url, http_client=http).start("hi")
        threading.Thread(target=lambda: (hold.reached.wait(), run.cancel())).start()
        with pytest.raises(Cancelled), run:
            _ = run.output
        server.wait_closed(timeout=SOON)


# Kept


@wires
def test_streams_in_turn_use_one_connection(wire: Wire, colour: Colour) -> None:
    with ScriptedServer([wire.says("a", "b")]) as server:
        model = wire.on(server.url)
        if colour.name == "sync":
            for _ in range(10):
                list(model.stream("hi"))
        else:

            async def ten() -> None:
                for _ in range(10):
                    async for _ in model.astream("hi"):
                        pass

            asyncio.run(ten())
        assert server.connections == 1
        assert len(server.requests) == 10


@wires
def test_models_that_are_made_for_each_request_share_connections(wire: Wire) -> None:
    with ScriptedServer([wire.says("a")]) as server:
        for _ in range(5):
            list(wire.on(server.url).stream("hi"))
        assert server.connections == 1


@wires
def test_each_event_loop_has_its_own_connections_and_closes_them(wire: Wire) -> None:
    async def twice() -> str:
        return "".join([chunk.text for _ in range(2) async for chunk in model.astream("hi")])

    with ScriptedServer([wire.says("a")]) as server:
        model = wire.on(server.url)
        for turn in range(3):
            assert asyncio.run(twice()) == "aa"
            server.wait_closed(turn, timeout=SOON)
        assert server.connections == 3


@wires
def test_async_verbs_in_sync_chains_leave_no_connection(wire: Wire) -> None:
    async def ask(text: str) -> str:
        return (await model.ainvoke(text)).text

    with ScriptedServer([Reply.json(wire.whole("a"))]) as server:
        model = wire.on(server.url)
        chain = RunnableLambda(ask) | RunnableLambda(ask)
        for turn in range(2):
            assert chain.invoke("hi") == "a"
            server.wait_closed(turn, timeout=SOON)


@wires
def test_sync_verbs_in_a_running_loop(wire: Wire) -> None:
    async def notebook() -> list[str]:
        return [chunk.text for chunk in model.stream("hi")] + [c.text async for c in model.astream("hi")]

    with ScriptedServer([wire.says("a")]) as server:
        model = wire.on(server.url)
        assert asyncio.run(notebook()) == ["a", "", "a", ""]


@wires
def test_many_at_once(wire: Wire, colour: Colour) -> None:
    def answer(request: Request) -> Reply:
        return Reply.json(wire.whole(str(request.json()["messages"])[-40:]))

    with ScriptedServer(answer) as server:
        texts = [f"question {number:02}" for number in range(20)]
        answers = colour.batch(wire.on(server.url), texts)
        assert all(text in answer.text for text, answer in zip(texts, answers, strict=True))
        assert server.connections <= 16


@wires
def test_threads_share_the_connections(wire: Wire) -> None:
    with ScriptedServer([wire.says("a", "b")]) as server:
        model = wire.on(server.url)
        got: list[str] = []
        threads = [threading.Thread(target=lambda: got.append(_text(model))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == ["ab"] * 8
        assert server.connections <= 8
        assert _text(model) == "ab"
        assert server.connections <= 8


@wires
def test_the_users_own_clients_are_used(wire: Wire) -> None:
    def sent(request: Any) -> None:
        seen.append(request.headers["user-agent"])

    async def asent(request: Any) -> None:
        sent(request)

    seen: list[str] = []
    with ScriptedServer([wire.says("a")]) as server:
        limits = httpx2.Limits(max_connections=1)
        with httpx2.Client(limits=limits, event_hooks={"request": [sent]}) as http:
            model = wire.on(server.url, http_client=http)
            assert [_text(model) for _ in range(3)] == ["a"] * 3
        assert (len(seen), server.connections) == (3, 1)

        async def run() -> str:
            async with httpx2.AsyncClient(limits=limits, event_hooks={"request": [asent]}) as http:
                model = wire.on(server.url, http_async_client=http)
                return "".join([chunk.text for _ in range(3) async for chunk in model.astream("hi")])

        assert asyncio.run(run()) == "aaa"
        assert (len(seen), server.connections) == (6, 2)


def test_a_client_of_the_wrong_kind_is_named() -> None:
    with pytest.raises(ConfigError, match="httpx2"), httpx.Client() as http:
        ANTHROPIC.on("http://127.0.0.1:1", http_client=http).invoke("hi")
    with ScriptedServer([OPENAI.says("a")]) as server, httpx.Client() as http:
        assert _text(OPENAI.on(server.url, http_client=http)) == "a"


@wires
def test_a_users_client_that_is_closed(wire: Wire, colour: Colour) -> None:
    with httpx2.Client() as http:
        pass
    other = httpx2.AsyncClient()
    asyncio.run(other.aclose())
    model = wire.on("http://127.0.0.1:1", http_client=http, http_async_client=other)
    with pytest.raises(ConfigError, match="closed"):
        colour.invoke(model, "hi")


@pytest.mark.leaks  # its connection cannot be closed any more
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@wires
def test_the_users_async_client_in_a_second_loop(wire: Wire) -> None:
    async def ask() -> str:
        return "".join([chunk.text async for chunk in model.astream("hi")])

    with ScriptedServer([wire.says("a")]) as server:
        http = httpx2.AsyncClient()
        model = wire.on(server.url, http_async_client=http)
        assert asyncio.run(ask()) == "a"
        with pytest.raises(ConfigError, match="http_async_client"):
            asyncio.run(ask())
        # What holds it is let go of here, and not in a later test.
        model = http = None  # type: ignore[assignment]
        gc.collect()


@wires
def test_a_forked_child_has_connections_of_its_own(wire: Wire) -> None:
    with ScriptedServer([wire.says("a")]) as server:
        model = wire.on(server.url)
        assert _text(model) == "a"
        child = os.fork()
        if child == 0:
            os._exit(0 if _text(model) == "a" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert server.connections == 2
        assert _text(model) == "a"
        assert server.connections == 2


@wires
def test_the_key_is_in_no_log_event_or_repr(
    wire: Wire, colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedServer([Reply.json(wire.refusal(f"No: {KEY}", "no"), status=401)]) as server:
        model = wire.on(server.url)
        with pytest.raises(AuthenticationError):
            colour.invoke(model, "hi")
    assert KEY not in caplog.text
    assert KEY not in repr(model) + str(model)


def _text(model: BaseChatModel) -> str:
    return "".join(chunk.text for chunk in model.stream("hi"))


def _each(colour: Colour, model: Any, take: Callable[[Any], None]) -> None:
    """Take each chunk as it comes."""
    if colour.name == "sync":
        for chunk in model.stream("hi"):
            take(chunk)
        return

    async def run() -> None:
        async for chunk in model.astream("hi"):
            take(chunk)

    asyncio.run(run())


def _partial(error: ProviderError) -> str:
    assert isinstance(error.partial, AIMessage)
    return error.partial.text


def _endless(wire: Wire, is_silent: bool) -> Reply:
    """Five texts, then silence, or more than anybody reads."""
    if is_silent:
        return Reply.sse(*wire.parts(["a"] * 5, ended=False), Hold())
    more = [part for _ in range(400) for part in (wire.text("a"), Pause(0.01))]
    return Reply.sse(*wire.parts(["a"] * 5, ended=False), *more)
