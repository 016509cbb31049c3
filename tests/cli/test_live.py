"""The thread that draws an answer: it ends with the answer, and its errors are raised where that is read."""

import threading

import pytest

from millstream.cli import live
from millstream.cli.live import LiveScreen


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "terminal_size", lambda: (40, 10))


def drawers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "millstream-drawer"]


def test_all_is_drawn_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveScreen() as screen:
        screen.write("")
        assert drawers() == []
        screen.write("some *words*")
        assert drawers() == ["millstream-drawer"]
    assert drawers() == []
    assert capsys.readouterr().out.endswith("words\x1b[0m\r\n\x1b[?2026l")


def test_an_answer_without_words_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveScreen():
        pass
    assert capsys.readouterr().out == ""


def test_a_terminal_that_is_gone_is_an_error_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def gone() -> tuple[int, int]:
        failed.set()
        raise OSError(5, "Input/output error")

    screen = LiveScreen()
    monkeypatch.setattr(live, "terminal_size", gone)
    with pytest.raises(OSError, match="Input/output error"), screen:
        screen.write("word")
        assert failed.wait(10)
    assert drawers() == []


def test_what_is_raised_inside_is_not_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), LiveScreen() as screen:
        screen.write("half of")
        raise KeyboardInterrupt
    assert "half of" in capsys.readouterr().out
