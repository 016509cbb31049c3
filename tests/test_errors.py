"""Errors as values: copied, pickled, and sent between processes."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from millstream import (
    AgentLimitError,
    AIMessage,
    HumanMessage,
    JsonError,
    MillstreamError,
    MissingDependency,
    OutputParserException,
    PromptInputError,
    RateLimitError,
    StreamTimeout,
    StreamTruncated,
    ToolInputError,
    VectorStoreError,
)


def _used_up() -> RateLimitError:
    error = RateLimitError("Used up.", status=402, code="billing_error", request_id="r", retry_after=2.0)
    error.retryable = False
    return error


def _cut() -> StreamTruncated:
    error = StreamTruncated("It broke off.")
    error.partial = AIMessage("Hel")
    error.add_note("in a step")
    return error


ERRORS: list[MillstreamError] = [
    _used_up(),
    _cut(),
    StreamTimeout("Silent.", phase="idle"),
    MissingDependency("openai", command="pip install openai"),
    PromptInputError("A prompt", ["b", "a"], []),
    OutputParserException("No JSON.", "Write JSON.", "Hello", send_to_llm=True, path=["a", 0]),
    JsonError("Cut off.", path=["a"], position=3, truncated=True),
    ToolInputError("No city.", tool="weather", path=["city"]),
    AgentLimitError("Too many.", limit="max_steps", messages=[HumanMessage("hi")]),
    VectorStoreError("Not there.", path="/a"),
]
WAYS: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]


@pytest.mark.parametrize("way", WAYS, ids=["copy", "deepcopy", "pickle"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_copied_with_all_that_it_carries(
    error: MillstreamError, way: Callable[[Any], Any]
) -> None:
    again = way(error)
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
