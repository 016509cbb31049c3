"""For tests, yours and the library's: fake models, a scripted server, a virtual clock, a check for leaks."""

from millstream.testing.connection import Request
from millstream.testing.fakes import Asked, FakeChatModel, FakeEmbeddings, FakeLLM
from millstream.testing.leaks import Leak, check_leaks
from millstream.testing.script import CUT, RESET, Hold, Pause, Reply, cut_at
from millstream.testing.server import ScriptedServer
from millstream.testing.time import VirtualClock, run_virtual

__all__ = [
    "CUT",
    "RESET",
    "Asked",
    "FakeChatModel",
    "FakeEmbeddings",
    "FakeLLM",
    "Hold",
    "Leak",
    "Pause",
    "Reply",
    "Request",
    "ScriptedServer",
    "VirtualClock",
    "check_leaks",
    "cut_at",
    "run_virtual",
]
