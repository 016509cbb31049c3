import msgspec
import pytest

from millstream.errors import InputError
from millstream.messages import AIMessage, InvalidToolCall, ToolCall, ToolCallChunk, UsageMetadata


def test_fields_are_read_by_key_and_by_attribute():
    call = ToolCall("search", {"q": "bees"}, "call-1")
    assert (call["name"], call.name) == ("search", "search")
    assert call.get("args") == {"q": "bees"}
    assert call.get("nothing", 7) == 7
    assert "id" in call
    assert "nothing" not in call
    assert dict(call) == {"name": "search", "args": {"q": "bees"}, "id": "call-1", "type": "tool_call"}
    assert list(call) == ["name", "args", "id", "type"]
    assert {**call} == dict(call.items())
    assert call.values() == ["search", {"q": "bees"}, "call-1", "tool_call"]
    assert len(call) == 4


def test_fields_are_set_by_key():
    call = ToolCall("search", {})
    call["args"] = {"q": 1}
    assert call.args == {"q": 1}


@pytest.mark.parametrize("key", ["nothing", "keys", "__class__"])
def test_an_unknown_key_is_a_key_error(key):
    call = ToolCall("search", {})
    with pytest.raises(KeyError):
        call[key]
    with pytest.raises(KeyError):
        call[key] = 1


def test_calls_equal_plain_dicts_with_or_without_their_type():
    call = ToolCall("f", {"x": 1}, "1")
    assert call == {"name": "f", "args": {"x": 1}, "id": "1"}
    assert call == {"name": "f", "args": {"x": 1}, "id": "1", "type": "tool_call"}
    assert call != {"name": "f", "args": {"x": 2}, "id": "1"}
    assert call != {"name": "f", "args": {"x": 1}, "id": "1", "type": "tool_call_chunk"}
    assert call != {"name": "f", "args": {"x": 1}}
    assert call != InvalidToolCall("f", None, "1")
    assert call == ToolCall("f", {"x": 1}, "1")
    assert (call == 3, call != 3) == (False, True)


def test_the_types_and_defaults():
    assert ToolCallChunk() == {
        "name": None,
        "args": None,
        "id": None,
        "index": None,
        "type": "tool_call_chunk",
    }
    assert InvalidToolCall() == {
        "name": None,
        "args": None,
        "id": None,
        "error": None,
        "type": "invalid_tool_call",
    }
    assert ToolCall(name="f", args={}, id=None, type="tool_call") == ToolCall("f", {})


def test_repr_is_short():
    assert repr(ToolCall("f", {"x": 1}, "1")) == "ToolCall(name='f', args={'x': 1}, id='1')"
    assert repr(UsageMetadata(1, 2)) == "UsageMetadata(input_tokens=1, output_tokens=2, total_tokens=3)"


def test_usage_shows_details_only_when_there_are_some():
    assert UsageMetadata(3, 4, 7) == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    full = UsageMetadata(3, 4, 7, {"cache_read": 2}, {"reasoning": 1}, estimated=True)
    assert dict(full) == {
        "input_tokens": 3,
        "output_tokens": 4,
        "total_tokens": 7,
        "input_token_details": {"cache_read": 2},
        "output_token_details": {"reasoning": 1},
        "estimated": True,
    }
    assert UsageMetadata(3, 4)["output_token_details"] == {}
    assert "estimated" not in UsageMetadata(3, 4)


def test_a_missing_total_is_the_sum():
    assert UsageMetadata(3, 4).total_tokens == 7
    assert UsageMetadata(3, 4, 9).total_tokens == 9


def test_plain_dicts_become_structs():
    message = AIMessage(
        "",
        tool_calls=[{"name": "f", "args": {"x": 1}, "id": "1", "extra": "ignored"}],
        invalid_tool_calls=[{"name": "g", "args": "{", "id": "2", "error": None}],
        usage_metadata={
            "input_tokens": 1,
            "output_tokens": 2,
            "total_tokens": 3,
            "input_token_details": None,
        },
    )
    assert message.tool_calls == [ToolCall("f", {"x": 1}, "1")]
    assert type(message.tool_calls[0]) is ToolCall
    assert message.tool_calls is message.tool_calls
    assert type(message.invalid_tool_calls[0]) is InvalidToolCall
    assert message.usage_metadata is not None
    assert message.usage_metadata.total_tokens == 3


@pytest.mark.parametrize(
    "bad", [{"args": {}}, {"name": "f", "args": "text"}, {"name": 3, "args": {}}, 5, None]
)
def test_a_dict_that_is_no_call_is_an_error(bad):
    with pytest.raises(InputError):
        AIMessage("", tool_calls=[bad]).tool_calls


def test_calls_encode_as_json():
    assert msgspec.json.encode(ToolCall("f", {"x": 1}, "1")) == (
        b'{"name":"f","args":{"x":1},"id":"1","type":"tool_call"}'
    )
    assert (
        msgspec.json.encode(UsageMetadata(1, 2)) == b'{"input_tokens":1,"output_tokens":2,"total_tokens":3}'
    )
