from dataclasses import dataclass
from typing import Annotated, TypedDict

import msgspec
import pytest
from pydantic import BaseModel, Field

from millstream import BaseTool, ConfigError, convert_to_anthropic_tool, convert_to_openai_tool, tool
from millstream.tools.json_schema import strict, tidied


def weather(city: str, days: int = 1, config: None = None) -> str:
    """How the weather is.

    Args:
        city: the city

    Returns:
        A text.
    """
    return city


class WeatherModel(BaseModel):
    """How the weather is."""

    city: str = Field(description="the city")
    days: int = 1


@dataclass
class WeatherData:
    """How the weather is."""

    city: Annotated[str, "the city"]
    days: int = 1


class WeatherStruct(msgspec.Struct):
    """How the weather is."""

    city: Annotated[str, "the city"]
    days: int = 1


class WeatherDict(TypedDict):
    """How the weather is.

    Args:
        city: the city
    """

    city: str
    days: int


class WeatherTool(BaseTool):
    name = "weather"
    description = "How the weather is."

    def _run(self, city: Annotated[str, "the city"], days: int = 1) -> str:
        return city


PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "the city"},
        "days": {"type": "integer", "default": 1},
    },
    "required": ["city"],
}
SCHEMA = {"title": "weather", "description": "How the weather is.", **PARAMETERS}
OPENAI = {"name": "weather", "description": "How the weather is.", "parameters": PARAMETERS}
ANTHROPIC = {"name": "weather", "description": "How the weather is.", "input_schema": PARAMETERS}

FORMS = [
    weather,
    tool(weather, parse_docstring=True),
    tool("weather", description="How the weather is.", args_schema=WeatherModel)(weather),
    tool("weather", args_schema=SCHEMA, description="How the weather is.")(weather),
    WeatherTool(),
    WeatherModel,
    WeatherData,
    WeatherStruct,
    SCHEMA,
    OPENAI,
    {"type": "function", "function": OPENAI},
    ANTHROPIC,
    {"type": "custom", **ANTHROPIC},
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_both_forms(form):
    name = form.__name__ if isinstance(form, type) else "weather"
    openai = {**OPENAI, "name": name}
    assert convert_to_openai_tool(form) == {"type": "function", "function": openai}
    anthropic = convert_to_anthropic_tool(form)
    assert {k: v for k, v in anthropic.items() if k != "type"} == {**ANTHROPIC, "name": name}


def test_typed_dicts():
    function = convert_to_openai_tool(WeatherDict)["function"]
    assert (function["name"], function["description"]) == ("WeatherDict", "How the weather is.")
    assert function["parameters"]["properties"]["city"] == {"type": "string", "description": "the city"}
    assert function["parameters"]["required"] == ["city", "days"]


def test_tools_of_the_server_stay_as_they_are():
    for own in ({"type": "web_search"}, {"type": "bash_20250124", "name": "bash"}):
        assert convert_to_openai_tool(own) == convert_to_anthropic_tool(own) == own


def test_dicts_without_parameters():
    assert convert_to_openai_tool({"name": "now"}) == {"type": "function", "function": {"name": "now"}}
    schema = {"type": "object", "properties": {}}
    assert convert_to_anthropic_tool({"name": "now"}) == {"name": "now", "input_schema": schema}


@pytest.mark.parametrize("wrong", [3, {"a": 1}, "text", {"type": "object", "properties": {}}])
def test_what_is_no_tool(wrong):
    with pytest.raises(ConfigError):
        convert_to_openai_tool(wrong)
    with pytest.raises(ConfigError):
        convert_to_anthropic_tool(wrong)


def test_what_is_made_is_ones_own():
    made = tool(weather)
    convert_to_openai_tool(made)["function"]["parameters"]["properties"].clear()
    convert_to_anthropic_tool(OPENAI)["input_schema"]["properties"].clear()
    assert list(made.args) == ["city", "days"] == list(PARAMETERS["properties"])


def test_strict():
    @dataclass
    class Inner:
        a: int = 1

    @tool
    def outer(inner: Annotated[Inner, "x"], many: list[dict[str, int]]) -> int:
        """Outer."""
        return 1

    function = convert_to_openai_tool(outer, strict=True)["function"]
    assert function["strict"] is True
    inner = {
        "type": "object",
        "properties": {"a": {"type": "integer", "default": 1}},
        "required": ["a"],
        "additionalProperties": False,
        "description": "x",
    }
    many = {
        "type": "array",
        "items": {"type": "object", "additionalProperties": False, "required": []},
    }
    assert function["parameters"] == {
        "type": "object",
        "properties": {"inner": inner, "many": many},
        "required": ["inner", "many"],
        "additionalProperties": False,
    }
    assert convert_to_openai_tool(outer, strict=False)["function"]["strict"] is False
    assert strict({"$defs": {"A": {"properties": {}}}, "default": {"properties": {}}}) == {
        "$defs": {"A": {"properties": {}, "additionalProperties": False, "required": []}},
        "default": {"properties": {}},
    }


def test_tidying():
    schema = {
        "title": "T",
        "type": "object",
        "required": [],
        "properties": {
            "title": {"title": "Title", "type": "string", "default": {"title": "kept"}},
            "$ref": {"$ref": "#/definitions/A", "description": "mine"},
            "b": {"$ref": "#/definitions/B"},
            "far": {"$ref": "https://example.org/x"},
        },
        "definitions": {
            "A": {"title": "A", "enum": [True, False], "description": "theirs"},
            "B": {"properties": {"c": {"$ref": "#/definitions/C"}}},
            "C": {"anyOf": [{"$ref": "#/definitions/B"}, {"$ref": "#/definitions/A"}]},
        },
    }
    assert tidied(schema) == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "default": {"title": "kept"}},
            "$ref": {"enum": [True, False], "type": "boolean", "description": "mine"},
            "b": {"$ref": "#/$defs/B"},
            "far": {"$ref": "https://example.org/x"},
        },
        "$defs": {
            "B": {"properties": {"c": {"$ref": "#/$defs/C"}}},
            "C": {
                "anyOf": [
                    {"$ref": "#/$defs/B"},
                    {"enum": [True, False], "type": "boolean", "description": "theirs"},
                ]
            },
        },
    }
