import pytest

from millstream.errors import TemplateError
from millstream.prompts.fstring import FString


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("tell me about {topic}", {"topic": "bees"}, "tell me about bees"),
        ("{a}{b}{a}", {"a": 1, "b": None}, "1None1"),
        ("{{literal}} {x}", {"x": "{y}"}, "{literal} {y}"),
        ("{{only}} text", {}, "{only} text"),
        ("", {}, ""),
        ("{x:.2f} {y!r:>5}", {"x": 3.14159, "y": "a"}, "3.14   'a'"),
        ("{user-name} {user name} {ü1}", {"user-name": "a", "user name": "b", "ü1": "c"}, "a b c"),
    ],
)
def test_render(template, values, text):
    assert FString(template).render(values) == text


def test_variables_are_sorted_and_named_once():
    assert FString("{b} {a} {b} {{c}}").variables == ["a", "b"]


def test_shown_keeps_fields_as_written():
    assert FString("{{x}} {a!r} {b:>5}").shown == "{x} {a!r} {b:>5}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{a.b}", "reaches into a value"),
        ("{a.__class__.__init__}", "reaches into a value"),
        ("{a[0]}", "reaches into a value"),
        ("{a[b].c}", "reaches into a value"),
        ("{}", "needs a name"),
        ("{:>5}", "needs a name"),
        ("{0}", "by place"),
        ("{a:{width}}", "a field of its own"),
        ("{a:{b.c}}", "a field of its own"),
        ('{"key": 1}', "no name"),
        ("{ a }", "no name"),
        ("{1a}", "no name"),
        ("{a", "do not fit together"),
        ("a}", "do not fit together"),
        ("{a!x.y}", "do not fit together"),
    ],
)
def test_what_is_refused(template, words):
    with pytest.raises(TemplateError, match=words) as caught:
        FString(template)
    assert template in str(caught.value)


def test_an_unknown_conversion_is_refused_when_the_template_is_read():
    with pytest.raises(TemplateError, match="conversion"):
        FString("{a!x}")


def test_a_value_cannot_smuggle_fields():
    assert FString("{a}").render({"a": "{b.__class__}"}) == "{b.__class__}"
