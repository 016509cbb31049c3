import datetime
import enum
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, NotRequired, Optional, TypedDict, TypeVar

import msgspec
import pytest
import typing_extensions
from pydantic import BaseModel, Field, SecretStr
from pydantic import v1 as pydantic_v1

from millstream import ConfigError, ToolInputError, convert_to_openai_tool, tool

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Place:
    name: Annotated[str, "what people call it"]
    size: int = 7


class Trip(TypedDict):
    """A trip.

    Args:
        title: what it is called
    """

    title: str
    stops: list[Place]
    home: NotRequired[Annotated[Place, "where it ends"]]


@dataclass
class Tree:
    label: str
    children: list["Tree"]


class Model(BaseModel):
    """A model."""

    name: str = Field(description="the name")
    place: Optional[Place] = None  # noqa: UP045


class Struct(msgspec.Struct):
    a: Annotated[int, msgspec.Meta(ge=1, description="the a")]


@dataclass
class Box(Generic[T]):
    item: T


@dataclass
class Other:
    b: int


UserId = NewType("UserId", int)
PLACE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "what people call it"},
        "size": {"type": "integer", "default": 7},
    },
    "required": ["name"],
}
TREE = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
    },
    "required": ["label", "children"],
}

KINDS: dict[str, tuple[Any, Any, Any, Any]] = {
    # name: type, its schema, a value, what it is read as
    "none": (Any, {}, {"x": 1}, {"x": 1}),
    "int": (int, {"type": "integer"}, "3", 3),
    "float": (float, {"type": "number"}, "1.5", 1.5),
    "bool": (bool, {"type": "boolean"}, "true", True),
    "str": (str, {"type": "string"}, "a", "a"),
    "optional": (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}, None, None),
    "literal": (Literal["a", "b"], {"enum": ["a", "b"], "type": "string"}, "b", "b"),
    "mixed literal": (Literal["a", 1], {"enum": [1, "a"]}, 1, 1),
    "enum": (Colour, {"enum": ["blue", "red"], "type": "string"}, "red", Colour.RED),
    "int enum": (Level, {"enum": [1, 2], "type": "integer"}, "2", Level.HIGH),
    "list": (list[int], {"type": "array", "items": {"type": "integer"}}, ["1", 2], [1, 2]),
    "set": (
        set[int],
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        [1, 1],
        {1},
    ),
    "tuple": (
        tuple[int, str],
        {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "minItems": 2,
            "maxItems": 2,
        },
        [1, "a"],
        (1, "a"),
    ),
    "dict": (
        dict[str, int],
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"a": 1},
        {"a": 1},
    ),
    "date": (
        datetime.date,
        {"type": "string", "format": "date"},
        "2020-01-02",
        datetime.date(2020, 1, 2),
    ),
    "date and time": (
        datetime.datetime,
        {"type": "string", "format": "date-time"},
        "2020-01-02T03:04:05Z",
        datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    ),
    "time or nothing": (
        datetime.time | None,
        {"anyOf": [{"type": "string", "format": "time"}, {"type": "null"}]},
        "03:04:00",
        datetime.time(3, 4),
    ),
    "dataclass": (Place, PLACE, {"name": "x"}, Place("x")),
    "dataclass instance": (Place, PLACE, Place("x", 1), Place("x", 1)),
    "typed dict": (
        Trip,
        {
            "type": "object",
            "description": "A trip.",
            "properties": {
                "title": {"type": "string", "description": "what it is called"},
                "stops": {"type": "array", "items": PLACE},
                "home": {**PLACE, "description": "where it ends"},
            },
            "required": ["title", "stops"],
        },
        {"title": "t", "stops": [{"name": "x"}]},
        {"title": "t", "stops": [Place("x")]},
    ),
    "struct": (
        Struct,
        {
            "type": "object",
            "properties": {"a": {"type": "integer", "minimum": 1, "description": "the a"}},
            "required": ["a"],
        },
        {"a": 1},
        Struct(1),
    ),
    "pydantic": (
        Model,
        {
            "type": "object",
            "description": "A model.",
            "properties": {
                "name": {"type": "string", "description": "the name"},
                "place": {"anyOf": [PLACE, {"type": "null"}], "default": None},
            },
            "required": ["name"],
        },
        {"name": "n", "place": {"name": "x"}},
        Model(name="n", place=Place("x")),
    ),
    "new type": (UserId, {"type": "integer"}, "3", 3),
    "generic": (
        Box[int],
        {"type": "object", "properties": {"item": {"type": "integer"}}, "required": ["item"]},
        {"item": 1},
        Box(1),
    ),
    # What only pydantic knows.
    "path": (Path, {"type": "string", "format": "path"}, "a/b", Path("a/b")),
    "secret": (
        SecretStr,
        {"type": "string", "format": "password", "writeOnly": True},
        "x",
        SecretStr("x"),
    ),
    "two records": (
        Place | Other,
        {
            "anyOf": [
                PLACE,
                {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]},
            ]
        },
        {"b": 1},
        Other(1),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_types(kind):
    hint, schema, given, read = KINDS[kind]

    def take(it):
        """Take it."""
        return it

    if kind != "none":
        take.__annotations__["it"] = hint
    made = tool(take)
    assert made.args["it"] == schema
    assert made.invoke({"it": given}) == read


def test_a_type_that_holds_itself():
    @tool
    def plant(tree: Tree, other: Tree | None = None) -> int:
        """Plant it."""
        return len(tree.children)

    schema = plant.tool_call_schema
    assert schema["properties"]["tree"] == {"$ref": "#/$defs/Tree"}
    assert schema["$defs"] == {"Tree": TREE}
    assert plant.invoke({"tree": {"label": "a", "children": [{"label": "b", "children": []}]}}) == 1
    rooted = tool("t", description="d", args_schema=Tree)(lambda label, children: children)
    assert rooted.tool_call_schema["properties"] == TREE["properties"]
    assert rooted.tool_call_schema["$defs"] == {"Tree": TREE}
    assert convert_to_openai_tool(rooted)["function"]["parameters"]["$defs"] == {"Tree": TREE}


def test_the_whole_schema_of_a_call():
    @tool
    def weather(
        city: Annotated[str, "the city", msgspec.Meta(min_length=1)],
        days: Annotated[int, "how many"] = 1,
        unit: Colour = Colour.RED,
        since: datetime.date = datetime.date(2020, 1, 2),
    ) -> str:
        """How the weather is."""
        return city

    assert weather.tool_call_schema == {
        "title": "weather",
        "description": "How the weather is.",
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 1, "description": "the city"},
            "days": {"type": "integer", "description": "how many", "default": 1},
            "unit": {"enum": ["blue", "red"], "type": "string", "default": "red"},
            "since": {"type": "string", "format": "date", "default": "2020-01-02"},
        },
        "required": ["city"],
    }
    assert list(weather.args) == ["city", "days", "unit", "since"]


def test_names_that_pydantic_does_not_like():
    @tool
    def odd(schema: int, copy: Annotated[int, Field(ge=1)], _under: int, title: str, description: str = "x"):
        """Odd."""
        return schema + copy + _under

    assert list(odd.args) == ["schema", "copy", "_under", "title", "description"]
    assert odd.invoke({"schema": 1, "copy": 2, "_under": 3, "title": "t"}) == 6


def test_fields_as_defaults():
    @tool
    def fields(
        a: int = Field(description="the a"),
        b: int = Field(default=3, ge=1),
        c: Annotated[list[int], Field(default_factory=lambda: [1])] = (),
    ):
        """Fields."""
        return a, b, c

    assert fields.args["a"] == {"type": "integer", "description": "the a"}
    assert fields.args["b"] == {"type": "integer", "default": 3, "minimum": 1}
    assert fields.tool_call_schema["required"] == ["a"]
    assert fields.invoke({"a": "1"}) == (1, 3, [1])
    with pytest.raises(ToolInputError, match="at a, Field required"):
        fields.invoke({})


class Service:
    pass


@pytest.mark.parametrize("hint", [Service, list[Service], Callable[[], int], pydantic_v1.BaseModel])
def test_what_no_json_can_be_read_as(hint):
    def serve(a: int, service) -> int:
        """Serve."""
        return a

    serve.__annotations__["service"] = hint
    with pytest.raises(ConfigError, match=r"argument 'service' of the tool 'serve' is a .*no JSON"):
        tool(serve)


def test_a_struct_beside_a_model_is_a_mistake():
    with pytest.raises(ConfigError, match="mixed"):

        @tool
        def mixed(a: Struct, b: Model) -> int:
            """Mixed."""
            return 1


def test_types_as_texts():
    def postponed(place: "Place", many: "list[Place] | None" = None) -> Any:
        """Postponed."""
        return place

    assert tool(postponed).args["place"] == PLACE
    assert tool(postponed).invoke({"place": {"name": "x"}}) == Place("x")


def test_a_typed_dict_of_the_extensions():
    class Options(typing_extensions.TypedDict, total=False):
        a: int

    def take(options) -> Any:
        """Take."""
        return options

    take.__annotations__["options"] = Options
    assert tool(take).invoke({"options": {"a": "1"}}) == {"a": 1}


# --- docstrings ------------------------------------------------------------------------------------------


def test_docstrings():
    @tool(parse_docstring=True)
    def weather(city: str, days: int = 1, unit: Annotated[str, "the unit"] = "C", config=None) -> str:
        """How the weather is.

        For some days.

        Args:
            city: the city
            days (int): how many
                of them: at most 3
            config: not for the model

        Returns:
            A text.
        """
        return city

    assert weather.description == "How the weather is. For some days."
    texts = {name: schema["description"] for name, schema in weather.args.items()}
    assert texts == {"city": "the city", "days": "how many of them: at most 3", "unit": "the unit"}


def test_docstrings_that_do_not_fit():
    def none(a: int) -> int:
        """Only words."""
        return a

    def wrong(a: int) -> int:
        """Words.

        Args:
            a: the a
            b: none
        """
        return a

    with pytest.raises(ConfigError, match="docstring of none has no section `Args:`"):
        tool(none, parse_docstring=True)
    assert tool(none, parse_docstring=True, error_on_invalid_docstring=False).description == "Only words."
    with pytest.raises(ConfigError, match="describes arguments that there are not: b"):
        tool(wrong, parse_docstring=True)
    assert tool(wrong).description == "Words.\n\nArgs:\n    a: the a\n    b: none"


def test_without_pydantic():
    program = (
        "import sys\n"
        "from dataclasses import dataclass\n"
        "sys.modules['pydantic'] = None\n"
        "from pathlib import Path\n"
        "from millstream import tool, ConfigError\n"
        "@dataclass\n"
        "class P:\n"
        "    name: str\n"
        "@tool\n"
        "def f(p: P, n: int = 1):\n"
        "    'Doc.'\n"
        "    return p.name * n\n"
        "print(f.invoke({'p': {'name': 'x'}, 'n': '3'}))\n"
        "def g(p: Path):\n"
        "    'Doc.'\n"
        "try:\n"
        "    tool(g)\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
        "print('asyncio' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    said = "The argument 'p' of the tool 'g' is a Path, and no JSON can be read as that."
    assert done.stdout.startswith(f"xxx\n{said}")
    assert done.stdout.endswith("False\n")
