"""Small facts about rows and values that several rooms need."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import _safe_indexing


def is_missing(value: Any) -> bool:
    """Whether a single value stands for "not known": None, NaN, NaT or NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        # pandas.NA refuses to be a bool.
        return True


def take_rows(value: Any, rows: NDArray[Any], n_samples: int) -> Any:
    """Index metadata that has one entry a row; leave everything else alone."""
    per_row = hasattr(value, "__len__") and not isinstance(value, str | dict)
    if per_row and len(value) == n_samples:
        return _safe_indexing(value, rows)
    return value


def concat_rows(first: Any, second: Any) -> Any:
    """Stack rows of one kind: arrays, sparse matrices or dataframes."""
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    for name in ("pandas", "polars"):
        library = sys.modules.get(name)
        if library is not None and isinstance(first, library.DataFrame):
            order = {"ignore_index": True} if name == "pandas" else {}
            return library.concat([first, second], **order)
    return np.concatenate([np.asarray(first), np.asarray(second)])
