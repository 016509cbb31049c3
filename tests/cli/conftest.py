"""What `main` changes for the rest of its process, these tests put back."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _interrupts() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = ("MILLSTREAM_DEBUG", "MILLSTREAM_MODEL", "MILLSTREAM_HISTORY")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "EDITOR", "VISUAL", *own):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    # No test adds to the history of whoever runs it.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
