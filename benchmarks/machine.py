"""Where and with what the figures were taken."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

# What speaks the providers' wires: the SDKs, and LangChain on them.
_WIRES = ("openai", "langchain-openai", "anthropic", "langchain-anthropic")


def facts() -> dict[str, str]:
    """What belongs beside every figure."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, {_cores()} cores",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "millstream": _own_version(),
        "langchain-core": version("langchain-core"),
        **{name: version(name) for name in ("msgspec", *_WIRES)},
    }


def _cores() -> int:
    # Those that this process may use, where the system tells.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _own_version() -> str:
    from millstream import __version__

    return __version__
