import asyncio

import pytest

from millstream.errors import InputError, PromptInputError, TemplateError
from millstream.messages import HumanMessage, StringPromptValue
from millstream.prompts import PromptTemplate


def test_from_template():
    prompt = PromptTemplate.from_template("{a} and {b}")
    assert prompt.input_variables == ["a", "b"]
    assert prompt.format(a=1, b=2) == "1 and 2"
    assert prompt.invoke({"a": 1, "b": 2, "more": 3}) == StringPromptValue("1 and 2")
    assert prompt.format_prompt(a=1, b=2).to_messages() == [HumanMessage("1 and 2")]
    assert asyncio.run(prompt.ainvoke({"a": 1, "b": 2})).to_string() == "1 and 2"


def test_the_constructor_takes_input_variables():
    assert PromptTemplate(template="{a}", input_variables=["a"]).input_variables == ["a"]


def test_a_bare_value_fills_the_only_variable():
    prompt = PromptTemplate.from_template("{a} and {b}")
    assert prompt.partial(a=1).invoke(7).to_string() == "1 and 7"
    with pytest.raises(InputError, match="a, b"):
        prompt.invoke(7)
    with pytest.raises(InputError, match="none"):
        PromptTemplate.from_template("no variable").invoke(7)


def test_missing_variables_are_named():
    prompt = PromptTemplate.from_template("{a} {b} {c}")
    for call in (lambda: prompt.invoke({"b": 1, "x": 2}), lambda: prompt.format(b=1, x=2)):
        with pytest.raises(PromptInputError) as caught:
            call()
        assert caught.value.missing == ["a", "c"]
        assert caught.value.given == ["b", "x"]


def test_partials_are_values_or_functions():
    counted = iter(range(10))
    prompt = PromptTemplate.from_template("{n} {word} {x}").partial(n=lambda: next(counted), word="w")
    assert prompt.input_variables == ["x"]
    assert prompt.format(x=1) == "0 w 1"
    assert prompt.format(x=1) == "1 w 1"
    assert prompt.format(x=1, word="other") == "2 other 1"


def test_partial_leaves_the_prompt_as_it_was():
    prompt = PromptTemplate.from_template("{a}", partial_variables={})
    assert prompt.partial(a=1).format() == "1"
    assert prompt.input_variables == ["a"]
    with pytest.raises(PromptInputError):
        prompt.format()


def test_partials_at_construction():
    prompt = PromptTemplate.from_template("{a} {b}", partial_variables={"a": 1})
    assert prompt.input_variables == ["b"]
    assert prompt.format(b=2) == "1 2"


def test_mustache():
    prompt = PromptTemplate.from_template("{{#xs}}{{.}},{{/xs}}{{y.z}}", template_format="mustache")
    assert prompt.input_variables == ["xs", "y"]
    assert prompt.format(xs=[1, 2], y={"z": 3}) == "1,2,3"


def test_an_unknown_format_is_an_error():
    with pytest.raises(TemplateError, match="jinja2"):
        PromptTemplate.from_template("x", template_format="jinja2")
    with pytest.raises(TemplateError, match="text"):
        PromptTemplate.from_template(3)


def test_prompts_add_up():
    prompt = PromptTemplate.from_template("{a} ").partial(a=1) + PromptTemplate.from_template("{b}") + " {c}"
    assert prompt.format(b=2, c=3) == "1 2 3"
    with pytest.raises(TypeError):
        prompt + 3
    with pytest.raises(TemplateError):
        prompt + PromptTemplate.from_template("x", template_format="mustache")


def test_names_and_printing(capsys):
    prompt = PromptTemplate("Hi {name} {{x}}", name="greet")
    assert prompt.get_name() == "greet"
    assert repr(prompt) == "PromptTemplate('Hi {name} {{x}}')"
    prompt.pretty_print()
    assert capsys.readouterr().out == "Hi {name} {x}\n"
    with pytest.raises(PromptInputError, match="greet needs"):
        prompt.format()
