"""The bytes of chats and completions: what servers send, however it is cut, and anything else."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import (
    ContentFilterError,
    JsonLimitError,
    MillstreamError,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
    SseLimitError,
    StreamTruncated,
)
from millstream.messages import AIMessage, AIMessageChunk, ToolCallChunk, UsageMetadata
from millstream.messages.merge import gather_message
from millstream.outputs import GenerationChunk
from millstream.providers.openai import stream as module
from millstream.providers.openai.stream import (
    ChatStream,
    CompletionStream,
    choice_of,
    parse_chat,
    parse_completion,
)

from . import openai_wires as wires
from .openai_wires import call, cost, piece, usage, wire


def read(stream: Any, *parts: bytes) -> tuple[list[Any], str | None]:
    """The items, and the error behind them in words."""
    found: list[Any] = []
    try:
        for part in parts:
            found += stream.feed(part)
        found += stream.finish()
    except MillstreamError as error:
        return found, f"{type(error).__name__}: {error}"
    return found, None


def chunks_of(data: bytes, **options: Any) -> list[AIMessageChunk]:
    found, error = read(ChatStream(**options), data)
    assert error is None
    return found


def whole(data: bytes, **options: Any) -> AIMessage:
    return gather_message(chunks_of(data, **options))


def test_openai_streams_text_and_a_last_chunk_that_says_the_rest() -> None:
    *texts, last = chunks_of(wires.OPENAI)
    assert texts == [AIMessageChunk("Grüß"), AIMessageChunk(" 🌍\n")]
    assert last == AIMessageChunk(
        "",
        chunk_position="last",
        response_metadata={
            "id": "chatcmpl-1",
            "model_name": "m-1",
            "service_tier": "default",
            "system_fingerprint": "fp_1",
            "finish_reason": "stop",
        },
        usage_metadata=UsageMetadata(9, 5, 14, {"cache_read": 4, "audio": 0}, {"reasoning": 2}),
    )


def test_llama_cpp_streams_thoughts() -> None:
    first, second, text, _ = chunks_of(wires.LLAMA_CPP)
    assert first == AIMessageChunk("", additional_kwargs={"reasoning_content": "Let me"})
    assert second.additional_kwargs == {"reasoning_content": " think."}
    assert text == AIMessageChunk("Hi")
    assert whole(wires.LLAMA_CPP).additional_kwargs == {"reasoning_content": "Let me think."}


def test_usage_that_vllm_repeats_as_it_grows_counts_once() -> None:
    message = whole(wires.VLLM)
    assert message.content == "ab"
    assert message.usage_metadata == UsageMetadata(7, 2, 9)
    assert message.response_metadata["finish_reason"] == "length"


def test_the_details_of_openrouters_thoughts_are_whole_in_the_end() -> None:
    message = whole(wires.OPENROUTER)
    assert message.content == "Yes."
    assert message.additional_kwargs == {
        "reasoning_content": "Hmm.",
        "reasoning_details": [
            {
                "type": "reasoning.text",
                "text": "Hmm.",
                "signature": "c2ln",
                "format": "anthropic-claude-v1",
                "index": 0,
            }
        ],
    }


def test_details_without_an_index_are_told_apart_by_their_type() -> None:
    def detail(kind: str, text: str) -> dict[str, Any]:
        return piece({"reasoning_details": [{"type": kind, "text": text, "id": None}, 3]})

    data = wire(detail("a", "1"), detail("a", "2"), detail("b", "3"), detail("a", "4"), piece(finish="stop"))
    found = whole(data).additional_kwargs["reasoning_details"]
    assert [(each["type"], each["text"]) for each in found] == [("a", "12"), ("b", "3"), ("a", "4")]


def test_groq_sends_whole_calls_and_its_usage_in_a_field_of_its_own() -> None:
    message = whole(wires.GROQ)
    assert [(each.name, each.args, each.id) for each in message.tool_calls] == [
        ("f", {"a": 1}, "c1"),
        ("g", {}, "c2"),
    ]
    assert message.usage_metadata == UsageMetadata(2, 3, 5)


def test_azure_begins_with_its_word_on_the_prompt() -> None:
    message = whole(wires.AZURE)
    assert message.content == "Hi!"
    assert message.response_metadata["model_name"] == "m-1"
    assert message.response_metadata["id"] == "chatcmpl-1"
    assert message.response_metadata["prompt_filter_results"][0]["prompt_index"] == 0


def test_fragments_of_tool_calls_come_as_they_are_sent() -> None:
    *fragments, _ = chunks_of(wires.TOOLS)
    assert [chunk.tool_call_chunks for chunk in fragments] == [
        [ToolCallChunk("weather", "", "call_a", 0)],
        [ToolCallChunk(None, '{"ci', None, 0)],
        [ToolCallChunk(None, 'ty":"Paris"}', None, 0)],
        [ToolCallChunk("time", "", "call_b", 1)],
    ]
    message = whole(wires.TOOLS)
    assert [(each.name, each.args, each.id) for each in message.tool_calls] == [
        ("weather", {"city": "Paris"}, "call_a"),
        ("time", {}, "call_b"),
    ]
    assert message.response_metadata["finish_reason"] == "tool_calls"


F = ("f", {"a": 1})
G = ("g", {"b": 2})
QUIRKS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, dict[str, Any], str | None]]]] = {
    "an index in quotes": (
        [call('{"a"', index="0", id="1", name="f"), call(":1}", index=0)],
        [(*F, "1")],
    ),
    "arguments as an object": ([call({"a": 1}, index=0, id="1", name="f")], [(*F, "1")]),
    "an empty object before the text": (
        [call({}, index=0, id="1", name="f"), call('{"a":1}', index=0)],
        [(*F, "1")],
    ),
    "no arguments": ([call(index=0, id="1", name="f")], [("f", {}, "1")]),
    "an id that is none": (
        [call('{"a":', index=0, id="1", name="f"), call("1", index=0, id="null"), call("}", index=0, id="")],
        [(*F, "1")],
    ),
    "id and name with each fragment": (
        [call('{"a"', index=0, id="1", name="f"), call(":1}", index=0, id="1", name="f")],
        [(*F, "1")],
    ),
    "an id that is a number": ([call('{"a":1}', index=0, id=17, name="f")], [(*F, "17")]),
    "another id on the same index": (
        [call('{"a":1}', index=0, id="1", name="f"), call('{"b":2}', index=0, id="2", name="g")],
        [(*F, "1"), (*G, "2")],
    ),
    "no index": (
        [call('{"a"', id="1", name="f"), call(":1}"), call('{"b":2}', id="2", name="g")],
        [(*F, "1"), (*G, "2")],
    ),
    "no index, no id": (
        [call('{"a":1}', name="f"), call('{"b":2}', name="g")],
        [(*F, None), (*G, None)],
    ),
    "no list around it": (
        [{"tool_calls": call('{"a":1}', index=0, id="1", name="f")["tool_calls"][0]}],
        [(*F, "1")],
    ),
    "a function call of old": (
        [{"function_call": {"name": "f", "arguments": '{"a"'}}, {"function_call": {"arguments": ":1}"}}],
        [(*F, None)],
    ),
    "things that are none": (
        [{"tool_calls": [None, 3, "x"]}, {"tool_calls": 5}, call('{"a":1}', index=0.0, id="1", name="f")],
        [(*F, "1")],
    ),
}


@pytest.mark.parametrize("quirk", QUIRKS)
def test_tool_calls_as_servers_write_them(quirk: str) -> None:
    deltas, expected = QUIRKS[quirk]
    message = whole(wire(*map(piece, deltas), piece(finish="tool_calls")))
    assert [(each.name, each.args, each.id) for each in message.tool_calls] == expected
    assert message.invalid_tool_calls == []


def test_a_whole_call_may_come_with_text_in_one_delta() -> None:
    first, _ = chunks_of(
        wire(piece({"content": "Hm.", **call("{}", index=0, id="1", name="f")}, finish="stop"))
    )
    assert first.content == "Hm."
    assert first.tool_call_chunks == [ToolCallChunk("f", "{}", "1", 0)]


@pytest.mark.parametrize(
    ("said", "reason", "raw"),
    [
        ("stop", "stop", None),
        ("content_filter", "content_filter", None),
        ("function_call", "tool_calls", "function_call"),
        ("eos_token", "stop", "eos_token"),
        ("MAX_TOKENS", "length", "MAX_TOKENS"),
        ("insufficient_system_resource", "insufficient_system_resource", None),
    ],
)
def test_why_an_answer_ended_in_openais_words(said: str, reason: str, raw: str | None) -> None:
    told = whole(wire(piece({"content": "a"}), piece(finish=said))).response_metadata
    assert (told["finish_reason"], told.get("raw_finish_reason")) == (reason, raw)


def test_refusals_annotations_audio_images_and_citations_are_kept() -> None:
    cite = {"type": "url_citation", "url_citation": {"url": "https://x.example"}}
    message = whole(
        wire(
            piece({"refusal": "I can"}, citations=["https://a.example"]),
            piece({"refusal": "not."}, citations=["https://a.example"]),
            piece({"annotations": [cite]}),
            piece({"audio": {"id": "audio_1", "transcript": "Go"}}),
            piece({"audio": {"data": "AAAA", "transcript": "od"}}),
            piece({"audio": {"data": "BBBB", "expires_at": 17}}),
            piece({"images": [{"type": "image_url", "image_url": {"url": "data:,"}}]}),
            piece(finish="stop"),
        )
    )
    assert message.additional_kwargs == {
        "refusal": "I cannot.",
        "annotations": [cite],
        "audio": {"id": "audio_1", "transcript": "Good", "data": "AAAABBBB", "expires_at": 17},
        "images": [{"type": "image_url", "image_url": {"url": "data:,"}}],
        "citations": ["https://a.example"],
    }


def test_log_probabilities_come_with_their_text() -> None:
    def token(text: str) -> dict[str, Any]:
        return {"logprobs": {"content": [{"token": text, "logprob": -0.5}], "refusal": None}}

    data = wire(
        piece({"content": "a"}, choice=token("a")),
        piece({"content": "b"}, choice=token("b")),
        piece(finish="stop"),
    )
    first, _, _ = chunks_of(data)
    assert first.response_metadata == token("a")
    assert [each["token"] for each in whole(data).response_metadata["logprobs"]["content"]] == ["a", "b"]


def test_content_in_blocks_is_text_thoughts_and_what_else_there_is() -> None:
    think = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    image = {"type": "image_url", "image_url": "data:,"}
    first, second, _ = chunks_of(
        wire(
            piece({"content": [think, {"type": "text", "text": "Yes"}, "!"]}),
            piece({"content": [{"type": "text", "text": "Look"}, image, 3]}),
            piece(finish="stop"),
        )
    )
    assert first == AIMessageChunk("Yes!", additional_kwargs={"reasoning_content": "Hm."})
    assert second == AIMessageChunk([{"type": "text", "text": "Look"}, image])


def test_of_several_answers_each_chunk_says_whose_it_is() -> None:
    chunks = chunks_of(wires.TWO, n=2)
    first = [chunk for chunk in chunks if choice_of(chunk) == 0]
    second = [chunk for chunk in chunks if choice_of(chunk) == 1]
    one, two = gather_message(first), gather_message(second)
    assert (one.content, one.response_metadata["finish_reason"]) == ("ab", "stop")
    assert (two.content, two.response_metadata["finish_reason"]) == ("x", "length")
    assert "choice_index" not in one.response_metadata
    assert choice_of(two) == 1
    # llama.cpp counts each by itself; the sum is told once.
    assert one.usage_metadata == UsageMetadata(6, 3, 9)
    assert two.usage_metadata is None


def test_usage_of_two_answers_that_is_told_at_once_is_no_sum() -> None:
    data = wire(piece(finish="stop"), piece(index=1, finish="stop"), cost(3, 4), cost(3, 5))
    assert chunks_of(data, n=2)[0].usage_metadata == UsageMetadata(3, 5, 8)


def test_answers_that_nobody_asked_for_are_dropped() -> None:
    data = wire(
        *(piece({"content": "x"}, index=index) for index in (7, -1, {}, "x", 0.5)),
        piece({"content": "a"}, index="0"),
        piece({"content": "b"}, index=None),
        piece(finish="stop"),
    )
    assert whole(data).content == "ab"


def test_a_stream_without_done_is_whole_if_it_says_why_it_ended() -> None:
    data = wires.OPENAI.removesuffix(wires.DONE)
    assert whole(data) == whole(wires.OPENAI)
    assert whole(data + b"data: [DONE]\n") == whole(wires.OPENAI)


def test_done_without_a_reason_is_an_end() -> None:
    message = whole(wire(piece({"content": "a"})))
    assert message.content == "a"
    assert "finish_reason" not in message.response_metadata


def test_the_last_chunk_comes_with_done_and_nothing_behind_it_counts() -> None:
    stream = ChatStream()
    *_, last = stream.feed(wires.OPENAI)
    assert last.chunk_position == "last"
    assert stream.ended
    assert stream.feed(wire(piece({"content": "more"}), {"error": "late"})) == []
    assert stream.finish() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b": ping\n\n",
        wire(piece({"content": "a"}), done=False),
        wire(piece({"content": "a"}), done=False) + b"data: [DO",
        wire(piece({"content": "a"}), cost(1, 1), done=False),
    ],
)
def test_an_end_without_a_mark_is_truncated(data: bytes) -> None:
    stream = ChatStream()
    stream.feed(data)
    for _ in range(2):
        with pytest.raises(StreamTruncated):
            stream.finish()


def test_with_one_of_two_answers_unfinished_it_is_truncated() -> None:
    stream = ChatStream(n=2)
    stream.feed(wire(piece({"content": "x"}, index=1), piece(finish="stop"), done=False))
    with pytest.raises(StreamTruncated):
        stream.finish()


def test_an_error_in_the_stream_is_raised_behind_what_came_before_it() -> None:
    stream = ChatStream()
    assert stream.feed(wires.BROKEN_OFF) == [AIMessageChunk("Once")]
    assert isinstance(stream.failed, RateLimitError)
    for again in (lambda: stream.feed(b""), stream.finish):
        with pytest.raises(RateLimitError, match="Slow down") as caught:
            again()
        assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        ('data: {"error": "it broke"}', ProviderError, "it broke"),
        ('data: {"error": {"message": "late", "code": 502}}', ProviderUnavailable, "late"),
        ('event: error\ndata: {"message": "busy", "type": "overloaded_error"}', ProviderUnavailable, "busy"),
        ("event: error\ndata: plain words", ProviderError, "plain words"),
        ('data: {"object": "error", "message": "no", "code": 400}', ProviderError, "no"),
        ('data: {"error": {"code": "content_filter", "message": "No."}}', ContentFilterError, "No."),
        ('data: {"x_groq": {"error": "over"}}', ProviderError, "over"),
        ('data: {"choices": [', ProviderError, "no JSON"),
        ('data: {"choices": [{"error": {"code": 502, "message": "gone"}}]}', ProviderUnavailable, "gone"),
        ("data: <html>", ProviderError, "no JSON"),
        ('data: {"error": {"code": 17}}', ProviderError, "17"),
    ],
)
def test_errors_in_the_stream(event: str, kind: type[ProviderError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        ChatStream().feed(f"{event}\n\n".encode())
    assert type(caught.value) is kind


@pytest.mark.parametrize("nothing", ['{"error": null}', '{"error": ""}', "3", "[]", '"x"', "{}", "null"])
def test_an_error_that_is_none_and_data_that_is_no_piece_are_passed_over(nothing: str) -> None:
    assert whole(f"data: {nothing}\n\n".encode() + wires.OPENAI) == whole(wires.OPENAI)


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": 3},
        {"choices": [3, None, {"delta": "x"}, {"delta": [1]}]},
        piece({"content": 3, "reasoning": {}, "audio": "x", "annotations": "y", "refusal": []}),
        piece(choice={"finish_reason": None, "logprobs": "none", "usage": "none"}),
        {"usage": {"prompt_tokens": "many", "completion_tokens_details": 3}},
        {"usage": [1], "x_groq": "x"},
    ],
)
def test_a_field_of_an_odd_type_says_nothing(odd: Any) -> None:
    assert whole(wire(odd, done=False) + wires.OPENAI) == whole(wires.OPENAI)


def test_a_field_of_an_odd_type_does_not_lose_the_rest() -> None:
    data = wire(
        {"choices": ["x", {"index": 0, "delta": {"content": "a"}, "message": 3}], "model": "m"},
        {"choices": [{"delta": 3, "finish_reason": "stop"}], "usage": usage(1, 2, total_tokens=None)},
    )
    message = whole(data)
    assert (message.content, message.usage_metadata) == ("a", UsageMetadata(1, 2, 3))
    assert message.response_metadata == {"model_name": "m", "finish_reason": "stop"}


def test_json_that_is_not_quite_json_is_read() -> None:
    half = r'data: {"choices": [{"delta": {"content": "a\ud83d!"}, "logprobs": {"content": [-Infinity]}}]}'
    first, *_ = chunks_of(f"{half}\n\n".encode() + wires.OPENAI)
    assert first == AIMessageChunk("a\ufffd!", response_metadata={"logprobs": {"content": [float("-inf")]}})


def test_what_deepseek_read_from_its_cache_is_told() -> None:
    message = whole(wire(piece(finish="stop"), cost(3, 1, prompt_cache_hit_tokens=2)))
    assert message.usage_metadata == UsageMetadata(3, 1, 4, {"cache_read": 2})


def test_what_was_written_to_a_cache_is_told() -> None:
    details = {"cached_tokens": 1, "cache_write_tokens": 2}
    message = whole(wire(piece(finish="stop"), cost(3, 1, prompt_tokens_details=details)))
    assert message.usage_metadata == UsageMetadata(3, 1, 4, {"cache_read": 1, "cache_creation": 2})


@pytest.mark.parametrize("name", wires.ALL)
@pytest.mark.parametrize("n", [1, 2])
def test_however_it_is_cut_it_says_the_same(name: str, n: int) -> None:
    data = wires.ALL[name]
    expected = read(ChatStream(n=n), data)
    assert expected[0]
    for cut in range(len(data) + 1):
        assert read(ChatStream(n=n), data[:cut], data[cut:]) == expected
    assert read(ChatStream(n=n), *(data[i : i + 1] for i in range(len(data)))) == expected


@given(st.data())
def test_any_bytes_in_any_pieces_give_chunks_or_a_named_error(data: st.DataObject) -> None:
    odd = st.one_of(st.none(), st.integers(), st.floats(), st.text(ANY), st.lists(st.integers(), max_size=2))
    json_like = st.recursive(
        odd,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5),
        ),
        max_leaves=25,
    )
    event = st.one_of(
        st.binary(max_size=30),
        json_like.map(lambda held: b"data: " + json.dumps(held).encode() + b"\n\n"),
        json_like.map(lambda held: wire({"choices": [{"index": 0, "delta": held}]}, done=False)),
        st.sampled_from([wires.DONE, b"event: error\n", *wires.ALL.values()]),
    )
    stream = b"".join(data.draw(st.lists(event, max_size=5)))
    for kind in (ChatStream, CompletionStream):
        expected = read(kind(n=2, max_event_bytes=5000), stream)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert same(read(kind(n=2, max_event_bytes=5000), *pieces), expected)
    for parse in (parse_chat, parse_completion):
        with contextlib.suppress(MillstreamError):
            parse(stream)


# Half characters, too: JSON can say them.
ANY = st.characters(exclude_categories=())

# So that fuzzed objects look like pieces.
KEYS = sorted(
    {
        *("choices", "index", "delta", "message", "content", "text", "tool_calls", "function", "name"),
        *("function_call", "arguments", "id", "usage", "error", "reasoning_details", "reasoning", "audio"),
        *("logprobs", "finish_reason", "prompt_tokens", "completion_tokens", "type", "x_groq", "model"),
        *("annotations", "prompt_tokens_details", "cached_tokens", "citations"),
    }
)


def same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)  # a NaN is not equal to itself


def test_an_event_without_an_end_is_a_named_error() -> None:
    stream = ChatStream(max_event_bytes=1000)
    with pytest.raises(SseLimitError):
        for _ in range(20):
            stream.feed(b"data: " + b"x" * 100)
    with pytest.raises(SseLimitError):
        stream.finish()


def test_behind_the_end_nothing_is_read_however_long() -> None:
    long = b"data: " + b"x" * 2000
    for parts in ([wires.OPENAI + long], [wires.OPENAI, long], [wires.OPENAI, long, b"\n\n"]):
        items, error = read(ChatStream(max_event_bytes=1000), *parts)
        assert (items, error) == read(ChatStream(), wires.OPENAI)


def test_memory_does_not_grow_with_answers_that_nobody_asked_for() -> None:
    stream = ChatStream()
    for index in range(1, 200):
        other = piece({"content": "x"}, index=index, finish="stop", usage=usage(1, 1))
        assert stream.feed(wire(other, done=False)) == []
    assert len(stream._answers) == 1
    last = stream.feed(wire(piece(finish="stop", usage=usage(2, 3))))[-1]
    assert last.usage_metadata == UsageMetadata(2, 3, 5)


def test_the_details_of_thoughts_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 5000)
    detail = wire(piece({"reasoning_details": [{"type": "a", "index": 0, "text": "x" * 100}]}), done=False)
    stream = ChatStream()
    with pytest.raises(JsonLimitError, match="5,000"):
        for _ in range(100):
            stream.feed(detail)
    with pytest.raises(JsonLimitError):
        stream.finish()
    # Text is handed on, and not held.
    stream = ChatStream()
    for _ in range(100):
        assert stream.feed(wire(piece({"content": "x" * 100}), done=False))


def text(said: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "cmpl-1", "model": "m", "choices": [{"index": 0, "text": said, **fields}]}


def test_a_completion_streams_texts_and_a_last_chunk() -> None:
    data = wire(
        text("Once "),
        text("upon", logprobs={"tokens": ["upon"], "token_logprobs": [-1.5]}),
        text("", finish_reason="length"),
        {"choices": [], "usage": usage(1, 2)},
    )
    found, error = read(CompletionStream(), data)
    assert error is None
    assert found == [
        "Once ",
        GenerationChunk("upon", {"logprobs": {"tokens": ["upon"], "token_logprobs": [-1.5]}}),
        GenerationChunk(
            "",
            {
                "model_name": "m",
                "id": "cmpl-1",
                "finish_reason": "length",
                "usage_metadata": UsageMetadata(1, 2, 3),
            },
        ),
    ]
    for cut in range(len(data) + 1):
        assert read(CompletionStream(), data[:cut], data[cut:]) == (found, None)


def test_a_completion_is_truncated_or_broken_off_as_a_chat_is() -> None:
    assert read(CompletionStream(), wire(text("a"), done=False))[1].startswith("StreamTruncated")  # type: ignore[union-attr]
    assert read(CompletionStream(), wire(text("a"), {"error": "no"}))[1] == "ProviderError: no"


def answer(*messages: Any, **fields: Any) -> bytes:
    choices = [{"index": i, "message": m, "finish_reason": "stop"} for i, m in enumerate(messages)]
    return json.dumps({"id": "c", "model": "m", "choices": choices, "usage": usage(1, 2)} | fields).encode()


def test_a_whole_answer_says_what_its_stream_says() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    (message,) = parse_chat(
        answer({"role": "assistant", "content": None, "tool_calls": calls, "reasoning_content": "Hm."})
    )
    assert type(message) is AIMessage
    assert [(each.name, each.args, each.id) for each in message.tool_calls] == [("f", {"a": 1}, "1")]
    assert message.additional_kwargs == {"reasoning_content": "Hm."}
    assert message.usage_metadata == UsageMetadata(1, 2, 3)
    assert message.response_metadata == {"model_name": "m", "id": "c", "finish_reason": "stop"}


def test_a_whole_answer_of_several_is_a_message_each() -> None:
    one, two = parse_chat(answer({"content": "a"}, {"content": "b"}))
    assert (one.content, two.content) == ("a", "b")
    assert (one.usage_metadata, two.usage_metadata) == (UsageMetadata(1, 2, 3), None)


def test_a_whole_completion() -> None:
    body = json.dumps(text("up", finish_reason="stop") | {"usage": usage(1, 2)}).encode()
    (chunk,) = parse_completion(body)
    assert chunk.text == "up"
    assert chunk.generation_info is not None
    assert chunk.generation_info["finish_reason"] == "stop"
    assert chunk.generation_info["usage_metadata"] == UsageMetadata(1, 2, 3)


def test_a_whole_answer_that_is_none() -> None:
    with pytest.raises(StreamTruncated):
        parse_chat(b"{}")
    with pytest.raises(ProviderError, match="no JSON"):
        parse_completion(b"<html>")
    with pytest.raises(ProviderUnavailable):
        parse_chat(b'{"error": {"code": 503, "message": "down"}}')
