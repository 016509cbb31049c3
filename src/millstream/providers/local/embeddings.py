"""Embeddings in this process: a small table of word vectors that its package brings along."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from millstream.embeddings import Embeddings
from millstream.errors import ConfigError, InputError, MissingDependency

#: How many numbers a vector may have: those of fewer are the first ones of the longest, made for that.
DIMENSIONS = (64, 128, 256)

# By dimension: loaded by the first who asks, and shared by all.
_models: dict[int, Any] = {}
_lock = threading.Lock()


class LocalEmbeddings(Embeddings):
    """Vectors from WordLlama, in this process: no key, no account, no network.

    Each word has a vector, and a text has the mean of its words'; their order does not count. It is quick
    (some ten thousand texts a second) and good at subjects, not at fine distinctions. The model is loaded
    at the first use, once a process, and shared. `dimensions` is 256, 128 or 64: shorter vectors take less
    memory, and are less exact.

    Raises `MissingDependency` with the command to run.
    """

    def __init__(self, *, dimensions: int = 256) -> None:
        if dimensions not in DIMENSIONS:
            raise ConfigError(f"dimensions is {', '.join(map(str, DIMENSIONS))}, not {dimensions!r}.")
        self.dimensions = dimensions

    def __repr__(self) -> str:
        return f"LocalEmbeddings(dimensions={self.dimensions})"

    def load(self) -> None:
        """Load the model now, if it is not loaded yet: the first text would do that otherwise."""
        self._model()

    def _model(self) -> Any:
        with _lock:
            if self.dimensions not in _models:
                _models[self.dimensions] = _load(self.dimensions)
            return _models[self.dimensions]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of texts, each with a length of 1. A text without any word has only zeros."""
        if isinstance(texts, str):
            raise InputError("Several texts are expected, a list of them, and not one text.")
        if not texts:
            return []
        model = self._model()
        np = import_module("numpy")
        rows = model.embed([_whole(text) for text in texts])
        # The mean of no words at all is no number.
        rows = np.nan_to_num(rows)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        vectors: list[list[float]] = (rows / np.where(lengths > 0, lengths, 1.0)).tolist()
        return vectors


def _whole(text: Any) -> str:
    """A text without halves of characters, which the package does not take."""
    if not isinstance(text, str):
        raise InputError(f"Texts are embedded, and not {type(text).__name__}.")
    return text.encode("utf-8", "replace").decode("utf-8")


def _load(dimensions: int) -> Any:
    try:
        with _root_logger_as_it_was():
            # By name: the package has no types that a checker could read.
            wordllama: Any = import_module("wordllama")
    except ImportError as error:
        raise MissingDependency("wordllama", command="pip install 'millstream[embeddings]'") from error
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(
        cache_dir=folder, disable_download=True, trunc_dim=None if dimensions == 256 else dimensions
    )


@contextlib.contextmanager
def _root_logger_as_it_was() -> Iterator[None]:
    """wordllama sets up logging for the whole program when it is imported, unless somebody has done that."""
    standing_in = logging.NullHandler()
    logging.root.addHandler(standing_in)
    try:
        yield
    finally:
        logging.root.removeHandler(standing_in)


def _after_fork() -> None:
    # Another thread may have held it.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
