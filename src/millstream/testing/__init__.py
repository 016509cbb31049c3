"""For tests, yours and the library's: fakes, a scripted server, a clock, a leak check, suites of tests."""

from millstream.testing.colours import COLOURS, Async, Colour, Sync
from millstream.testing.conformance import ChatModelSuite, EmbeddingsSuite, TextModelSuite
from millstream.testing.connection import Request
from millstream.testing.fakes import Asked, FakeChatModel, FakeEmbeddings, FakeLLM
from millstream.testing.leaks import Leak, check_leaks
from millstream.testing.script import CUT, RESET, Hold, Pause, Reply, cut_at
from millstream.testing.server import ScriptedServer
from millstream.testing.time import VirtualClock, run_virtual

__all__ = [
    "COLOURS",
    "CUT",
    "RESET",
    "Asked",
    "Async",
    "ChatModelSuite",
    "Colour",
    "EmbeddingsSuite",
    "FakeChatModel",
    "FakeEmbeddings",
    "FakeLLM",
    "Hold",
    "Leak",
    "Pause",
    "Reply",
    "Request",
    "ScriptedServer",
    "Sync",
    "TextModelSuite",
    "VirtualClock",
    "check_leaks",
    "cut_at",
    "run_virtual",
]
