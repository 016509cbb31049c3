"""`millstream chat`: a question to a model and its answer as it is written, or a session of many."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from millstream.cli.errors import ExitCode, WrongUse
from millstream.cli.inputs import piped, text_of
from millstream.cli.loading import beginnings, chat_model
from millstream.cli.terminal import Screen, both_ends, notes_wanted, say


def _models(incomplete: str) -> list[str]:
    return [name for name in beginnings() if name.startswith(incomplete)]


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT", help="What to ask. Text piped in is added after it.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="'local', a .gguf file, or provider:model.",
            autocompletion=_models,
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
    json_schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answer with JSON of this schema.", show_default=False),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the conversation there: .json, or else Markdown.", show_default=False
        ),
    ] = None,
) -> int:
    """Ask a model, and see its answer as it is written.

    Without a prompt, on a terminal, it is a session: it reads one question
    after another, and /help lists what else it can do. Ctrl-C stops an answer.
    Without a terminal the answer is bare text.

    Examples:
    millstream chat
    millstream chat "Why do rivers bend?" --max-tokens 100
    cat letter.txt | millstream chat "Summarise this:" > summary.txt
    """
    parameters = _given(max_tokens=max_tokens, temperature=temperature, seed=seed)
    if json_schema is not None:
        from millstream.cli.schema import read_schema

        parameters["json_schema"] = read_schema(json_schema)
    if save is not None:
        from millstream.cli.saving import check

        check(save)
    system = text_of(system, "system prompt") if system else None
    if prompt is None and both_ends():
        from millstream.cli.session import open_session

        return open_session(model, parameters, system, save, json_schema).run()
    return _ask(question(prompt, piped()), model, parameters, system, save, json_schema)


def question(prompt: str | None, stdin: bytes | None) -> str:
    """The argument, a blank line, and what was piped in. Raises `WrongUse` if there is nothing to ask."""
    given = (text_of(prompt or ""), text_of(stdin or b""))
    parts = [part.rstrip() for part in given if part.strip()]
    if not parts:
        raise WrongUse(
            'There is nothing to ask. Write a prompt, as in: millstream chat "Why do rivers bend?"'
        )
    return "\n\n".join(parts)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _ask(
    asked: str,
    model: str,
    parameters: dict[str, Any],
    system: str | None,
    file: Path | None,
    schema: Path | None,
) -> ExitCode:
    from millstream.cli import interrupts
    from millstream.cli.answer import stream_answer
    from millstream.cli.conversation import Conversation
    from millstream.cli.json_stream import Indenter
    from millstream.cli.saving import save
    from millstream.cli.schema import is_json, naming

    conversation = Conversation(system)
    conversation.ask(asked)
    screen = Screen(Indenter().feed if "json_schema" in parameters else None)
    answering = chat_model(model)
    with interrupts.ending_late(), naming(schema):
        answer = stream_answer(answering, conversation.messages(), parameters, screen)
        conversation.answer(answer.message)
        if file is not None:
            save(conversation, file)
    if answer.stopped:
        return ExitCode.STOPPED
    if answer.cut and not notes_wanted():
        say("millstream: The answer was cut at the token limit; --max-tokens raises it.", sys.stderr)
    if answer.cut:
        return ExitCode.INCOMPLETE
    if schema is not None and not is_json(answer.message):
        say("millstream: The answer is no JSON: the model's server seems to know no schemas.", sys.stderr)
        return ExitCode.INCOMPLETE
    return ExitCode.FINE
