"""What may reach a terminal."""

import io
import sys

import pytest

from millstream.cli.errors import ReaderGone
from millstream.cli.terminal import Screen, harmless, say, wrapped


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand tabs", "grüß 世界 🎈", "\u200d"])
def test_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_no_control_is_left() -> None:
    controls = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    left = harmless(controls)
    assert {character for character in left if character in controls} == {"\n", "\t"}
    assert harmless("\x1b[31m\x00") == "␛[31m␀"
    assert harmless("windows\r\n") == "windows\n"


def test_text_cannot_be_turned_around() -> None:
    assert harmless("a\u202eb\u2066c\u200fd\u061ce") == "abcde"


def test_sentences_are_wrapped_at_words() -> None:
    assert wrapped("one two three\n\n  four  five\nexactly-ten.", 10) == (
        "one two\nthree\n\n  four\n  five\nexactly-ten."
    )
    assert wrapped("  /a  one two three", 12) == "  /a  one\n      two\n      three"


def test_a_pipe_gets_sentences_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say("word " * 50)
    assert capsys.readouterr().out == "word " * 50 + "\n"


class _Leaving(io.StringIO):
    is_gone = False

    def write(self, text: str) -> int:
        if self.is_gone:
            raise BrokenPipeError
        return super().write(text)


@pytest.mark.parametrize(
    ("raised", "seen"), [(KeyboardInterrupt, KeyboardInterrupt), (ValueError, ReaderGone)]
)
def test_an_interrupt_is_not_hidden_by_a_reader_that_is_gone(
    raised: type[BaseException], seen: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = _Leaving()
    monkeypatch.setattr(sys, "stdout", reader)
    with pytest.raises(seen), Screen() as screen:
        screen.write("word")
        reader.is_gone = True
        raise raised
