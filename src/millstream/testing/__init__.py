"""For tests, yours and the library's: fake models, a virtual clock, a check for leaks."""

from millstream.testing.fakes import FakeChatModel, FakeEmbeddings, FakeLLM
from millstream.testing.leaks import Leak, check_leaks
from millstream.testing.time import VirtualClock, run_virtual

__all__ = ["FakeChatModel", "FakeEmbeddings", "FakeLLM", "Leak", "VirtualClock", "check_leaks", "run_virtual"]
