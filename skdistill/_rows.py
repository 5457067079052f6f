"""Small facts about rows and values that several rooms need."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
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
