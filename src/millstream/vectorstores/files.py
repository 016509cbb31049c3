"""The files of a saved store: what is in them, and how they are written at once or not at all."""

import contextlib
import math
import os
from pathlib import Path
from typing import Any

import msgspec

from millstream.errors import ConfigError, VectorStoreError
from millstream.kernel.scope import new_id

FORMAT = "millstream.vectorstore"
VERSION = 1


class SavedDocument(msgspec.Struct, array_like=True):
    """A document, and its key in the index."""

    key: int
    id: str
    page_content: str
    metadata: dict[str, Any]


class Saved(msgspec.Struct):
    """What `index.json` holds: the file with the vectors, and the documents, in the order of their keys."""

    vectors: str
    checksum: str
    dimension: int | None
    documents: list[SavedDocument]
    format: str = FORMAT
    version: int = VERSION


class _Head(msgspec.Struct):
    format: str
    version: int
    vectors: str = ""


def file_paths(folder: str | os.PathLike[str], name: str) -> tuple[Path, Path]:
    """The folder, and the file that says what is in the store."""
    if not name or name != Path(name).name or "\0" in name:
        raise ConfigError(f"index_name is the beginning of a file's name, not {name!r}.")
    return Path(folder), Path(folder) / f"{name}.json"


def new_vectors_name(name: str) -> str:
    """A name for a file of vectors that was never used before."""
    return f"{name}-{new_id()}.faiss"


def encode(saved: Saved, path: Path) -> bytes:
    """As JSON. Raises `VectorStoreError` for what would come back as something else."""
    for document in saved.documents:
        try:
            fault = _fault(document.metadata, "metadata")
        except RecursionError:
            fault = "metadata is nested too deep, or holds itself"
        if fault is not None:
            raise VectorStoreError(
                f"The document {document.id!r} cannot be saved as JSON: {fault}.", path=path
            )
    try:
        return msgspec.json.encode(saved)
    except UnicodeEncodeError as error:
        raise VectorStoreError(f"A text holds what is no character: {error}.", path=path) from error


def decode(data: bytes, path: Path) -> Saved:
    """What `encode` wrote. Raises `VectorStoreError` if it is damaged, or of a later version."""
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format == FORMAT and head.version > VERSION:
            raise VectorStoreError(
                f"{path} is of version {head.version}; update millstream, which reads up to {VERSION}.",
                path=path,
            )
        saved = msgspec.json.decode(data, type=Saved)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise VectorStoreError(f"{path} is damaged, or no saved vector store: {error}.", path=path) from error
    if saved.format != FORMAT or saved.vectors != Path(saved.vectors).name:
        raise VectorStoreError(f"{path} is no saved vector store.", path=path)
    return saved


def vectors_named(path: Path) -> str | None:
    """The file of the vectors that a saved store names, as far as that can be told."""
    try:
        head = msgspec.json.decode(path.read_bytes(), type=_Head)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    is_ours = head.format == FORMAT and head.vectors == Path(head.vectors).name
    return head.vectors or None if is_ours else None


def read(path: Path) -> bytes:
    """A file's bytes."""
    try:
        return path.read_bytes()
    except OSError as error:
        said = f"There is no saved vector store: {path}: {error.strerror}."
        if path.with_suffix(".pkl").exists():
            said += (
                " What LangChain saved there is pickled, and is not read: make the store anew from its texts."
            )
        raise VectorStoreError(said, path=path) from error


def write(path: Path, data: bytes) -> None:
    """Put a file into its place at once, when all of it is on the disk. Makes the folder."""
    beside = path.with_name(f"{path.name}.{new_id()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise VectorStoreError(f"{path} cannot be written: {error.strerror}.", path=path) from error
    finally:
        remove(beside)


def remove(path: Path) -> None:
    """Remove a file that is not needed any more, if that can be done."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _fault(value: Any, place: str) -> str | None:
    """Where a value holds what JSON does not, and what that is; None if it holds none."""
    kind = type(value)
    if value is None or kind in (str, bool, int) or (kind is float and math.isfinite(value)):
        return None
    if kind is list:
        parts = ((item, f"{place}[{index}]") for index, item in enumerate(value))
    elif kind is dict:
        stranger = next((key for key in value if type(key) is not str), None)
        if stranger is not None:
            return f"{place} has the key {stranger!r}, which is no text"
        parts = ((item, f"{place}[{key!r}]") for key, item in value.items())
    else:
        return f"{place} is {value!r} ({kind.__name__})"
    return next((fault for item, where in parts if (fault := _fault(item, where)) is not None), None)
