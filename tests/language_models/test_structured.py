"""Answers of a given schema: what the model is told, what comes out, whole and as it grows."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest

from millstream import (
    AIMessage,
    BaseChatModel,
    ConfigError,
    JsonOutputParser,
    OutputParserException,
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    RunnablePick,
    StrOutputParser,
)
from millstream.kernel.sources import gathered, merge
from millstream.messages import AIMessageChunk, merge_chunks
from millstream.providers.local import ChatLocal
from millstream.testing import FakeChatModel

PIECES = ['{"name": "Fr', 'ance", "popula', 'tion": 68', "}"]
SCHEMA = {
    "title": "Country",
    "type": "object",
    "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["name", "population"],
}


class Model(pydantic.BaseModel):
    name: str
    population: int


class Struct(msgspec.Struct):
    name: str
    population: int


@dataclass
class Data:
    name: str
    population: int


class Typed(TypedDict):
    name: str
    population: int


@pytest.mark.parametrize("kind", [Model, Struct, Data])
def test_objects_fill_and_the_last_is_validated(colour: Any, kind: Any):
    model = FakeChatModel([PIECES]).with_structured_output(kind)
    *partial, last = colour.stream(model, "France?")
    assert [(item.name, item.population) for item in partial] == [
        ("Fr", None),
        ("France", None),
        ("France", 68),
    ]
    assert all(type(item) is kind for item in partial)
    assert last == kind(name="France", population=68) == colour.invoke(model, "France?")


@pytest.mark.parametrize(
    "kind",
    [
        Typed,
        SCHEMA,
        {"name": "country", "parameters": SCHEMA},
        {"type": "function", "function": {"name": "country", "parameters": SCHEMA}},
        {"name": "country", "schema": SCHEMA, "strict": True},
        {"oneOf": [SCHEMA]},
    ],
)
def test_dicts_fill(colour: Any, kind: Any):
    model = FakeChatModel([PIECES]).with_structured_output(kind)
    items = colour.stream(model, "France?")
    assert items[:3] == [{"name": "Fr"}, {"name": "France"}, {"name": "France", "population": 68}]
    assert items[-1] == {"name": "France", "population": 68} == colour.invoke(model, "France?")


def test_the_model_is_called_with_the_schema_and_the_keywords():
    seen = {}

    class Constrained(BaseChatModel):
        def _structured(self, json_schema, strict):
            return {"json_schema": {"response_schema": json_schema}}

        def _stream(self, messages, **kwargs):
            seen.update(kwargs)
            yield from PIECES

    Constrained().with_structured_output(Struct, temperature=0.5).invoke("France?")
    assert seen["temperature"] == 0.5
    # In one piece: servers want no reference at the root, and take the title for a name.
    assert seen["response_schema"] == {
        "title": "Struct",
        "type": "object",
        "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
        "required": ["name", "population"],
    }


def test_the_local_model_is_constrained():
    bound = ChatLocal().with_structured_output(SCHEMA).steps[0]
    assert bound.kwargs == {"json_schema": SCHEMA}


def test_a_model_that_cannot_be_constrained_says_so():
    class Plain(BaseChatModel):
        def _stream(self, messages, **kwargs):
            yield "{}"

    with pytest.raises(ConfigError, match=r"Plain cannot be told.*get_format_instructions"):
        Plain().with_structured_output(Struct)


@pytest.mark.parametrize(
    "schema", [{"name": "Ann"}, {}, {"parameters": 3}, {"function": 3}, {"type": "Ran", "title": "x"}]
)
def test_a_dict_that_is_no_schema(schema: Any):
    with pytest.raises(ConfigError, match="no JSON schema"):
        FakeChatModel(["{}"]).with_structured_output(schema)


def test_an_invalid_answer_is_an_error_after_its_parts(colour: Any):
    model = FakeChatModel([['{"name": "France", ', '"population": "many"}']]).with_structured_output(Model)
    with pytest.raises(
        OutputParserException, match=r"at population, Input should be a valid integer"
    ) as caught:
        colour.invoke(model, "France?")
    assert caught.value.path == ("population",)
    assert caught.value.llm_output == '{"name": "France", "population": "many"}'


def test_an_answer_that_is_cut_is_an_error(colour: Any):
    model = FakeChatModel([PIECES[:2]]).with_structured_output(Struct)
    with pytest.raises(OutputParserException, match="ends before its JSON does"):
        colour.stream(model, "France?")


def test_with_the_raw_message(colour: Any):
    model = FakeChatModel([PIECES]).with_structured_output(Data, include_raw=True)
    answer = colour.invoke(model, "France?")
    assert answer["parsed"] == Data("France", 68)
    assert answer["parsing_error"] is None
    assert isinstance(answer["raw"], AIMessage)
    assert answer["raw"].text == "".join(PIECES)

    items = colour.stream(model, "France?")
    assert merge_chunks([item["raw"] for item in items if "raw" in item]).text == "".join(PIECES)
    parsed = [item["parsed"] for item in items if item.get("parsed")]
    assert parsed[0] == Data("Fr", None)  # type: ignore[arg-type]
    assert parsed[-1] == Data("France", 68)
    assert items[-1]["parsing_error"] is None
    total = items[0]
    for item in items[1:]:
        total = total + item
    assert set(total) == {"raw", "parsed", "parsing_error"}


@pytest.mark.parametrize("pieces", [['{"name": ', "France}"], ['{"name": "France"'], ["Sorry."], []])
def test_with_the_raw_message_an_error_is_told_and_not_raised(colour: Any, pieces: list[str]):
    model = FakeChatModel([pieces]).with_structured_output(Data, include_raw=True)
    answer = colour.invoke(model, "France?")
    assert answer["raw"].text == "".join(pieces)
    assert answer["parsed"] is None
    assert isinstance(answer["parsing_error"], OutputParserException)
    items = colour.stream(model, "France?")
    assert isinstance(items[-1]["parsing_error"], OutputParserException)
    assert merge_chunks([item["raw"] for item in items if "raw" in item]).text == "".join(pieces)


def test_an_error_of_the_model_is_raised_all_the_same(colour: Any):
    model = FakeChatModel([["{", ValueError("no")]]).with_structured_output(Data, include_raw=True)
    with pytest.raises(ValueError, match="no"):
        colour.stream(model, "France?")


CALL = '{"city": "Oslo", "days": [1, 2]}'


def call_chunk(args: str | None, **more: Any) -> AIMessageChunk:
    return AIMessageChunk("", tool_call_chunks=[{"name": None, "args": args, "id": None, "index": 0, **more}])


def test_the_arguments_of_a_call_are_read_while_they_arrive():
    seen = []
    total = call_chunk("", name="weather", id="call-1")
    for character in CALL:
        total = total + call_chunk(character)
        [call] = total.tool_calls
        assert (call.name, call.id) == ("weather", "call-1")
        if not seen or call.args != seen[-1]:
            seen.append(call.args)
    assert seen[:3] == [{}, {"city": ""}, {"city": "O"}]
    assert seen[-3:] == [
        {"city": "Oslo", "days": []},
        {"city": "Oslo", "days": [1]},
        {"city": "Oslo", "days": [1, 2]},
    ]


def test_a_call_that_is_cut_cannot_be_made():
    begun = call_chunk('{"city": "Os', name="weather")
    assert begun.tool_calls[0].args == {"city": "Os"}
    ended = begun + AIMessageChunk("", chunk_position="last")
    assert ended.tool_calls == []
    assert ended.invalid_tool_calls[0].args == '{"city": "Os'


@pytest.mark.parametrize("kind", [object, complex, list[complex], Callable[[], int]])
def test_a_type_that_json_cannot_be(kind: Any):
    with pytest.raises(ConfigError, match="no type that JSON can be read as") as caught:
        FakeChatModel(["{}"]).with_structured_output(kind)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError):
        JsonOutputParser(target=kind)


def test_a_pydantic_model_that_json_cannot_be():
    class Odd(pydantic.BaseModel):
        model_config = {"arbitrary_types_allowed": True}
        thing: threading.Event

    with pytest.raises(ConfigError, match="no type that JSON can be read as"):
        JsonOutputParser(target=Odd)


def test_a_step_behind_path_events_is_streamed_to_under_invoke_too(colour: Any):
    def names(events):
        for event in events:
            if event.complete and event.path == ("name",):
                yield event.value

    chain = FakeChatModel([PIECES]) | JsonOutputParser(events=True)
    last = colour.invoke(chain, "France?")
    assert (last.path, last.value, last.complete) == ((), {"name": "France", "population": 68}, True)
    for parser in (chain, chain.with_config(tags=["a"]), chain.with_retry(), chain.with_fallbacks([chain])):
        assert colour.invoke(parser | names, "France?") == "France"
        assert colour.stream(parser | names, "France?") == ["France"]
    assert colour.invoke(chain | names | str.upper, "France?") == "FRANCE"
    assert colour.invoke(chain | (lambda event: event.value["name"]), "France?") == "France"


def test_no_schema_at_all():
    with pytest.raises(ConfigError, match="not None"):
        FakeChatModel(["{}"]).with_structured_output(None)


class Asked(BaseChatModel):
    """Notes what it was called with."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def _structured(self, json_schema, strict):
        return {"json_schema": {"json_schema": json_schema}}

    def _stream(self, messages, **kwargs):
        self.seen = kwargs
        yield from PIECES


def test_a_binding_stays_on_the_model(colour: Any):
    model, told = Asked(), []
    bound = (
        model.bind(stop=["x"])
        .with_config(tags=["t"])
        .with_listeners(on_end=lambda run: told.append(run.tags))
    )
    assert colour.invoke(bound.with_structured_output(Struct, temperature=1), "?") == Struct("France", 68)
    assert model.seen.keys() == {"stop", "json_schema", "temperature"}
    assert told == [["seq:step:1", "t"]]


def test_keywords_of_the_call():
    model = Asked()
    with pytest.raises(ConfigError, match="json_schema"):
        model.with_structured_output(Struct, json_schema={})
    model.with_structured_output(Struct, method="json_schema", strict=True).invoke("?")
    assert model.seen.keys() == {"json_schema"}


def hand_on(value):
    return value


@dataclass
class Sum:
    x: int = 0

    def __add__(self, other):
        return Sum(self.x + other.x)


GROWING = ['{"title": "R', 'an", "year": 19', '85, "cast": ["a", "b', 'c"]}']


@pytest.mark.parametrize(
    "build",
    [
        lambda film: film | hand_on,
        lambda film: film.pick("title") | hand_on,
        lambda film: film.pick("year") | hand_on,
        lambda film: film.pick("cast") | len,
        lambda film: film.pick(["title", "year"]) | hand_on,
        lambda film: film.pick("title").with_config(tags=["t"]).with_retry() | hand_on,
        lambda film: film.assign(next=lambda given: given["year"] + 1) | hand_on,
        lambda film: film.assign(loud=lambda given: given["title"].upper()).pick("loud") | hand_on,
        lambda film: film.assign(one=lambda _: 1).pick("title") | hand_on,
        lambda film: film | {"a": RunnablePick("title"), "b": RunnablePick("cast")} | hand_on,
        lambda film: film | RunnablePassthrough() | RunnablePick("title") | hand_on,
        lambda film: film | RunnablePassthrough(lambda _: None) | hand_on,
        lambda film: RunnableParallel(a=film.pick("title"), b=film) | hand_on,
        lambda film: RunnableBranch((lambda _: True, film.pick("title")), film) | hand_on,
        lambda film: RunnableLambda(lambda _: film.pick("title")) | hand_on,
        lambda film: film.with_fallbacks([film]).pick("title") | hand_on,
    ],
)
def test_a_value_that_grows_is_not_added_up(colour: Any, build: Any):
    chain = build(FakeChatModel([GROWING]) | JsonOutputParser())
    assert colour.stream(chain, "?") == [colour.invoke(chain, "?")]
    told = []
    listened = build((FakeChatModel([GROWING]) | JsonOutputParser()).with_listeners(on_end=told.append))
    colour.stream(listened, "?")
    assert {str(run.outputs) for run in told} == {str({"title": "Ran", "year": 1985, "cast": ["a", "bc"]})}


def test_a_type_that_can_be_added_is_not_added_up(colour: Any):
    model = FakeChatModel([['{"x": 1', "0}"]])
    for chain in (
        model.with_structured_output(Sum) | hand_on,
        model.with_structured_output(Sum, include_raw=True).pick("parsed") | hand_on,
    ):
        assert colour.stream(chain, "?") == [Sum(10)]


def test_states_of_branches_are_not_kept():
    text = "[" + ", ".join(f'"item {number}"' for number in range(300)) + "]"
    pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
    branches = RunnableParallel(
        a=FakeChatModel([pieces]) | JsonOutputParser(), b=FakeChatModel([pieces]) | StrOutputParser()
    )
    kept: list[Any] = []
    for piece in branches.stream("?"):
        gathered(kept, piece)
    assert sum(1 for piece in kept if "a" in piece) < 20
    assert merge(kept) == {"a": json.loads(text), "b": text}
