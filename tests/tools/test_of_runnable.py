"""Tools that are made of runnables."""

from operator import itemgetter
from typing import Any, TypedDict

import pytest

from millstream import (
    BaseRetriever,
    ChatPromptTemplate,
    CoercionError,
    ConfigError,
    Document,
    PromptTemplate,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
    StrOutputParser,
    ToolInputError,
    tool,
)
from millstream.testing import FakeChatModel


class Trip(TypedDict):
    start: str
    days: int


class Options(TypedDict, total=False):
    unit: str


def plan(trip: Trip) -> str:
    """Plan a trip."""
    return f"{trip['days']} days from {trip['start']}"


@tool
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


def told() -> Any:
    prompt = ChatPromptTemplate.from_messages([("system", "Be {mood}."), ("human", "{question}")])
    return prompt | FakeChatModel([["It ", "is."]]) | StrOutputParser()


def test_a_chain_is_a_tool(colour):
    made = tool("ask", told(), description="Ask somebody.")
    assert (made.name, made.description) == ("ask", "Ask somebody.")
    assert made.args == {"mood": {"type": "string"}, "question": {"type": "string"}}
    args = {"mood": "kind", "question": "why?"}
    assert colour.invoke(made, args) == "It is."
    message = colour.invoke(made, {"type": "tool_call", "name": "ask", "args": args, "id": "7"})
    assert (message.content, message.tool_call_id) == ("It is.", "7")
    with pytest.raises(ToolInputError, match="question"):
        colour.invoke(made, {"mood": "kind"})


STEPS = {
    "prompt": (PromptTemplate.from_template("{a} {b}"), ["a", "b"]),
    "partial": (PromptTemplate.from_template("{a} {b}").partial(b="x"), ["a"]),
    "parallel": (RunnableParallel(x=itemgetter("a"), y=RunnablePick(["b", "c"])), ["a", "b", "c"]),
    "assign": (
        RunnablePassthrough.assign(c=itemgetter("a")) | PromptTemplate.from_template("{b} {c}"),
        ["a", "b"],
    ),
    "sequence": (RunnablePick("a") | str, ["a"]),
    "dict": ({"a": itemgetter("b")} | PromptTemplate.from_template("{a}"), ["b"]),
    "retry": (told().with_retry(), ["mood", "question"]),
    "fallbacks": (told().with_fallbacks([told()]), ["mood", "question"]),
    "binding": (told().with_config(tags=["x"]), ["mood", "question"]),
    "tool before a step": (add | str, ["a", "b"]),
}


@pytest.mark.parametrize("kind", STEPS)
def test_what_it_takes_is_what_its_steps_say(kind):
    step, names = STEPS[kind]
    assert sorted(tool("t", step, description="d").args) == names


def test_a_retriever_behind_the_text_that_it_takes(colour):
    class Upper(BaseRetriever):
        def _get_relevant_documents(self, query: str) -> list[Document]:
            return [Document(query.upper())]

    made = tool("search", itemgetter("query") | Upper(), description="Search.")
    assert list(made.args) == ["query"]
    assert colour.invoke(made, "rivers") == [Document("RIVERS")]


def test_a_function_of_a_typed_dict(colour):
    made = tool("plan", RunnableLambda(plan))
    assert (made.description, list(made.args)) == ("Plan a trip.", ["start", "days"])
    assert colour.invoke(made, {"start": "Rome", "days": "3"}) == "3 days from Rome"

    def optional(options: Options) -> list[str]:
        return sorted(options)

    made = tool("t", RunnableLambda(optional), description="d")
    assert "required" not in made.tool_call_schema
    assert colour.invoke(made, {}) == []


def test_a_tool_is_a_runnable(colour):
    made = tool("plus", add)
    assert (made.name, made.description, made.args) == ("plus", "Add two numbers.", add.args)
    assert colour.invoke(made, {"a": "1"}) == 3
    bound = tool("plus_9", add.bind(b=9))
    assert (list(bound.args), colour.invoke(bound, "1")) == (["a"], 10)


def test_a_schema_that_is_given_counts(colour):
    made = tool("t", RunnableLambda(dict), description="d", args_schema=Trip)
    assert colour.invoke(made, {"start": "Rome", "days": "3", "x": 1}) == {"start": "Rome", "days": 3}


def test_its_run_is_inside_the_tools():
    made = tool("ask", told(), description="d")
    events = list(made.stream_events({"mood": "kind", "question": "why?"}))
    names = [event["name"] for event in events if event["event"].endswith("_start")]
    assert names == ["ask", "RunnableSequence", "ChatPromptTemplate", "FakeChatModel", "StrOutputParser"]
    assert [len(event["parent_ids"]) for event in events if event["event"] == "on_chat_model_start"] == [2]


def test_the_forms():
    chain = told()
    assert tool("ask", description="d")(chain).name == "ask"
    assert tool(description="d")(chain.with_config(run_name="x")).name == "RunnableSequence"
    assert tool("twice", lambda n: 2 * n, description="d").invoke({"n": 2}) == 4
    with pytest.raises(ConfigError, match="'ask' has no description"):
        tool("ask", chain)
    with pytest.raises(ConfigError, match="What the tool 'f' takes is not known: .*args_schema"):
        tool("f", RunnableLambda(lambda x: x), description="d")
    with pytest.raises(CoercionError, match=r"tool\('name', runnable\)"):
        tool(add, chain)
    with pytest.raises(CoercionError, match="of a function, not of 3"):
        tool("t", 3)
