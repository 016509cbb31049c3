"""Models inside of `with_retry` and `with_fallbacks` stay models: they can be given tools, and schemas."""

from dataclasses import dataclass
from typing import Any

import pytest

from millstream import RateLimitError
from millstream.testing import FakeChatModel, VirtualClock, run_virtual
from tests.conftest import Colour


def weather(city: str) -> str:
    """What it is like there."""
    return city


@dataclass
class Weather:
    """The weather somewhere."""

    city: str


BUSY = RateLimitError("busy")


@pytest.mark.parametrize("verb", ["invoke", "stream"])
def test_tools_are_given_to_each_model(colour: Colour, verb: str) -> None:
    first, second = FakeChatModel([[BUSY]]), FakeChatModel(["ok"])
    model: Any = first.with_fallbacks([second]).with_retry(wait_exponential_jitter=False)
    getattr(colour, verb)(model.bind_tools([weather], tool_choice="any"), "hi")
    for each in (first, second):
        assert each.requests[-1].kwargs["tool_choice"] == "any"
        assert each.requests[-1].kwargs["tools"][0]["function"]["name"] == "weather"
    assert model.bound.runnable is first


@pytest.mark.parametrize("verb", ["invoke", "stream"])
def test_each_model_is_held_to_a_schema(colour: Colour, verb: str) -> None:
    model: Any = FakeChatModel([[BUSY]]).with_fallbacks([FakeChatModel(['{"city": "Oslo"}'])])
    got = getattr(colour, verb)(model.with_structured_output(Weather), "hi")
    assert (got[-1] if verb == "stream" else got) == Weather("Oslo")


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (3600.0, 60.0), (None, 1.0)])
def test_a_retry_waits_as_long_as_the_provider_asks(asked: float | None, waited: float) -> None:
    def model() -> Any:
        busy = FakeChatModel([[RateLimitError("busy", retry_after=asked)], "ok"])
        return busy.with_retry(exponential_jitter_params={"jitter": 0.0})

    _, seconds = run_virtual(model().ainvoke("hi"))
    assert seconds == waited
    with VirtualClock() as clock:
        list(model().stream("hi"))
    assert clock.time == waited
