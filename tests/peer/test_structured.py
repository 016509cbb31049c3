"""Models with tools and typed answers, beside langchain-core's."""

from typing import Any, TypedDict

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from tests.peer.compare import COLOURS, Case, Differs, compare, fails, gives, outcome
from tests.peer.libraries import OURS, PEER, PeerChat, Turns


class Film(BaseModel):
    """A film."""

    title: str
    year: int


class FilmDict(TypedDict):
    """A film."""

    title: str
    year: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class ToolChat(PeerChat):
    """The peer's scripted model, with tools as its integrations have them."""

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        told = [convert_to_openai_tool(tool) for tool in tools]
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=told, **choice, **kwargs)


def _chat(lib: Any, answer: Any) -> Any:
    return lib.chat(answer) if lib is OURS else ToolChat(turn=Turns([answer]))


def _called(lib: Any, *pieces: str, name: str = "Film") -> list[Any]:
    first = {"name": name, "args": "", "id": "1", "index": 0}
    rest = [{"name": None, "args": piece, "id": None, "index": 0} for piece in pieces]
    return [lib.AIMessageChunk(content="", tool_call_chunks=[each]) for each in [first, *rest]]


PIECES = ['{"title": "R', 'an", "ye', 'ar": 1985', "}"]
WHOLE = Film(title="Ran", year=1985)


def typed(schema: Any, answer: Any = None) -> Any:
    """A description of a model that is held to a schema by a call."""

    def build(lib: Any) -> Any:
        said = answer or _called(lib, *PIECES, name="FilmDict" if schema is FilmDict else "Film")
        # The peer's base class knows this way alone.
        method = {"method": "function_calling"} if lib is OURS else {}
        return _chat(lib, said).with_structured_output(schema, **method)

    return build


@pytest.mark.parametrize(
    ("tools", "kwargs"),
    [
        ([add], {}),
        ([Film], {"tool_choice": "any"}),
        ([FilmDict, add], {"tool_choice": "add", "parallel_tool_calls": False}),
        ([{"type": "web_search"}], {}),
        ([{"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}], {}),
    ],
)
def test_tools_are_bound_alike(tools: Any, kwargs: Any) -> None:
    ours, peer = (_chat(lib, ["x"]).bind_tools(tools, **kwargs).kwargs for lib in (OURS, PEER))
    if isinstance(tools[0], dict):
        # Ours hands a dict on as it is; whoever sends it converts it.
        assert ours["tools"] == tools
        ours = {**ours, "tools": [convert_to_openai_tool(tool) for tool in tools]}
    assert ours == peer


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("schema", [Film, FilmDict, Film.model_json_schema()])
def test_a_call_is_the_answer(schema: Any, colour: Any) -> None:
    compare(Case("a call", typed(schema), input="Ran?"), "invoke", colour)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_first_of_two_calls_is_the_answer(colour: Any) -> None:
    def build(lib: Any) -> Any:
        second = {"name": "Film", "args": '{"title": "Ikiru", "year": 1952}', "id": "2", "index": 1}
        more = lib.AIMessageChunk(content="", tool_call_chunks=[second])
        return typed(Film, answer=[*_called(lib, *PIECES), more])(lib)

    compare(Case("two calls", build, input="Ran?"), "invoke", colour)


@pytest.mark.parametrize("colour", COLOURS)
def test_dicts_fill_alike(colour: Any) -> None:
    case = Case("dicts", typed(Film.model_json_schema()), input="Ran?")
    ours = outcome(case, OURS, "stream", colour)
    peer = outcome(case, PEER, "stream", colour)
    # The peer begins with an empty dict, before there is any character of one.
    assert [each for each in peer.pieces if each] == ours.pieces
    assert ours.error is peer.error is None


@pytest.mark.differs("structured-calls-fill")
@pytest.mark.parametrize("colour", COLOURS)
def test_difference_objects_fill(colour: Any) -> None:
    case = Case(
        "objects",
        typed(Film),
        input="Ran?",
        differs=Differs(
            "structured-calls-fill",
            ours=gives(
                Film.model_construct(title="R", year=None),
                Film.model_construct(title="Ran", year=None),
                Film.model_construct(title="Ran", year=1985),
                WHOLE,
            ),
            peer=gives(WHOLE),
        ),
    )
    compare(case, "stream", colour)


@pytest.mark.differs("structured-bindings")
def test_difference_bindings() -> None:
    ours, peer = (_chat(lib, ["x"]).bind(stop=["."]).with_config(tags=["t"]) for lib in (OURS, PEER))
    assert ours.bind_tools([add]).kwargs.keys() == {"stop", "tools"}
    assert ours.bind_tools([add]).config["tags"] == ["t"]
    assert peer.bind_tools([add]).kwargs.keys() == {"tools"}
    assert "stop" in ours.with_structured_output(Film).steps[0].kwargs
    assert "stop" not in peer.with_structured_output(Film).steps[0].kwargs


@pytest.mark.differs("structured-no-call")
@pytest.mark.parametrize("colour", COLOURS)
def test_difference_no_call(colour: Any) -> None:
    case = Case(
        "words",
        typed(Film, answer=["Sorry."]),
        input="Ran?",
        differs=Differs("structured-no-call", ours=fails(ValueError), peer=gives(None)),
    )
    compare(case, "invoke", colour)
