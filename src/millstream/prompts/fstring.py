"""Templates written like f-strings: text with `{name}` fields.

A field is a plain name, with an optional conversion and format spec. Whatever reaches into a value
(`{a.b}`, `{a[0]}`) is refused, and so are fields inside a spec: a template may come from a file or a
database, and would let its author read any attribute of whatever is filled in. What is left is what
`str.format_map` does at the speed of C.
"""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

from millstream.errors import TemplateError

_NAME = re.compile(r"[^\W\d](?:[\w -]*\w)?")
_parse = Formatter().parse


class FString:
    """A checked template. `variables` are its names, sorted."""

    def __init__(self, template: str) -> None:
        self.template = template
        names: set[str] = set()
        shown: list[str] = []
        for literal, name, spec, conversion in _fields(template):
            shown.append(literal)
            if name is not None:
                _check(name, spec, conversion, template)
                names.add(name)
                how = f"{'!' if conversion else ''}{conversion or ''}{':' if spec else ''}{spec or ''}"
                shown.append(f"{{{name}{how}}}")
        self.variables = sorted(names)
        self.shown = "".join(shown)
        # A template without fields is the same text each time: braces that were doubled are single already.
        self.render = template.format_map if names else self._constant

    def _constant(self, values: Mapping[str, Any]) -> str:
        return self.shown


def _fields(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(_parse(template))
    except ValueError as error:
        raise TemplateError(
            f"This template's braces do not fit together ({error}); write {{{{ and }}}} for braces that are "
            f"text: {template!r:.200}"
        ) from error


def _check(name: str, spec: str | None, conversion: str | None, template: str) -> None:
    reason = None
    if not name:
        reason = "A field needs a name: {} is filled by place, and prompts are filled by name"
    elif name.isdigit():
        reason = f"{{{name}}} is filled by place, and prompts are filled by name"
    elif "." in name or "[" in name:
        reason = f"{{{name}}} reaches into a value; fields are plain names"
    elif not _NAME.fullmatch(name):
        reason = f"{{{name}}} is no name; write {{{{ and }}}} for braces that are text"
    elif spec and ("{" in spec or "}" in spec):
        reason = f"The format of {{{name}}} holds a field of its own, which prompts do not allow"
    elif conversion not in (None, "r", "s", "a"):
        reason = f"The conversion of {{{name}!{conversion}}} is none of !r, !s and !a"
    if reason:
        raise TemplateError(f"{reason}. The template: {template!r:.200}")
