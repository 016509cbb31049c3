"""Arguments that the program gives, and no model is told of."""

import asyncio
import functools
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import pytest
from msgspec import Struct
from pydantic import BaseModel, ConfigDict

from millstream import (
    BaseTool,
    ConfigError,
    InjectedToolArg,
    RunnableLambda,
    StructuredTool,
    ToolInputError,
    convert_to_anthropic_tool,
    convert_to_openai_tool,
    tool,
)


class Store:
    """Something that no JSON can be read as."""

    def __init__(self, *books: str) -> None:
        self.books = books


class User(InjectedToolArg):
    """A mark of one's own."""


@tool(parse_docstring=True)
def find(
    words: str,
    store: Annotated[Store, InjectedToolArg],
    user: Annotated[str, User(), "who asks"] = "nobody",
    limit: Annotated[int, "at most"] = 2,
) -> list[str]:
    """Find books.

    Args:
        words: what for
        store: where
    """
    return [user, *[book for book in store.books if words in book][:limit]]


@tool
async def afind(words: str, store: Annotated[Store, InjectedToolArg]) -> list[str]:
    """Find books, later."""
    return [book for book in store.books if words in book]


@tool
def find_on(words: str, store: "Annotated[Store, InjectedToolArg]"):
    """Find books, one after the other."""
    yield from (book for book in store.books if words in book)


BOOKS = Store("rivers of Italy", "lamps", "rivers")


def test_a_model_is_told_nothing_of_them():
    assert find.args == {
        "words": {"type": "string", "description": "what for"},
        "limit": {"type": "integer", "description": "at most", "default": 2},
    }
    assert find.tool_call_schema["required"] == ["words"]
    for written in (find, find.func):
        shown = [str(convert_to_openai_tool(written)), str(convert_to_anthropic_tool(written))]
        assert not any(hidden in text for hidden in ("store", "user", "where") for text in shown)


@pytest.mark.parametrize("made", [find, afind], ids=lambda each: each.name)
def test_the_program_gives_them_with_the_others(made, colour):
    expected = ["rivers of Italy", "rivers"]
    given = {"words": "rivers", "store": BOOKS}
    assert colour.invoke(made, given)[-2:] == expected
    call = {"type": "tool_call", "name": made.name, "args": given, "id": "1"}
    assert colour.invoke(made, call).content[-2:] == expected
    assert colour.stream(made, given)[0][-2:] == expected


def test_the_program_binds_them(colour):
    bound = find.bind(store=BOOKS, user="eva")
    assert colour.invoke(bound, {"words": "lamps"}) == ["eva", "lamps"]
    assert colour.invoke(bound, "lamps") == ["eva", "lamps"]
    # A model that makes one up has no say.
    assert colour.invoke(bound, {"words": "lamps", "user": "admin", "store": "x"}) == ["eva", "lamps"]
    assert colour.stream(find_on.bind(store=BOOKS), "rivers") == ["rivers of Italy", "rivers"]


def test_they_are_the_same_object_and_defaults_stand(colour):
    marker: list[Any] = []

    @tool
    def same(word: str, into: Annotated[list[Any], InjectedToolArg] = marker) -> bool:
        """Look."""
        return into is marker

    assert colour.invoke(same, "x") is True
    assert colour.invoke(same, {"word": "x", "into": marker}) is True
    assert colour.invoke(same, {"word": "x", "into": list(marker)}) is False


def test_what_the_program_forgot_is_no_fault_of_the_models(colour):
    told = tool(find.func, handle_validation_error=True)
    with pytest.raises(ConfigError, match="The tool 'find' needs store, which the program gives"):
        colour.invoke(told, {"words": "x"})
    assert "words" in colour.invoke(told, {"store": BOOKS})


@dataclass
class DataArgs:
    words: str
    user: Annotated[str, InjectedToolArg]


class DictArgs(TypedDict):
    words: str
    user: Annotated[str, InjectedToolArg]


class StructArgs(Struct):
    words: str
    user: Annotated[str, InjectedToolArg]


class ModelArgs(BaseModel):
    words: str
    user: Annotated[str, InjectedToolArg]


class WithDefault(BaseModel):
    words: str
    user: Annotated[str, InjectedToolArg] | None = None


@pytest.mark.parametrize("kind", [DataArgs, DictArgs, StructArgs, ModelArgs], ids=lambda kind: kind.__name__)
def test_fields_of_a_schema(kind, colour):
    made = tool("t", args_schema=kind, description="d")(lambda words, user: f"{words} {user}")
    assert made.args == {"words": {"type": "string"}}
    assert made.tool_call_schema["required"] == ["words"]
    assert convert_to_openai_tool(kind)["function"]["parameters"]["required"] == ["words"]
    assert colour.invoke(made, {"words": "a", "user": "eva"}) == "a eva"
    assert colour.invoke(made.bind(user="eva"), "a") == "a eva"
    with pytest.raises(ConfigError, match="'t' needs user"):
        colour.invoke(made, {"words": "a"})
    with pytest.raises(ToolInputError, match="at user"):
        colour.invoke(made, {"words": "a", "user": 3})


def test_a_schema_that_does_not_know_of_them(colour):
    class Words(BaseModel):
        model_config = ConfigDict(extra="forbid")
        words: str

    def said(words: str, user: Annotated[str, InjectedToolArg]) -> str:
        return f"{words} {user}"

    for schema in (Words, {"type": "object", "properties": {"words": {"type": "string"}}}):
        made = tool("t", args_schema=schema, description="d")(said)
        assert list(made.args) == ["words"]
        assert colour.invoke(made, {"words": "a", "user": "eva"}) == "a eva"
    made = tool("t", args_schema=WithDefault, description="d")(lambda words, user: f"{words} {user}")
    assert (list(made.args), colour.invoke(made, "a")) == (["words"], "a None")


def test_in_a_class_and_beside_what_the_run_gives(colour):
    class Mine(BaseTool):
        name: str = "mine"
        description: str = "d"

        def _run(self, word: str, user: Annotated[str, InjectedToolArg], config: Any, **more: Any) -> Any:
            return word, user, config["tags"], more

    given = {"word": "a", "user": "eva", "other": 1, "config": {"tags": ["mine"]}}
    assert colour.invoke(Mine(), given, {"tags": ["t"]}) == ("a", "eva", ["t"], {"other": 1})


def test_watchers_are_not_shown_them():
    chain = (
        RunnableLambda(lambda words: {"words": words, "store": BOOKS, "user": "key-123"}, name="give") | find
    )
    shown = [
        event["data"].get("input")
        for event in chain.stream_events("lamps")
        if event["name"] == "find" and event["event"] != "on_tool_stream"
    ]
    assert shown == [{"words": "lamps"}, {"words": "lamps"}]


def test_what_a_partial_gives_is_hidden_and_stays(colour):
    def search(words: str, key: str, **more: Any) -> tuple[Any, ...]:
        return words, key, more

    made = tool("search", description="d")(functools.partial(search, key="key-123"))
    assert "key" not in str(made.tool_call_schema).replace("keys", "")
    assert colour.invoke(made, "a") == ("a", "key-123", {})
    assert colour.invoke(made, {"words": "a", "key": "guessed", "b": 1}) == ("a", "key-123", {"b": 1})
    made = tool("search", description="d")(functools.partial(search, "a", token="key-456"))
    given = {"words": "b", "key": "c", "token": "guessed"}
    assert colour.invoke(made, given) == ("a", "c", {"token": "key-456"})
    schema = {"type": "object", "properties": {"key": {"type": "string"}}}
    made = tool("search", description="d", args_schema=schema)(made.func)
    assert colour.invoke(made, given) == ("a", "c", {"token": "key-456"})


def test_many_arguments_by_the_name_of_what_the_run_gives(colour):
    made = tool("t", description="d")(lambda *callbacks, **config: (callbacks, config))
    assert colour.invoke(made, {"a": 1}) == ((), {"a": 1})


@pytest.mark.parametrize("name", ["config", "callbacks", "run_manager"])
def test_an_argument_by_the_name_of_what_the_run_gives(name):
    for hint in (str, "str", int | None, DataArgs, ModelArgs):

        def wrong(given: Any) -> None:
            """Doc."""

        wrong.__annotations__ = {"given": hint}
        renamed = _with_parameter(wrong, name, hint)
        with pytest.raises(ConfigError, match=rf"wrong has an argument '{name}' that is a .*otherwise"):
            StructuredTool.from_function(renamed)


def _with_parameter(function: Any, name: str, hint: Any) -> Any:
    import inspect

    parameter = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=hint)
    function.__signature__ = inspect.Signature([parameter])
    return function


def test_a_config_that_is_said_to_be_a_dict(colour):
    @tool
    def plain(word: str, config: dict[str, Any] | None = None) -> list[str]:
        """Doc."""
        assert config is not None
        return config["tags"]

    assert (list(plain.args), colour.invoke(plain, "x", {"tags": ["t"]})) == (["word"], ["t"])


def test_many_calls_at_once_each_have_their_own():
    async def main() -> list[Any]:
        stores = [Store(f"rivers {number}") for number in range(50)]
        return await asyncio.gather(*(afind.ainvoke({"words": "r", "store": each}) for each in stores))

    assert asyncio.run(main()) == [[f"rivers {number}"] for number in range(50)]
