"""The blocks of a message's content, as the chat completions take them.

People write blocks in several forms, and messages may come from another provider's model. Blocks of
OpenAI's own form, and of types that are not known here, go as they are.

==============================================  ====================================================
LangChain's, or Anthropic's                     OpenAI's
==============================================  ====================================================
``"text"``, or a plain string                   ``text``
``{"type": "image", "url" | "base64" | ...}``   ``image_url``, with a link or a data URL
``{"type": "file" | "document", ...}``          ``file``: ``file_id``, or ``file_data`` as a data URL
``{"type": "audio", "base64", "mime_type"}``    ``input_audio``
==============================================  ====================================================

The data is ``base64`` or ``data``, of Base64 or bytes; or a ``source`` holds all of that.
"""

import base64
import json
from typing import Any

from millstream.errors import InputError
from millstream.messages import Content

Block = dict[str, Any]

_AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}


def asked_content(content: Content) -> str | list[Block]:
    """The content of a person's or the system's message. Raises `InputError` for a block without its data."""
    return content if isinstance(content, str) else [_asked(block) for block in content]


def result_content(content: Content) -> str | list[Block]:
    """The content of a tool's answer; blocks that are neither text nor media are written as JSON."""
    if isinstance(content, str):
        return content
    known = {"text", "image", "image_url", "file", "document", "audio", "input_audio"}
    return [
        _asked(block)
        if isinstance(block, str) or block.get("type") in known
        else _text(json.dumps(block, default=str))
        for block in content
    ]


def answer_content(content: Content) -> str | list[Block]:
    """The content of an earlier answer: of blocks the texts and refusals, since a model is told no others.

    Thoughts and calls that another provider's model has among its blocks are told as fields, or not at all.
    """
    if isinstance(content, str):
        return content
    blocks = [_text(block) if isinstance(block, str) else block for block in content]
    return [
        _asked(block)
        for block in blocks
        if (block.get("type") == "text" and block.get("text")) or block.get("type") == "refusal"
    ]


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _asked(block: str | Block) -> Block:
    if isinstance(block, str):
        return _text(block)
    kind = block.get("type")
    if kind == "text":
        # Gateways to Anthropic's models take marks of what to cache; what chunks leave behind is nobody's.
        marks = {name: block[name] for name in ("cache_control",) if name in block}
        return _text(block.get("text") or "") | marks
    if kind == "image_url" and isinstance(block.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": block["image_url"]}}
    if kind == "image":
        link: Block = {"url": _url(block, "image/png")}
        if "detail" in block:
            link["detail"] = block["detail"]
        return {"type": "image_url", "image_url": link}
    if kind == "document" or (kind == "file" and "file" not in block):
        return {"type": "file", "file": _file(block)}
    if kind == "audio":
        return {"type": "input_audio", "input_audio": _audio(block)}
    return block


def _source(block: Block) -> Block:
    inner = block.get("source")
    return inner if isinstance(inner, dict) else block


def _mime_type(block: Block, default: str) -> str:
    source = _source(block)
    return str(source.get("mime_type") or source.get("media_type") or default)


def _data(block: Block) -> str | None:
    source = _source(block)
    data = source.get("base64") or source.get("data")
    if isinstance(data, (bytes, bytearray)):
        return base64.b64encode(data).decode()
    return str(data) if data else None


def _url(block: Block, mime_type: str) -> str:
    data = _data(block)
    if data is not None:
        return data if data.startswith("data:") else f"data:{_mime_type(block, mime_type)};base64,{data}"
    url = _source(block).get("url")
    if not url:
        raise InputError(f"A block of the type {block.get('type')!r} has neither a url nor data in it.")
    return str(url)


def _file(block: Block) -> Block:
    file_id = _source(block).get("file_id") or _source(block).get("id")
    if file_id and _data(block) is None:
        return {"file_id": file_id}
    if _source(block).get("type") == "text" and "source" in block:
        raise InputError("A document of plain text goes as a block of the type 'text'.")
    name = block.get("filename") or block.get("name") or block.get("title") or "file"
    return {"filename": name, "file_data": _url(block, "application/pdf")}


def _audio(block: Block) -> Block:
    data = _data(block)
    if data is None:
        raise InputError("A block of the type 'audio' has no data in it; the model takes no links to audio.")
    kind = _mime_type(block, "audio/wav").rpartition("/")[2]
    return {"data": data, "format": block.get("format") or _AUDIO_FORMATS.get(kind, kind)}
