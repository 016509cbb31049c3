import time
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import InputError
from millstream.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessageChunk,
    ToolCall,
    ToolCallChunk,
    ToolMessage,
    ToolMessageChunk,
    UsageMetadata,
    merge_chunks,
    to_message,
)

from .strategies import arguments, streams, texts


def test_chunks_add_up():
    whole = (
        AIMessageChunk("Hel", id="run-1", response_metadata={"model_name": "m"})
        + AIMessageChunk("lo", id="msg-1", name="bot")
        + AIMessageChunk("", usage_metadata=UsageMetadata(1, 2), chunk_position="last")
    )
    assert whole == AIMessageChunk(
        "Hello",
        id="msg-1",
        name="bot",
        response_metadata={"model_name": "m"},
        usage_metadata=UsageMetadata(1, 2),
        chunk_position="last",
    )
    assert type(whole) is AIMessageChunk


def test_adding_changes_neither_side():
    left = AIMessageChunk("a", additional_kwargs={"k": {"x": "1"}}, usage_metadata=UsageMetadata(1, 1))
    right = AIMessageChunk("b", additional_kwargs={"k": {"x": "2"}}, usage_metadata=UsageMetadata(1, 1))
    whole = left + right
    assert whole.additional_kwargs == {"k": {"x": "12"}}
    assert left == AIMessageChunk(
        "a", additional_kwargs={"k": {"x": "1"}}, usage_metadata=UsageMetadata(1, 1)
    )
    assert right == AIMessageChunk(
        "b", additional_kwargs={"k": {"x": "2"}}, usage_metadata=UsageMetadata(1, 1)
    )


def test_a_list_of_chunks_can_be_added():
    rest = [AIMessageChunk("b"), AIMessageChunk("c")]
    assert AIMessageChunk("a") + rest == AIMessageChunk("abc")


def test_one_chunk_merges_to_itself():
    chunk = AIMessageChunk("a")
    assert merge_chunks([chunk]) is chunk
    assert AIMessageChunk.merge_all([chunk]) is chunk


@pytest.mark.parametrize("other", ["b", None, 3, AIMessage("b"), HumanMessageChunk("b"), [AIMessage("b")]])
def test_adding_something_else_is_a_type_error(other):
    with pytest.raises(TypeError, match="chunks of its own kind") as caught:
        AIMessageChunk("a") + other
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize("chunks", [[], [AIMessage("a"), AIMessage("b")], ["a", "b"]])
def test_what_holds_no_chunks_does_not_merge(chunks):
    with pytest.raises(InputError):
        merge_chunks(chunks)


def test_merge_all_needs_something():
    with pytest.raises(InputError):
        AIMessageChunk.merge_all([])


@given(streams())
def test_merging_is_associative(three):
    a, b, c = three
    assert (a + b) + c == a + (b + c) == merge_chunks([a, b, c])


@st.composite
def cut_messages(draw: st.DrawFn) -> tuple[AIMessage, list[AIMessageChunk]]:
    """A message with text and calls, and chunks that it was cut into."""
    text = draw(texts)
    calls = [ToolCall("tool", draw(arguments), f"call-{n}") for n in range(draw(st.integers(0, 3)))]
    usage = UsageMetadata(draw(st.integers(0, 9)), draw(st.integers(0, 9)))
    chunks = [AIMessageChunk(piece, id=draw(st.sampled_from([None, "msg-1"]))) for piece in _cut(draw, text)]
    indexed, repeating = draw(st.booleans()), draw(st.booleans())
    for n, call in enumerate(calls):
        whole = ToolCallChunk(call.name, None, call.id, n if indexed else None)
        pieces = _cut(draw, AIMessageChunk("", tool_calls=[call]).tool_call_chunks[0].args or "")
        for position, piece in enumerate(pieces):
            head = position == 0 or repeating
            fragment = ToolCallChunk(
                call.name if head else None, piece, call.id if head else None, whole.index
            )
            chunks.append(AIMessageChunk("", tool_call_chunks=[fragment]))
    chunks.append(AIMessageChunk("", id="msg-1", usage_metadata=usage, chunk_position="last"))
    return AIMessage(text, id="msg-1", tool_calls=calls, usage_metadata=usage), chunks


def _cut(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(cut_messages())
def test_any_cutting_gives_the_same_message(cut):
    message, chunks = cut
    assert to_message(merge_chunks(chunks)) == message
    assert to_message(reduce(add, chunks)) == message


def _seconds(count: int) -> float:
    piece = "x" * 1000
    chunks = [
        AIMessageChunk("", tool_call_chunks=[ToolCallChunk(None, piece, None, 0)]) for _ in range(count)
    ]
    started = time.process_time()
    merged = merge_chunks(chunks)
    spent = time.process_time() - started
    assert merged.tool_call_chunks == [ToolCallChunk(None, piece * count, None, 0)]
    return spent


def test_merging_tool_arguments_is_linear():
    # Linear work grows 4 times, pairwise joining 16 times and more; the best of several runs of each.
    small = min(_seconds(2_500) for _ in range(5))
    large = min(_seconds(10_000) for _ in range(5))
    assert large < 10 * small


def test_to_message_gives_the_finished_message():
    chunk = AIMessageChunk(
        "hi",
        id="1",
        name="bot",
        additional_kwargs={"a": 1},
        response_metadata={"b": 2},
        tool_call_chunks=[ToolCallChunk("f", "{}", "1", 0), ToolCallChunk("g", "{", "2", 1)],
        usage_metadata=UsageMetadata(1, 2),
        chunk_position="last",
    )
    message = to_message(chunk)
    assert type(message) is AIMessage
    assert message.tool_calls[0] == ToolCall("f", {}, "1")
    assert (message.content, message.id, message.name) == ("hi", "1", "bot")
    assert (message.additional_kwargs, message.response_metadata) == ({"a": 1}, {"b": 2})
    assert message.usage_metadata == UsageMetadata(1, 2)


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (HumanMessageChunk("x", name="n"), HumanMessage("x", name="n")),
        (ChatMessageChunk("x", role="r"), ChatMessage("x", role="r")),
        (ToolMessageChunk("x", tool_call_id="1", artifact=2), ToolMessage("x", tool_call_id="1", artifact=2)),
    ],
)
def test_to_message_of_other_chunks(chunk, message):
    assert to_message(chunk) == message


def test_to_message_leaves_a_message_as_it_is():
    message = HumanMessage("x")
    assert to_message(message) is message
    assert to_message(SystemMessageChunk("x")).type == "system"
