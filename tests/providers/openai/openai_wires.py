"""Streams as servers send them, written by hand after their documentation and habits."""

import json
from typing import Any

DONE = b"data: [DONE]\n\n"


def wire(*pieces: Any, done: bool = True) -> bytes:
    """The pieces as events; those that are text are lines of their own."""
    lines = [
        piece if isinstance(piece, str) else f"data: {json.dumps(piece, ensure_ascii=False)}"
        for piece in pieces
    ]
    text = "".join(f"{line}\n\n" for line in lines)
    return text.encode("utf-8", "surrogatepass") + (DONE if done else b"")


def piece(
    delta: Any = None, *, index: Any = 0, finish: str | None = None, choice: Any = None, **fields: Any
) -> dict[str, Any]:
    """A piece with one choice."""
    held = {"index": index, "delta": delta or {}, "finish_reason": finish} | (choice or {})
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m-1", "choices": [held]} | fields


def usage(asked: int, said: int, **details: Any) -> dict[str, Any]:
    """What an answer cost."""
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said} | details


def cost(asked: int, said: int, **details: Any) -> dict[str, Any]:
    """The piece that tells what the answer cost."""
    return piece() | {"choices": [], "usage": usage(asked, said, **details)}


def call(args: Any = None, *, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """A delta with one fragment of a tool call."""
    function: dict[str, Any] = {} if name is None else {"name": name}
    if args is not None:
        function["arguments"] = args
    return {"tool_calls": [{"function": function, "type": "function"} | fields]}


OPENAI = wire(
    piece({"role": "assistant", "content": "", "refusal": None}, service_tier="default"),
    piece({"content": "Grüß"}, usage=None, obfuscation="aX9"),
    piece({"content": " 🌍\n"}, usage=None, system_fingerprint="fp_1"),
    piece(finish="stop"),
    cost(
        9,
        5,
        prompt_tokens_details={"cached_tokens": 4, "audio_tokens": 0},
        completion_tokens_details={"reasoning_tokens": 2},
    ),
)

LLAMA_CPP = wire(
    piece({"role": "assistant", "content": None}),
    piece({"reasoning_content": "Let me"}),
    piece({"reasoning_content": " think."}),
    piece({"content": "Hi"}),
    piece(finish="stop"),
    cost(3, 4) | {"timings": {"prompt_n": 3}},
)

VLLM = wire(
    piece({"role": "assistant", "content": ""}, usage=usage(7, 0)),
    ": ping",
    piece({"content": "a"}, usage=usage(7, 1)),
    piece({"content": "b"}, usage=usage(7, 2), choice={"stop_reason": None}),
    piece({"content": ""}, finish="length", usage=usage(7, 2)),
    cost(7, 2),
)

OPENROUTER = wire(
    ": OPENROUTER PROCESSING",
    piece(
        {
            "content": "",
            "reasoning": "Hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm", "format": "anthropic-claude-v1", "index": 0}
            ],
        },
        provider="P",
    ),
    piece(
        {
            "content": "",
            "reasoning": "m.",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "m.", "format": "anthropic-claude-v1", "index": 0}
            ],
        }
    ),
    piece(
        {
            "reasoning_details": [
                {
                    "type": "reasoning.text",
                    "signature": "c2ln",
                    "format": "anthropic-claude-v1",
                    "index": 0,
                }
            ]
        }
    ),
    piece({"content": "Yes."}),
    piece(finish="stop", choice={"native_finish_reason": "end_turn"}),
    cost(1, 2),
)

GROQ = wire(
    piece({"role": "assistant", "content": None}, x_groq={"id": "req_1"}),
    piece(
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":1}'},
                },
                {"index": 1, "id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ]
        }
    ),
    piece(finish="tool_calls", x_groq={"id": "req_1", "usage": usage(2, 3)}),
)

AZURE = wire(
    {
        "choices": [],
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [
            {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}
        ],
    },
    piece({"role": "assistant", "content": "Hi"}, choice={"content_filter_results": {}}),
    piece({"content": "!"}),
    {
        "id": "",
        "model": "",
        "object": "",
        "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {"end_offset": 3}}],
    },
    piece(finish="stop"),
)

TOOLS = wire(
    piece(call("", index=0, id="call_a", name="weather")),
    piece(call('{"ci', index=0)),
    piece(call('ty":"Paris"}', index=0)),
    piece(call("", index=1, id="call_b", name="time")),
    piece(finish="tool_calls"),
    cost(9, 5),
)

TWO = wire(
    piece({"content": "a"}, index=0),
    piece({"content": "x"}, index=1),
    piece({"content": "b"}, index=0),
    piece(index=0, finish="stop"),
    cost(3, 2),
    piece(index=1, finish="length"),
    cost(3, 1),
)

BROKEN_OFF = wire(
    piece({"content": "Once"}),
    {"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}},
    done=False,
)

ALL = {
    "openai": OPENAI,
    "llama.cpp": LLAMA_CPP,
    "vllm": VLLM,
    "openrouter": OPENROUTER,
    "groq": GROQ,
    "azure": AZURE,
    "tools": TOOLS,
    "two": TWO,
    "broken off": BROKEN_OFF,
    "truncated": OPENAI[:600],
}
