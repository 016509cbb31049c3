"""The typed events of a run: one tagged union, to `match` on. Every projection of a run is made of these.

An event is encoded with its tag as `type` (`encode_event`). `SCHEMA_VERSION` grows when a field changes its
meaning or goes; new fields and new events do not change it, so readers ignore what they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Literal

import msgspec

from millstream.messages import UsageMetadata

SCHEMA_VERSION = 1


class _Event(msgspec.Struct, kw_only=True, tag_field="type", repr_omit_defaults=True):
    """What all events have."""

    run_id: str
    """The id of the run that it is told of."""
    parent_ids: tuple[str, ...] = ()
    """The ids of the runs around that one, from the outermost in."""
    seq: int = 0
    """The number of the event in its run, from 1."""
    time: float = 0.0
    """When it happened, in seconds since the epoch."""


class RunStarted(_Event, kw_only=True, tag="run_started"):
    """The run begins: the first event."""

    type: ClassVar[Literal["run_started"]] = "run_started"

    name: str
    """The run's name."""
    kind: str
    """The type of its step: `chain`, `chat_model`, `llm`, `prompt`, `parser`, `tool` or `retriever`."""
    input: Any = None
    """What it was given."""
    tags: list[str] = []
    """Its tags."""
    metadata: dict[str, Any] = {}
    """Its metadata."""
    version: int = SCHEMA_VERSION
    """The version of these events."""


class StepStarted(_Event, kw_only=True, tag="step_started"):
    """A run inside begins. A step that reads a stream tells its input nowhere: it is the output before it."""

    type: ClassVar[Literal["step_started"]] = "step_started"

    name: str
    """Its name."""
    kind: str
    """The type of step: see `RunStarted`."""
    input: Any = None
    """What it was given; None while that is still on its way."""
    tags: list[str] = []
    """Its tags and those that it inherited."""
    metadata: dict[str, Any] = {}
    """Its metadata and those that it inherited."""


class StepFinished(_Event, kw_only=True, tag="step_finished"):
    """A run inside has ended."""

    type: ClassVar[Literal["step_finished"]] = "step_finished"

    name: str
    """Its name."""
    kind: str
    """The type of step: see `RunStarted`."""
    duration: float = 0.0
    """How long it took, in seconds."""
    first_item: float | None = None
    """After how many seconds it gave the first item of its output; None if it was cut short before."""
    output: Any = None
    """What it answered, as one value; None if it was cut short."""
    error: BaseException | None = None
    """What cut it short: an error, or `Cancelled`."""
    usage: UsageMetadata | None = None
    """What a model's run took, in tokens."""


class TextDelta(_Event, kw_only=True, tag="text_delta"):
    """More text: of the run's answer, or of a model inside it."""

    type: ClassVar[Literal["text_delta"]] = "text_delta"

    text: str
    """What came."""
    is_answer: bool = True
    """Whether it is part of the run's own answer. Of a model inside, this is False."""


class ReasoningDelta(_Event, kw_only=True, tag="reasoning_delta"):
    """More of what a model thinks before it answers."""

    type: ClassVar[Literal["reasoning_delta"]] = "reasoning_delta"

    text: str
    """What came."""


class ToolCallStarted(_Event, kw_only=True, tag="tool_call_started"):
    """A model begins to write a tool call."""

    type: ClassVar[Literal["tool_call_started"]] = "tool_call_started"

    index: int
    """Which call of the model's answer it is, from 0."""
    name: str
    """The tool."""
    id: str | None = None
    """The call's id, if it has come."""


class ToolCallDelta(_Event, kw_only=True, tag="tool_call_delta"):
    """More of the arguments of a tool call."""

    type: ClassVar[Literal["tool_call_delta"]] = "tool_call_delta"

    index: int
    """Which call of the model's answer it is, from 0."""
    args: str
    """What came of the arguments' JSON text."""
    piece: int = 0
    """Which piece of that text it is, from 0."""


class ToolCallReady(_Event, kw_only=True, tag="tool_call_ready"):
    """A tool call is complete."""

    type: ClassVar[Literal["tool_call_ready"]] = "tool_call_ready"

    index: int
    """Which call of the model's answer it is, from 0."""
    name: str
    """The tool."""
    args: dict[str, Any]
    """The arguments, by name."""
    id: str | None = None
    """The call's id."""
    error: str | None = None
    """What is wrong with the arguments, if they cannot be read; `args` is empty then."""


class ToolOutputDelta(_Event, kw_only=True, tag="tool_output_delta"):
    """A piece of the output of a tool that streams."""

    type: ClassVar[Literal["tool_output_delta"]] = "tool_output_delta"

    name: str
    """The tool."""
    output: Any
    """What came."""


class ToolResult(_Event, kw_only=True, tag="tool_result"):
    """A tool has answered."""

    type: ClassVar[Literal["tool_result"]] = "tool_result"

    name: str
    """The tool."""
    output: Any
    """Its answer: a `ToolMessage` if it was called by a model."""
    tool_call_id: str | None = None
    """The call that it answers."""


class UsageReported(_Event, kw_only=True, tag="usage"):
    """What a model's run took, at its end. Of one that was cut short it is an estimate, and says so."""

    type: ClassVar[Literal["usage"]] = "usage"

    usage: UsageMetadata
    """The tokens."""


class CustomEvent(_Event, kw_only=True, tag="custom"):
    """An event of a user's own (`dispatch_custom_event`)."""

    type: ClassVar[Literal["custom"]] = "custom"

    name: str
    """Its name."""
    data: Any
    """What it tells."""


class RunReset(_Event, kw_only=True, tag="reset"):
    """What was told inside this run so far does not count: it begins anew, after an error."""

    type: ClassVar[Literal["reset"]] = "reset"

    attempt: int
    """The number of the attempt that failed, from 1."""
    error: BaseException
    """What it failed with."""


class _End(_Event, kw_only=True):
    """What all last events have."""

    duration: float = 0.0
    """How long the run took, in seconds."""
    first_item: float | None = None
    """After how many seconds it gave the first item of its answer; None if it gave none."""
    usage: UsageMetadata | None = None
    """What all models inside took together; None if there were none."""


class RunDone(_End, kw_only=True, tag="done"):
    """The last event of a run that gave its answer."""

    type: ClassVar[Literal["done"]] = "done"

    output: Any = None
    """The answer."""


class RunFailed(_End, kw_only=True, tag="error"):
    """The last event of a run that failed. Whoever reads on gets the error raised."""

    type: ClassVar[Literal["error"]] = "error"

    error: BaseException
    """What it failed with."""


class RunCancelled(_End, kw_only=True, tag="cancelled"):
    """The last event of a run that was cancelled."""

    type: ClassVar[Literal["cancelled"]] = "cancelled"

    error: BaseException
    """`Cancelled`, or what it was cancelled with."""


class RunTruncated(_End, kw_only=True, tag="truncated"):
    """The last event of a run whose model's stream ended before the answer did."""

    type: ClassVar[Literal["truncated"]] = "truncated"

    error: BaseException
    """The `StreamTruncated`."""


class EventsMissed(_Event, kw_only=True, tag="gap"):
    """Stands where events were that this reader was too slow for. Its number is that of the last of them."""

    type: ClassVar[Literal["gap"]] = "gap"

    missed: int
    """How many events."""


RunEnd = RunDone | RunFailed | RunCancelled | RunTruncated
"""The events of which each run has exactly one, as its last."""

RunEvent = (
    RunStarted
    | StepStarted
    | StepFinished
    | TextDelta
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallDelta
    | ToolCallReady
    | ToolOutputDelta
    | ToolResult
    | UsageReported
    | CustomEvent
    | RunReset
    | RunDone
    | RunFailed
    | RunCancelled
    | RunTruncated
    | EventsMissed
)
"""What `run.events` yields."""


def encode_event(event: Any) -> bytes:
    """An event as JSON, on one line: a typed one, a dict of `astream_events`, or the `ops` of a log's patch.

    An error becomes its type and its text, other values that JSON has no form for their `repr`.
    """
    try:
        return msgspec.json.encode(event, enc_hook=_plain)
    except Exception:
        # Half characters, keys that are no texts, numbers of more than 64 bits, lists in themselves.
        if not isinstance(event, _Event):
            return _encoded(event).encode()
        names = event.__struct_fields__
        fields = [("type", event.__struct_config__.tag), *((name, getattr(event, name)) for name in names)]
        return f"{{{','.join(f'{json.dumps(name)}:{_encoded(value)}' for name, value in fields)}}}".encode()


def _encoded(value: Any) -> str:
    """A value as JSON, the slow way that takes any; what is not a number is null, as in the fast way."""
    with suppress(Exception):
        plain = msgspec.to_builtins(value, enc_hook=_plain, builtin_types=(int,), str_keys=True)
        text = json.dumps(plain, default=repr, skipkeys=True)
        return json.dumps(json.loads(text, parse_constant=lambda _: None))
    return json.dumps(_said(repr, value))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseException):
        return {"type": type(value).__name__, "message": _said(str, value)}
    return _said(repr, value)


def _said(say: Callable[[Any], str], value: Any) -> str:
    """What a value says of itself, by code that may be a user's; or its type, if that fails."""
    try:
        return say(value)
    except Exception:
        return f"<{type(value).__name__}>"
