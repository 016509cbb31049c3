"""Blocks of content as Anthropic's messages API takes them: of its own form, LangChain's and OpenAI's."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from millstream.errors import InputError

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,(.*)", re.S)


def blocks_of(content: str | Iterable[Any]) -> list[dict[str, Any]]:
    """The blocks of a content, new ones, without those that the API would refuse for being empty.

    Raises `InputError` for an image or a file that says nothing of where it is.
    """
    parts = [content] if isinstance(content, str) else content
    return [block for part in parts for block in _converted(part)]


def _converted(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        raise InputError(f"A block of content is a text or a dict with a `type`, not {part!r:.80}.")
    kind = part["type"]
    # Where pieces of a stream belong, and what LangChain gathers of arguments: nothing to the provider.
    block = {name: value for name, value in part.items() if name not in ("index", "partial_json")}
    if kind in _CONVERSIONS:
        converted = _CONVERSIONS[kind](block)
        if converted is not None:
            yield _marked(converted, block)
    else:
        yield block


def _text(block: dict[str, Any]) -> dict[str, Any] | None:
    text = block.get("text")
    if not isinstance(text, str) or not text.strip():
        return None  # the API refuses text of nothing but white space
    kept: dict[str, Any] = {"type": "text", "text": text}
    if block.get("citations"):
        kept["citations"] = block["citations"]
    return kept


def _thinking(block: dict[str, Any]) -> dict[str, Any] | None:
    # The signature says that it is the provider's own; without one (the stream was cut) it is refused.
    if not block.get("signature"):
        return None
    return {"type": "thinking", "thinking": block.get("thinking") or "", "signature": block["signature"]}


def _reasoning(block: dict[str, Any]) -> dict[str, Any] | None:
    # LangChain's form for all providers; what another provider has thought cannot be returned to this one.
    extras = block.get("extras") or {}
    return _thinking({"thinking": block.get("reasoning"), "signature": extras.get("signature")})


def _image_url(block: dict[str, Any]) -> dict[str, Any]:
    given = block.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    return {"type": "image", "source": _at_url(url, "image/png")}


def _image(block: dict[str, Any]) -> dict[str, Any]:
    return block if "source" in block else {"type": "image", "source": _source(block, "image/png")}


def _file(block: dict[str, Any]) -> dict[str, Any]:
    # OpenAI's form has its fields one level deeper, and data as a data URL.
    given = block.get("file")
    if isinstance(given, Mapping):
        if given.get("file_data") is not None:
            source = _at_url(given["file_data"], "application/pdf")
        else:
            source = _source(dict(given), "application/pdf")
        name = given.get("filename")
    else:
        source, name = _source(block, "application/pdf"), None
    if str(source.get("media_type", "")).startswith("image/"):
        return {"type": "image", "source": source}
    titles = {"title": block.get("title") or name, "context": block.get("context")}
    cited = {"citations": block["citations"]} if block.get("citations") else {}
    return {
        "type": "document",
        "source": source,
        **{field: value for field, value in titles.items() if value},
        **cited,
    }


def _plain(block: dict[str, Any]) -> dict[str, Any]:
    text = block.get("text") or block.get("data") or ""
    return _file(block | {"file": None, "text": text})


_CONVERSIONS = {
    "text": _text,
    "thinking": _thinking,
    "reasoning": _reasoning,
    "image_url": _image_url,
    "image": _image,
    "file": _file,
    "text-plain": _plain,
}


def _source(block: dict[str, Any], media_type: str) -> dict[str, Any]:
    """Where the data of an image or a file is: a field of LangChain's form, today's or the one before."""
    data = block.get("base64") or (block.get("data") if block.get("source_type") == "base64" else None)
    file_id = block.get("file_id") or (block.get("id") if block.get("source_type") == "id" else None)
    if data:
        return {"type": "base64", "media_type": block.get("mime_type") or media_type, "data": data}
    if file_id:
        return {"type": "file", "file_id": file_id}
    if block.get("type") in ("file", "text-plain") and isinstance(block.get("text"), str):
        return {"type": "text", "media_type": "text/plain", "data": block["text"]}
    return _at_url(block.get("url"), media_type)


def _at_url(url: Any, media_type: str) -> dict[str, Any]:
    if isinstance(url, str) and (match := _DATA_URL.fullmatch(url)):
        return {"type": "base64", "media_type": match[1] or media_type, "data": match[2]}
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    raise InputError(
        f"An image or a file is base64, an http(s) URL, a data URL with base64, or an id, not {url!r:.80}."
    )


def _marked(converted: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    marker = block.get("cache_control")
    return converted if marker is None else {**converted, "cache_control": marker}
