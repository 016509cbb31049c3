import pytest

from millstream.messages.arguments import parse_arguments, write_arguments


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_nothing_is_an_empty_object(text):
    assert parse_arguments(text) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": [true, null]}', {"a": 1, "b": [True, None]}),
        (' {"a": "ü"} ', {"a": "ü"}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
    ],
)
def test_objects_are_read(text, value):
    assert parse_arguments(text) == value


@pytest.mark.parametrize(
    "text", ['{"a": 1', "[1]", '"a"', "null", "nonsense", '{"a": 1}}', "[" * 100_000, '"\ud800"']
)
def test_anything_else_is_none(text):
    assert parse_arguments(text) is None


def test_writing_gives_one_line_that_reads_back():
    args = {"a": [1, {"b": None}], "ü": "two\nlines"}
    assert write_arguments({"a": [1, 2], "b": {}}) == '{"a": [1, 2], "b": {}}'
    assert "\n" not in write_arguments(args)
    assert parse_arguments(write_arguments(args)) == args


def test_half_characters_are_written_as_escapes():
    args = {"a": ["\ud83d", {"\ude00": 'é"\n'}], "b": None}
    text = write_arguments(args)
    assert "\\ud83d" in text
    assert text.startswith('{"a": [')
    text.encode()
    assert parse_arguments(text) == args
