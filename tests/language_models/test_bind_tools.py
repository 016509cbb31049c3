"""Chat models that are given tools: what reaches the model, and what comes of its calls."""

import threading
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool as peers_tool

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseChatModel,
    ConfigError,
    HumanMessage,
    RunnableLambda,
    StrOutputParser,
    ToolMessage,
    tool,
)
from millstream.runnables import RunnableBinding
from millstream.testing import Asked, FakeChatModel
from tests.conftest import Colour


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Film(pydantic.BaseModel):
    """A film."""

    title: str
    year: int


class FilmDict(TypedDict):
    """A film."""

    title: str


class FilmStruct(msgspec.Struct):
    """A film."""

    title: str


OPENAI = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "strict": True,
    },
}
ANTHROPIC = {
    "name": "add",
    "description": "Add two numbers.",
    "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "cache_control": {"type": "ephemeral"},
}
SERVERS = {"type": "web_search"}


def asked(model: FakeChatModel) -> dict[str, Any]:
    """The keywords of the model's one call."""
    [request] = model.requests
    return request.kwargs


def called(*pieces: str | None, name: str = "add", call_id: str = "c1") -> list[AIMessageChunk]:
    """An answer that is a call, in pieces of its arguments."""
    first = {"name": name, "args": "", "id": call_id, "index": 0}
    rest = [{"name": None, "args": piece, "id": None, "index": 0} for piece in pieces]
    return [AIMessageChunk("", tool_call_chunks=[each]) for each in [first, *rest]]


@pytest.mark.parametrize("kind", [add, Film, FilmDict])
def test_the_model_is_told_of_a_tool_as_by_langchain(colour: Colour, kind: Any) -> None:
    model = FakeChatModel(["no"])
    colour.invoke(model.bind_tools([kind]), "2 and 3?")
    assert asked(model) == {"tools": [peers_tool(kind)]}


def test_tools_of_all_kinds(colour: Colour) -> None:
    model = FakeChatModel(["no"])
    colour.stream(model.bind_tools([tool(add), FilmStruct, Film]), "2 and 3?")
    told = asked(model)["tools"]
    assert [each["function"]["name"] for each in told] == ["add", "FilmStruct", "Film"]
    assert told[0] == peers_tool(add)
    assert told[1]["function"]["parameters"]["required"] == ["title"]


@pytest.mark.parametrize("given", [OPENAI, ANTHROPIC, SERVERS])
def test_a_dict_reaches_the_model_as_it_is(colour: Colour, given: Any) -> None:
    model = FakeChatModel(["no"])
    colour.invoke(model.bind_tools([given]), "2 and 3?")
    assert asked(model) == {"tools": [given]}


@pytest.mark.parametrize("choice", ["auto", "any", "required", "none", "add", True, False, {"type": "any"}])
def test_a_choice_and_further_keywords_reach_the_model(colour: Colour, choice: Any) -> None:
    model = FakeChatModel(["no"])
    bound = model.bind_tools([add], tool_choice=choice, parallel_tool_calls=False, strict=True)
    colour.invoke(bound, "2 and 3?", temperature=0)
    assert asked(model) == {
        "tools": [peers_tool(add)],
        "tool_choice": choice,
        "parallel_tool_calls": False,
        "strict": True,
        "temperature": 0,
    }


def test_no_tools_at_all() -> None:
    model = FakeChatModel(["no"])
    model.bind_tools([]).invoke("?")
    assert asked(model) == {"tools": []}


@pytest.mark.parametrize("wrong", [3, None, "add", {"properties": {}}, {}, [add]])
def test_what_is_no_tool_is_refused_when_it_is_bound(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        FakeChatModel(["no"]).bind_tools([add, wrong])


def test_what_is_bound_stays(colour: Colour) -> None:
    model, told = FakeChatModel(["no"]), []
    bound = (
        model.bind(stop=["x"], tool_choice="none")
        .with_config(tags=["t"])
        .with_listeners(on_end=lambda run: told.append(run.tags))
        .bind_tools([add], tool_choice="any")
        .bind(seed=1)
    )
    assert isinstance(bound, RunnableBinding)
    assert bound.bound is model
    colour.invoke(bound, "2 and 3?")
    assert asked(model).keys() == {"stop", "tools", "tool_choice", "seed"}
    assert asked(model)["tool_choice"] == "any"
    assert told == [["t"]]


def test_what_is_no_model_has_no_tools() -> None:
    with pytest.raises(AttributeError, match="bind_tools"):
        RunnableLambda(len).bind(a=1).bind_tools([add])


def test_the_calls_of_an_answer(colour: Colour) -> None:
    model = FakeChatModel([called('{"a": 2', ', "b": 3}')])
    bound = model.bind_tools([add])
    answer = colour.invoke(bound, "2 and 3?")
    assert answer.text == ""
    assert answer.tool_calls == [{"name": "add", "args": {"a": 2, "b": 3}, "id": "c1"}]
    seen = []
    total = None
    for chunk in colour.stream(bound, "2 and 3?"):
        total = chunk if total is None else total + chunk
        seen.append(total.tool_calls[0].args)
    assert seen == [{}, {"a": 2}, {"a": 2, "b": 3}, {"a": 2, "b": 3}]


def test_a_call_its_result_and_the_answer(colour: Colour) -> None:
    model = FakeChatModel([called('{"a": 2, "b": 3}'), "It is 5."])
    bound = model.bind_tools([add], tool_choice="any")
    messages: list[Any] = [HumanMessage("2 and 3?")]
    messages.append(colour.invoke(bound, messages))
    messages += [tool(add).invoke(call) for call in messages[-1].tool_calls]
    assert colour.invoke(bound | StrOutputParser(), messages, tool_choice="none") == "It is 5."
    first, second = model.requests
    assert [type(message) for message in second.messages] == [HumanMessage, AIMessage, ToolMessage]
    assert second.messages[-1].content == "5"
    assert (first.kwargs["tool_choice"], second.kwargs["tool_choice"]) == ("any", "none")


def test_a_model_of_ones_own_gets_the_tools(colour: Colour) -> None:
    class Own(BaseChatModel):
        def _stream(self, messages: Any, tools: Any = (), **kwargs: Any) -> Any:
            yield ", ".join(each["function"]["name"] for each in tools)

    assert colour.invoke(Own().bind_tools([add, Film]), "?").text == "add, Film"


def test_a_fake_model_notes_what_it_was_asked_in_many_threads_at_once() -> None:
    model = FakeChatModel(["a", "b"])
    ready = threading.Barrier(8)

    def ask(number: int) -> None:
        ready.wait()
        for _ in range(50):
            model.invoke(str(number), seed=number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(model.requests) == 400
    assert all(messages[0].text == str(kwargs["seed"]) for messages, kwargs in model.requests)
    assert isinstance(model.requests[0], Asked)


def test_a_fake_model_that_was_not_asked() -> None:
    model = FakeChatModel(["a"])
    model.stream("never read")
    assert model.requests == []
