import pytest

from millstream.errors import InputError, PromptInputError, TemplateError
from millstream.messages import AIMessage, ChatMessage, ChatPromptValue, HumanMessage, SystemMessage
from millstream.prompts import (
    AIMessagePromptTemplate,
    ChatMessagePromptTemplate,
    ChatPromptTemplate,
    HumanMessagePromptTemplate,
    MessagesPlaceholder,
    PromptTemplate,
    SystemMessagePromptTemplate,
)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (HumanMessagePromptTemplate.from_template("a {x}"), HumanMessage("a 1")),
        (AIMessagePromptTemplate.from_template("a {x}"), AIMessage("a 1")),
        (SystemMessagePromptTemplate.from_template("a {{x}}", "mustache"), SystemMessage("a 1")),
        (HumanMessagePromptTemplate(prompt=PromptTemplate.from_template("a {x}")), HumanMessage("a 1")),
        (ChatMessagePromptTemplate.from_template("a {x}", role="r"), ChatMessage("a 1", role="r")),
        (
            HumanMessagePromptTemplate.from_template("a {x}", additional_kwargs={"k": 1}),
            HumanMessage("a 1", additional_kwargs={"k": 1}),
        ),
    ],
)
def test_a_template_becomes_its_message(template, message):
    assert template.input_variables == ["x"]
    assert template.format(x=1) == message
    assert template.format_messages(x=1) == [message]


def test_a_missing_variable_is_named():
    with pytest.raises(PromptInputError) as caught:
        HumanMessagePromptTemplate.from_template("{a} {b}").format(a=1)
    assert caught.value.missing == ["b"]


def test_partials_of_one_message():
    template = HumanMessagePromptTemplate.from_template("{a} {b}", partial_variables={"a": lambda: 1})
    assert template.input_variables == ["b"]
    assert template.format(b=2) == HumanMessage("1 2")
    prompt = PromptTemplate.from_template("{a} {b}").partial(a=1)
    assert ChatPromptTemplate([HumanMessagePromptTemplate(prompt)]).invoke(2).to_string() == "Human: 1 2"


def test_blocks():
    template = HumanMessagePromptTemplate.from_template(
        [
            "plain {a}",
            {"type": "text", "text": "typed {a}"},
            {"type": "text", "text": "{empty}"},
            {"type": "image_url", "image_url": "data:image/png;base64,{image}"},
            {"type": "image_url", "image_url": {"url": "{image}", "detail": "{detail}"}},
            {"type": "text", "text": "{a}", "cache_control": {"type": "ephemeral"}},
            {"type": "file", "n": 3, "deep": [{"x": "{a}"}, "{a}", None]},
        ]
    )
    assert template.input_variables == ["a", "detail", "empty", "image"]
    assert template.format(a=1, image="i", detail="low", empty="").content == [
        {"type": "text", "text": "plain 1"},
        {"type": "text", "text": "typed 1"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,i"}},
        {"type": "image_url", "image_url": {"url": "i", "detail": "low"}},
        {"type": "text", "text": "1", "cache_control": {"type": "ephemeral"}},
        {"type": "file", "n": 3, "deep": [{"x": "1"}, "1", None]},
    ]


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "image_url", "image_url": {"path": "/etc/passwd"}}],
        [{"type": "image_url", "image_url": {"url": "u", "path": "{p}"}}],
        [{"type": "text", "text": "{a.b}"}],
        [{"type": "file", "deep": [{"x": "{a[0]}"}]}],
        [3],
        3,
    ],
)
def test_blocks_that_are_refused(blocks):
    with pytest.raises(TemplateError):
        HumanMessagePromptTemplate.from_template(blocks)


def test_filled_messages_share_nothing_with_the_template():
    template = HumanMessagePromptTemplate.from_template("x", additional_kwargs={"k": 1})
    template.format().additional_kwargs["k"] = 2
    assert template.format().additional_kwargs == {"k": 1}


def test_a_placeholder_takes_messages_in_any_form():
    place = MessagesPlaceholder("history")
    given = [("human", "a"), AIMessage("b"), {"role": "user", "content": "c"}]
    assert place.format_messages(history=given) == [HumanMessage("a"), AIMessage("b"), HumanMessage("c")]
    assert place.format_messages(history=ChatPromptValue([AIMessage("b")])) == [AIMessage("b")]
    assert MessagesPlaceholder("history", n_messages=2).format_messages(history=given)[0] == AIMessage("b")


def test_an_optional_placeholder_may_be_left_out():
    place = MessagesPlaceholder("history", optional=True)
    assert place.input_variables == []
    assert place.format_messages() == []
    assert place.format_messages(history=["a"]) == [HumanMessage("a")]
    with pytest.raises(PromptInputError):
        MessagesPlaceholder("history").format_messages()


@pytest.mark.parametrize("value", ["text", {"role": "user", "content": "x"}, 3, None])
def test_a_placeholder_refuses_what_is_no_list(value):
    with pytest.raises(InputError):
        MessagesPlaceholder("history").format_messages(history=value)


def test_n_messages_is_at_least_one():
    with pytest.raises(TemplateError):
        MessagesPlaceholder("history", n_messages=0)


def test_templates_add_up_to_a_chat_prompt(capsys):
    prompt = SystemMessagePromptTemplate.from_template("s {a}") + MessagesPlaceholder("h") + "q {b}"
    assert prompt.input_variables == ["a", "b", "h"]
    assert repr(prompt[:2]) == (
        "ChatPromptTemplate([SystemMessagePromptTemplate('s {a}'), MessagesPlaceholder('h')])"
    )
    prompt.messages[0].pretty_print()
    assert capsys.readouterr().out.endswith(" System Message ================================\n\ns {a}\n")
