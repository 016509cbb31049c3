"""What one piece adds to a message, as the content and the fields of a chunk."""

import json
from typing import Any

from millstream.messages import Content, ToolCallChunk
from millstream.providers.openai.pieces import Delta


def content_of(delta: Delta) -> tuple[Content, str]:
    """The content, and what stands in it of the model's thoughts.

    It is text; or a list, if the server sends blocks and not all of them are text or thoughts.
    """
    content = delta.content
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return "", ""
    texts: list[str] = []
    thoughts: list[str] = []
    others: list[str | dict[str, Any]] = []
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else None
        if isinstance(block, str) or kind == "text":
            texts.append(_text_in(block))
        elif kind == "thinking":  # Mistral
            thoughts.append(_text_in(block.get("thinking")))
        elif isinstance(block, dict):
            others.append(block)
    text = "".join(texts)
    if not others:
        return text, "".join(thoughts)
    if text:
        others.insert(0, {"type": "text", "text": text})
    return others, "".join(thoughts)


def kwargs_of(delta: Delta, thoughts: str) -> dict[str, Any]:
    """What has no field of its own: thoughts, a refusal, annotations, audio, images. They merge as pieces."""
    kwargs: dict[str, Any] = {}
    # A server that sends both names sends the same text under them.
    reasoning = _text(delta.reasoning_content) or _text(delta.reasoning) or thoughts
    if reasoning:
        kwargs["reasoning_content"] = reasoning
    if refusal := _text(delta.refusal):
        kwargs["refusal"] = refusal
    if isinstance(delta.audio, dict) and delta.audio:
        kwargs["audio"] = delta.audio
    for name in ("annotations", "images"):
        given = getattr(delta, name)
        if isinstance(given, list) and given:
            kwargs[name] = given
    return kwargs


def fragments_of(delta: Delta) -> list[ToolCallChunk]:
    """The fragments of tool calls, one for each that came. `messages/merge_calls.py` makes calls of them."""
    given = delta.tool_calls
    given = [given] if isinstance(given, dict) else given if isinstance(given, list) else []
    found = [_fragment(each) for each in given if isinstance(each, dict)]
    if isinstance(delta.function_call, dict):
        found.append(_fragment({"index": 0, "function": delta.function_call}))
    return found


def _fragment(given: dict[str, Any]) -> ToolCallChunk:
    function = given.get("function")
    if not isinstance(function, dict):
        function = given
    call_id = given.get("id")
    return ToolCallChunk(
        _text(function.get("name")) or None,
        _arguments(function.get("arguments")),
        None if call_id is None else str(call_id),
        _index(given.get("index")),
    )


def _index(given: Any) -> int | str | None:
    if type(given) is int or isinstance(given, str):
        return given if given != "" else None
    return int(given) if isinstance(given, float) and abs(given) < 2**53 else None


def _arguments(given: Any) -> str | None:
    if given is None or isinstance(given, str):
        return given
    # An empty object may stand before the arguments' text: it says what no text says, too.
    return json.dumps(given) if given else ""


def _text(given: Any) -> str:
    return given if isinstance(given, str) else ""


def _text_in(block: Any) -> str:
    """The text of a block, or of a list of them."""
    if isinstance(block, list):
        return "".join(map(_text_in, block))
    return _text(block.get("text")) if isinstance(block, dict) else _text(block)


class Details:
    """OpenRouter's `reasoning_details`: the pieces of each are joined, since they go back whole.

    A piece continues the detail of its index and type; one without index, the last one if that is of its
    type.
    """

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] = []
        self._texts: list[dict[str, list[str]]] = []
        self._places: dict[Any, int] = {}

    def add(self, given: Any) -> None:
        """Take the details of one piece."""
        for item in given if isinstance(given, list) else ():
            if isinstance(item, dict):
                self._add(item)

    def whole(self) -> list[dict[str, Any]]:
        """The details so far."""
        return [
            held | {name: "".join(parts) for name, parts in texts.items()}
            for held, texts in zip(self._found, self._texts, strict=True)
        ]

    def _add(self, item: dict[str, Any]) -> None:
        key = (str(item.get("index")), str(item.get("type")))
        place = self._places.get(key)
        if place is None or (item.get("index") is None and place != len(self._found) - 1):
            place = self._places[key] = len(self._found)
            self._found.append({})
            self._texts.append({})
        for name, value in item.items():
            if name in ("text", "summary", "data", "signature") and isinstance(value, str):
                self._texts[place].setdefault(name, []).append(value)
            elif value is not None:
                self._found[place][name] = value
            else:
                self._found[place].setdefault(name, None)
