import asyncio

import pytest

from millstream.errors import InputError, PromptInputError, TemplateError
from millstream.messages import AIMessage, ChatPromptValue, HumanMessage, SystemMessage
from millstream.prompts import (
    ChatPromptTemplate,
    HumanMessagePromptTemplate,
    MessagesPlaceholder,
    PromptTemplate,
    SystemMessagePromptTemplate,
)


def test_from_template_is_one_human_message():
    prompt = ChatPromptTemplate.from_template("tell me about {topic}")
    assert prompt.input_variables == ["topic"]
    assert prompt.format_messages(topic="bees") == [HumanMessage("tell me about bees")]
    assert prompt.invoke({"topic": "bees", "more": 1}) == ChatPromptValue(
        [HumanMessage("tell me about bees")]
    )
    assert prompt.invoke("bees") == prompt.invoke({"topic": "bees"})
    assert prompt.format(topic="bees") == "Human: tell me about bees"
    assert asyncio.run(prompt.ainvoke("bees")) == prompt.invoke("bees")
    assert list(prompt.stream("bees")) == [prompt.invoke("bees")]


def test_everything_that_a_message_can_be():
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "s {a}"),
            ("user", "u {a}"),
            ("assistant", "v {a}"),
            ["ai", "w {a}"],
            {"role": "human", "content": "d {a}"},
            "bare {a}",
            (HumanMessage, "class {a}"),
            (SystemMessagePromptTemplate, "template class {a}"),
            AIMessage("literal {a}"),
            HumanMessagePromptTemplate.from_template("t {a}"),
            PromptTemplate.from_template("p {a}"),
            ChatPromptTemplate.from_template("nested {a} {b}").partial(b=2),
            ("human", [{"type": "text", "text": "block {a}"}]),
            MessagesPlaceholder("h"),
            ("placeholder", "{o}"),
            ("placeholder", ["{must}", False]),
        ]
    )
    assert prompt.input_variables == ["a", "h", "must"]
    assert prompt.optional_variables == ["o"]
    assert prompt.format_messages(a=1, h=["h"], must=[]) == [
        SystemMessage("s 1"),
        HumanMessage("u 1"),
        AIMessage("v 1"),
        AIMessage("w 1"),
        HumanMessage("d 1"),
        HumanMessage("bare 1"),
        HumanMessage("class 1"),
        SystemMessage("template class 1"),
        AIMessage("literal {a}"),
        HumanMessage("t 1"),
        HumanMessage("p 1"),
        HumanMessage("nested 1 2"),
        HumanMessage([{"type": "text", "text": "block 1"}]),
        HumanMessage("h"),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        ("robot", "x"),
        ("human", "x", "y"),
        ("human", 3),
        (int, "x"),
        (3, "x"),
        3,
        None,
        {"role": "human"},
        ("placeholder", "name"),
        ("placeholder", ["{name}", "yes"]),
        ("placeholder", 3),
        ("human", "{a.b}"),
    ],
)
def test_what_is_no_message(bad):
    with pytest.raises(TemplateError):
        ChatPromptTemplate.from_messages([bad])


def test_missing_variables_and_wrong_inputs():
    prompt = ChatPromptTemplate.from_messages([("human", "{a} {b}"), MessagesPlaceholder("h")])
    with pytest.raises(PromptInputError) as caught:
        prompt.invoke({"b": 1})
    assert (caught.value.missing, caught.value.given) == (["a", "h"], ["b"])
    with pytest.raises(PromptInputError):
        prompt.format_messages(a=1)
    with pytest.raises(InputError, match="a, b, h"):
        prompt.invoke("text")


def test_an_optional_placeholder_does_not_stop_a_bare_value():
    prompt = ChatPromptTemplate([("placeholder", "{history}"), ("human", "{q}")])
    assert prompt.invoke("hi").to_messages() == [HumanMessage("hi")]
    assert prompt.invoke({"q": "hi", "history": [("ai", "x")]}).to_messages() == [
        AIMessage("x"),
        HumanMessage("hi"),
    ]


def test_partials():
    prompt = ChatPromptTemplate(
        [("system", "{name} {date}"), ("human", "{q}")], partial_variables={"name": "n"}
    )
    filled = prompt.partial(date=lambda: "today")
    assert filled.input_variables == ["q"]
    assert filled.format_messages(q=1) == [SystemMessage("n today"), HumanMessage("1")]
    assert prompt.input_variables == ["date", "q"]
    history = ChatPromptTemplate([MessagesPlaceholder("h")]).partial(h=["x"])
    assert history.format_messages() == [HumanMessage("x")]


def test_adding():
    left = ChatPromptTemplate([("system", "{a}")]).partial(a=1)
    right = ChatPromptTemplate([("human", "{b}")]).partial(b=2)
    assert (left + right).format_messages() == [SystemMessage("1"), HumanMessage("2")]
    whole = left + AIMessage("{x}") + ("ai", "{y}") + [("human", "{z}"), "w"] + MessagesPlaceholder("h")
    assert whole.input_variables == ["h", "y", "z"]
    assert (HumanMessage("first") + right).format_messages() == [HumanMessage("first"), HumanMessage("2")]
    assert left.input_variables == []
    assert len(left) == 1


def test_building_with_append_and_extend():
    prompt = ChatPromptTemplate([], template_format="mustache")
    other = prompt.partial()
    prompt.append(("human", "{{a}}"))
    prompt.extend([("ai", "{{b}}"), SystemMessage("s")])
    assert prompt.input_variables == ["a", "b"]
    assert prompt.format_messages(a=1, b=2) == [HumanMessage("1"), AIMessage("2"), SystemMessage("s")]
    assert len(other) == 0


def test_indexing():
    prompt = ChatPromptTemplate([("system", "{a}"), ("human", "{b}"), AIMessage("c")])
    assert prompt[2] == AIMessage("c")
    assert prompt[1:].format_messages(b=1) == [HumanMessage("1"), AIMessage("c")]


def test_printing(capsys):
    ChatPromptTemplate(
        [("system", "s {a}"), HumanMessage("x"), ("placeholder", "{h}")], name="p"
    ).pretty_print()
    titles = [line.strip("= ") for line in capsys.readouterr().out.splitlines() if line.startswith("=")]
    assert titles == ["System Message", "Human Message", "Messages Placeholder"]


def test_input_variables_are_accepted():
    assert ChatPromptTemplate(messages=["{a}"], input_variables=["a"], name="n").get_name() == "n"
