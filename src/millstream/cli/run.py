"""`millstream run`: a chain of the user's own, streamed."""

import difflib
import importlib
import importlib.util
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.errors import ChainFailed, ExitCode, ReaderGone, WrongUse
from millstream.cli.inputs import piped, text_of
from millstream.cli.terminal import Screen
from millstream.errors import MissingDependency

if TYPE_CHECKING:
    from millstream.runnables import Runnable


def run(
    chain: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:CHAIN", help="The module, and the chain's name in it.", show_default=False
        ),
    ],
    input: Annotated[
        str | None,
        typer.Argument(metavar="INPUT", help="What it is given; - reads it from stdin.", show_default=False),
    ] = None,
    is_json: Annotated[
        bool,
        typer.Option("--json", help="Read the input as JSON; with --events, print each event as JSON."),
    ] = False,
    with_events: Annotated[
        bool, typer.Option("--events", help="Show the steps while they run: times, and tokens.")
    ] = False,
    json_input: Annotated[
        bool, typer.Option("--json-input", help="Read the input as JSON, with --events too.")
    ] = False,
) -> int:
    """Stream a chain of your own: a runnable, or a function.

    Text comes as it is written, anything else as one line of JSON for each
    item. The module is looked for in this folder first.

    Examples:
    millstream run chains:summary "A long text."
    millstream run chains:translate --json '{"text": "hi", "to": "fr"}'
    millstream run chains:summary < letter.txt
    millstream run examples/steps.py:chain rivers --events
    """
    given = read_input(input, is_json=json_input or (is_json and not with_events))
    if with_events and is_json and not json_input:
        given = value_of(given)
    try:
        if not with_events:
            return _show(find_chain(chain), given)
        return _show_events(chain, given, is_json=is_json)
    except KeyboardInterrupt:
        return ExitCode.STOPPED
    except BrokenPipeError as error:
        # A chain that prints while it is closed.
        raise ReaderGone from error


def read_input(given: str | None, *, is_json: bool) -> Any:
    """The chain's input: the argument, or else what is piped in. Raises `WrongUse` if there is none."""
    data = piped() if given in (None, "-") else given
    if data is None:
        raise WrongUse('There is no input. Write it, as in: millstream run chains:summary "A long text."')
    text = text_of(data, "input")
    if not is_json:
        # The newline that ends a file or the output of a command is not meant.
        return text if given == data else text.removesuffix("\n")
    import msgspec

    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise WrongUse(f"The input is no JSON: {error}.") from error


def value_of(text: str) -> Any:
    """What the text says if it is an object or a list in JSON, or else the text."""
    import msgspec

    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, dict | list) else text


def find_chain(name: str) -> "Runnable[Any, Any]":
    """The runnable that `module:chain` names. Raises `WrongUse` if there is none."""
    from millstream.errors import CoercionError
    from millstream.runnables import coerce_to_runnable

    # From the right: a path may begin with a drive.
    module, _, path = name.rpartition(":")
    if not module or not path:
        raise WrongUse(
            f"{name!r} does not name a chain. Write its module or file, and its name, such as: chains:summary"
        )
    is_file = module.endswith(".py") or len(Path(module).parts) > 1
    found = _file(Path(module).with_suffix(".py")) if is_file else _module(module)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            near = difflib.get_close_matches(attribute, dir(found), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " Write the name of something defined in it."
            raise WrongUse(f"There is no {path!r} in the module {module!r}.{hint}")
        found = getattr(found, attribute)
    try:
        return coerce_to_runnable(found)
    except CoercionError as error:
        raise WrongUse(f"{name!r} is no chain. {error}") from error


def _module(name: str) -> Any:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _not_imported(name, error) from error
        raise WrongUse(
            f"There is no module {name!r} in {folder!r}, and none is installed. "
            "Run it from your project's folder."
        ) from error
    except Exception as error:
        raise _not_imported(name, error) from error


def _file(path: Path) -> Any:
    """The module in a file, which is run as `python file.py` does it: its own folder is looked in first."""
    if not path.is_file():
        raise WrongUse(f"There is no file '{path}' in {os.getcwd()!r}.")
    sys.path.insert(0, str(path.resolve().parent))
    name = path.stem if path.stem not in sys.modules else f"_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _not_imported(str(path), error) from error
    return module


def _not_imported(name: str, error: Exception) -> ChainFailed:
    return ChainFailed(error, f"when {name!r} was imported{_line(error)}")


def _show_events(chain: str, given: Any, *, is_json: bool) -> ExitCode:
    from millstream.cli.events import print_events, show_steps

    if not is_json:
        return show_steps(find_chain(chain), given)
    with redirect_stdout(sys.stderr):
        found = find_chain(chain)
    return print_events(found, given)


def _show(chain: "Runnable[Any, Any]", given: Any) -> ExitCode:
    items = chain.stream(given)
    with closing(items), Screen(awaited="the chain") as screen:
        for item in named(items):
            text = streamed_text(item)
            if text is None:
                screen.write_line(json_line(item))
            else:
                screen.write(text)
    return ExitCode.FINE


def named(items: Iterator[Any]) -> Iterator[Any]:
    """The items; an error of the chain's comes with the step that it was raised in."""
    try:
        # Not `yield from`: whoever opened the items closes them, and what that raises is no failing step.
        for item in items:  # noqa: UP028
            yield item
    except (ReaderGone, MissingDependency):
        raise
    except Exception as error:
        from millstream.kernel.scope import StepNote

        notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, StepNote)]
        where = f"{notes[0][0].lower()}{notes[0][1:]}" if notes else "in the chain"
        line = _line(error)
        # The line says more than the step's place in the chain.
        raise ChainFailed(error, (re.sub(r" \([^()]*\)$", "", where) if line else where) + line) from error


def _line(error: Exception) -> str:
    """The last line of the user's own that the error went through, as " (chains.py, line 3)"."""
    installed = ("stdlib", "platstdlib", "purelib", "platlib")
    others = [Path(__file__).parents[1], *(Path(sysconfig.get_path(name)) for name in installed)]
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = Path(frame.f_code.co_filename)
        if not path.is_absolute() or any(path.is_relative_to(other) for other in others):
            # What is relative is no file: "<frozen importlib._bootstrap>".
            continue
        here = Path.cwd()
        return f" ({path.relative_to(here) if path.is_relative_to(here) else path}, line {line})"
    return ""


def streamed_text(item: Any) -> str | None:
    """The text that an item of a stream says; None if it is something else than text."""
    from millstream.messages import BaseMessage

    if isinstance(item, BaseMessage):
        return item.text
    return item if isinstance(item, str) else None


def json_line(item: Any) -> str:
    """The item as JSON on one line; what JSON does not have is written as Python shows it."""
    import msgspec

    try:
        return msgspec.json.encode(item, enc_hook=str).decode()
    except (TypeError, ValueError, RecursionError):
        return str(item)
