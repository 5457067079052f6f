"""Rows and columns of any container: arrays, lists, sparse matrices, data frames.

narwhals reads the data frames; none of their libraries is imported here. Rows are
joined by the library of the frames themselves, because narwhals refuses column names
that occur twice.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.dependencies import is_pandas_dataframe as is_pandas
from narwhals.dependencies import is_polars_dataframe as is_polars
from scipy import sparse

from ._sklearn import _safe_indexing
from ._typing import AnyArray

__all__ = [
    "as_frame",
    "concat_rows",
    "count_columns",
    "find_kind",
    "is_missing",
    "is_pandas",
    "is_polars",
    "list_columns",
    "take_chunk",
    "take_rows",
]

Kind = Literal["number", "boolean", "category", "string", "other"]

# Columns -----------------------------------------------------------------------------


def as_frame(X: Any) -> Any:
    """Return a data frame as narwhals reads it; None for any other container."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame if isinstance(frame, nw.DataFrame) else None


def list_columns(X: Any) -> tuple[list[Any], list[Any]]:
    """Return the names of the columns, or their positions, and the columns.

    Parameters
    ----------
    X : data frame or array-like of shape (n_samples, n_features)

    Returns
    -------
    names : list
        Strings, or whatever names the frame has; positions in any other container.
    columns : list of narwhals Series or of ndarrays of shape (n_samples,)

    Raises
    ------
    ValueError
        X is not two-dimensional.
    """
    frame = as_frame(X)
    if frame is not None:
        return list(frame.columns), list(frame.iter_columns())
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"X must be a table. Expected 2D array, got {array.ndim}D array instead. "
            "Reshape X to (n_samples, n_features)."
        )
    return list(range(array.shape[1])), list(array.T)


def count_columns(X: Any) -> int:
    """Return the number of columns of a table, or of its first row."""
    return X.shape[1] if hasattr(X, "shape") else len(X[0])


def find_kind(column: Any) -> Kind:
    """Return what a column holds.

    Parameters
    ----------
    column : narwhals Series or ndarray of shape (n_samples,)
        A column of Python objects has the kind that all of them share, missing ones
        apart; "string" where all are missing. Dates and nested values are "other".
    """
    if isinstance(column, nw.Series):
        dtype = column.dtype
        if dtype.is_numeric():
            return "number"
        if dtype == nw.Boolean:
            return "boolean"
        if dtype in (nw.Categorical, nw.Enum):
            return "category"
        if dtype == nw.String:
            return "string"
        return _find_kind_of_objects(column) if dtype == nw.Object else "other"
    if column.dtype.kind == "O":
        return _find_kind_of_objects(column)
    for kind, letters in _LETTERS.items():
        if column.dtype.kind in letters:
            return kind
    return "other"


#: The letters by which NumPy tells its types.
_LETTERS: dict[Kind, str] = {"number": "iufc", "boolean": "b", "string": "UST"}


def _find_kind_of_objects(values: Any) -> Kind:
    present = [value for value in values if not is_missing(value)]
    types: list[tuple[Kind, Any]] = [
        ("string", str),
        ("boolean", bool | np.bool_),
        ("number", int | float | np.number),
    ]
    for kind, allowed in types:
        if all(isinstance(value, allowed) for value in present):
            return kind
    return "other"


def is_missing(value: Any) -> bool:
    """Whether a single value stands for a missing one: None, NaN, NaT or NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        # pandas.NA refuses to be a bool.
        return True


# Rows --------------------------------------------------------------------------------


def take_chunk(X: Any, rows: slice) -> Any:
    """Return some rows as they would arrive in another process.

    The order of an array's numbers in memory, which decides the last bits of what is
    computed of them, must not depend on where that is done.
    """
    chunk = _safe_indexing(X, rows)
    if isinstance(chunk, np.ndarray) and not chunk.flags.forc:
        return np.ascontiguousarray(chunk)
    return chunk


def take_rows(value: Any, rows: AnyArray, n_samples: int) -> Any:
    """Index metadata that has one entry a row; leave everything else alone."""
    per_row = hasattr(value, "__len__") and not isinstance(value, str | dict)
    if per_row and len(value) == n_samples:
        return _safe_indexing(value, rows)
    return value


def concat_rows(first: Any, *others: Any) -> Any:
    """Stack rows of one kind: arrays, sparse matrices or data frames."""
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
