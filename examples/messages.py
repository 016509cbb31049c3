"""Chunks arrive, add up to a message, and go round through JSON."""

import msgspec

from millstream.messages import (
    AIMessageChunk,
    AnyMessage,
    ToolCallChunk,
    UsageMetadata,
    merge_chunks,
    to_message,
)

stream = [
    AIMessageChunk("Let me look. "),
    AIMessageChunk("", tool_call_chunks=[ToolCallChunk("weather", '{"city": ', "call-1", index=0)]),
    AIMessageChunk("", tool_call_chunks=[ToolCallChunk(args='"Oslo"}', index=0)]),
    AIMessageChunk("", usage_metadata=UsageMetadata(input_tokens=9, output_tokens=7), chunk_position="last"),
]

message = to_message(merge_chunks(stream))
message.pretty_print()
print()

encoded = msgspec.json.encode(message)
print(encoded.decode())
print(msgspec.json.decode(encoded, type=AnyMessage) == message)
