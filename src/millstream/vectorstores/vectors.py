"""Arithmetic on vectors: plain functions on numpy arrays, which is imported when first needed.

All vectors are kept with a length of 1, so that the product of two is the cosine of the angle between them.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from millstream.errors import EmbeddingError, MissingDependency

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Keys = NDArray[np.int64]


def numpy() -> Any:
    """The package; `MissingDependency` without it."""
    try:
        import numpy as np
    except ImportError as error:
        raise MissingDependency("numpy", command="pip install 'millstream[vectors]'") from error
    return np


def unit_rows(vectors: Any, count: int) -> "Floats":
    """`count` vectors as the rows of a matrix, each with a length of 1; one without any direction stays zero.

    Raises `EmbeddingError` for what is no such matrix.
    """
    np = numpy()
    if not isinstance(vectors, Iterable):
        raise EmbeddingError(f"Vectors are lists of numbers, and not {type(vectors).__name__}.")
    vectors = vectors if hasattr(vectors, "__len__") else list(vectors)
    if len(vectors) != count:
        raise EmbeddingError(f"{count} texts were embedded, and {len(vectors)} vectors came back.")
    try:
        rows: Floats = np.array(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmbeddingError("The vectors are no lists of numbers, or not all of one length.") from error
    if rows.ndim != 2 or not rows.shape[1]:
        raise EmbeddingError(f"Vectors are lists of numbers; these have the shape {rows.shape[1:]}.")
    if not np.isfinite(rows).all():
        raise EmbeddingError("A vector holds a number that is infinite, or none at all.")
    # Of very large or very small numbers the squares cannot be told.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(largest > 0, largest, 1.0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)  # type: ignore[no-any-return]


def check_dimension(rows: "Floats", dimension: int | None) -> None:
    """Raise `EmbeddingError` unless the rows have that many numbers; None allows any."""
    if dimension is not None and rows.shape[1] != dimension:
        raise EmbeddingError(
            f"A vector of {rows.shape[1]} numbers came from the embeddings, and those in the store have "
            f"{dimension}: they are of another model."
        )


def highest(scores: "Floats", k: int) -> "Keys":
    """The places of the `k` highest scores, the highest first; of equal ones, the first."""
    np = numpy()
    if k < len(scores):
        # Only those that can be among them are sorted.
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:k]  # type: ignore[no-any-return]


def diverse(query: "Floats", rows: "Floats", k: int, lambda_mult: float) -> list[int]:
    """The places of `k` rows that are near the query and far from each other: maximal marginal relevance.

    Each is the one with the most of `lambda_mult` times its nearness to the query, less `1 - lambda_mult`
    times its nearness to the nearest that was taken before (Carbonell and Goldstein 1998). The first is the
    nearest.
    """
    np = numpy()
    exact = rows.astype(np.float64)
    nearness = exact @ query.astype(np.float64)
    taken: list[int] = []
    worth = nearness.copy()
    nearest_taken = np.full(len(rows), -np.inf)
    for _ in range(min(k, len(rows))):
        best = int(np.argmax(worth))
        taken.append(best)
        nearest_taken = np.maximum(nearest_taken, exact @ exact[best])
        worth = lambda_mult * nearness - (1 - lambda_mult) * nearest_taken
        worth[taken] = -np.inf
    return taken


def as_keys(keys: Sequence[int]) -> "Keys":
    """Keys as an array."""
    np = numpy()
    return np.array(keys, dtype=np.int64)  # type: ignore[no-any-return]
