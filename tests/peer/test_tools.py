"""Tools beside langchain-core's: what they are told to be, what they answer, and where they differ."""

import dataclasses
import datetime
import enum
import functools
import inspect
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Optional

import pytest
import typing_extensions
from pydantic import BaseModel, Field, PrivateAttr

from millstream import ToolInputError
from tests.peer.compare import Case, Differs, compare, each, fails, gives
from tests.peer.libraries import OURS, PEER


class Colour(enum.Enum):
    blue = "blue"
    red = "red"


@dataclasses.dataclass
class Place:
    name: str
    size: int = 7


class Options(typing_extensions.TypedDict):
    unit: str
    digits: typing_extensions.NotRequired[int]


class Person(BaseModel):
    """A person."""

    name: str = Field(description="the name")
    friends: list["Person"] = []


class Point(BaseModel):
    x: int
    y: int = Field(0, description="upwards", ge=0)


def plain(a: int, b: str = "x") -> str:
    """Do it."""
    return f"{a!r} {b!r}"


async def aplain(a: int, b: str = "x") -> str:
    """Do it later."""
    return f"{a!r} {b!r}"


def nothing() -> str:
    """Take nothing."""
    return "nothing"


def untyped(a, b=3) -> Any:
    """Take anything."""
    return [a, b]


def annotated(a: Annotated[int, "the a"], b: Annotated[str, Field(max_length=3)] = "x") -> Any:
    """Annotated."""
    return [a, b]


def containers(
    numbers: list[int],
    names: dict[str, int],
    pair: tuple[int, str] = (1, "a"),
    unique: set[str] = set(),  # noqa: B006
    deep: list[dict[str, list[int]]] = [],  # noqa: B006
) -> Any:
    """Hold much."""
    return [numbers, names, pair, sorted(unique), deep]


def choices(
    colour: Colour,
    word: Literal["a", "b"] = "a",
    maybe: Optional[int] = None,  # noqa: UP045
    either: int | str = 1,
) -> Any:
    """Choose."""
    return [colour.name, word, maybe, either]


def records(place: Place, options: Options, point: Point) -> Any:
    """Hold records."""
    return [place.name, place.size, dict(options), point.x, point.y]


def dates(day: datetime.date, at: datetime.datetime | None = None) -> str:
    """Tell the day."""
    return f"{day.isoformat()} {at}"


def fields(a: int = Field(description="the a"), b: int = Field(default=3, ge=1)) -> Any:
    """With fields."""
    return [a, b]


def with_callbacks(a: int, callbacks=None) -> int:
    """Given callbacks."""
    return a


FUNCTIONS = (
    plain,
    aplain,
    nothing,
    untyped,
    annotated,
    containers,
    choices,
    records,
    dates,
    fields,
    with_callbacks,
)


def documented(a: int, b: str = "x", c: Annotated[int, "the c"] = 1) -> str:
    """Do it well.

    And with care.

    Args:
        a: the a
            goes on: here
        b (str): the b

    Returns:
        What was done.
    """
    return f"{a} {b} {c}"


def schema_of(lib: Any, thing: Any) -> dict[str, Any]:
    """What a server is told; without the order of an `enum`, which msgspec sorts."""
    return level(lib.convert_to_openai_tool(thing))


def level(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: sorted(item) if key in ("enum", "required") else level(item) for key, item in value.items()
        }
    return [level(item) for item in value] if isinstance(value, list) else value


# --- what they are ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_names_and_descriptions(function):
    ours, peer = OURS.tool(function), PEER.tool(function)
    assert (ours.name, ours.description, list(ours.args)) == (peer.name, peer.description, list(peer.args))
    assert (ours.return_direct, ours.response_format) == (peer.return_direct, peer.response_format)
    assert (ours.func, ours.coroutine) == (peer.func, peer.coroutine)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_schemas_of_tools(function):
    assert schema_of(OURS, OURS.tool(function)) == schema_of(PEER, PEER.tool(function))


@pytest.mark.parametrize("function", [*FUNCTIONS[:6], choices, documented], ids=lambda f: f.__name__)
def test_schemas_of_functions(function):
    assert schema_of(OURS, function) == schema_of(PEER, function)


class Simple(typing_extensions.TypedDict):
    """Simple.

    Args:
        unit: the unit
    """

    unit: str
    digits: list[int]


@pytest.mark.parametrize("kind", [Point, Simple], ids=lambda kind: kind.__name__)
def test_schemas_of_classes(kind):
    assert schema_of(OURS, kind) == schema_of(PEER, kind)


DICTS: list[dict[str, Any]] = [
    {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}},
    {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}},
    {"type": "function", "function": {"name": "f", "parameters": {}}},
    {"title": "f", "description": "d", "type": "object", "properties": {"a": {"type": "integer"}}},
    {"name": "f"},
    {"type": "web_search"},
]


@pytest.mark.parametrize("form", DICTS, ids=lambda form: " ".join(form))
def test_schemas_of_dicts(form):
    assert schema_of(OURS, form) == schema_of(PEER, form)


@pytest.mark.parametrize("function", [plain, records, fields], ids=lambda f: f.__name__)
def test_strict_schemas(function):
    told = [lib.convert_to_openai_tool(lib.tool(function), strict=True) for lib in (OURS, PEER)]
    assert level(told[0]) == level(told[1])


FORMS: dict[str, Any] = {
    "bare": lambda lib: lib.tool(plain),
    "called": lambda lib: lib.tool()(plain),
    "named": lambda lib: lib.tool("other")(plain),
    "described": lambda lib: lib.tool("other", description="  Other.\n")(plain),
    "direct": lambda lib: lib.tool(return_direct=True)(plain),
    "with a schema": lambda lib: lib.tool("other", args_schema=Point)(plain),
    "described by a schema": lambda lib: lib.tool("p", args_schema=Person)(lambda name: name),
    "a json schema": lambda lib: lib.tool(
        "j", description="d", args_schema={"type": "object", "properties": {"a": {"type": "integer"}}}
    )(plain),
    "from a function": lambda lib: lib.StructuredTool.from_function(plain),
    "from two": lambda lib: lib.StructuredTool.from_function(plain, aplain),
    "from an async one": lambda lib: lib.StructuredTool.from_function(coroutine=aplain),
    "with a name": lambda lib: lib.StructuredTool.from_function(plain, name="n", description="d"),
    "from its docstring": lambda lib: lib.tool(parse_docstring=True)(documented),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    ours, peer = FORMS[form](OURS), FORMS[form](PEER)
    assert (ours.name, ours.description, ours.return_direct) == (
        peer.name,
        peer.description,
        peer.return_direct,
    )
    if form != "described by a schema":
        assert schema_of(OURS, ours) == schema_of(PEER, peer)


@pytest.mark.parametrize(
    "build", [lambda lib: _injecting(lib), lambda lib: _injecting_fields(lib), lambda lib: _prompting(lib)]
)
def test_schemas_of_what_the_program_gives_and_of_runnables(build):
    assert schema_of(OURS, build(OURS)) == schema_of(PEER, build(PEER))


# --- what they answer ------------------------------------------------------------------------------------


def _tool(function: Any, **settings: Any) -> Any:
    return lambda lib: lib.tool(function, **settings)


def _fail(text: str) -> str:
    """Fail."""
    raise OURS.ToolException(text)


def _failing(handle: Any) -> Any:
    def build(lib: Any) -> Any:
        def fail(text: str) -> str:
            """Fail."""
            raise lib.ToolException(text)

        made = lib.tool(fail)
        made.handle_tool_error = handle
        return made

    return build


def _checking(handle: Any) -> Any:
    def build(lib: Any) -> Any:
        made = lib.tool(plain)
        made.handle_validation_error = handle
        return made

    return build


def _search(query: str) -> tuple[str, list[int]]:
    """Search."""
    return f"2 for {query}", [1, 2]


class Methods:
    def method(self, a: int) -> int:
        """A method."""
        return a + 1


def _subclass(lib: Any) -> Any:
    class Mine(lib.BaseTool):
        name: str = "mine"
        description: str = "does mine"
        args_schema: Any = Point
        factor: int = 2

        def _run(self, x: int, y: int, run_manager: Any = None) -> int:
            return x * self.factor + y

        async def _arun(self, x: int, y: int, run_manager: Any = None) -> int:
            return x * self.factor + y

    return Mine(factor=10)


def _attributes(lib: Any) -> Any:
    class Keeping(lib.BaseTool):
        name: str = "keeping"
        description: str = "keeps"
        kept: list[str] = []
        sign: str = Field("!", description="behind each")
        counts: dict[str, int] = Field(default_factory=dict)
        _calls: int = PrivateAttr(default=1)

        def _run(self, word: str) -> str:
            self.kept.append(word)
            self.counts[word] = self._calls
            return f"{self.kept} {self.counts} {self.sign}"

    Keeping().invoke({"word": "earlier"})
    return Keeping(sign="?")


def _injecting(lib: Any) -> Any:
    def find(word: str, user: Annotated[str, lib.InjectedToolArg], limit: int = 1) -> str:
        """Find."""
        return f"{word} {user} {limit}"

    return lib.tool(find)


def _injecting_fields(lib: Any) -> Any:
    class Find(BaseModel):
        word: str
        user: Annotated[str, lib.InjectedToolArg()] = "nobody"

    return lib.tool("find", description="d", args_schema=Find)(lambda word, user: f"{word} {user}")


def _text(value: Any) -> str:
    return value.to_string()


def _prompting(lib: Any) -> Any:
    return lib.tool("fill", lib.PromptTemplate.from_template("{a} and {b}") | _text, description="Fill it.")


def _call(**args: Any) -> dict[str, Any]:
    return {"type": "tool_call", "name": "t", "args": args, "id": "1"}


ANSWERS = [
    Case("arguments", _tool(plain), {"a": 1, "b": "y"}),
    Case("defaults", _tool(plain), {"a": 1}),
    Case("a number as a text", _tool(plain), {"a": "3"}),
    Case("a whole number as a float", _tool(plain), {"a": 3.0}),
    Case("nobody's arguments", _tool(plain), {"a": 1, "other": 2}),
    Case("no arguments", _tool(nothing), {}),
    Case("no arguments, and a text", _tool(nothing), "ignored"),
    Case("a text", _tool(_search), "x"),
    Case("untyped", _tool(untyped), {"a": "3"}),
    Case("annotated", _tool(annotated), {"a": "3", "b": "abc"}),
    Case("containers", _tool(containers), {"numbers": ["1", 2], "names": {"a": "3"}}),
    Case("choices", _tool(choices), {"colour": "red", "word": "b", "maybe": "3", "either": "4"}),
    Case(
        "records",
        _tool(records),
        {"place": {"name": "p", "size": "3"}, "options": {"unit": "m"}, "point": {"x": 1}},
    ),
    Case("dates", _tool(dates), {"day": "2020-01-02", "at": None}),
    Case("fields", _tool(fields), {"a": 1}),
    Case("callbacks", _tool(with_callbacks), {"a": 1}),
    Case("a method", lambda lib: lib.tool(Methods().method), {"a": 1}),
    Case("a class", _subclass, {"x": "1"}),
    Case("a class with attributes", _attributes, {"word": "x"}, verbs=("invoke", "stream")),
    Case("injected", _injecting, {"word": "x", "user": "eva"}),
    Case("injected in a call", _injecting, _call(word="x", user="eva", limit=2)),
    Case("injected fields", _injecting_fields, {"word": "x", "user": "eva"}),
    Case("injected fields left away", _injecting_fields, {"word": "x"}),
    Case("a tool of a chain", _prompting, {"a": "x", "b": "y"}),
    Case(
        "a tool of a tool", lambda lib: lib.tool("t", lib.tool(plain), description="d"), {"a": "1", "b": "y"}
    ),
    Case("a call", _tool(plain), _call(a=1)),
    Case("a call for a dict", _tool(untyped), _call(a={"ü": [1]})),
    Case("a call for nothing", lambda lib: lib.tool("t", description="d")(lambda: None), _call()),
    Case("content", _tool(_search, response_format="content_and_artifact"), "x"),
    Case("a call with an artifact", _tool(_search, response_format="content_and_artifact"), _call(query="x")),
    Case("a tool error", _failing(False), "no luck"),
    Case("a handled tool error", _failing(True), "no luck"),
    Case("a text for a tool error", _failing("Sorry."), "no luck"),
    Case("a function for a tool error", _failing(lambda error: f"<{error}>"), "no luck"),
    Case("a call with a tool error", _failing(True), _call(text="no luck")),
    Case("a text for a wrong argument", _checking("Again."), {"a": "x"}),
    Case("a function for a wrong argument", _checking(lambda error: "Again!"), {"a": "x"}),
    Case("a call with a wrong argument", _checking("Again."), _call(a="x")),
    Case("in a chain", lambda lib: lib.RunnableLambda(dict) | lib.tool(plain), {"a": 1}),
    Case("before a step", lambda lib: lib.tool(plain) | str.upper, {"a": 1}),
]


@each(ANSWERS)
def test_answers(case, verb, colour):
    compare(case, verb, colour)


DIFFERENT = [
    Case(
        "an async tool",
        _tool(aplain),
        {"a": 1},
        differs={
            colour: Differs("every-colour", ours="async", peer=fails(NotImplementedError))
            for colour in ("sync", "sync in a loop")
        },
    ),
    Case(
        "a wrong argument",
        _tool(plain),
        {"a": "x"},
        differs=Differs("tool-input-errors", ours=fails(TypeError), peer=fails(ValueError)),
    ),
    Case(
        "a missing argument",
        _tool(plain),
        {"b": "x"},
        differs=Differs("tool-input-errors", ours=fails(TypeError), peer=fails(ValueError)),
    ),
    Case(
        "a text for many",
        _tool(lambda a, b: a, description="d"),
        "x",
        differs=Differs("tool-input-errors", ours=fails(TypeError), peer=fails(ValueError)),
    ),
    Case(
        "a handled wrong argument",
        _checking(True),
        {"a": "x"},
        verbs=("invoke",),
        differs=Differs(
            "tool-validation-texts",
            ours=gives("The tool 'plain' was given wrong arguments: at a, Expected `int`, got `str`."),
            peer=gives("Tool input validation error"),
        ),
    ),
    Case(
        "a text for a number",
        _tool(plain),
        "3",
        verbs=("invoke",),
        differs=Differs("tool-texts-are-read", ours=gives("3 'x'"), peer=gives("'3' 'x'")),
    ),
    Case(
        "any argument",
        lambda lib: lib.tool("t", description="d")(lambda a, **others: others),
        {"a": 1, "b": 2},
        verbs=("invoke",),
        differs=Differs("tool-any-arguments", ours=gives({"b": 2}), peer=gives({"others": None})),
    ),
    Case(
        "a config without a type",
        lambda lib: lib.tool("t", description="d")(lambda a, config: config["tags"]),
        {"a": 1},
        config={"tags": ["x"]},
        differs=Differs("tool-parameters", ours=gives(["x"]), peer=fails(ValueError)),
        verbs=("invoke",),
    ),
    Case(
        "a run manager",
        lambda lib: lib.tool("t", description="d")(
            lambda a, run_manager: run_manager.get_child() is not None
        ),
        {"a": 1},
        differs=Differs("tool-parameters", ours=gives(True), peer=fails(TypeError)),
        verbs=("invoke",),
    ),
    Case(
        "keywords",
        lambda lib: lib.tool(plain).bind(b="bound"),
        {"a": 1},
        verbs=("invoke",),
        differs=Differs("tool-keywords", ours=gives("1 'bound'"), peer=gives("1 'x'")),
    ),
    Case(
        "a text for a json schema",
        lambda lib: lib.tool(
            "t", description="d", args_schema={"type": "object", "properties": {"a": {"type": "string"}}}
        )(lambda a: a),
        "x",
        verbs=("invoke",),
        differs=Differs("tool-json-schemas", ours=gives("x"), peer=fails(ValueError)),
    ),
    Case(
        "no tuple",
        _tool(plain, response_format="content_and_artifact"),
        {"a": 1},
        verbs=("invoke",),
        differs=Differs("tool-mistakes", ours=fails(TypeError), peer=fails(ValueError)),
    ),
]


@each(DIFFERENT)
def test_answers_that_differ(case, verb, colour):
    compare(case, verb, colour)


def both(act: Any) -> list[Any]:
    """What both libraries do, or the class of the error."""
    found = []
    for lib in (OURS, PEER):
        try:
            found.append(act(lib))
        except Exception as error:
            found.append(type(error))
    return found


@pytest.mark.parametrize("id", ["1", "call_7"])
def test_messages_of_calls(id):
    def ask(lib: Any, made: Any, **args: Any) -> Any:
        answer = made.invoke({**_call(**args), "id": id})
        return answer.content, answer.tool_call_id, answer.name, answer.status, answer.artifact, answer.type

    for build, args in [
        (_tool(plain), {"a": 1}),
        (_tool(_search, response_format="content_and_artifact"), {"query": "x"}),
        (_failing(True), {"text": "no luck"}),
        (_checking("Again."), {"a": "x"}),
    ]:
        ours, peer = both(lambda lib, build=build, args=args: ask(lib, build(lib), **args))
        assert ours == peer


@pytest.mark.parametrize(
    "result",
    ["text", 3, 1.5, None, True, {"a": "ü"}, ["a"], [1], (1, 2), [], [{"type": "text", "text": "a"}], {1}],
    ids=repr,
)
def test_contents_of_calls(result):
    ours, peer = both(lambda lib: lib.tool("t", description="d")(lambda: result).invoke(_call()).content)
    assert ours == peer


@pytest.mark.differs("tool-lax-values")
@pytest.mark.parametrize("given", [True, " 4 "])
def test_difference_lax_values(given):
    ours, peer = both(lambda lib: lib.tool(plain).invoke({"a": given}))
    assert (ours, peer) == (ToolInputError, f"{int(given)} 'x'")
    # With a type of pydantic's among them, pydantic reads them all.
    ours, peer = both(lambda lib: lib.tool(annotated).invoke({"a": given}))
    assert ours == peer == [int(given), "x"]


@pytest.mark.differs("tool-schemas")
def test_difference_schemas():
    ours, peer = OURS.tool(plain), PEER.tool(plain)
    assert peer.args["a"] == {"title": "A", **ours.args["a"]}
    assert "$ref" in PEER.tool(records).args["place"]
    assert OURS.tool(records).args["place"]["type"] == "object"
    assert issubclass(peer.args_schema, BaseModel)
    assert typing_extensions.is_typeddict(ours.args_schema)
    assert issubclass(peer.tool_call_schema, BaseModel)
    assert ours.tool_call_schema == {
        "title": "plain",
        "description": "Do it.",
        "type": "object",
        "properties": ours.args,
        "required": ["a"],
    }


@pytest.mark.differs("tool-recursive-schemas")
def test_difference_recursive_schemas():
    schema = OURS.convert_to_openai_tool(Person)["function"]["parameters"]
    assert schema["$defs"]["Person"]["properties"]["friends"]["items"] == {"$ref": "#/$defs/Person"}
    peer = PEER.convert_to_openai_tool(Person)["function"]["parameters"]
    assert "$defs" not in peer


@pytest.mark.differs("tool-descriptions")
def test_difference_descriptions():
    ours, peer = OURS.tool(documented).description, PEER.tool(documented).description
    assert "\n\n    And with care." in peer
    assert "\n\nAnd with care." in ours
    assert inspect.cleandoc(peer) == ours


@pytest.mark.differs("tool-docstrings")
def test_difference_docstrings():
    def tight(a: int) -> int:
        """Tight.
        Args:
            a: the a
        """
        return a

    ours, peer = both(lambda lib: lib.tool(parse_docstring=True)(tight).args["a"]["description"])
    assert (ours, peer) == ("the a", ValueError)


@pytest.mark.differs("tool-mistakes")
def test_difference_mistakes():
    def wordless(a: int) -> int:
        return a

    def wrong(a: int) -> int:
        """Words.

        Args:
            b: none
        """
        return a

    for make in (lambda lib: lib.tool(wordless), lambda lib: lib.tool(parse_docstring=True)(wrong)):
        assert both(make) == [OURS.ConfigError, ValueError]


@pytest.mark.differs("tool-mistakes")
def test_difference_methods_without_their_object():
    made = both(lambda lib: lib.tool(Methods.method).name)
    assert made == [OURS.ConfigError, "method"]
    assert both(lambda lib: lib.tool(Methods.method).invoke({"self": 1, "a": 1})) == [
        OURS.ConfigError,
        TypeError,
    ]


@pytest.mark.differs("tool-schema-classes")
def test_difference_schema_classes():
    ours, peer = both(
        lambda lib: lib.tool("t", description="d", args_schema=Place)(lambda name, size: size).invoke(
            {"name": "x", "size": "3"}
        )
    )
    assert (ours, peer) == (3, TypeError)


@pytest.mark.differs("tool-classes")
def test_difference_classes():
    def later(lib: Any) -> Any:
        class Later(lib.BaseTool):
            name: str = "later"
            description: str = "d"

            async def _arun(self, a: int) -> int:
                return a

        return Later().invoke({"a": 1})

    def unknown(lib: Any) -> Any:
        return type(_subclass(lib))(nobody=1).name

    def inferred(lib: Any) -> Any:
        class Inferred(lib.BaseTool):
            name: str = "inferred"
            description: str = "d"

            def _run(self, a: int) -> int:
                return a

        return Inferred().invoke({"a": "1"})

    assert both(later) == [1, TypeError]
    assert both(unknown) == [OURS.ConfigError, "mine"]
    assert both(inferred) == [1, "1"]


@pytest.mark.differs("tool-given-arguments")
def test_difference_given_arguments():
    def forgotten(lib: Any) -> Any:
        made = _injecting(lib)
        made.handle_validation_error = "told to the model"
        return made.invoke({"word": "x"})

    assert both(forgotten) == [OURS.ConfigError, "told to the model"]
    found = both(lambda lib: _injecting(lib).invoke({"word": "x", "user": 3}))
    assert (found[0], issubclass(found[1], ValueError)) == ("x 3 1", True)


@pytest.mark.differs("tool-parameters")
def test_difference_parameters_of_other_types():
    def named(config: str) -> str:
        """Name it."""
        return config

    assert both(lambda lib: lib.tool(named).invoke({"config": "x"})) == [OURS.ConfigError, TypeError]
    assert both(lambda lib: lib.tool(named).name) == [OURS.ConfigError, "named"]


@pytest.mark.differs("tool-partials")
def test_difference_partials():
    made = functools.partial(plain, b="key-123")
    ours, peer = both(lambda lib: lib.tool("t", description="d")(made))
    assert (list(ours.args), ours.invoke({"a": 1, "b": "guessed"}), peer) == (["a"], "1 'key-123'", TypeError)


@pytest.mark.differs("tool-runnables")
def test_difference_runnables():
    def chain(lib: Any) -> Any:
        return lib.PromptTemplate.from_template("{a}") | str

    ours, peer = both(lambda lib: lib.tool("t", chain(lib)).description)
    assert (ours, "PromptTemplate(" in peer) == (OURS.ConfigError, True)
    ours, peer = both(lambda lib: lib.tool("t", lib.tool(plain)).description)
    assert (ours, peer.startswith("StructuredTool(")) == ("Do it.", True)

    def first(given: dict[str, Any]) -> Any:
        return given["x"]

    def with_schema(lib: Any) -> Any:
        step = lib.RunnableLambda(first)
        return lib.tool("t", step, description="d", args_schema=Point).invoke({"x": "1"})

    assert both(with_schema) == [1, AttributeError]


@pytest.mark.differs("tool-generators")
def test_difference_generators():
    def spell(text: str) -> Any:
        """Spell."""
        yield from text

    assert list(OURS.tool(spell).stream("abc")) == ["a", "b", "c"]
    assert OURS.tool(spell).invoke("abc") == "abc"
    assert inspect.isgenerator(PEER.tool(spell).invoke("abc"))


@pytest.mark.differs("tool-calls-without-an-id")
def test_difference_calls_without_an_id():
    without = {key: value for key, value in _call(a=1).items() if key != "id"}
    ours, peer = both(lambda lib: lib.tool(plain).invoke({**without, "id": None}))
    assert (ours.tool_call_id, ours.content, peer) == ("", "1 'x'", "1 'x'")
    ours, peer = both(lambda lib: lib.tool(plain).invoke(without))
    assert (ours.tool_call_id, peer) == ("", KeyError)


@pytest.mark.differs("tool-validation-inside")
def test_difference_validation_errors_of_the_function():
    def inside(lib: Any) -> Any:
        made = lib.tool("t", description="d")(lambda a: Point(x=a))
        made.handle_validation_error = "handled"
        return made.invoke({"a": "x"})

    ours, peer = both(inside)
    assert (issubclass(ours, ValueError), peer) == (True, "handled")
