"""Handlers that print."""

import sys
from typing import Any

from millstream.callbacks.handlers import BaseCallbackHandler
from millstream.errors import ConfigError

_COLORS = {"blue": "36;1", "yellow": "33;1", "pink": "38;5;200", "green": "32;1", "red": "31;1"}


class StreamingStdOutCallbackHandler(BaseCallbackHandler):
    """Prints the text that models stream, as it comes, to `sys.stdout`.

    The model has to stream: made with `streaming=True`, or called by `stream`.
    """

    run_inline = True

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        """Print it. Of a list of blocks, the text."""
        sys.stdout.write(token if isinstance(token, str) else kwargs["chunk"].text)
        sys.stdout.flush()


class StdOutCallbackHandler(BaseCallbackHandler):
    """Prints where chains begin and end, and what tools answered, to `sys.stdout`.

    Prompts and parsers count as chains. `color` is that of tools' answers on a terminal: `blue`, `yellow`,
    `pink`, `green` or `red`. Raises `ConfigError` for another one.
    """

    run_inline = True

    def __init__(self, color: str | None = None) -> None:
        if color is not None and color not in _COLORS:
            raise ConfigError(f"There is no color {color!r}. Known: {', '.join(_COLORS)}.")
        self.color = color

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        """Print its name."""
        print(_styled(f"\n\n> Entering new {kwargs['name']} chain...", "1"))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """Print that it is done."""
        print(_styled("\n> Finished chain.", "1"))

    def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        """Print what it answered."""
        print(_styled(str(output), "" if self.color is None else _COLORS[self.color]))


def _styled(text: str, style: str) -> str:
    """The text as a terminal shows it in that style; as it is, where nobody would see it."""
    return f"\033[{style}m{text}\033[0m" if style and sys.stdout.isatty() else text
