"""Hand-written streams of Anthropic's messages API, and what they amount to."""

import json
from typing import Any


def event(data: dict[str, Any], name: str | None = None) -> bytes:
    return f"event: {name or data['type']}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def start(**usage: Any) -> bytes:
    usage = usage or {"input_tokens": 12, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
    return event({"type": "message_start", "message": message})


def opened(index: int, type: str, **fields: Any) -> bytes:
    return event({"type": "content_block_start", "index": index, "content_block": {"type": type, **fields}})


def delta(index: int, type: str, **fields: Any) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": {"type": type, **fields}})


def stopped(index: int) -> bytes:
    return event({"type": "content_block_stop", "index": index})


def text(index: int, *texts: str) -> bytes:
    return opened(index, "text", text="") + b"".join(delta(index, "text_delta", text=each) for each in texts)


def end(reason: str = "end_turn", **usage: Any) -> bytes:
    told = {"stop_reason": reason, "stop_sequence": None}
    return event({"type": "message_delta", "delta": told, "usage": usage or {"output_tokens": 42}}) + STOP


PING = event({"type": "ping"})
STOP = event({"type": "message_stop"})

TEXT = start() + PING + text(0, "Hé", " → 日本", " \U0001f600") + PING + stopped(0) + end()

CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}}

# The order of Anthropic's own server: each block stops before the next one starts.
MIXED = (
    start()
    + opened(0, "thinking", thinking="", signature="")
    + delta(0, "thinking_delta", thinking="Let me")
    + delta(0, "thinking_delta", thinking=" see")
    + delta(0, "signature_delta", signature="EqQB")
    + stopped(0)
    + opened(1, "redacted_thinking", data="xyz")
    + stopped(1)
    + text(2, "Hi", " there")
    + stopped(2)
    + opened(3, "tool_use", id="toolu_1", name="weather", input={})
    + delta(3, "input_json_delta", partial_json="")
    + delta(3, "input_json_delta", partial_json='{"city":"Pa')
    + delta(3, "input_json_delta", partial_json='ris"}')
    + stopped(3)
    + end("tool_use")
)

MIXED_CONTENT = [
    {"type": "thinking", "thinking": "Let me see", "signature": "EqQB", "index": 0},
    {"type": "redacted_thinking", "data": "xyz", "index": 1},
    {"type": "text", "text": "Hi there", "index": 2},
    {**CALL, "index": 3},
]

# llama.cpp's: all blocks stop at the end.
LATE_STOPS = (
    start(cache_read_input_tokens=3, input_tokens=9, output_tokens=0)
    + text(0, "I look.")
    + opened(1, "tool_use", id="a", name="f", input={})
    + delta(1, "input_json_delta", partial_json='{"x":')
    + delta(1, "input_json_delta", partial_json="1}")
    + opened(2, "tool_use", id="b", name="g", input={})
    + delta(2, "input_json_delta", partial_json="{}")
    + stopped(0)
    + stopped(1)
    + stopped(2)
    + end("tool_use", output_tokens=7)
)

SEARCHED = (
    start()
    + opened(0, "server_tool_use", id="srvtoolu_1", name="web_search", input={})
    + delta(0, "input_json_delta", partial_json='{"query"')
    + delta(0, "input_json_delta", partial_json=':"wasps"}')
    + stopped(0)
    + opened(1, "web_search_tool_result", tool_use_id="srvtoolu_1", content=[{"url": "https://a.org"}])
    + stopped(1)
    + opened(2, "text", text="", citations=[])
    + delta(2, "citations_delta", citation={"cited_text": "sting", "url": "https://a.org"})
    + delta(2, "text_delta", text="They ")
    + delta(2, "text_delta", text="sting.")
    + delta(2, "citations_delta", citation={"cited_text": "again", "url": "https://a.org"})
    + stopped(2)
    + end()
)

OVERLOADED = event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
BROKEN = start() + text(0, "Half", " of") + OVERLOADED
