"""Handlers: objects whose methods are told what happens in a run."""

from millstream.callbacks.handlers import AsyncCallbackHandler, BaseCallbackHandler
from millstream.callbacks.retry_state import RetryState
from millstream.callbacks.stdout import StdOutCallbackHandler, StreamingStdOutCallbackHandler

__all__ = [
    "AsyncCallbackHandler",
    "BaseCallbackHandler",
    "RetryState",
    "StdOutCallbackHandler",
    "StreamingStdOutCallbackHandler",
]
