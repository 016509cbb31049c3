from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from millstream import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from millstream.kernel.sources import merge
from millstream.messages.conversation import Conversation

CHUNKS: list[BaseMessage] = [
    HumanMessage("Hi."),
    AIMessage("Before."),
    HumanMessage("And?"),
    AIMessageChunk("Let ", id="run-1"),
    AIMessageChunk("", tool_call_chunks=[{"name": "w", "args": '{"a": ', "id": "1", "index": 0}], id="msg-1"),
    AIMessageChunk("me.", tool_call_chunks=[{"args": "1}", "index": 0}], id="msg-1"),
    AIMessageChunk("", id="msg-1", chunk_position="last"),
    ToolMessage("2", tool_call_id="1"),
    AIMessageChunk("Two.", id="run-2"),
    AIMessageChunk("", id="run-2", chunk_position="last"),
]
WHOLE = [
    HumanMessage("Hi."),
    AIMessage("Before."),
    HumanMessage("And?"),
    AIMessage("Let me.", id="msg-1", tool_calls=[{"name": "w", "args": {"a": 1}, "id": "1"}]),
    ToolMessage("2", tool_call_id="1"),
    AIMessage("Two.", id="run-2"),
]


@given(st.sets(st.integers(1, len(CHUNKS) - 1)), st.sets(st.integers(1, 20)))
def test_pieces_add_up_however_they_are_cut_and_grouped(cuts: set[int], stops: set[int]) -> None:
    ends = [0, *sorted(cuts), len(CHUNKS)]
    pieces = [Conversation(CHUNKS[a:b]) for a, b in pairwise(ends)]
    assert Conversation.merge_all(pieces) == WHOLE
    so_far: list[Conversation] = []
    for place, piece in enumerate(pieces):
        so_far.append(piece)
        if place in stops:
            so_far = [Conversation.merge_all(so_far)]
    assert Conversation.merge_all(so_far) == WHOLE


def test_an_answer_that_is_being_written_is_a_chunk() -> None:
    [message] = merge([Conversation(CHUNKS[3:5]), Conversation(CHUNKS[5:6])])
    assert type(message) is AIMessageChunk
    assert message.text == "Let me."


def test_its_text_is_what_is_being_said() -> None:
    assert Conversation(CHUNKS).text == "Let me.Two."
    assert Conversation(WHOLE).text == ""
