import copy
import pickle

import pytest

from millstream.errors import InputError
from millstream.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    SystemMessageChunk,
    ToolCall,
    ToolMessage,
    ToolMessageChunk,
)

ALL = [
    (HumanMessage("hi"), "human"),
    (AIMessage("hi"), "ai"),
    (SystemMessage("hi"), "system"),
    (ToolMessage("hi", tool_call_id="1"), "tool"),
    (ChatMessage("hi", role="critic"), "chat"),
    (HumanMessageChunk("hi"), "HumanMessageChunk"),
    (AIMessageChunk("hi"), "AIMessageChunk"),
    (SystemMessageChunk("hi"), "SystemMessageChunk"),
    (ToolMessageChunk("hi", tool_call_id="1"), "ToolMessageChunk"),
    (ChatMessageChunk("hi", role="critic"), "ChatMessageChunk"),
]


@pytest.mark.parametrize(("message", "kind"), ALL)
def test_every_kind_has_its_type_and_copies(message, kind):
    assert message.type == kind
    assert isinstance(message, BaseMessage)
    message.additional_kwargs["x"] = [1]
    for twin in (copy.copy(message), copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert twin == message
        assert type(twin) is type(message)
    deep = copy.deepcopy(message)
    deep.additional_kwargs["x"].append(2)
    assert deep != message


@pytest.mark.parametrize(
    ("chunk", "whole"),
    [
        (HumanMessageChunk, HumanMessage),
        (AIMessageChunk, AIMessage),
        (SystemMessageChunk, SystemMessage),
        (ToolMessageChunk, ToolMessage),
        (ChatMessageChunk, ChatMessage),
    ],
)
def test_a_chunk_is_a_kind_of_its_message(chunk, whole):
    assert issubclass(chunk, whole)
    assert issubclass(chunk, BaseMessageChunk)
    assert not issubclass(whole, BaseMessageChunk)


def test_content_is_the_first_argument_and_the_only_one_by_place():
    assert HumanMessage("hi") == HumanMessage(content="hi")
    with pytest.raises(TypeError):
        HumanMessage("hi", "id")
    with pytest.raises(TypeError):
        HumanMessage()
    with pytest.raises(TypeError):
        HumanMessage("hi", nonsense=1)


def test_repr_leaves_defaults_out():
    assert repr(AIMessageChunk(content="The", id="run-1")) == "AIMessageChunk(content='The', id='run-1')"
    assert repr(HumanMessage("")) == "HumanMessage(content='')"
    assert repr(ToolMessage("x", tool_call_id="1", status="error")) == (
        "ToolMessage(content='x', tool_call_id='1', status='error')"
    )
    read = AIMessage("x")
    assert (read.tool_calls, read.additional_kwargs) == ([], {})
    assert repr(read) == "AIMessage(content='x')"


def test_messages_compare_by_value_within_their_class():
    assert HumanMessage("x", id="1") == HumanMessage("x", id="1")
    assert HumanMessage("x") != HumanMessage("y")
    assert HumanMessage("x") != SystemMessage("x")
    assert AIMessage("x") != AIMessageChunk("x")
    assert AIMessageChunk("x") != AIMessage("x")
    assert HumanMessage("x") != "x"


def test_a_field_that_was_read_changes_nothing():
    read, unread = AIMessage("x"), AIMessage("x")
    assert read.response_metadata == {}
    assert read == unread
    assert AIMessage("x", additional_kwargs={}) == unread
    assert AIMessage("x", response_metadata={"a": 1}) != unread


def test_messages_have_no_hash():
    with pytest.raises(TypeError):
        hash(HumanMessage("x"))


def test_text_is_the_string_or_the_text_blocks():
    assert HumanMessage("hi").text == "hi"
    blocks = [
        "a",
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": {"url": "u"}},
        {"text": "no"},
    ]
    assert HumanMessage(blocks).text == "ab"
    assert HumanMessage([{"type": "text", "text": None}]).text == ""


def test_a_tools_answer_becomes_text():
    assert ToolMessage(42, tool_call_id=7) == ToolMessage("42", tool_call_id="7")
    assert ToolMessage(("a", "b"), tool_call_id="7").content == ["a", "b"]
    with pytest.raises(TypeError):
        ToolMessage("x")


def test_pretty_print_shows_name_and_calls(capsys):
    AIMessage("hm", name="bot", tool_calls=[ToolCall("f", {"x": 1}, "1")]).pretty_print()
    assert capsys.readouterr().out == (
        "================================== Ai Message ==================================\n"
        "Name: bot\n\nhm\nTool Calls:\n  f (1)\n Call ID: 1\n  Args:\n    x: 1\n"
    )


def test_pretty_repr_shows_broken_calls():
    message = AIMessage("", invalid_tool_calls=[{"name": "f", "args": "{", "id": "1", "error": "cut off"}])
    assert message.pretty_repr().endswith(
        "Invalid Tool Calls:\n  f (1)\n Call ID: 1\n  Error: cut off\n  Args:\n    {"
    )


def test_chunks_of_different_roles_or_calls_do_not_merge():
    with pytest.raises(InputError, match="roles"):
        ChatMessageChunk("a", role="critic") + ChatMessageChunk("b", role="poet")
    with pytest.raises(InputError, match="tool calls"):
        ToolMessageChunk("a", tool_call_id="1") + ToolMessageChunk("b", tool_call_id="2")


def test_one_error_makes_the_tools_whole_answer_one():
    merged = ToolMessageChunk("a", tool_call_id="1", artifact=[1], status="error") + ToolMessageChunk(
        "b", tool_call_id="1", artifact=[2]
    )
    assert merged == ToolMessageChunk("ab", tool_call_id="1", artifact=[1, 2], status="error")
    assert ChatMessageChunk("a", role="r") + ChatMessageChunk("b", role="r") == ChatMessageChunk(
        "ab", role="r"
    )
