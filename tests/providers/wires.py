"""Both wires, as far as tests of what they share need them: a model on a server, and what that says."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from millstream import BaseChatModel, Cancelled, ChatAnthropic, ChatOpenAI
from millstream.testing import Hold, Reply

#: A key that no server is asked for, and that must never be seen.
KEY = "the-secret-key-of-these-tests"


@dataclass(frozen=True)
class Wire:
    """One wire."""

    name: str
    model: type[Any]
    path: str
    base: str
    start: bytes
    end: bytes
    text: Callable[[str], bytes]
    whole: Callable[[str], dict[str, Any]]
    refusal: Callable[[str, str], dict[str, Any]]
    broken: bytes

    def on(self, url: str, **options: Any) -> BaseChatModel:
        """A model on the server at `url`; it tries once, unless told otherwise."""
        settings = {"base_url": url + self.base, "api_key": KEY, "max_retries": 0, **options}
        model: BaseChatModel = self.model("a-model", **settings)
        return model

    def parts(self, texts: Sequence[str], *, ended: bool = True) -> list[bytes]:
        """An answer of these texts as the pieces of a body, one an event."""
        found = [self.start, *(self.text(text) for text in texts), *([self.end] if ended else [])]
        return [part for part in found if part]

    def says(self, *texts: str, **options: Any) -> Reply:
        """A reply that is a whole stream."""
        return Reply.sse(*self.parts(texts), **options)

    def __repr__(self) -> str:
        return self.name


def cancelled_while_held(run: Any, hold: Hold) -> float:
    """Cancel a run from another thread, once its server is silent, and see that it ends so; when that was."""
    cancelled: list[float] = []

    def cancel() -> None:
        hold.reached.wait()
        time.sleep(0.05)
        cancelled.append(time.monotonic())
        run.cancel()

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(Cancelled), run:
        _ = run.output
    other.join()
    return cancelled[0]


def _data(value: Any, event: str = "") -> bytes:
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


def _openai_piece(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _data({"id": "chatcmpl-1", "model": "a-model-1", "choices": [choice]})


_USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
OPENAI = Wire(
    name="openai",
    model=ChatOpenAI,
    path="/v1/chat/completions",
    base="/v1",
    start=b"",
    end=_openai_piece({}, "stop") + _data({"choices": [], "usage": _USAGE}) + b"data: [DONE]\n\n",
    text=lambda text: _openai_piece({"content": text}),
    whole=lambda text: {
        "id": "chatcmpl-1",
        "model": "a-model-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": _USAGE,
    },
    refusal=lambda words, name: {"error": {"message": words, "type": name, "code": name}},
    broken=_data({"error": {"message": "The engine is overloaded.", "type": "overloaded", "code": "503"}}),
)


def _anthropic(kind: str, **fields: Any) -> bytes:
    return _data({"type": kind, **fields}, kind)


_START: dict[str, Any] = {"id": "msg_1", "model": "a-model-1", "role": "assistant", "content": []}
ANTHROPIC = Wire(
    name="anthropic",
    model=ChatAnthropic,
    path="/v1/messages",
    base="",
    start=_anthropic("message_start", message={**_START, "usage": {"input_tokens": 7, "output_tokens": 1}})
    + _anthropic("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    end=_anthropic("content_block_stop", index=0)
    + _anthropic("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5})
    + _anthropic("message_stop"),
    text=lambda text: _anthropic("content_block_delta", index=0, delta={"type": "text_delta", "text": text}),
    whole=lambda text: {
        **_START,
        "type": "message",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 5},
    },
    refusal=lambda words, name: {"type": "error", "error": {"type": name, "message": words}},
    broken=_anthropic("error", error={"type": "overloaded_error", "message": "Overloaded"}),
)
WIRES = (OPENAI, ANTHROPIC)
