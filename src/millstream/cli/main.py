"""The way in: runs one command, and turns whatever came of it into a sentence and an exit code.

Typer is not imported before `main` runs, so that it can say what to do where that is missing.
"""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from millstream.cli import interrupts
from millstream.cli.errors import ExitCode, ReaderGone, WrongUse, exit_code, sentence, show_traceback
from millstream.cli.terminal import say
from millstream.errors import MissingDependency


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default the program's own) ask for, and return its exit code."""
    interrupts.arm()
    _mend_outputs()
    try:
        try:
            return _run(arguments)
        except (Exception, KeyboardInterrupt) as error:
            return _told(error)
    except KeyboardInterrupt:
        # It came while another reason to end was being told.
        return ExitCode.STOPPED
    finally:
        interrupts.disarm()
        _let_go_of_stdout()


def _told(error: BaseException) -> int:
    gone = isinstance(error, ReaderGone) or isinstance(error.__cause__, BrokenPipeError)
    if gone and interrupts.interrupted():
        # The same Ctrl-C has ended the reader.
        error = KeyboardInterrupt()
    show_traceback(error)
    if said := sentence(error):
        say(f"millstream: {said}", sys.stderr)
    elif isinstance(error, KeyboardInterrupt) and sys.stderr.isatty():
        # The terminal has echoed "^C", and a shell's prompt would stand behind it.
        print(file=sys.stderr)
    return exit_code(error)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        import typer
    except ImportError as error:
        what = f"{error.name or 'typer'}, which the command line needs,"
        raise MissingDependency(what, command="pip install 'millstream[cli]'") from error
    from millstream.cli.app import app

    try:
        given = None if arguments is None else list(arguments)
        return app(given, prog_name="millstream", standalone_mode=False) or ExitCode.FINE
    except typer.Abort as abort:
        raise KeyboardInterrupt from abort
    except Exception as error:
        # Typer exports no name for its own errors of usage; this is the class above one of them.
        if isinstance(error, typer.BadParameter.__bases__[0]):
            raise WrongUse(_usage(error)) from error
        raise


def _usage(error: Exception) -> str:
    describe = getattr(error, "format_message", None)
    said = describe() if describe is not None else str(error)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "millstream"
    return f"{said.rstrip('.?')}{'?' if said.endswith('?') else '.'} See: {command} --help"


def _mend_outputs() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by the caller, as in `>&-`.
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # What a terminal's encoding does not have is shown as "?".
            stream.reconfigure(errors="replace")


def _let_go_of_stdout() -> None:
    """Flush; what nobody reads any more goes nowhere, or Python would complain about it at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
