import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import TemplateError
from millstream.prompts.mustache import Mustache


class Secret:
    value = "secret"

    def __str__(self):
        return "shown"


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("Hi {{name}}!", {"name": "Eve"}, "Hi Eve!"),
        ("{{ x }}", {"x": '<a & "b">\''}, "&lt;a &amp; &quot;b&quot;&gt;'"),
        ("{{{x}}}{{&x}}{{& x }}", {"x": "<&>"}, "<&><&><&>"),
        ("{{a.b.c}}", {"a": {"b": {"c": 1}}}, "1"),
        ("{{l.1}}{{l.7}}", {"l": ["a", "b"]}, "b"),
        ("{{x}}|{{y}}|{{z}}|{{f}}", {"x": None, "y": [], "z": 0, "f": False}, "||0|False"),
        ("{{missing}}{{a.missing}}", {"a": {}}, ""),
        ("{{#l}}<{{.}}>{{/l}}", {"l": ["a", 0, ""]}, "<a><0><>"),
        ("{{#l}}{{n}}{{outer}} {{/l}}", {"l": [{"n": 1}, {"n": 2}], "outer": "o"}, "1o 2o "),
        ("{{#d}}{{x}}{{/d}}", {"d": {"x": "in"}, "x": "out"}, "in"),
        ("{{#yes}}y{{/yes}}{{#no}}n{{/no}}{{#none}}n{{/none}}", {"yes": True, "no": False}, "y"),
        ("{{#s}}{{.}}{{/s}}", {"s": "text"}, "text"),
        ("{{^l}}empty{{/l}}{{^x}}no{{/x}}", {"l": [], "x": 1}, "empty"),
        ("{{#a}}{{#a}}{{x}}{{/a}}{{/a}}", {"a": {"a": {"x": 1}}}, "1"),
        ("a{{! comment }}b", {}, "ab"),
        ("1\n  {{#x}}  \n2\n{{/x}}\n3\n", {"x": 1}, "1\n2\n3\n"),
        ("{{! a }}\nb", {}, "b"),
        ("a {{#x}}b{{/x}}\nc", {"x": 1}, "a b\nc"),
        ("{{#x}}{{/x}}\nc", {"x": 1}, "\nc"),
        ("a\n{{x}}\nb", {"x": ""}, "a\n\nb"),
        ("a\r\n{{#x}}\r\nb\r\n{{/x}}", {"x": 1}, "a\r\nb\r\n"),
        ("", {}, ""),
    ],
)
def test_render(template, values, text):
    assert Mustache(template).render(values) == text


def test_attributes_are_never_reached():
    template = Mustache("{{o}}{{o.value}}{{o.__class__}}{{#o}}{{value}}{{/o}}")
    assert template.render({"o": Secret()}) == "shown"


def test_variables_are_those_of_the_outermost_level():
    template = Mustache("{{a.b}}{{#s}}{{inner}}{{#t}}{{/t}}{{/s}}{{^i}}{{x}}{{/i}}{{&u}}{{{v}}}{{.}}{{!c}}")
    assert template.variables == ["a", "i", "s", "u", "v"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{#a}}x", "'a' is never closed"),
        ("{{#a}}{{#b}}{{/b}}", "'a' is never closed"),
        ("{{/a}}", "not open"),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", "not open"),
        ("x {{a", "character 2 is never closed"),
        ("{{{a}}", "never closed"),
        ("{{}}", "empty"),
        ("{{#}}{{/}}", "empty"),
        ("{{> part}}", "partials"),
        ("{{=<% %>=}}", "delimiters"),
    ],
)
def test_what_is_refused(template, words):
    with pytest.raises(TemplateError, match=words):
        Mustache(template)


@given(st.text(alphabet="{}#/^!&. ab\n"))
def test_any_text_is_read_or_refused(template):
    try:
        text = Mustache(template).render({"a": ["<"], "b": {"a": 1}})
    except TemplateError:
        return
    assert "{{" not in text


def _seconds(count):
    template = "{{#a}}  {{/a}} {{! c }} {{x}}" * count
    started = time.process_time()
    Mustache(template).render({"a": [1], "x": "y"})
    return time.process_time() - started


def test_reading_is_linear():
    # All on one line, where looking back to its start at each tag would be quadratic.
    small = min(_seconds(500) for _ in range(5))
    large = min(_seconds(8_000) for _ in range(2))
    assert large < 60 * small
