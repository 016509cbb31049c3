import json
from collections.abc import Callable

import pytest

from millstream.errors import ContextLengthError, ModelError
from millstream.messages import AIMessageChunk, UsageMetadata, merge_chunks
from millstream.outputs import GenerationChunk
from millstream.providers.local.stream import ChatPieces, parse_chat, parse_completion, parse_error

Recorded = Callable[[str], list[bytes]]

USAGE = UsageMetadata(
    input_tokens=34, output_tokens=12, total_tokens=46, input_token_details={"cache_read": 0}
)


def test_a_recorded_chat_is_chunks_of_text_and_one_last(recorded: Recorded) -> None:
    pieces = ChatPieces()
    chunks = [chunk for piece in recorded("chat.jsonl") if (chunk := pieces.feed(piece)) is not None]
    assert chunks == [
        AIMessageChunk(content=text)
        for text in ("1", ".", " Red", "\n", "2", ".", " Blue", "\n", "3", ".", " Green")
    ]
    last = pieces.last()
    assert last == AIMessageChunk(
        content="",
        chunk_position="last",
        usage_metadata=USAGE,
        response_metadata={"finish_reason": "stop", "model_name": "smollm2"},
    )
    whole = merge_chunks([*chunks, last])
    assert whole.content == "1. Red\n2. Blue\n3. Green"
    assert whole.usage_metadata == USAGE


def test_parse_chat_says_what_each_recorded_piece_adds(recorded: Recorded) -> None:
    parsed = [parse_chat(piece) for piece in recorded("chat.jsonl")]
    progress, role, (first, *_, ending, usage) = parsed[:2], parsed[2], parsed[3:]
    assert progress == [None, None]
    assert role is None
    assert first == AIMessageChunk(content="1")
    assert ending == AIMessageChunk(
        content="", response_metadata={"finish_reason": "stop", "model_name": "smollm2"}
    )
    assert usage == AIMessageChunk(content="", usage_metadata=USAGE)


def test_a_recorded_completion(recorded: Recorded) -> None:
    parsed = [parse_completion(piece) for piece in recorded("completion.jsonl")]
    assert parsed[:2] == [None] * 2
    assert [text for text in parsed[:-1] if text] == [" four", ",", " five", ",", " six", ","]
    usage = UsageMetadata(6, 7, 13, input_token_details={"cache_read": 0})
    info = {"finish_reason": "stop", "model_name": "smollm2", "usage_metadata": usage}
    assert parsed[-1] == GenerationChunk("", info)


def test_a_recorded_refusal_of_a_long_prompt(recorded: Recorded) -> None:
    (piece,) = recorded("refused_context.json")
    error = parse_error(piece)
    assert type(error) is ContextLengthError
    assert str(error) == (
        "request (1531 tokens) exceeds the available context size (1024 tokens), try increasing it"
    )


@pytest.mark.parametrize("parse", [parse_chat, parse_completion, ChatPieces().feed])
def test_a_recorded_refusal_of_a_field_is_raised(
    recorded: Recorded, parse: Callable[[bytes], object]
) -> None:
    (piece,) = recorded("refused_field.json")
    with pytest.raises(ModelError, match="type must be number, but is string") as raised:
        parse(piece)
    assert type(raised.value) is ModelError


def test_an_error_in_the_middle_keeps_what_came_before(recorded: Recorded) -> None:
    pieces = ChatPieces()
    for piece in recorded("chat.jsonl")[:5]:
        pieces.feed(piece)
    with pytest.raises(ModelError, match="out of memory"):
        pieces.feed(b'{"error":{"code":500,"message":"out of memory","type":"server_error"}}')
    assert pieces.last().response_metadata == {}


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (b'{"error":{"code":500,"message":"","type":"x"}}', '"code":500'),
        (b'{"error":"just text"}', "just text"),
        (b'{"error":{"message":5}}', '"message":5'),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_an_odd_error_shows_its_own_words(piece: bytes, words: str) -> None:
    assert words in str(parse_error(piece))


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_cut_piece_is_an_error_that_shows_it(recorded: Recorded, cut: int) -> None:
    piece = recorded("chat.jsonl")[5]
    with pytest.raises(ModelError, match="cannot be read"):
        parse_chat(piece[:-cut])


def test_without_usage_the_last_chunk_has_none(recorded: Recorded) -> None:
    pieces = ChatPieces()
    for piece in recorded("chat.jsonl")[:-1]:
        pieces.feed(piece)
    last = pieces.last()
    assert last.usage_metadata is None
    assert last.response_metadata["finish_reason"] == "stop"


def test_without_any_piece_the_last_chunk_is_empty() -> None:
    assert ChatPieces().last() == AIMessageChunk(content="", chunk_position="last")


def test_usage_beside_the_finish_reason_is_read_too() -> None:
    piece = json.dumps(
        {
            "choices": [{"delta": {"content": "!"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        }
    ).encode()
    usage = UsageMetadata(1, 2, 3)
    pieces = ChatPieces()
    assert pieces.feed(piece) == AIMessageChunk(content="!")
    assert pieces.last().usage_metadata == usage
    assert pieces.last().response_metadata == {"finish_reason": "length"}
    assert parse_chat(piece) == AIMessageChunk(
        content="!", usage_metadata=usage, response_metadata={"finish_reason": "length"}
    )


@pytest.mark.parametrize(
    "piece",
    [
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{}]}',
        b'{"choices":[{"delta":null}]}',
        b'{"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}],"new_field":[1,{"a":2}]}',
        b'{"choices":[{"delta":{"content":""}}],"usage":null}',
    ],
)
def test_unknown_and_empty_fields_add_nothing(piece: bytes) -> None:
    assert parse_chat(piece) is None
    assert parse_completion(piece) is None


def test_text_that_looks_like_an_error_is_text() -> None:
    piece = b'{"choices":[{"delta":{"content":"{\\"error\\": 1}"},"text":"{\\"error\\": 1}"}]}'
    assert parse_chat(piece) == AIMessageChunk(content='{"error": 1}')
    assert parse_completion(piece) == '{"error": 1}'


# --- tool calls ---------------------------------------------------------------------------------------


def chunks_of(pieces: list[bytes]) -> list[AIMessageChunk]:
    """What a model streams of these pieces."""
    reader = ChatPieces()
    return [*(chunk for piece in pieces if (chunk := reader.feed(piece)) is not None), reader.last()]


def test_a_recorded_call_grows(recorded: Recorded) -> None:
    chunks = chunks_of(recorded("tool_call.jsonl"))
    first = chunks[0].tool_call_chunks[0]
    assert (first.name, first.args, first.index) == ("weather", "{", 0)
    assert first.id
    assert len(chunks) > 6
    assert [chunk.content for chunk in chunks] == [""] * len(chunks)
    grown = []
    for count in range(1, len(chunks) + 1):
        [call] = merge_chunks(chunks[:count]).tool_calls
        if call.args not in grown:
            grown.append(call.args)
    assert grown == [{}, {"city": ""}, {"city": "Os"}, {"city": "Oslo"}]
    assert chunks[-1].response_metadata == {"finish_reason": "tool_calls", "model_name": "smollm2"}


def test_two_recorded_calls_of_which_one_is_cut(recorded: Recorded) -> None:
    whole = merge_chunks(chunks_of(recorded("tool_calls_two.jsonl")))
    assert [call.args for call in whole.tool_calls] == [{"city": "Oslo"}]
    assert [call.name for call in whole.invalid_tool_calls] == ["weather"]
    assert whole.response_metadata["finish_reason"] == "length"


def test_of_a_recorded_call_that_is_cut_in_its_name_nothing_is_told(recorded: Recorded) -> None:
    whole = merge_chunks(chunks_of(recorded("tool_call_cut.jsonl")))
    assert (whole.content, whole.tool_calls, whole.invalid_tool_calls) == ("", [], [])
    assert whole.response_metadata["finish_reason"] == "length"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata.output_tokens == 4


def call_piece(reason: str | None = None, **call: object) -> bytes:
    choice = {"delta": {"tool_calls": [call]} if call else {}, "finish_reason": reason}
    return json.dumps({"choices": [choice]}).encode()


def test_a_call_without_an_id_gets_one_that_no_other_has() -> None:
    pieces = [
        call_piece(index=0, function={"name": "f", "arguments": "{"}),
        call_piece(index=0, function={"arguments": "}"}),
        call_piece(index=1, id="", function={"name": "f", "arguments": "{}"}),
        call_piece("stop"),
    ]
    first, again = (merge_chunks(chunks_of(pieces)) for _ in range(2))
    ids = [call.id for call in [*first.tool_calls, *again.tool_calls]]
    assert len(set(ids)) == 4
    assert all(isinstance(each, str) and each.startswith("call_") for each in ids)
    # What ended with calls says so.
    assert first.response_metadata["finish_reason"] == "tool_calls"


def test_text_beside_a_call_is_kept() -> None:
    piece = json.dumps(
        {"choices": [{"delta": {"content": "Hm. ", "tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]}
    ).encode()
    whole = merge_chunks(chunks_of([piece]))
    assert (whole.content, whole.tool_calls[0].name) == ("Hm. ", "f")
    assert whole.tool_calls[0].id
    parsed = parse_chat(piece)
    assert parsed is not None
    assert parsed.tool_call_chunks[0].id is None


def test_an_odd_call_is_no_failure() -> None:
    whole = merge_chunks(chunks_of([call_piece(index=0), call_piece(index=0, function=None), call_piece()]))
    assert whole.content == ""
