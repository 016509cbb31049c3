import json
from typing import Any

import pytest

from millstream.errors import ConfigError, InputError
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
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
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


# --- tools --------------------------------------------------------------------------------------------


def weather(city: str) -> str:
    """How warm it is in a city."""
    return city


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


ASKED = HumanMessage("How warm is it in Rome?")
BEGUN = {"role": "assistant", "content": "<tool_call>\n"}


def with_tools(choice: Any = None, tools: Any = (weather, add), **kwargs: Any) -> dict[str, Any]:
    given = {"calling": "begun", **kwargs}
    found: dict[str, Any] = json.loads(chat_request([ASKED], tools=tools, tool_choice=choice, **given))
    return found


def names(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", [])]


@pytest.mark.parametrize("choice", [None, "auto", {"type": "auto"}])
def test_tools_that_may_be_called(choice: Any) -> None:
    body = with_tools(choice)
    assert (names(body), body["tool_choice"]) == (["weather", "add"], "auto")
    assert body["tools"][0]["function"]["parameters"]["required"] == ["city"]
    assert body["messages"] == [{"role": "user", "content": ASKED.text}]
    assert body.keys().isdisjoint({"stop", "temperature", "parallel_tool_calls"})


@pytest.mark.parametrize("choice", ["any", "required", True, {"type": "any"}])
def test_a_call_that_has_to_be_is_begun_for_the_model(choice: Any) -> None:
    body = with_tools(choice)
    assert (names(body), body["tool_choice"]) == (["weather", "add"], "required")
    assert body["messages"][-1] == BEGUN
    assert (body["stop"], body["temperature"]) == (["</tool_call>"], 0)


@pytest.mark.parametrize(
    "choice",
    ["add", {"type": "function", "function": {"name": "add"}}, {"type": "tool", "name": "add"}],
)
def test_of_the_tools_only_the_one_that_is_named_is_sent(choice: Any) -> None:
    body = with_tools(choice)
    assert (names(body), body["tool_choice"]) == (["add"], "required")
    assert body["messages"][-1] == BEGUN


@pytest.mark.parametrize("choice", ["none", False, {"type": "none"}])
def test_tools_that_may_not_be_called_are_not_sent(choice: Any) -> None:
    for calling in ("begun", "told", "none"):
        assert with_tools(choice, calling=calling) == with_tools(None, tools=[])


def test_what_a_call_says_itself_stays() -> None:
    body = with_tools("any", temperature=0.7, stop=["\n\n"], parallel_tool_calls=False, strict=True)
    assert body["temperature"] == 0.7
    assert body["stop"] == ["\n\n", "</tool_call>"]
    assert body["parallel_tool_calls"] is False
    assert "strict" not in body


def test_an_answer_that_is_begun_already_cannot_be_made_a_call() -> None:
    given: dict[str, Any] = {"tools": [weather], "calling": "begun"}
    with pytest.raises(InputError, match="the last message is the model's own"):
        chat_request([ASKED, AIMessage("Well, ")], tool_choice="any", **given)
    assert chat_request([ASKED, AIMessage("Well, ")], **given)


def test_several_calls_are_not_stopped_after_the_first() -> None:
    body = with_tools("any", parallel_tool_calls=True)
    assert body["messages"][-1] == BEGUN
    assert "stop" not in body


def test_a_model_whose_own_template_knows_tools_begins_by_itself() -> None:
    body = with_tools("add", calling="told")
    assert (names(body), body["tool_choice"]) == (["add"], "required")
    assert body["messages"] == [{"role": "user", "content": ASKED.text}]
    assert body.keys().isdisjoint({"stop", "temperature"})


def test_a_model_that_cannot_be_told_of_tools() -> None:
    with pytest.raises(ConfigError, match="cannot call tools: the template"):
        with_tools(calling="none")


@pytest.mark.parametrize("choice", ["subtract", 3, {"type": "function", "function": {"name": "x"}}])
def test_a_choice_that_is_none(choice: Any) -> None:
    with pytest.raises(ConfigError, match=r"no tool of this name is given: weather, add\."):
        with_tools(choice)


@pytest.mark.parametrize("choice", ["any", True, "weather"])
def test_a_choice_without_tools(choice: Any) -> None:
    with pytest.raises(ConfigError, match="needs tools to choose from"):
        with_tools(choice, tools=[])


def test_a_tool_of_a_servers_own() -> None:
    with pytest.raises(ConfigError, match="no tools of its own, such as web_search"):
        with_tools(tools=[weather, {"type": "web_search"}])


def test_calls_and_results_go_back_whoever_made_them() -> None:
    call = ToolCall("weather", {"city": "Rome"}, "c1")
    used = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}}
    answer = AIMessage([{"type": "text", "text": "Let me see."}, used], tool_calls=[call])
    assert built(ASKED, answer, ToolMessage("20 C", tool_call_id="c1"))[1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                }
            ],
        },
        {"role": "tool", "content": "20 C", "tool_call_id": "c1"},
    ]
