"""The commands put together. One file a command; this one knows their names."""

from typing import Annotated

import typer

import millstream
from millstream.cli import chat, models, run

app = typer.Typer(
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("chat")(chat.chat)
app.command("run")(run.run)
app.add_typer(models.app, name="models")


def _show_version(asked: bool) -> None:
    if asked:
        print(f"millstream {millstream.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Stream a language model's words to the terminal, token by token.

    Examples:
    millstream models add smollm2
    millstream chat "Why do rivers bend?"
    millstream chat --help
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
