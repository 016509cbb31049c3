"""What happens inside a chain, told while it happens."""

from millstream.events.custom import adispatch_custom_event, dispatch_custom_event
from millstream.events.log import LogEntry, RunLog, RunLogPatch, RunState
from millstream.events.stream import StreamEvent

__all__ = [
    "LogEntry",
    "RunLog",
    "RunLogPatch",
    "RunState",
    "StreamEvent",
    "adispatch_custom_event",
    "dispatch_custom_event",
]
