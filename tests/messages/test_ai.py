from millstream.messages import AIMessageChunk, InvalidToolCall, ToolCall, ToolCallChunk


def test_calls_are_read_from_their_fragments():
    chunk = AIMessageChunk(
        "",
        tool_call_chunks=[
            ToolCallChunk("f", '{"x": 1}', "1", 0),
            ToolCallChunk("g", "", "2", 1),
            ToolCallChunk("h", '{"x": ', "3", 2),
            ToolCallChunk(None, "[]", "4", 3),
        ],
    )
    assert chunk.tool_calls[:2] == [ToolCall("f", {"x": 1}, "1"), ToolCall("g", {}, "2")]
    assert chunk.invalid_tool_calls[-1] == InvalidToolCall(None, "[]", "4")
    assert chunk.tool_calls is chunk.tool_calls


def test_fragments_are_made_from_whole_calls():
    chunk = AIMessageChunk(
        "",
        tool_calls=[{"name": "f", "args": {"x": 1}, "id": "1"}],
        invalid_tool_calls=[{"name": "g", "args": "{", "id": "2", "error": "why"}],
    )
    assert chunk.tool_call_chunks == [ToolCallChunk("f", '{"x": 1}', "1"), ToolCallChunk("g", "{", "2")]
    assert chunk.tool_calls == [ToolCall("f", {"x": 1}, "1")]
    assert chunk.invalid_tool_calls == [InvalidToolCall("g", "{", "2", "why")]


def test_whole_calls_in_chunks_survive_merging():
    first = AIMessageChunk("", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "1"}])
    second = AIMessageChunk("", tool_calls=[{"name": "f", "args": {"x": 2}, "id": "2"}])
    assert (first + second).tool_calls == [ToolCall("f", {"x": 1}, "1"), ToolCall("f", {"x": 2}, "2")]


def test_reading_the_calls_of_a_piece_does_not_freeze_the_whole():
    first = AIMessageChunk("", tool_call_chunks=[ToolCallChunk("f", "", "1", 0)])
    assert first.tool_calls == [ToolCall("f", {}, "1")]
    merged = first + AIMessageChunk("", tool_call_chunks=[ToolCallChunk(None, '{"x": 1}', None, 0)])
    assert merged.tool_calls == [ToolCall("f", {"x": 1}, "1")]
    assert first.tool_calls == [ToolCall("f", {}, "1")]


def test_fragments_given_as_dicts_are_read_as_structs():
    chunk = AIMessageChunk("", tool_call_chunks=[{"name": "f", "args": "{}", "id": "1", "index": 0}])
    assert chunk.tool_call_chunks[0].name == "f"
    assert chunk == AIMessageChunk("", tool_call_chunks=[ToolCallChunk("f", "{}", "1", 0)])
