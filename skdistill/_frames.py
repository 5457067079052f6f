"""Small facts about rows and values that several rooms need."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ._sklearn import _safe_indexing


def is_missing(value: Any) -> bool:
    """Whether a single value stands for "not known": None, NaN, NaT or NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        # pandas.NA refuses to be a bool.
        return True


def is_pandas(X: Any) -> bool:
    """Whether X is a pandas dataframe, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(X, pandas.DataFrame)


def is_polars(X: Any) -> bool:
    """Whether X is a polars dataframe, without importing polars."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, polars.DataFrame)


def count_columns(X: Any) -> int:
    """Columns of a table, or of its first row."""
    return X.shape[1] if hasattr(X, "shape") else len(X[0])


def take_chunk(X: Any, rows: slice) -> Any:
    """Return some rows as they would arrive in another process.

    The order of an array's numbers in memory, which decides the last bits of what is
    computed of them, must not depend on where that is done.
    """
    chunk = _safe_indexing(X, rows)
    if isinstance(chunk, np.ndarray) and not chunk.flags.forc:
        return np.ascontiguousarray(chunk)
    return chunk


def take_rows(value: Any, rows: NDArray[Any], n_samples: int) -> Any:
    """Index metadata that has one entry a row; leave everything else alone."""
    per_row = hasattr(value, "__len__") and not isinstance(value, str | dict)
    if per_row and len(value) == n_samples:
        return _safe_indexing(value, rows)
    return value


def concat_rows(first: Any, *others: Any) -> Any:
    """Stack rows of one kind: arrays, sparse matrices or dataframes."""
    if not others:
        return first
    parts = [first, *others]
    if sparse.issparse(first):
        return sparse.vstack(parts, format="csr")
    if is_pandas(first):
        return sys.modules["pandas"].concat(parts, ignore_index=True)
    if is_polars(first):
        return sys.modules["polars"].concat(parts)
    return np.concatenate([np.asarray(part) for part in parts])
