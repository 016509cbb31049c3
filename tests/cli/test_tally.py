"""The line of statistics, on a clock that moves when it is told to."""

from collections.abc import Iterator

import pytest

from millstream.cli.tally import Tally
from millstream.messages import AIMessageChunk, UsageMetadata
from millstream.testing import VirtualClock


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with VirtualClock() as clock:
        yield clock


def say(tally: Tally, clock: VirtualClock, *pieces: str, apart: float = 0.1) -> None:
    for piece in pieces:
        clock.time += apart
        tally.add(AIMessageChunk(piece))


def end(tally: Tally, usage: UsageMetadata | None = None, reason: str = "stop") -> None:
    tally.add(AIMessageChunk("", usage_metadata=usage, response_metadata={"finish_reason": reason}))


def test_true_usage_and_the_speed_from_the_first_token_on(clock: VirtualClock) -> None:
    tally = Tally()
    clock.time += 5
    say(tally, clock, *"abcde", apart=0.01)
    end(tally, UsageMetadata(input_tokens=9, output_tokens=7))
    # Six tokens came in the 0.04 s after the first.
    assert tally.line() == "7 tokens, first after 5.01 s, 150 tokens/s"


def test_pieces_are_counted_where_no_usage_came(clock: VirtualClock) -> None:
    tally = Tally()
    say(tally, clock, *"abc")
    assert tally.line(stopped=True) == "about 3 tokens, first after 0.10 s, 10 tokens/s, stopped"


def test_a_slow_model_gets_a_decimal(clock: VirtualClock) -> None:
    tally = Tally()
    say(tally, clock, *"abc", apart=0.4)
    assert tally.line() == "about 3 tokens, first after 0.40 s, 2.5 tokens/s"


def test_an_estimate_says_so_and_one_token_has_no_speed(clock: VirtualClock) -> None:
    tally = Tally()
    say(tally, clock, "a")
    end(tally, UsageMetadata(output_tokens=1, estimated=True))
    assert tally.line() == "about 1 token, first after 0.10 s"


def test_an_answer_that_was_cut(clock: VirtualClock) -> None:
    tally = Tally()
    say(tally, clock, "a")
    end(tally, UsageMetadata(output_tokens=1), reason="length")
    assert tally.line() == "1 token, first after 0.10 s, cut at the token limit"


def test_nothing_yet(clock: VirtualClock) -> None:
    assert Tally().line(stopped=True) == "stopped before the first token"
    assert Tally().line() == "about 0 tokens"
