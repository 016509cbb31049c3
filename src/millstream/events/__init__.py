"""What happens inside a chain, told while it happens."""

from millstream.events.calls import StreamedToolCall
from millstream.events.custom import adispatch_custom_event, dispatch_custom_event
from millstream.events.live import AsyncLiveRun, LiveRun
from millstream.events.log import LogEntry, RunLog, RunLogPatch, RunState
from millstream.events.schema import (
    CustomEvent,
    EventsMissed,
    ReasoningDelta,
    RunCancelled,
    RunDone,
    RunEnd,
    RunEvent,
    RunFailed,
    RunReset,
    RunStarted,
    RunTruncated,
    StepFinished,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallReady,
    ToolCallStarted,
    ToolOutputDelta,
    ToolResult,
    UsageReported,
    encode_event,
)
from millstream.events.stream import StreamEvent

__all__ = [
    "AsyncLiveRun",
    "CustomEvent",
    "EventsMissed",
    "LiveRun",
    "LogEntry",
    "ReasoningDelta",
    "RunCancelled",
    "RunDone",
    "RunEnd",
    "RunEvent",
    "RunFailed",
    "RunLog",
    "RunLogPatch",
    "RunReset",
    "RunStarted",
    "RunState",
    "RunTruncated",
    "StepFinished",
    "StepStarted",
    "StreamEvent",
    "StreamedToolCall",
    "TextDelta",
    "ToolCallDelta",
    "ToolCallReady",
    "ToolCallStarted",
    "ToolOutputDelta",
    "ToolResult",
    "UsageReported",
    "adispatch_custom_event",
    "dispatch_custom_event",
    "encode_event",
]
