"""A prompt that is one text."""

from collections.abc import Mapping, Sequence
from typing import Any

from millstream.errors import TemplateError
from millstream.messages import StringPromptValue
from millstream.prompts.base import BasePromptTemplate
from millstream.prompts.text import TemplateFormat, compile_text


class PromptTemplate(BasePromptTemplate):
    """A text with variables: `PromptTemplate.from_template("Tell me about {topic}")`.

    `input_variables` is accepted as an argument and has no effect: they are read from the template.
    """

    def __init__(
        self,
        template: str,
        *,
        template_format: TemplateFormat = "f-string",
        partial_variables: Mapping[str, Any] | None = None,
        input_variables: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        self.template = template
        self.template_format: TemplateFormat = template_format
        self.partial_variables = dict(partial_variables or {})
        self.optional_variables = []
        self._text = compile_text(template, template_format)
        self.input_variables = [name for name in self._text.variables if name not in self.partial_variables]
        if name is not None:
            self.name = name

    @classmethod
    def from_template(
        cls,
        template: str,
        *,
        template_format: TemplateFormat = "f-string",
        partial_variables: Mapping[str, Any] | None = None,
    ) -> "PromptTemplate":
        """A prompt from its text. Raises `TemplateError` if that cannot be read."""
        return cls(template, template_format=template_format, partial_variables=partial_variables)

    def format(self, **kwargs: Any) -> str:
        """The filled text. Raises `PromptInputError` if a variable is missing."""
        return self._text.render(self._complete(kwargs))

    def format_prompt(self, **kwargs: Any) -> StringPromptValue:
        """The filled text as a prompt value."""
        return self._prompt(self._complete(kwargs))

    def pretty_repr(self) -> str:
        """The template with its variables in braces."""
        return self._text.shown

    def __add__(self, other: "PromptTemplate | str") -> "PromptTemplate":
        if isinstance(other, str):
            other = PromptTemplate(other, template_format=self.template_format)
        if not isinstance(other, PromptTemplate):
            return NotImplemented
        if other.template_format != self.template_format:
            raise TemplateError("Templates of different formats do not add up to one.")
        return PromptTemplate(
            self.template + other.template,
            template_format=self.template_format,
            partial_variables={**self.partial_variables, **other.partial_variables},
        )

    def __repr__(self) -> str:
        return f"PromptTemplate({self.template!r})"

    def _prompt(self, values: Mapping[str, Any]) -> StringPromptValue:
        return StringPromptValue(self._text.render(values))
