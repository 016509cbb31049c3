"""Typed events as JSON: whatever users put into them."""

import json
from typing import Any

import pytest

from millstream import CustomEvent, HumanMessage, RunFailed, encode_event


class Mute:
    def __repr__(self) -> str:
        raise ValueError("not a word")


class MuteError(Exception):
    def __str__(self) -> str:
        raise ValueError("not a word")


def _circle() -> Any:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _deep() -> Any:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def decoded(event: Any) -> Any:
    encoded = encode_event(event)
    assert b"\n" not in encoded
    return json.loads(encoded, parse_constant=_no_constant)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(HumanMessage("x"), {"type": "human", "content": "x"}, id="message"),
        pytest.param(ValueError("x"), {"type": "ValueError", "message": "x"}, id="error"),
        pytest.param(len, repr(len), id="object"),
        pytest.param(b"a", "YQ==", id="bytes"),
        pytest.param(float("nan"), None, id="nan"),
        pytest.param(2**70, 2**70, id="large number"),
        pytest.param({(1, 2): 3}, {"(1, 2)": 3}, id="key"),
        pytest.param("\ud800", "\ud800", id="half a character"),
        pytest.param({"\ud800": {1}}, {"\ud800": [1]}, id="half a key"),
        pytest.param({1: "\ud800"}, {"1": "\ud800"}, id="a key that is no text"),
        pytest.param(["\ud800", float("inf")], ["\ud800", None], id="half a character, infinity"),
        pytest.param(2**20_000, "<int>", id="number without end"),
        pytest.param(_circle(), "[[...]]", id="circle"),
        pytest.param({"a": _circle()}, "{'a': [[...]]}", id="circle inside"),
        pytest.param(_deep(), "<list>", id="deep"),
        pytest.param([Mute(), 1], ["<Mute>", 1], id="mute"),
        pytest.param(MuteError(), {"type": "MuteError", "message": "<MuteError>"}, id="mute error"),
    ],
)
def test_whatever_an_event_holds_is_json(data: Any, expected: Any) -> None:
    event = CustomEvent(run_id="r", name="mine", data=data, seq=3, time=1.5)
    told = decoded(event)
    assert (told["type"], told["run_id"], told["seq"], told["data"]) == ("custom", "r", 3, expected)


def test_errors_are_their_type_and_text() -> None:
    event = decoded(RunFailed(run_id="r", error=KeyError("dam")))
    assert (event["type"], event["error"]) == ("error", {"type": "KeyError", "message": "'dam'"})
