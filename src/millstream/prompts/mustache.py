"""Templates in Mustache: `{{name}}`, sections, inverted sections and comments.

A template is read once into a tree of small nodes, each of which writes its text into a list. Names are
looked up in dicts, and in lists by number; never as attributes, so a template cannot reach into objects.
`{{name}}` escapes the four characters that HTML minds, `{{{name}}}` and `{{&name}}` do not. A name that is
missing, None or empty is the empty text. Partials, lambdas and other delimiters are not supported.

https://mustache.github.io/mustache.5.html
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from millstream.errors import TemplateError

_ESCAPES = str.maketrans({"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;"})

_REST_OF_LINE = re.compile(r"[^\S\n]*(?:\n|\Z)")

#: A node writes its text for a stack of contexts, the innermost first.
Node = Callable[[list[str], Sequence[Any]], None]

_MISSING = object()


class Mustache:
    """A parsed template. `variables` are the names that its outermost level asks for, sorted."""

    def __init__(self, template: str) -> None:
        self.template = self.shown = template
        reader = _Reader(template)
        self._nodes = reader.nodes
        self.variables = sorted(reader.names)

    def render(self, values: Mapping[str, Any]) -> str:
        """The template's text for these values."""
        out: list[str] = []
        for node in self._nodes:
            node(out, (values,))
        return "".join(out)


class _Reader:
    """Reads a template from left to right, once."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self._open: list[tuple[str, list[Node]]] = []
        self._here = self.nodes
        position = 0
        while (start := template.find("{{", position)) >= 0:
            position = self._tag(position, start)
        self._text(template[position:])
        if self._open:
            self._fail(f"the section {self._open[-1][0]!r} is never closed")

    def _tag(self, position: int, start: int) -> int:
        """Read the text from `position` and the tag at `start`; where to go on."""
        triple = self.template.startswith("{{{", start)
        closing = "}}}" if triple else "}}"
        end = self.template.find(closing, start)
        if end < 0:
            self._fail(f"the tag at character {start} is never closed")
        body = self.template[start + len(closing) : end].strip()
        after = end + len(closing)
        sign = "&" if triple else body[:1] if body[:1] in "#^/!&>=" else ""
        name = body if triple else body[len(sign) :].strip()
        if sign and sign in "#^/!":
            before, after = self._line(position, start, after)
            self._text(before)
        else:
            self._text(self.template[position:start])
        self._act(sign, name)
        return after

    def _line(self, position: int, start: int, after: int) -> tuple[str, int]:
        """The text before a tag and where to go on after it; a tag alone on its line takes that along."""
        text = self.template[position:start]
        line = text.rfind("\n") + 1
        begins = line > 0 or position == 0 or self.template[position - 1] == "\n"
        rest = _REST_OF_LINE.match(self.template, after)
        if begins and rest and not text[line:].strip():
            return text[:line], rest.end()
        return text, after

    def _text(self, text: str) -> None:
        if text:
            self._here.append(lambda out, stack: out.append(text))

    def _act(self, sign: str, name: str) -> None:
        if sign == "!":
            return
        if not name:
            self._fail("a tag is empty")
        if sign in ("", "&"):
            self._note(name)
            self._here.append(_variable(name, escaped=not sign))
        elif sign in ("#", "^"):
            self._note(name)
            inner: list[Node] = []
            self._here.append(_section(name, inner) if sign == "#" else _inverted(name, inner))
            self._open.append((name, self._here))
            self._here = inner
        elif sign == "/":
            if not self._open or self._open[-1][0] != name:
                self._fail(f"{{{{/{name}}}}} closes a section that is not open here")
            self._here = self._open.pop()[1]
        else:
            self._fail("partials ({{>name}}) and other delimiters ({{=<% %>=}}) are not supported")

    def _note(self, name: str) -> None:
        if not self._open and name != ".":
            self.names.add(name.split(".")[0])

    def _fail(self, reason: str) -> NoReturn:
        raise TemplateError(f"In this Mustache template {reason}: {self.template!r:.200}")


def _variable(name: str, escaped: bool) -> Node:
    def write(out: list[str], stack: Sequence[Any]) -> None:
        value = _look_up(name, stack)
        if value is _MISSING or (not value and not isinstance(value, (int, float))):
            return
        text = str(value)
        out.append(text.translate(_ESCAPES) if escaped else text)

    return write


def _section(name: str, inner: list[Node]) -> Node:
    def write(out: list[str], stack: Sequence[Any]) -> None:
        value = _look_up(name, stack)
        if value is _MISSING or not value:
            return
        many = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        for item in value if many else (value,):
            for node in inner:
                node(out, (item, *stack))

    return write


def _inverted(name: str, inner: list[Node]) -> Node:
    def write(out: list[str], stack: Sequence[Any]) -> None:
        value = _look_up(name, stack)
        if value is _MISSING or not value:
            for node in inner:
                node(out, stack)

    return write


def _look_up(name: str, stack: Sequence[Any]) -> Any:
    if name == ".":
        return stack[0]
    path = name.split(".")
    for context in stack:
        value = context
        for key in path:
            value = _enter(value, key)
            if value is _MISSING:
                break
        else:
            return value
    return _MISSING


def _enter(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, _MISSING)
    if isinstance(value, (list, tuple)) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    return _MISSING
