"""`millstream chat`: a question to a model, and its answer as it is written."""

import sys
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.errors import ExitCode, WrongUse
from millstream.cli.terminal import Screen, note

if TYPE_CHECKING:
    from millstream.language_models import BaseChatModel
    from millstream.messages import AIMessageChunk, BaseMessage


def chat(
    prompt: Annotated[
        str | None, typer.Argument(help="What to ask. Text piped in is added after it.", show_default=False)
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", metavar="NAME", help="A provider ('local'), a known model, or a .gguf file."
        ),
    ] = "local",
    system: Annotated[
        str | None,
        typer.Option(
            "--system", "-s", metavar="TEXT", help="How the model is to behave.", show_default=False
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The answer's length at most.", show_default=False)
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="X", help="0 for the likeliest words only.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed gives the same answer.", show_default=False)
    ] = None,
) -> int:
    """Ask a model, and see its answer as it is written.

    Ctrl-C stops the answer. Without a terminal the answer is bare text:
    cat letter.txt | millstream chat "Summarise this:" > summary.txt
    """
    messages = _messages(system, question(prompt, piped()))
    given = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    parameters: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return _show(_chat_model(model).stream(messages, **parameters))


def piped() -> bytes | None:
    """What was piped in; None if stdin is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        return None
    return sys.stdin.buffer.read()


def question(prompt: str | None, stdin: bytes | None) -> str:
    """The argument, a blank line, and what was piped in. Raises `WrongUse` if there is nothing to ask."""
    given = (_text(prompt or ""), _text(stdin or b""))
    parts = [part.rstrip() for part in given if part.strip()]
    if not parts:
        raise WrongUse(
            'There is nothing to ask. Write a prompt, as in: millstream chat "Why do rivers bend?"'
        )
    return "\n\n".join(parts)


def _text(given: str | bytes) -> str:
    try:
        # Arguments that are no text arrive with lone surrogates in them, which cannot be encoded.
        return (given.encode() if isinstance(given, str) else given).decode("utf-8-sig")
    except UnicodeError as error:
        raise WrongUse("The prompt is no UTF-8 text. Convert it first, for example with iconv.") from error


def model_name(name: str) -> str:
    """The name as `init_chat_model` takes it: known models and bare paths of .gguf files are local ones."""
    from millstream.providers.local.weights import KNOWN_MODELS

    is_local = name in KNOWN_MODELS or name.lower().endswith(".gguf")
    return f"local:{name}" if is_local and not name.startswith("local:") else name


def _chat_model(name: str) -> "BaseChatModel":
    from millstream.language_models import init_chat_model

    return init_chat_model(model_name(name))


def _messages(system: str | None, asked: str) -> "list[BaseMessage]":
    from millstream.messages import HumanMessage, SystemMessage

    return [*([SystemMessage(_text(system))] if system else []), HumanMessage(asked)]


def _show(chunks: "Generator[AIMessageChunk, None, None]") -> ExitCode:
    from millstream.cli.tally import Tally

    tally = Tally()
    try:
        with closing(chunks), Screen() as screen:
            for chunk in chunks:
                tally.add(chunk)
                screen.write(chunk.text)
    except KeyboardInterrupt:
        note(tally.line(stopped=True))
        return ExitCode.STOPPED
    note(tally.line())
    return ExitCode.FINE
