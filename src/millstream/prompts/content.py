"""The content of a message template: a text, or a list of blocks with templates inside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from millstream.errors import TemplateError
from millstream.messages import Content
from millstream.prompts.text import TemplateFormat, compile_text

#: A compiled part of a content: its value for these values.
Render = Callable[[Mapping[str, Any]], Any]

#: A template of a content, as people write it.
ContentTemplate = str | Sequence[str | dict[str, Any]]


class ContentText:
    """A compiled content. `variables` are its names, sorted; `shown` is how a person reads it."""

    render: Callable[[Mapping[str, Any]], Content]

    def __init__(self, template: ContentTemplate, template_format: TemplateFormat = "f-string") -> None:
        self._format: TemplateFormat = template_format
        self._names: set[str] = set()
        self._shown: list[str] = []
        if isinstance(template, str):
            self.render = self._text(template)
        elif isinstance(template, Sequence):
            self._blocks = [self._block(item) for item in template]
            self.render = self._render_blocks
        else:
            raise TemplateError(f"A message's template is a text or a list of blocks: {template!r:.200}")
        self.variables = sorted(self._names)
        self.shown = "\n\n".join(self._shown)

    def _render_blocks(self, values: Mapping[str, Any]) -> Content:
        # A text that came out empty is left out: providers refuse empty text blocks.
        return [block for render in self._blocks if (block := render(values)) is not None]

    def _text(self, template: str) -> Callable[[Mapping[str, Any]], str]:
        text = compile_text(template, self._format)
        self._names.update(text.variables)
        self._shown.append(text.shown)
        return text.render

    def _block(self, item: Any) -> Render:
        if isinstance(item, str):
            return _text_block(self._text(item))
        if not isinstance(item, Mapping):
            raise TemplateError(f"A block of a message is a text or a dict: {item!r:.200}")
        keys = item.keys() - {"type"}
        if keys == {"text"}:
            return _text_block(self._text(item["text"]))
        if keys == {"image_url"}:
            given = item["image_url"]
            image = {"url": given} if isinstance(given, str) else dict(given)
            if "url" not in image or "path" in image:
                raise TemplateError(f"An image needs a 'url', and is never read from a path: {item!r:.200}")
            return self._dict({"type": "image_url", "image_url": image})
        return self._dict(item)

    def _value(self, value: Any) -> Render:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return self._dict(value)
        if isinstance(value, (list, tuple)):
            parts = [self._value(item) for item in value]
            return lambda values: [part(values) for part in parts]
        return _constant(value)

    def _entry(self, key: str, value: Any) -> Render:
        shown = len(self._shown)
        render = self._value(value)
        if key == "type":
            # What kind of block it is is no text for a person to read.
            del self._shown[shown:]
        return render

    def _dict(self, template: Mapping[str, Any]) -> Render:
        parts = [(key, self._entry(key, value)) for key, value in template.items()]
        return lambda values: {key: part(values) for key, part in parts}


def _constant(value: Any) -> Render:
    return lambda values: value


def _text_block(render: Callable[[Mapping[str, Any]], str]) -> Render:
    def block(values: Mapping[str, Any]) -> dict[str, Any] | None:
        text = render(values)
        return {"type": "text", "text": text} if text else None

    return block
