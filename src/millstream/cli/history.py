"""Where a session's questions are kept, so that the next session can recall them."""

import os
from pathlib import Path

#: Names another file; empty, nothing is kept.
HISTORY_VARIABLE = "MILLSTREAM_HISTORY"


def history_file() -> Path | None:
    """The file that questions are kept in, made for its owner only; None if none is wanted.

    Raises `OSError` if there can be none.
    """
    named = os.environ.get(HISTORY_VARIABLE)
    if named == "":
        return None
    path = Path(named).expanduser() if named else _state() / "millstream" / "history"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


def _state() -> Path:
    # Relative paths are to be ignored, says the XDG Base Directory Specification.
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".local" / "state"
