"""Prompts and the text parser beside langchain-core's: the same templates and values to both."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core import messages as their_messages
from langchain_core import output_parsers as their_parsers
from langchain_core import prompts as theirs

from millstream import messages as our_messages
from millstream import output_parsers as our_parsers
from millstream import prompts as ours
from millstream.errors import InputError, PromptInputError, TemplateError

VALUES: dict[str, Any] = {
    "a": "A",
    "b": 2,
    "h": [("human", "q"), {"role": "ai", "content": "r"}],
    "o": ["s"],
    "u": "http://x/y.png",
    "empty": "",
}


def messages_of(value: Any) -> list[dict[str, Any]]:
    to_dict = (
        our_messages.message_to_dict
        if type(value).__module__.startswith("mill")
        else their_messages.message_to_dict
    )
    return [to_dict(message) for message in value.to_messages()]


def chats(parts: Any) -> list[list[Any]]:
    """The parts of a chat prompt; a function of a library's modules makes those that are objects."""
    return [
        [part(prompts, messages) if callable(part) else part for part in parts]
        for prompts, messages in ((ours, our_messages), (theirs, their_messages))
    ]


CHATS: list[list[Any]] = [
    [("system", "s {a}"), ("human", "{b} {{a}}")],
    [("user", "{a}"), ("assistant", "{b!r:>3}"), "bare {a}"],
    [{"role": "human", "content": "{a}"}],
    [("system", "x"), ("placeholder", "{h}"), ("placeholder", "{missing}"), ("placeholder", ["{o}", False])],
    [
        lambda p, m: p.MessagesPlaceholder("h", n_messages=1),
        lambda p, m: p.MessagesPlaceholder("no", optional=True),
    ],
    [lambda p, m: m.AIMessage("literal {a}"), lambda p, m: (m.HumanMessage, "{a}")],
    [lambda p, m: p.SystemMessagePromptTemplate.from_template("{a}")],
    [lambda p, m: p.HumanMessagePromptTemplate.from_template("{{a}}{{{b}}}", template_format="mustache")],
    [lambda p, m: p.ChatMessagePromptTemplate.from_template("{a}", role="critic")],
    [lambda p, m: p.ChatPromptTemplate.from_messages([("ai", "{a}"), ("human", "nested {b}")])],
    [
        (
            "human",
            [
                "{a}",
                {"type": "text", "text": "{b}"},
                {"type": "text", "text": "{empty}"},
                {"type": "image_url", "image_url": "{u}"},
                {"type": "image_url", "image_url": {"url": "{u}", "detail": "low"}},
                {"type": "text", "text": "{a}", "cache_control": {"type": "{b}"}},
            ],
        )
    ],
]


@pytest.mark.parametrize("parts", CHATS)
def test_chat_prompts(parts):
    mine, peer = (
        prompts.ChatPromptTemplate.from_messages(made)
        for prompts, made in zip((ours, theirs), chats(parts), strict=True)
    )
    assert sorted(mine.input_variables) == sorted(peer.input_variables)
    assert mine.optional_variables == peer.optional_variables
    assert messages_of(mine.invoke(VALUES)) == messages_of(peer.invoke(VALUES))
    assert mine.format(**VALUES) == peer.format(**VALUES)
    assert mine.invoke(VALUES).to_string() == peer.invoke(VALUES).to_string()


@pytest.mark.parametrize("parts", [*CHATS[:4], CHATS[6], [("human", ["{a}", {"text": "b"}])]])
def test_chat_prompts_print_the_same(parts):
    mine, peer = (
        prompts.ChatPromptTemplate.from_messages(made).pretty_repr()
        for prompts, made in zip((ours, theirs), chats([p for p in parts if "!r" not in str(p)]), strict=True)
    )
    assert mine == peer


@pytest.mark.parametrize(
    ("template", "form", "values"),
    [
        ("{a} {b:>5} {{c}} {b!r}", "f-string", {"a": 1, "b": "x"}),
        ("", "f-string", {}),
        ("{{a}} {{{a}}} {{&a}}", "mustache", {"a": "<&>\"'"}),
        ("{{#l}}<{{x}}{{y}}>{{/l}}{{^l}}none{{/l}}", "mustache", {"l": [{"x": 1}, {"x": 2}], "y": 3}),
        ("{{#l}}{{.}},{{/l}}{{^n}}none{{/n}}", "mustache", {"l": ["a", "b"], "n": []}),
        (
            "{{a.b.c}}{{l.1}}{{z}}{{f}}{{n}}",
            "mustache",
            {"a": {"b": {"c": 1}}, "l": "x", "z": 0, "f": False, "n": None},
        ),
        ("{{l.1.x}}", "mustache", {"l": ["a", {"x": 1}]}),
        ("1\n {{#s}} \n2 {{x}}\n{{/s}}\n{{! c }}\n3", "mustache", {"s": {"x": 1}}),
        ("{{#s}}{{.}}{{/s}} {{#t}}t{{/t}}", "mustache", {"s": "text", "t": True}),
    ],
)
def test_text_prompts(template, form, values):
    mine = ours.PromptTemplate.from_template(template, template_format=form)
    peer = theirs.PromptTemplate.from_template(template, template_format=form)
    assert sorted(mine.input_variables) == sorted(peer.input_variables)
    assert mine.format(**values) == peer.format(**values)
    assert mine.invoke(values).to_string() == peer.invoke(values).to_string()
    assert messages_of(mine.invoke(values)) == messages_of(peer.invoke(values))


@given(st.text("{}{}ab .[]!:0r", max_size=12))
def test_f_strings_that_both_take_give_the_same(template):
    # Which templates are refused differs (ours at construction, and more of them).
    try:
        prompt = ours.PromptTemplate.from_template(template)
        text = prompt.format(**dict.fromkeys(prompt.input_variables, "v"))
    except (TemplateError, ValueError):
        return
    peer = theirs.PromptTemplate.from_template(template)
    assert text == peer.format(**dict.fromkeys(prompt.input_variables, "v"))


@given(
    st.lists(
        st.sampled_from(
            ["{{a}}", "{{#s}}", "{{/s}}", "{{^t}}", "{{/t}}", "{{&a}}", "{{!c}}", "x", " ", "\n"]
        ),
        max_size=9,
    )
)
def test_mustache_that_both_take_gives_the_same(parts):
    template = "".join(parts) + "\nend"
    try:
        text = ours.PromptTemplate.from_template(template, template_format="mustache").format(
            a="<", s=[{"a": 1}, {"b": 2}], t=False
        )
    except TemplateError:
        return
    peer = theirs.PromptTemplate.from_template(template, template_format="mustache")
    assert text == peer.format(a="<", s=[{"a": 1}, {"b": 2}], t=False)


@pytest.mark.parametrize(
    "template", ["{a.b}", "{a[0]}", "{0}", "{a:{b}}", "{a.__class__}", "{a", "a}", "{{#s}}", "{{/s}}"]
)
def test_templates_that_both_refuse(template):
    form: Any = "mustache" if template.startswith("{{") else "f-string"
    for prompts, error in ((ours, TemplateError), (theirs, (ValueError, SyntaxError))):
        with pytest.raises(error):
            prompts.PromptTemplate.from_template(template, template_format=form)


def test_partials():
    mine, peer = (
        prompts.ChatPromptTemplate.from_messages([("system", "{a} {b}"), ("human", "{c}")]).partial(
            a=1, b=lambda: 2
        )
        for prompts in (ours, theirs)
    )
    assert mine.input_variables == peer.input_variables == ["c"]
    assert messages_of(mine.invoke("x")) == messages_of(peer.invoke("x"))
    assert messages_of(mine.invoke({"c": 3, "a": 4})) == messages_of(peer.invoke({"c": 3, "a": 4}))


def test_adding():
    mine, peer = (
        prompts.ChatPromptTemplate.from_messages([("system", "{a}")])
        + messages.AIMessage("x")
        + prompts.ChatPromptTemplate.from_template("{b}")
        + "{c}"
        + [("ai", "{d}")]
        for prompts, messages in ((ours, our_messages), (theirs, their_messages))
    )
    values = {"a": 1, "b": 2, "c": 3, "d": 4}
    assert messages_of(mine.invoke(values)) == messages_of(peer.invoke(values))


def test_errors_that_both_raise():
    for prompts in (ours, theirs):
        prompt = prompts.ChatPromptTemplate.from_template("{a} {b}")
        with pytest.raises(KeyError):
            prompt.invoke({"a": 1})
        with pytest.raises(TypeError):
            prompt.invoke("x")


@pytest.mark.parametrize("content", ["hi", "", ["a", {"type": "text", "text": "b"}, {"type": "image_url"}]])
def test_the_text_parser(content):
    mine, peer = our_parsers.StrOutputParser(), their_parsers.StrOutputParser()
    assert mine.invoke(our_messages.AIMessage(content)) == peer.invoke(their_messages.AIMessage(content))
    assert mine.invoke("text") == peer.invoke("text")


def test_the_text_parser_streams_one_for_one():
    contents = ["a", "", [{"type": "text", "text": "b"}], ""]
    mine = our_parsers.StrOutputParser().transform(
        [
            our_messages.AIMessageChunk(c, chunk_position="last" if n == 3 else None)
            for n, c in enumerate(contents)
        ]
    )
    peer = their_parsers.StrOutputParser().transform(
        iter(
            their_messages.AIMessageChunk(content=c, chunk_position="last" if n == 3 else None)
            for n, c in enumerate(contents)
        )
    )
    assert list(mine) == list(peer) == ["a", "", "b", ""]


# --- what is different, and meant to be -----------------------------------------------------------------


@pytest.mark.differs("templates-refused-when-they-are-read")
@pytest.mark.parametrize("template", ["{}", "{:>3}", "{ a }", '{"key": 1}', "{a!x}"])
def test_difference_templates_refused_when_they_are_read(template):
    with pytest.raises(TemplateError):
        ours.PromptTemplate.from_template(template)
    theirs.PromptTemplate.from_template(template)


@pytest.mark.differs("append-adds-variables")
def test_difference_append_adds_variables():
    mine, peer = (prompts.ChatPromptTemplate.from_messages(["{a}"]) for prompts in (ours, theirs))
    mine.append("{b}")
    peer.append("{b}")
    assert mine.input_variables == ["a", "b"]
    assert peer.input_variables == ["a"]


@pytest.mark.differs("format-names-what-is-missing")
def test_difference_format_names_what_is_missing():
    for prompt in (ours.PromptTemplate.from_template("{a}"), ours.ChatPromptTemplate.from_template("{a}")):
        with pytest.raises(PromptInputError) as caught:
            prompt.format(b=1)
        assert (caught.value.missing, caught.value.given) == (["a"], ["b"])
    with pytest.raises(KeyError, match="'a'"):
        theirs.ChatPromptTemplate.from_template("{a}").format(b=1)


@pytest.mark.differs("mustache-variables-must-be-given")
def test_difference_mustache_variables_must_be_given():
    with pytest.raises(PromptInputError):
        ours.PromptTemplate.from_template("x{{a}}", template_format="mustache").format()
    assert theirs.PromptTemplate.from_template("x{{a}}", template_format="mustache").format() == "x"


@pytest.mark.differs("falsy-items-of-a-mustache-list")
def test_difference_falsy_items_of_a_mustache_list():
    template, values = "{{#l}}<{{.}}>{{/l}}", {"l": ["a", 0, ""]}
    mine = ours.PromptTemplate.from_template(template, template_format="mustache")
    peer = theirs.PromptTemplate.from_template(template, template_format="mustache")
    assert mine.format(**values) == "<a><0><>"
    assert peer.format(**values) == "<a>"


@pytest.mark.differs("mustache-partials-and-delimiters")
@pytest.mark.parametrize(("template", "text"), [("a{{> part}}b", "ab"), ("{{=<% %>=}}<%a%>", "1")])
def test_difference_mustache_partials_and_delimiters(template, text):
    with pytest.raises(TemplateError):
        ours.PromptTemplate.from_template(template, template_format="mustache")
    assert theirs.PromptTemplate.from_template(template, template_format="mustache").format(a=1) == text


@pytest.mark.differs("mustache-spaces-after-a-last-tag")
def test_difference_mustache_spaces_after_a_last_tag():
    template = "{{! c }}  "
    mine = ours.PromptTemplate.from_template(template, template_format="mustache")
    peer = theirs.PromptTemplate.from_template(template, template_format="mustache")
    assert (mine.format(), peer.format()) == ("", "  ")


@pytest.mark.differs("mustache-lambdas")
def test_difference_mustache_lambdas():
    template, values = "{{#f}}x{{/f}}", {"f": lambda text, render: "called"}
    mine = ours.PromptTemplate.from_template(template, template_format="mustache")
    peer = theirs.PromptTemplate.from_template(template, template_format="mustache")
    assert (mine.format(**values), peer.format(**values)) == ("x", "called")


@pytest.mark.differs("jinja2")
def test_difference_jinja2():
    with pytest.raises(TemplateError, match="jinja2"):
        ours.PromptTemplate.from_template("x", template_format="jinja2")  # type: ignore[arg-type]


@pytest.mark.differs("a-placeholder-takes-tuples-and-prompt-values")
def test_difference_a_placeholder_takes_tuples_and_prompt_values():
    given = (("human", "a"), ("ai", "b"))
    assert len(ours.MessagesPlaceholder("h").format_messages(h=given)) == 2
    assert len(ours.MessagesPlaceholder("h").format_messages(h=our_messages.StringPromptValue("a"))) == 1
    with pytest.raises(ValueError, match="should be a list"):
        theirs.MessagesPlaceholder("h").format_messages(h=given)


@pytest.mark.differs("a-variable-named-stop")
def test_difference_a_variable_named_stop():
    assert ours.PromptTemplate.from_template("{stop}").format(stop="x") == "x"
    with pytest.raises(ValueError, match="stop"):
        theirs.PromptTemplate.from_template("{stop}")


@pytest.mark.differs("the-format-of-the-prompt-holds-for-what-is-appended")
def test_difference_the_format_of_the_prompt_holds_for_what_is_appended():
    mine, peer = (prompts.ChatPromptTemplate([], template_format="mustache") for prompts in (ours, theirs))
    for prompt in (mine, peer):
        prompt.append(("human", "{{a}}"))
    assert mine.format_messages(a=1)[0].content == "1"
    assert peer.format_messages(a=1)[0].content == "{a}"


@pytest.mark.differs("the-parser-refuses-other-things")
def test_difference_the_parser_refuses_other_things():
    with pytest.raises(InputError):
        our_parsers.StrOutputParser().invoke(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="text"):
        their_parsers.StrOutputParser().invoke(3)  # type: ignore[arg-type]


@pytest.mark.differs("prompts-printed-with-a-format-spec")
def test_difference_prompts_printed_with_a_format_spec():
    assert ours.PromptTemplate.from_template("{a:.2f}").pretty_repr() == "{a:.2f}"
    with pytest.raises(ValueError, match="format code"):
        theirs.PromptTemplate.from_template("{a:.2f}").pretty_repr()
