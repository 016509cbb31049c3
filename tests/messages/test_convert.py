import pytest

from millstream.errors import InputError
from millstream.messages import (
    AIMessage,
    ChatPromptValue,
    HumanMessage,
    InvalidToolCall,
    StringPromptValue,
    SystemMessage,
    ToolCall,
    ToolMessage,
    convert_to_messages,
    message_to_dict,
)


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ("hi", [HumanMessage("hi")]),
        (HumanMessage("hi"), [HumanMessage("hi")]),
        (("human", "hi"), [HumanMessage("hi")]),
        ({"role": "user", "content": "hi"}, [HumanMessage("hi")]),
        ({"type": "system", "content": "hi"}, [SystemMessage("hi")]),
        (StringPromptValue("hi"), [HumanMessage("hi")]),
        (ChatPromptValue([AIMessage("a"), HumanMessage("b")]), [AIMessage("a"), HumanMessage("b")]),
        ([], []),
        (["a", ("ai", "b"), ["system", "c"]], [HumanMessage("a"), AIMessage("b"), SystemMessage("c")]),
        ((HumanMessage("a"), AIMessage("b")), [HumanMessage("a"), AIMessage("b")]),
        ((text for text in ["a", "b"]), [HumanMessage("a"), HumanMessage("b")]),
        ([("user", [{"type": "text", "text": "hi"}])], [HumanMessage([{"type": "text", "text": "hi"}])]),
        ({"role": "assistant", "content": None}, [AIMessage("")]),
        ({"role": "tool", "content": "42", "tool_call_id": "1"}, [ToolMessage("42", tool_call_id="1")]),
        (
            {"role": "user", "content": "hi", "name": "eve", "id": "7"},
            [HumanMessage("hi", name="eve", id="7")],
        ),
        (
            {"role": "assistant", "content": "", "refusal": "no"},
            [AIMessage("", additional_kwargs={"refusal": "no"})],
        ),
    ],
)
def test_what_is_accepted(given, messages):
    assert convert_to_messages(given) == messages


def test_a_new_list_is_given():
    given = [HumanMessage("a")]
    converted = convert_to_messages(given)
    assert converted == given
    assert converted is not given


def test_openai_tool_calls():
    function = {"name": "f", "arguments": '{"x": 1}'}
    broken = {"name": "g", "arguments": '{"x": '}
    [message] = convert_to_messages(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": function},
                {"id": "2", "type": "function", "function": broken},
                {"id": "3", "name": "h", "args": {}},
            ],
        }
    )
    assert isinstance(message, AIMessage)
    assert message.tool_calls == [ToolCall("f", {"x": 1}, "1"), ToolCall("h", {}, "3")]
    assert message.invalid_tool_calls == [InvalidToolCall("g", '{"x": ', "2")]


def test_a_developer_is_the_system_and_remembers_its_role():
    [message] = convert_to_messages({"role": "developer", "content": "x"})
    assert message == SystemMessage("x", additional_kwargs={"__openai_role__": "developer"})


def test_a_serialised_message_is_read():
    assert convert_to_messages([message_to_dict(HumanMessage("x"))]) == [HumanMessage("x")]


@pytest.mark.parametrize("bad", [5, None, [5], [None], [("human",)], [("human", "a", "b")]])
def test_other_things_are_refused_with_what_is_accepted(bad):
    with pytest.raises(InputError, match="a \\(role, content\\) pair"):
        convert_to_messages(bad)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (("robot", "x"), "'robot' is no role"),
        ({"role": "robot", "content": "x"}, "assistant"),
        ({"role": "user"}, "'content'"),
        ({"content": "x"}, "'role'"),
        ({}, "nothing"),
        ({"role": "tool", "content": "x"}, "tool_call_id"),
    ],
)
def test_errors_say_what_is_wrong(bad, words):
    with pytest.raises(InputError, match=words):
        convert_to_messages(bad)
