"""The typed events as JSON: whatever a program hands around, a line is JSON."""

import json
import math
from typing import Any

import pytest

from millstream import encode_event
from millstream.events import RunDone, RunFailed


class Mute(Exception):
    """Has no words for itself."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


LOOP: list[Any] = []
LOOP.append(LOOP)
DEEP: Any = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"a": 1}, {"a": 1}),
        ({"a": {1}, "b": print}, {"a": [1], "b": repr(print)}),
        ({1: "\ud800", "big": 10**30}, {"1": "\ud800", "big": 10**30}),
        (["\ud800", math.nan, -math.inf], ["\ud800", None, None]),
        ({None: "a", (1, 2): "b"}, {"None": "a", "(1, 2)": "b"}),
        (LOOP, "[[...]]"),
        (DEEP, "<list>"),
        ([Mute()], [{"type": "Mute", "message": "<Mute>"}]),
        ({"\ud800": object}, {"\ud800": repr(object)}),
    ],
    ids=["plain", "shown", "half", "numbers", "keys", "loop", "deep", "mute", "half-key"],
)
def test_whatever_a_run_answers_is_json(output: Any, said: Any) -> None:
    line = encode_event(RunDone(run_id="r", seq=3, time=1.5, duration=0.5, output=output))
    assert b"\n" not in line
    told = json.loads(line, parse_constant=pytest.fail)
    assert (told["type"], told["seq"], told["time"], told["run_id"]) == ("done", 3, 1.5, "r")
    assert told["output"] == said


def test_an_error_that_has_no_words() -> None:
    told = json.loads(encode_event(RunFailed(run_id="r", duration=0.5, error=Mute())))
    assert told["error"] == {"type": "Mute", "message": "<Mute>"}
