import gc
import weakref

from millstream.messages import AIMessage, AIMessageChunk, HumanMessage, ToolCall


def test_a_field_is_made_once_and_kept():
    message = HumanMessage("hi")
    message.additional_kwargs["seen"] = True
    assert message.additional_kwargs == {"seen": True}
    assert message.additional_kwargs is message.additional_kwargs


def test_two_messages_never_share_a_made_field():
    first, second = AIMessage("a"), AIMessage("a")
    first.tool_calls.append(ToolCall("f", {}))
    first.response_metadata["x"] = 1
    assert second.tool_calls == []
    assert second.response_metadata == {}


def test_a_field_can_be_set():
    message = AIMessage("a")
    message.tool_calls = [ToolCall("f", {"x": 1})]
    message.response_metadata = {"model_name": "m"}
    assert message.tool_calls[0].args == {"x": 1}
    assert message.response_metadata == {"model_name": "m"}


def test_a_chunk_of_text_holds_no_containers():
    # The garbage collector does not even look at it: nothing was made for the fields that nobody read.
    assert not gc.is_tracked(AIMessageChunk("x"))


def test_a_made_field_that_points_back_is_collected():
    class Flag:
        pass

    message = AIMessage("a")
    flag = Flag()
    message.additional_kwargs["self"] = message
    message.additional_kwargs["flag"] = flag
    gone = weakref.ref(flag)
    del message, flag
    gc.collect()
    assert gone() is None


def test_subclasses_of_users_keep_the_fields():
    class Rated(AIMessageChunk, kw_only=True, tag="rated"):
        rating: int = 0

    chunk = Rated("a", rating=3, tool_call_chunks=[{"name": "f", "args": "{}", "id": "1", "index": 0}])
    assert chunk.tool_calls == [{"name": "f", "args": {}, "id": "1"}]
    merged = chunk + Rated("b")
    assert (type(merged), merged.content, merged.rating) == (Rated, "ab", 3)
