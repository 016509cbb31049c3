"""What may reach a terminal."""

import pytest

from millstream.cli.terminal import harmless


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand tabs", "grüß 世界 🎈", "\u200d\u202a"])
def test_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_no_control_is_left() -> None:
    controls = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
    left = harmless(controls)
    assert {character for character in left if character in controls} == {"\n", "\t"}
    assert harmless("\x1b[31m\x00") == "␛[31m␀"
    assert harmless("windows\r\n") == "windows\n"
