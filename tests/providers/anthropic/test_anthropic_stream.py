import json
import tracemalloc
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import (
    InputError,
    JsonLimitError,
    MillstreamError,
    ProviderError,
    ProviderUnavailable,
    SseLimitError,
    StreamTruncated,
)
from millstream.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
)
from millstream.messages.merge import gather_message
from millstream.providers.anthropic import stream as module
from millstream.providers.anthropic.request import messages_request
from millstream.providers.anthropic.stream import FINISH_REASONS, MessageStream, parse_message
from tests.providers.anthropic.anthropic_wire import (
    BROKEN,
    CALL,
    LATE_STOPS,
    MIXED,
    MIXED_CONTENT,
    OVERLOADED,
    PING,
    SEARCHED,
    STOP,
    TEXT,
    delta,
    end,
    event,
    opened,
    start,
    stopped,
    text,
)

Read = tuple[list[AIMessageChunk], MillstreamError | None]


def read(*pieces: bytes, **options: Any) -> Read:
    """The chunks of a stream, and the error that it ended with."""
    stream, found = MessageStream(**options), []
    try:
        for piece in pieces:
            found += stream.feed(piece)
        stream.finish()
    except MillstreamError as error:
        return found, error
    return found, None


def chunks_of(*pieces: bytes, **options: Any) -> list[AIMessageChunk]:
    found, error = read(*pieces, **options)
    assert error is None
    return found


def message_of(*pieces: bytes, **options: Any) -> AIMessage:
    return gather_message(chunks_of(*pieces, **options))


def said(outcome: Read) -> tuple[Any, ...]:
    found, error = outcome
    return found, type(error), str(error)


STREAMS = {
    "text": TEXT,
    "mixed": MIXED,
    "late stops": LATE_STOPS,
    "searched": SEARCHED,
    "broken": BROKEN,
    "cut": TEXT[: -len(STOP)],
    "carriage returns": TEXT.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_cut_anywhere_says_the_same(stream: bytes) -> None:
    whole = said(read(stream))
    assert said(read(*(bytes([byte]) for byte in stream))) == whole
    for cut in range(len(stream) + 1):
        assert said(read(stream[:cut], stream[cut:])) == whole


def test_an_answer_of_text_is_chunks_of_plain_text_and_a_last_one_with_the_rest() -> None:
    *pieces, last = chunks_of(TEXT)
    assert pieces == [AIMessageChunk("Hé"), AIMessageChunk(" → 日本"), AIMessageChunk(" \U0001f600")]
    assert last == AIMessageChunk(
        "",
        chunk_position="last",
        usage_metadata={"input_tokens": 12, "output_tokens": 42, "total_tokens": 54},
        response_metadata={
            "id": "msg_1",
            "model_name": "claude-x",
            "stop_reason": "end_turn",
            "finish_reason": "stop",
        },
    )
    assert message_of(TEXT).content == "Hé → 日本 \U0001f600"


def test_other_blocks_are_kept_as_the_provider_has_them_in_their_order() -> None:
    message = message_of(MIXED)
    assert message.content == MIXED_CONTENT
    assert message.tool_calls == [ToolCall("weather", {"city": "Paris"}, "toolu_1")]
    assert message.text == "Hi there"
    assert message.response_metadata["finish_reason"] == "tool_calls"


def test_a_call_is_told_in_fragments_by_the_index_of_its_block() -> None:
    fragments = [fragment for chunk in chunks_of(MIXED) for fragment in chunk.tool_call_chunks]
    assert fragments == [
        ToolCallChunk("weather", "", "toolu_1", 3),
        ToolCallChunk(None, '{"city":"Pa', None, 3),
        ToolCallChunk(None, 'ris"}', None, 3),
    ]


def test_the_arguments_of_a_call_grow_as_they_are_read() -> None:
    stream, so_far = MessageStream(), []
    for piece in MIXED.split(b"\n\n"):
        so_far += stream.feed(piece + b"\n\n")
        if b"Pa" in piece:
            break
    merged = AIMessageChunk.merge_all(so_far)
    assert [call.args for call in merged.tool_calls] == [{"city": "Pa"}]


def test_blocks_may_all_stop_at_the_end() -> None:
    message = message_of(LATE_STOPS)
    assert message.tool_calls == [ToolCall("f", {"x": 1}, "a"), ToolCall("g", {}, "b")]
    assert message.content == [
        "I look.",
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}, "index": 1},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}, "index": 2},
    ]


def test_a_call_without_fragments_has_no_arguments_or_those_of_its_start() -> None:
    none = start() + opened(0, "tool_use", id="a", name="f", input={}) + stopped(0) + end("tool_use")
    assert message_of(none).tool_calls == [ToolCall("f", {}, "a")]
    early = start() + opened(0, "tool_use", id="a", name="f", input={"x": 1}) + stopped(0) + end("tool_use")
    message = message_of(early)
    assert message.tool_calls == [ToolCall("f", {"x": 1}, "a")]
    assert message.content[0]["input"] == {"x": 1}


def test_fragments_take_the_place_of_arguments_in_the_start() -> None:
    both = opened(0, "tool_use", id="a", name="f", input={"x": 1})
    both += delta(0, "input_json_delta", partial_json='{"x":2}') + stopped(0)
    message = message_of(start() + both + end("tool_use"))
    assert (message.tool_calls[0].args, message.content[0]["input"]) == ({"x": 2}, {"x": 2})


def test_arguments_that_were_cut_off_are_no_call() -> None:
    half = opened(0, "tool_use", id="a", name="f", input={})
    half += delta(0, "input_json_delta", partial_json='{"x":[1,') + stopped(0)
    message = message_of(start() + half + end("max_tokens"))
    assert message.tool_calls == []
    assert message.invalid_tool_calls == [InvalidToolCall("f", '{"x":[1,', "a")]
    assert message.content == [{"type": "tool_use", "id": "a", "name": "f", "index": 0}]


def test_a_tool_of_the_servers_is_content_and_no_call() -> None:
    message = message_of(SEARCHED)
    assert message.tool_calls == []
    assert message.content == [
        {
            "type": "server_tool_use",
            "id": "srvtoolu_1",
            "name": "web_search",
            "input": {"query": "wasps"},
            "index": 0,
        },
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [{"url": "https://a.org"}],
            "index": 1,
        },
        {
            "type": "text",
            "text": "They sting.",
            "citations": [
                {"cited_text": "sting", "url": "https://a.org"},
                {"cited_text": "again", "url": "https://a.org"},
            ],
            "index": 2,
        },
    ]


def test_unannounced_citations_stand_behind_plain_text_unless_blocks_are_asked_for() -> None:
    cited = text(0, "Grass ") + delta(0, "citations_delta", citation={"cited_text": "g"})
    stream = start() + cited + delta(0, "text_delta", text="is green.") + stopped(0) + end()
    block = {"type": "text", "citations": [{"cited_text": "g"}], "index": 0}
    assert message_of(stream).content == ["Grass ", {**block, "text": "is green."}]
    assert message_of(stream, blocks=True).content == [{**block, "text": "Grass is green."}]


def test_a_compaction_is_a_block_of_its_own() -> None:
    compacted = opened(0, "compaction", content=None)
    compacted += delta(0, "compaction_delta", content="So far") + delta(
        0, "compaction_delta", content=" so good"
    )
    message = message_of(start() + compacted + stopped(0) + text(1, "On.") + stopped(1) + end())
    assert message.content == [
        {"type": "compaction", "content": "So far so good", "index": 0},
        {"type": "text", "text": "On.", "index": 1},
    ]


def test_unknown_blocks_are_kept_and_unknown_events_and_deltas_passed_over() -> None:
    odd = event({"type": "brand_new", "index": "x", "delta": 3}) + event({"type": "other"}, name="message")
    odd += opened(0, "hologram", shape={"a": 1}) + delta(0, "hologram_delta", light="blue") + stopped(0)
    odd += b": keep-alive\n\nevent: new\ndata: [1]\n\ndata: [DONE]\n\n"
    odd += event({"type": "content_block_start", "index": 1}) + event(
        {"type": "content_block_delta", "index": 1}
    )
    odd += delta(7, "input_json_delta", partial_json="{}") + stopped(7)
    assert message_of(start() + odd + end()).content == [{"type": "hologram", "shape": {"a": 1}, "index": 0}]


def test_events_without_a_name_are_known_by_their_type_and_those_without_a_type_by_their_name() -> None:
    unnamed = b"".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith(b"event"))
    assert said(read(unnamed)) == said(read(TEXT))
    untyped = TEXT.replace(b'{"type": "message_stop"}', b"{}").replace(
        b'{"type": "content_block_delta", ', b"{"
    )
    assert said(read(untyped)) == said(read(TEXT))


def test_the_last_value_of_each_count_stands_and_the_input_is_all_that_was_read() -> None:
    first = {"input_tokens": 5, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100}
    first |= {"output_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 20}}
    then = event({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 8}})
    last = end("end_turn", input_tokens=6, cache_read_input_tokens=None, output_tokens=9)
    usage = message_of(start(**first) + then + last).usage_metadata
    assert usage == {
        "input_tokens": 126,
        "output_tokens": 9,
        "total_tokens": 135,
        "input_token_details": {
            "cache_read": 100,
            "cache_creation": 20,
            "ephemeral_5m_input_tokens": 20,
        },
    }


def test_usage_stands_on_the_last_chunk_alone_and_can_be_asked_for_before() -> None:
    assert [chunk.usage_metadata is None for chunk in chunks_of(TEXT)] == [True, True, True, False]
    stream = MessageStream()
    assert stream.usage is None
    stream.feed(start())
    assert stream.usage == {"input_tokens": 12, "output_tokens": 1, "total_tokens": 13}
    assert stream.metadata == {"id": "msg_1", "model_name": "claude-x"}
    assert message_of(event({"type": "message_start"}) + STOP).usage_metadata is None


@pytest.mark.parametrize(("reason", "finish"), [*FINISH_REASONS.items(), ("pause_turn", "pause_turn")])
def test_the_reason_of_the_end_is_told_in_all_providers_words_and_in_the_providers(
    reason: str, finish: str
) -> None:
    metadata = message_of(start() + end(reason)).response_metadata
    assert (metadata["finish_reason"], metadata["stop_reason"]) == (finish, reason)


def test_what_else_is_told_of_the_end_is_kept() -> None:
    told = {"stop_reason": "stop_sequence", "stop_sequence": "END", "container": {"id": "c"}}
    metadata = message_of(start() + event({"type": "message_delta", "delta": told}) + STOP).response_metadata
    assert told.items() <= metadata.items()


def test_an_end_without_a_message_stop_is_a_cut() -> None:
    found, error = read(TEXT[: -len(STOP)])
    assert isinstance(error, StreamTruncated)
    assert AIMessageChunk.merge_all(found).content == "Hé → 日本 \U0001f600"
    assert all(chunk.chunk_position is None for chunk in found)
    assert isinstance(read()[1], StreamTruncated)
    assert isinstance(read(TEXT[:-1])[1], StreamTruncated)


def test_what_comes_behind_the_end_is_passed_over() -> None:
    stream = MessageStream()
    found = stream.feed(TEXT)
    assert stream.ended
    assert stream.feed(PING + OVERLOADED + TEXT) == []
    stream.finish()
    assert found == chunks_of(TEXT)
    long = b"data: " + b"x" * 2000
    assert said(read(TEXT, long, max_event_bytes=1000)) == said(read(TEXT + long, max_event_bytes=1000))


def test_an_error_in_the_stream_comes_behind_the_chunks_before_it_and_stays() -> None:
    stream = MessageStream()
    assert [chunk.content for chunk in stream.feed(BROKEN)] == ["Half", " of"]
    for call in (lambda: stream.feed(b""), stream.finish):
        with pytest.raises(ProviderUnavailable, match="^Overloaded$") as caught:
            call()
        assert (caught.value.code, caught.value.status) == ("overloaded_error", None)


@pytest.mark.parametrize("data", ['{"type": "error"}', '{"error": "gone"}', '{"error": {"message": "gone"}}'])
def test_errors_of_other_forms(data: str) -> None:
    _, error = read(f"data: {data}\n\n".encode())
    assert type(error) is ProviderError


@pytest.mark.parametrize(
    "wire",
    [
        b"event: content_block_delta\ndata: {\n\n",
        b"event: content_block_delta\ndata: " + b"[" * 100_000 + b"\n\n",
        b'event: content_block_delta\ndata: {"delta": {"citation": ' + b"[" * 100_000 + b"\n\n",
        b'event: new\ndata: {"error": ' + b"[" * 100_000 + b"\n\n",
        b"event: message_start\ndata: nonsense\n\n",
        b'data: {"type": "message_start", "message": 3}\n\n',
        b'data: {"type": "content_block_stop", "index": "one"}\n\n',
    ],
)
def test_what_cannot_be_read_is_the_providers_error(wire: bytes) -> None:
    _, error = read(start() + wire)
    assert type(error) is ProviderError
    assert len(str(error)) < 300


def test_one_event_has_a_limit() -> None:
    _, error = read(start(), b"data: " + b"x" * 2000, max_event_bytes=1000)
    assert isinstance(error, SseLimitError)


def test_arguments_have_a_limit_which_calls_that_have_stopped_do_not_count_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 1000)
    call = opened(0, "tool_use", id="a", name="f", input={})
    call += delta(0, "input_json_delta", partial_json="{" + " " * 500 + "}") + stopped(0)
    assert chunks_of(start() + call * 5 + end())
    _, error = read(start() + opened(0, "tool_use") + delta(0, "input_json_delta", partial_json="x" * 900))
    assert isinstance(error, JsonLimitError)
    _, error = read(start() + b"".join(opened(index, "tool_use") for index in range(5)))
    assert isinstance(error, JsonLimitError)


def test_what_is_told_of_the_message_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 1000)
    for part in ("delta", "usage"):
        told = (event({"type": "message_delta", part: {f"name{at}": at}}) for at in range(100))
        _, error = read(start(), *told)
        assert isinstance(error, JsonLimitError)


def test_memory_does_not_grow_with_the_stream() -> None:
    stream, piece = MessageStream(), delta(0, "text_delta", text="x" * 1000)
    stream.feed(start() + text(0, "a"))
    tracemalloc.start()
    try:
        for _ in range(2000):
            stream.feed(piece)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


WHOLE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 42},
}


def test_a_whole_answer_is_what_its_stream_would_have_amounted_to() -> None:
    content = [{name: value for name, value in block.items() if name != "index"} for block in MIXED_CONTENT]
    assert parse_message(json.dumps(WHOLE | {"content": content}).encode()) == message_of(MIXED)
    plain = WHOLE | {"content": [{"type": "text", "text": "Hé → 日本 \U0001f600", "citations": None}]}
    assert parse_message(json.dumps(plain | {"stop_reason": "end_turn"}).encode()) == message_of(TEXT)


def test_a_whole_answer_keeps_citations_and_what_the_server_did() -> None:
    cited = {"type": "text", "text": "They sting.", "citations": [{"cited_text": "s"}]}
    searched = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "wasps"}}
    message = parse_message(json.dumps(WHOLE | {"content": [searched, cited, CALL]}).encode())
    assert message.content == [{**searched, "index": 0}, {**cited, "index": 1}, {**CALL, "index": 2}]
    assert message.tool_calls == [ToolCall("weather", {"city": "Paris"}, "toolu_1")]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"<html>", b"[" * 100_000, b'{"content": 3}', b"\xff", b'"\xff"']
)
def test_a_whole_answer_that_cannot_be_read_is_the_providers_error(body: bytes) -> None:
    with pytest.raises(ProviderError, match="cannot be read"):
        parse_message(body)


def test_a_whole_answer_may_be_an_error() -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}, "request_id": "req_1"}
    with pytest.raises(ProviderUnavailable, match="Busy") as caught:
        parse_message(json.dumps(body).encode())
    assert caught.value.request_id == "req_1"


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text("ab{}[]é", max_size=5) | st.just({}) | st.just([])
)
KINDS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
    "ping",
    "new",
]
INNER = [
    "text",
    "thinking",
    "tool_use",
    "server_tool_use",
    "text_delta",
    "input_json_delta",
    "thinking_delta",
    "signature_delta",
    "citations_delta",
    "compaction_delta",
]
NAMES = ["text", "partial_json", "thinking", "signature", "id", "name", "input", "citations", "stop_reason"]
FIELDS = st.dictionaries(st.sampled_from(NAMES), LEAVES, max_size=4)
PARTS = FIELDS.flatmap(lambda f: st.sampled_from(INNER).map(lambda kind: {**f, "type": kind})) | LEAVES
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "index": st.integers(-1, 3) | LEAVES,
        "content_block": PARTS,
        "delta": PARTS,
        "message": st.fixed_dictionaries({}, optional={"usage": LEAVES, "model": LEAVES}) | LEAVES,
        "usage": st.dictionaries(st.sampled_from(["input_tokens", "cache_creation"]), LEAVES) | LEAVES,
        "error": FIELDS | LEAVES,
    },
)


def cut(wire: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({place % (len(wire) + 1) for place in places} | {0, len(wire)})
    return [wire[a:b] for a, b in pairwise(marks)]


PLACES = st.lists(st.integers(0, 10_000), max_size=6)


@given(st.lists(EVENTS, max_size=8), PLACES)
def test_any_events_however_cut_are_chunks_or_a_named_error(events: list[Any], places: list[int]) -> None:
    wire = b"".join(event(each) for each in events)
    outcome = read(wire)
    assert said(read(*cut(wire, places))) == said(outcome)
    if outcome[0]:
        message = gather_message(outcome[0])
        with suppress(InputError):
            messages_request([HumanMessage("hi"), message], {"model": "claude-x"})


@given(st.binary(max_size=200), PLACES, st.integers(0, len(MIXED)))
def test_any_bytes_however_cut_are_chunks_or_a_named_error(junk: bytes, places: list[int], at: int) -> None:
    for wire in (junk, MIXED[:at] + junk + MIXED[at:]):
        assert said(read(*cut(wire, places))) == said(read(wire))


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner)))
def test_any_whole_answer_is_a_message_or_a_named_error(value: Any) -> None:
    for body in (
        value,
        {"content": value},
        WHOLE | {"content": [value, {"type": "tool_use", "input": value}]},
    ):
        with suppress(ProviderError):
            parse_message(json.dumps(body).encode())
