import pytest

from millstream.tools.docstring import Docstring, parse


@pytest.mark.parametrize(
    ("text", "summary", "arguments"),
    [
        (None, "", None),
        ("", "", None),
        ("One.", "One.", None),
        ("One\ntwo.\n\nThree.", "One\ntwo. Three.", None),
        ("One.\n\n    Two.\n    ", "One. Two.", None),
        ("Note: this stays.", "Note: this stays.", None),
        ("One.\nArgs:\n    a: x", "One.", {"a": "x"}),
        ("One.\n\nArguments:\n  a: x", "One.", {"a": "x"}),
        ("One.\n\nArgs:", "One.", {}),
        ("One.\n\nReturns:\n    x\n\nArgs:\n    a: x", "One.", {"a": "x"}),
        ("One.\n\nArgs:\n    a: x\n\nMore.", "One.", {"a": "x"}),
        ("One.\n\nArgs:\n    a: x\n\n    b: y\nRaises:\n    c: z", "One.", {"a": "x", "b": "y"}),
        ("One.\n\nArgs:\n    a (dict[str, (int)], optional): x", "One.", {"a": "x"}),
        ("One.\n\nArgs:\n    *a: x\n    **b: y", "One.", {"a": "x", "b": "y"}),
        ("One.\n\nArgs:\n    a:\n        x\n        y: z", "One.", {"a": "x y: z"}),
        ("One.\n\nArgs:\n    a: x\n    goes on", "One.", {"a": "x goes on"}),
        ("One.\n\nArgs:\n    nothing here", "One.", {}),
        ("One.\n\nArgs:\n    a: http://x.y", "One.", {"a": "http://x.y"}),
    ],
)
def test_docstrings(text, summary, arguments):
    assert parse(text) == Docstring(summary, arguments)
