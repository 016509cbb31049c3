import json
from typing import Any

import pytest

from millstream.errors import InputError
from millstream.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)
from millstream.providers.local.request import chat_request, completion_request

STREAMING = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def built(*messages: BaseMessage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(chat_request(messages))["messages"]
    return found


def test_a_chat_without_parameters_leaves_all_to_the_server() -> None:
    assert json.loads(chat_request([HumanMessage("hi")])) == STREAMING | {
        "messages": [{"role": "user", "content": "hi"}]
    }


def test_a_completion_without_parameters_leaves_all_to_the_server() -> None:
    assert json.loads(completion_request("Once")) == STREAMING | {"prompt": "Once"}


def test_parameters_are_sent_by_name_zero_included() -> None:
    expected = {"max_tokens": 5, "temperature": 0, "seed": 0, "stop": ["a", "b"]}
    for body in (
        chat_request([], max_tokens=5, temperature=0, seed=0, stop=["a", "b"]),
        completion_request("", max_tokens=5, temperature=0, seed=0, stop=["a", "b"]),
    ):
        assert expected.items() <= json.loads(body).items()


def test_one_stop_text_is_a_list_of_one_and_none_is_left_out() -> None:
    assert json.loads(completion_request("", stop="END"))["stop"] == ["END"]
    assert "stop" not in json.loads(completion_request("", stop=[]))


def test_every_message_gets_its_role() -> None:
    assert built(
        SystemMessage("be brief"),
        HumanMessage("hi", name="ann"),
        AIMessage("yes"),
        AIMessageChunk(content="and"),
        ToolMessage("3", tool_call_id="c1"),
        ChatMessage("hm", role="critic"),
    ) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi", "name": "ann"},
        {"role": "assistant", "content": "yes"},
        {"role": "assistant", "content": "and"},
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
        {"role": "critic", "content": "hm"},
    ]


def test_strings_among_blocks_become_blocks() -> None:
    block = {"type": "text", "text": "b"}
    assert built(HumanMessage(["a", block])) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, block]}
    ]


def test_tool_calls_are_sent_with_their_arguments_as_text() -> None:
    call = ToolCall("add", {"a": 1}, "c1")
    assert built(AIMessage("", tool_calls=[call]))[0]["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    ]


def test_a_schema_goes_where_each_kind_of_request_reads_it() -> None:
    assert json.loads(chat_request([], json_schema=SCHEMA))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"schema": SCHEMA},
    }
    assert json.loads(completion_request("", json_schema=SCHEMA))["json_schema"] == SCHEMA


def test_a_response_format_is_sent_as_it_is() -> None:
    given = {"type": "json_object"}
    assert json.loads(chat_request([], response_format=given))["response_format"] == given


def test_extra_fields_win() -> None:
    body = json.loads(chat_request([], temperature=1.0, extra={"temperature": 0, "top_k": 1}))
    assert (body["temperature"], body["top_k"]) == (0, 1)


def test_a_message_without_a_role_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match="no BaseMessage"):
        chat_request([BaseMessage("x")])


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be written as JSON") as raised:
        completion_request("", extra={"x": object()})
    assert isinstance(raised.value.__cause__, TypeError)
