"""A template's text, compiled: the one thing that all prompts are made of."""

from typing import Literal

from millstream.errors import TemplateError
from millstream.prompts.fstring import FString
from millstream.prompts.mustache import Mustache

#: How a template is written.
TemplateFormat = Literal["f-string", "mustache"]

#: A compiled template: `variables`, `render(values)`, and `shown`, its text as a person reads it.
Text = FString | Mustache


def compile_text(template: str, template_format: TemplateFormat = "f-string") -> Text:
    """Read a template once. Raises `TemplateError` if it cannot be read, or asks for what is not allowed."""
    if not isinstance(template, str):
        raise TemplateError(f"A template is a text, not {type(template).__name__}.")
    if template_format == "f-string":
        return FString(template)
    if template_format == "mustache":
        return Mustache(template)
    raise TemplateError(f"{template_format!r} is no template format; there are 'f-string' and 'mustache'.")
