"""Every Python block of the documentation runs, and prints what the page says it prints.

The blocks of a page run in order in one namespace, as one script would. A `text` block that follows a Python
block, with nothing between but blank lines, is what that block prints, to the letter. Shell blocks are not
run. A page that runs the real local model says so in its first line: `<!-- local -->`.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from millstream import ChatLocal

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n+```text\n(?P<output>.*?)^```$)?", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """A Python block, the line of the page that its code begins on, and what it prints, if the page says."""

    code: str
    line: int
    output: str | None


def blocks_of(text: str) -> Iterator[Block]:
    """The Python blocks of a page."""
    for found in _BLOCK.finditer(text):
        yield Block(found["code"], text.count("\n", 0, found.start("code")) + 1, found["output"])


def run_block(block: Block, path: Path, namespace: dict[str, Any]) -> str:
    """Run a block in `namespace`, and return what it printed. Tracebacks show the page's own lines."""
    code = compile("\n" * (block.line - 1) + block.code, str(path), "exec")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


def _pages(*, local: bool) -> list[Any]:
    texts = {path: path.read_text(encoding="utf-8") for path in PAGES if path.exists()}
    return [
        pytest.param(path, id=str(path.relative_to(ROOT)))
        for path, text in texts.items()
        if "```python\n" in text and text.startswith("<!-- local -->") == local
    ]


def run_page(path: Path) -> None:
    """Run a page's blocks in order, and compare what they print."""
    namespace: dict[str, Any] = {"__name__": path.stem}
    for block in blocks_of(path.read_text(encoding="utf-8")):
        printed = run_block(block, path, namespace)
        if block.output is not None:
            where = f"{path.relative_to(ROOT)}, line {block.line}"
            assert printed.rstrip() == block.output.rstrip(), f"{where} prints something else than it shows"


@pytest.mark.parametrize("path", _pages(local=False))
def test_page(path: Path) -> None:
    run_page(path)


@pytest.fixture(scope="session")
def _model() -> None:
    # Loaded once, before the leak check looks: a loaded model keeps a socket.
    ChatLocal().load()


@pytest.mark.local
@pytest.mark.usefixtures("_model")
@pytest.mark.parametrize("path", _pages(local=True))
def test_page_with_the_local_model(path: Path) -> None:
    run_page(path)


PAGE = """
```python
print("one")
```

```text
one
```

```python
two = 2
```

Words between.

```text
no output of anything
```
"""


def test_a_text_block_right_after_is_the_output() -> None:
    first, second = blocks_of(PAGE)
    assert first == Block('print("one")\n', 3, "one\n")
    assert second == Block("two = 2\n", 11, None)


def test_blocks_share_a_namespace_and_print(tmp_path: Path) -> None:
    namespace: dict[str, Any] = {}
    printed = [run_block(block, tmp_path / "page.md", namespace) for block in blocks_of(PAGE)]
    assert printed == ["one\n", ""]
    assert namespace["two"] == 2


def test_errors_show_the_line_of_the_page(tmp_path: Path) -> None:
    [block] = blocks_of("Words.\n\n```python\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        run_block(block, tmp_path / "page.md", {})
    assert caught.traceback[-1].lineno + 1 == 4
