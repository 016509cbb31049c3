import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import InputError
from millstream.messages import (
    AIMessage,
    AnyMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    get_buffer_string,
    message_from_dict,
    message_to_dict,
    messages_from_dict,
    messages_to_dict,
)

from .strategies import arguments, chunks_with, fragment_streams, texts, usages

calls = st.lists(st.builds(ToolCall, texts, arguments, texts), max_size=2)
kwargs = st.dictionaries(texts, texts, max_size=2)
messages = st.one_of(
    st.builds(HumanMessage, texts | st.lists(texts), id=st.none() | texts, additional_kwargs=kwargs),
    st.builds(SystemMessage, texts, name=st.none() | texts, response_metadata=kwargs),
    st.builds(AIMessage, texts, tool_calls=calls, usage_metadata=st.none() | usages),
    st.builds(
        ToolMessage,
        texts,
        tool_call_id=texts,
        artifact=arguments,
        status=st.sampled_from(["success", "error"]),
    ),
    st.builds(ChatMessage, texts, role=texts),
    chunks_with(fragment_streams()),
)


@given(messages)
def test_dicts_go_round_through_json(message):
    back = message_from_dict(json.loads(json.dumps(message_to_dict(message))))
    assert back == message
    assert type(back) is type(message)


@given(messages)
def test_messages_go_round_through_msgspec(message):
    back = msgspec.json.decode(msgspec.json.encode(message), type=AnyMessage)
    assert back == message
    assert type(back) is type(message)


def test_encoding_leaves_out_what_says_nothing():
    assert msgspec.json.encode(HumanMessage("hi")) == b'{"type":"human","content":"hi"}'


def test_lists_go_round():
    conversation = [SystemMessage("s"), HumanMessage("h"), AIMessage("a")]
    assert messages_from_dict(messages_to_dict(conversation)) == conversation


def test_unknown_fields_are_left_out():
    data = {"type": "human", "data": {"content": "hi", "example": False, "type": "human"}}
    assert message_from_dict(data) == HumanMessage("hi")


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"type": "human"},
        {"type": "robot", "data": {}},
        {"type": "human", "data": "x"},
        {"type": "tool", "data": {"content": "x"}},
    ],
)
def test_another_shape_is_an_error(bad):
    with pytest.raises(InputError):
        message_from_dict(bad)


def test_buffer_string_has_a_line_for_each():
    conversation = [
        SystemMessage("be kind"),
        HumanMessage([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "u"}}]),
        AIMessage("", tool_calls=[ToolCall("f", {}, "1")]),
        ToolMessage("42", tool_call_id="1"),
        ChatMessage("hm", role="critic"),
    ]
    assert get_buffer_string(conversation).split("\n") == [
        "System: be kind",
        "Human: hi",
        "AI: [{'name': 'f', 'args': {}, 'id': '1', 'type': 'tool_call'}]",
        "Tool: 42",
        "critic: hm",
    ]
    assert get_buffer_string([HumanMessage("a"), AIMessage("b")], "User", "Bot", message_separator=" / ") == (
        "User: a / Bot: b"
    )
