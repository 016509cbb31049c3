"""The keywords that make a model answer by a call are understood by every provider."""

import json
from typing import Any

import msgspec
import pytest

from millstream import HumanMessage
from millstream.language_models.structured import answer_tool, schema_and_parser
from millstream.providers.anthropic.request import messages_request
from millstream.providers.local.request import chat_request
from millstream.providers.openai.request import chat_body


class Film(msgspec.Struct):
    """A film."""

    title: str
    year: int = 1985


ASKED = [HumanMessage("Ran?")]
SCHEMA, _ = schema_and_parser(Film)
PARAMETERS = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "year": {"type": "integer", "default": 1985}},
    "required": ["title"],
}
FUNCTION: dict[str, Any] = {"name": "Film", "description": "A film.", "parameters": PARAMETERS}


def test_openai() -> None:
    body = chat_body(ASKED, answer_tool(SCHEMA), model="m")
    assert body["tools"] == [{"type": "function", "function": FUNCTION}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Film"}}
    assert body["parallel_tool_calls"] is False


def test_openai_strict() -> None:
    body = chat_body(ASKED, {**answer_tool(SCHEMA), "strict": True}, model="m")
    function = body["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"]["required"] == ["title", "year"]
    assert function["parameters"]["additionalProperties"] is False


def test_openai_takes_the_name_of_a_schema_from_its_title() -> None:
    described = chat_body(ASKED, {"json_schema": SCHEMA, "strict": True}, model="m")["response_format"]
    assert described["json_schema"]["name"] == "Film"
    assert described["json_schema"]["schema"]["type"] == "object"


def test_anthropic() -> None:
    body = messages_request(ASKED, {"model": "m", **answer_tool(SCHEMA)})
    assert body["tools"] == [{"name": "Film", "description": "A film.", "input_schema": PARAMETERS}]
    assert body["tool_choice"] == {"type": "tool", "name": "Film", "disable_parallel_tool_use": True}


@pytest.mark.parametrize("calling", ["begun", "told"])
def test_local(calling: Any) -> None:
    body = json.loads(chat_request(ASKED, calling=calling, **answer_tool(SCHEMA)))
    assert body["tools"] == [{"type": "function", "function": FUNCTION}]
    assert body["tool_choice"] == "required"
