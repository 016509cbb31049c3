"""Answers of a given schema by way of a tool call, and in JSON mode."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest

from millstream import (
    AIMessage,
    AIMessageChunk,
    BaseChatModel,
    ConfigError,
    InputError,
    OutputParserException,
)
from millstream.language_models.structured import answer_tool, schema_and_parser
from millstream.messages import merge_chunks
from millstream.testing import FakeChatModel
from tests.conftest import Colour

TEXT = '{"title": "Ran", "year": 1985}'
PIECES = ['{"title": "R', 'an", "year"', ": 1985", "}"]


class Film(pydantic.BaseModel):
    """A film."""

    title: str
    year: int


class Struct(msgspec.Struct):
    title: str
    year: int


@dataclass
class Data:
    title: str
    year: int


class Typed(TypedDict):
    title: str
    year: int


SCHEMA = {
    "title": "film",
    "description": "A film.",
    "type": "object",
    "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["title", "year"],
}


def fragment(args: str | None, index: int | None = 0, **more: Any) -> AIMessageChunk:
    return AIMessageChunk(
        "", tool_call_chunks=[{"name": None, "args": args, "id": None, "index": index, **more}]
    )


def called(pieces: Sequence[str] = PIECES) -> list[AIMessageChunk]:
    """An answer that is one call, as OpenAI's wire sends it."""
    return [fragment("", name="Film", id="c1"), *[fragment(piece) for piece in pieces]]


def by_call(answer: Any, schema: Any = Film, **kwargs: Any) -> Any:
    return FakeChatModel([answer]).with_structured_output(schema, method="function_calling", **kwargs)


@pytest.mark.parametrize("kind", [Film, Struct, Data])
def test_objects_fill_from_the_arguments_of_a_call(colour: Colour, kind: Any) -> None:
    model = by_call(called(), kind)
    *partial, last = colour.stream(model, "Ran?")
    assert [(item.title, item.year) for item in partial] == [("R", None), ("Ran", None), ("Ran", 1985)]
    assert all(type(item) is kind for item in partial)
    assert last == kind(title="Ran", year=1985) == colour.invoke(model, "Ran?")


@pytest.mark.parametrize("kind", [Typed, SCHEMA])
def test_dicts_fill_from_the_arguments_of_a_call(colour: Colour, kind: Any) -> None:
    model = by_call(called(), kind)
    whole = {"title": "Ran", "year": 1985}
    assert colour.stream(model, "Ran?")[:3] == [{"title": "R"}, {"title": "Ran"}, whole]
    assert colour.stream(model, "Ran?")[-1] == whole == colour.invoke(model, "Ran?")


@pytest.mark.parametrize("cut", range(1, len(TEXT)))
def test_however_the_arguments_are_cut(cut: int) -> None:
    model = by_call(called([TEXT[:cut], TEXT[cut:]]), Struct)
    assert list(model.stream("Ran?"))[-1] == Struct("Ran", 1985) == model.invoke("Ran?")


def test_the_model_is_given_the_schema_as_its_only_tool() -> None:
    model = FakeChatModel([called()])
    model.with_structured_output(Film, method="function_calling", strict=True, seed=1).invoke("Ran?")
    [tool] = model.requests[0].kwargs["tools"]
    assert tool["function"]["name"] == "Film"
    assert tool["function"]["description"] == "A film."
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
        "required": ["title", "year"],
    }
    others = {key: value for key, value in model.requests[0].kwargs.items() if key != "tools"}
    assert others == {"tool_choice": "Film", "parallel_tool_calls": False, "strict": True, "seed": 1}


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (Struct, "Struct"),
        (SCHEMA, "film"),
        ({"name": "country", "description": "One.", "parameters": SCHEMA}, "country"),
        ({"type": "function", "function": {"name": "country", "parameters": SCHEMA}}, "country"),
        ({"type": "object", "properties": {}}, "answer"),
        ({"type": "object", "title": "a film/ä" + "x" * 99}, "a_film__" + "x" * 56),
    ],
)
def test_the_name_of_the_tool(schema: Any, name: str) -> None:
    asked = answer_tool(schema_and_parser(schema)[0])
    assert asked["tool_choice"] == asked["tools"][0]["function"]["name"] == name


def test_the_schema_of_a_type_that_holds_others_and_itself_is_whole() -> None:
    class Person(msgspec.Struct):
        name: str

    schema, _ = schema_and_parser(msgspec.defstruct("Cast", [("people", list[Person])]))
    assert "$ref" not in str(schema)
    schema, _ = schema_and_parser(Tree)
    assert (schema["title"], schema["type"], set(schema["$defs"])) == ("Tree", "object", {"Tree"})


class Tree(msgspec.Struct):
    branches: "list[Tree]"


def test_what_is_no_object_is_no_tool() -> None:
    with pytest.raises(ConfigError, match=r"an object, and not of type 'array'.*json_schema"):
        by_call([], list[Struct])
    assert FakeChatModel(["[]"]).with_structured_output(list[Struct]).invoke("?") == []


@pytest.mark.parametrize(
    "answer",
    [
        [fragment(TEXT, name="Film", id="c1")],
        [fragment(TEXT[:9], None, name="Film"), fragment(TEXT[9:], None)],
        [AIMessageChunk("", tool_calls=[{"name": "Film", "args": msgspec.json.decode(TEXT), "id": None}])],
        [AIMessageChunk("Well: "), *called(), AIMessageChunk("There.")],
        [*called(), fragment('{"title": "Ikiru"}', 1, name="Film", id="c2")],
        [*called()[:2], fragment('{"tit', 1, name="Film", id="c2"), *called()[2:], fragment("le", 1)],
        [*called()[:2], AIMessageChunk([{"type": "thinking", "thinking": "{"}]), *called()[2:]],
    ],
    ids=["whole", "no index", "made", "words beside", "two calls", "two at once", "thoughts between"],
)
def test_the_first_call_is_the_answer(colour: Colour, answer: Any) -> None:
    model = by_call(answer)
    assert colour.stream(model, "?")[-1] == Film(title="Ran", year=1985) == colour.invoke(model, "?")


def test_a_model_that_answers_whole(colour: Colour) -> None:
    class Whole(BaseChatModel):
        def _structured(self, json_schema: Any, strict: Any) -> Any:
            return {"function_calling": answer_tool(json_schema)}

        def _generate(self, messages: Any, **kwargs: Any) -> AIMessage:
            args = {"title": "Ran", "year": 1985}
            return AIMessage("", tool_calls=[{"name": "Film", "args": args, "id": "c"}])

    model = Whole().with_structured_output(Film)
    assert colour.stream(model, "?") == [Film(title="Ran", year=1985)] == [colour.invoke(model, "?")]


def test_no_arguments_are_an_empty_object(colour: Colour) -> None:
    class Nothing(msgspec.Struct):
        """Say that there is nothing."""

    for answer in ([fragment("", name="Nothing", id="c")], [fragment(None, name="Nothing", id="c")]):
        assert colour.stream(by_call(answer, Nothing), "?")[-1] == Nothing()
        assert colour.invoke(by_call(answer, Nothing), "?") == Nothing()


@pytest.mark.parametrize(
    ("answer", "said"),
    [(["Sorry, ", "no."], "answered in words"), ([], "said nothing"), (['{"title": "Ran"}'], "in words")],
)
def test_a_model_that_does_not_call(colour: Colour, answer: Any, said: str) -> None:
    for verb in (colour.invoke, colour.stream):
        with pytest.raises(
            OutputParserException, match=rf"{said}, and did not call the tool 'Film'"
        ) as caught:
            verb(by_call(answer), "?")
        assert caught.value.llm_output == "".join(answer)


def test_arguments_that_are_not_valid(colour: Colour) -> None:
    model = by_call(called(['{"title": "Ran", ', '"year": "old"}']))
    for verb in (colour.invoke, colour.stream):
        with pytest.raises(OutputParserException, match="at year, Input should be a valid integer") as caught:
            verb(model, "?")
        assert caught.value.path == ("year",)
        assert caught.value.llm_output == '{"title": "Ran", "year": "old"}'


def test_arguments_that_are_cut(colour: Colour) -> None:
    model = by_call([*called(PIECES[:2]), AIMessageChunk("", chunk_position="last")])
    for verb in (colour.invoke, colour.stream):
        with pytest.raises(OutputParserException, match="ends before its JSON does") as caught:
            verb(model, "?")
        assert caught.value.llm_output == "".join(PIECES[:2])
    seen = []
    with pytest.raises(OutputParserException):
        for film in model.stream("?"):
            seen.append(film.title)
    assert seen[-1] == "Ran"


def test_arguments_that_are_no_json_give_what_came_before(colour: Colour) -> None:
    model = by_call(called(['{"title": "Ran", "year": x']), include_raw=True)
    items = colour.stream(model, "?")
    assert [item["parsed"].title for item in items if item.get("parsed")] == ["Ran"]
    assert isinstance(items[-1]["parsing_error"], OutputParserException)


def test_with_the_raw_message(colour: Colour) -> None:
    model = by_call(called(), include_raw=True)
    answer = colour.invoke(model, "?")
    assert (answer["parsed"], answer["parsing_error"]) == (Film(title="Ran", year=1985), None)
    assert answer["raw"].tool_calls[0].id == "c1"
    items = colour.stream(model, "?")
    raw = merge_chunks([item["raw"] for item in items if "raw" in item])
    assert raw.tool_calls[0].args == {"title": "Ran", "year": 1985}
    parsed = [item["parsed"] for item in items if item.get("parsed")]
    assert (parsed[0].title, parsed[-1]) == ("R", Film(title="Ran", year=1985))
    assert items[-1] == {"parsed": None, "parsing_error": None}


def test_with_the_raw_message_a_missing_call_is_told(colour: Colour) -> None:
    model = by_call(["Sorry."], include_raw=True)
    answer = colour.invoke(model, "?")
    assert (answer["raw"].text, answer["parsed"]) == ("Sorry.", None)
    assert "did not call" in str(answer["parsing_error"])
    items = colour.stream(model, "?")
    assert "did not call" in str(items[-1]["parsing_error"])


def test_all_digits_are_kept_in_a_stream() -> None:
    class Price(msgspec.Struct):
        euro: Decimal

    model = by_call(called(['{"euro": 1.1', "0}"]), Price)
    assert str(list(model.stream("?"))[-1].euro) == "1.10"


def test_json_mode(colour: Colour) -> None:
    model = FakeChatModel([PIECES])
    asked = model.with_structured_output(Film, method="json_mode")
    assert colour.stream(asked, "?")[-1] == Film(title="Ran", year=1985) == colour.invoke(asked, "?")
    assert model.requests[0].kwargs == {"response_format": {"type": "json_object"}}
    raw = model.with_structured_output(Film, method="json_mode", include_raw=True)
    assert colour.invoke(raw, "?")["parsed"] == Film(title="Ran", year=1985)


class OnlyCalls(FakeChatModel):
    def _structured(self, json_schema: Any, strict: Any) -> Any:
        return {"function_calling": answer_tool(json_schema)}


def test_the_model_says_which_methods_it_knows_and_prefers() -> None:
    model = OnlyCalls([called()])
    assert model.with_structured_output(Film).invoke("?") == Film(title="Ran", year=1985)
    with pytest.raises(
        ConfigError, match="OnlyCalls knows no method 'json_mode'. It knows: function_calling"
    ):
        model.with_structured_output(Film, method="json_mode")
    with pytest.raises(ConfigError, match="It knows: json_schema, function_calling, json_mode"):
        FakeChatModel([""]).with_structured_output(Film, method="magic")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tools", "tool_choice", "parallel_tool_calls"])
def test_what_the_method_says_is_not_said_twice(name: str) -> None:
    with pytest.raises(ConfigError, match=f"given as {name} to the model already"):
        by_call([], **{name: None})


def test_a_binding_stays_on_the_model(colour: Colour) -> None:
    model = FakeChatModel([called()])
    bound = model.bind(stop=["x"]).with_structured_output(Film, method="function_calling")
    assert colour.invoke(bound, "?") == Film(title="Ran", year=1985)
    assert model.requests[0].kwargs.keys() == {"stop", "tools", "tool_choice", "parallel_tool_calls"}


def test_a_step_behind_waits_for_the_whole_object(colour: Colour) -> None:
    chain = by_call(called()) | (lambda film: film.year)
    assert colour.stream(chain, "?") == [1985]
    told: list[Any] = []
    listened = by_call(called()).with_listeners(on_end=told.append)
    colour.stream(listened, "?")
    assert told[0].outputs == Film(title="Ran", year=1985)


@dataclass
class Sum:
    x: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.x + other.x)


def test_a_type_that_can_be_added_is_not_added_up(colour: Colour) -> None:
    answer = called(['{"x": 1', "0}"])
    for model in (by_call(answer, Sum), by_call(answer, Sum, include_raw=True).pick("parsed")):
        assert colour.stream(model | (lambda value: value), "?") == [Sum(10)]


def test_what_is_no_message_is_refused() -> None:
    reader = by_call(called()).steps[-1]
    with pytest.raises(InputError, match="A model's answer is expected, not str"):
        reader.invoke(TEXT)
    assert reader.parse(TEXT) == Film(title="Ran", year=1985)
    assert list(reader.transform(iter([]))) == []


def test_an_error_of_the_model_is_raised_all_the_same(colour: Colour) -> None:
    for include_raw in (False, True):
        model = by_call([*called()[:2], ValueError("no")], include_raw=include_raw)
        with pytest.raises(ValueError, match="no"):
            colour.stream(model, "?")


class Endless(OnlyCalls):
    """Writes the arguments of a call for ever, and notes that it was closed."""

    def __init__(self) -> None:
        super().__init__(["unused"])
        self.closed = threading.Event()

    async def _items(self, request: Any, scope: Any, kwargs: Any) -> Any:
        try:
            yield fragment('{"title": "', name="Film", id="c")
            while True:
                yield fragment("a")
        finally:
            self.closed.set()


@pytest.mark.parametrize("include_raw", [False, True])
def test_leaving_in_the_middle_of_a_call_closes_the_model(include_raw: bool) -> None:
    model = Endless()
    for number, _ in enumerate(model.with_structured_output(Film, include_raw=include_raw).stream("?")):
        if number == 4:
            break
    assert model.closed.is_set()

    async def run() -> None:
        async with aclosing(
            model.with_structured_output(Film, include_raw=include_raw).astream("?")
        ) as films:
            async for _ in films:
                break

    model.closed.clear()
    asyncio.run(run())
    assert model.closed.is_set()


def test_cancelling_in_the_middle_of_a_call_closes_the_model() -> None:
    model = Endless()
    with model.with_structured_output(Film).start("?") as run:
        for number, _ in enumerate(run.events):
            if number == 6:
                run.cancel()
                break
    assert model.closed.is_set()
