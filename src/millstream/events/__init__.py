"""What happens inside a chain, told while it happens."""

from millstream.events.custom import adispatch_custom_event, dispatch_custom_event
from millstream.events.stream import StreamEvent

__all__ = ["StreamEvent", "adispatch_custom_event", "dispatch_custom_event"]
