"""Rows that the example does not show: missing values, new categories, wide ranges."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse

from .._frames import concat_rows, is_missing, is_pandas, list_columns
from .._sklearn import _safe_indexing
from .._typing import AnyArray, FloatArray
from ._answers import Answers, Values
from ._reading._inputs import Inputs

#: Rows of each change, and of all changes together.
_N_ROWS, _MOST_ROWS = 10, 2000
#: How many times the range of a column is tried, about: by an irrational factor no
#: number stands where a threshold does, and its last digits decide nothing.
_TIMES, _FACTOR = 10, np.pi**2
#: Changes of rows that an error names.
_MOST_SHOWN = 5
_UNSEEN = "a category that no row has"

MISSING, UNSEEN, EMPTY = "missing", "unseen", "empty"
WIDE, INFINITE = "wide", "infinite"


@dataclass(frozen=True, eq=False)
class Outside:
    """Rows with one change, and what the estimator answers."""

    #: "missing", "unseen", "empty", "wide" or "infinite".
    kind: str
    #: The position of the column that is changed.
    column: int
    rows: Any
    expected: AnyArray

    def describe(self, inputs: Inputs) -> str:
        """Say which rows these are."""
        name = repr(inputs.columns[self.column])
        return {
            MISSING: f"where {name} is missing",
            UNSEEN: f"where {name} is a category that the example does not show",
            EMPTY: f"where {name} is an empty string",
            WIDE: f"where {name} is {_TIMES} times as far from its median",
            INFINITE: f"where {name} is infinite",
        }[self.kind]


def list_outside(
    predict: Callable[[Any], Any], X: Any, inputs: Inputs
) -> list[Outside]:
    """Return the changed rows that an estimator's method does not refuse."""
    n_columns = len(inputs.columns)
    n_rows = max(1, min(_N_ROWS, _MOST_ROWS // n_columns))
    rows = _safe_indexing(X.tocsr() if issparse(X) else X, slice(0, n_rows))
    if issparse(rows):
        rows = rows.toarray()
    columns = list_columns(rows if issparse(X) else X)[1]
    kinds = list(map(_find_missing, columns))

    def replace(table: Any, k: int, value: Any) -> Any:
        return _replace_column(table, k, value, inputs, kinds[k])

    changed: list[tuple[str, int, Any]] = []
    for k in range(n_columns):
        changed.append((MISSING, k, replace(rows, k, None)))
        if k in inputs.texts and k not in inputs.categories:
            changed.append((UNSEEN, k, replace(rows, k, _UNSEEN)))
            changed.append((EMPTY, k, replace(rows, k, "")))
        elif k not in inputs.texts:
            wide = _widen(inputs.read_numbers(X, k), len(rows))
            changed.append((WIDE, k, replace(rows, k, wide)))
    outside = _keep_answered(predict, changed)
    if not inputs.numbers:
        return outside
    infinite = np.inf * (-1.0) ** np.arange(len(rows))
    whole = rows
    for k in inputs.numbers:
        whole = replace(whole, k, infinite)
    if _ask(predict, [whole])[0] is None:
        # Most estimators refuse them in any column, one by one in many calls.
        return outside
    alone = [(INFINITE, k, replace(rows, k, infinite)) for k in inputs.numbers]
    return outside + _keep_answered(predict, alone)


def _keep_answered(
    predict: Callable[[Any], Any], changed: list[tuple[str, int, Any]]
) -> list[Outside]:
    alike: dict[Any, list[tuple[str, int, Any]]] = {}
    for change in changed:
        alike.setdefault(_list_extensions(change[-1]), []).append(change)
    return [
        Outside(*change, answer)
        for part in alike.values()
        for change, answer in zip(
            part, _ask(predict, [table for _, _, table in part]), strict=True
        )
        if answer is not None
    ]


def _list_extensions(X: Any) -> tuple[Any, ...]:
    """Return the columns of pandas' own types, which become objects beside others.

    There an encoder may not know its missing value again.
    """
    if not is_pandas(X):
        return ()
    return tuple(None if isinstance(d, np.dtype) else str(d) for d in X.dtypes)


def _widen(values: FloatArray, n_rows: int) -> FloatArray:
    with np.errstate(invalid="ignore"):
        center = np.nanmedian(values) if np.isfinite(values).any() else 0.0
        return center + _FACTOR * (values[:n_rows] - center)


def _ask(predict: Callable[[Any], Any], tables: list[Any]) -> list[AnyArray | None]:
    """Ask for all tables at once, or one by one where some are refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = np.asarray(predict(concat_rows(*tables)))
        return list(np.split(answers, len(tables)))
    except Exception:
        # Each library refuses rows in its own way.
        if len(tables) == 1:
            return [None]
    half = len(tables) // 2
    return _ask(predict, tables[:half]) + _ask(predict, tables[half:])


def find_differing(
    serve: Callable[[Any], Any], outside: list[Outside], expected: Answers | Values
) -> dict[Outside, float]:
    """Return the changed rows on which a model differs, and by how much.

    `serve` makes the model's answers of rows; `expected` tells how far they may be off.
    """
    differing = {}
    for part in outside:
        answer = serve(part.rows)
        # Where the estimator itself has no answer, there is nothing to equal.
        known = np.isfinite(part.expected)
        found = np.abs(np.where(known, answer - part.expected, 0.0))
        found[np.isnan(found)] = np.inf
        if (found > expected.bound(part.expected, part.kind == WIDE)).any():
            differing[part] = float(found.max())
    return differing


def describe_differing(differing: dict[Outside, float], inputs: Inputs) -> str:
    """Say on which changed rows a model differs, and by how much."""
    texts = [
        f"{part.describe(inputs)} (by up to {most:.2g})"
        for part, most in differing.items()
    ]
    return ", ".join(texts[:_MOST_SHOWN]) + (
        ", ..." if len(texts) > _MOST_SHOWN else ""
    )


def _find_missing(column: Any) -> Any:
    """Return what stands for a missing value in a column of objects, else None."""
    # Strings among pandas' objects are strings to narwhals.
    native = nw.to_native(column, pass_through=True)
    if column.dtype != nw.Object and np.dtype(object) != getattr(native, "dtype", None):
        return None
    return next((value for value in column if is_missing(value)), None)


def _replace_column(X: Any, k: int, value: Any, inputs: Inputs, missing: Any) -> Any:
    """Return a copy of a table with other values in a column; None: missing ones.

    Missing ones come as the container has them in columns of this type, `missing` among
    objects: an encoder of objects may refuse NaN among floats. Numbers keep their
    precision, in which scalers compute.
    """
    values = np.full(len(X), value).tolist()
    if is_pandas(X):
        return _replace_in_pandas(X, k, value, missing)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        name = frame.columns[k]
        dtype = frame.schema[name]
        if not (value is None or k in inputs.texts or dtype.is_float()):
            dtype = nw.Float64()
        given = [None if is_missing(v) else v for v in values]
        column = nw.new_series(name, given, dtype, backend=frame.implementation)
        return frame.with_columns(column).to_native()
    array = np.array(X)
    holds_objects = k in inputs.texts or array.dtype.kind in "OUST"
    if holds_objects:
        array = array.astype(object)
        values = [missing if is_missing(v) else v for v in values]
    elif array.dtype.kind != "f":
        array = array.astype(float)
    array[:, k] = values
    return array


def _replace_in_pandas(X: Any, k: int, value: Any, missing: Any) -> Any:
    dtype, values = X.dtypes.iloc[k], np.full(len(X), value).tolist()
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        values = [missing if is_missing(v) else v for v in values]
    elif isinstance(dtype, np.dtype) or not (value is None or isinstance(value, str)):
        # No integer or boolean is missing or out of its range.
        dtype = dtype if dtype.kind == "f" else None
        values = np.full(len(X), value, dtype=float).tolist()
    copied = X.copy()
    series = sys.modules["pandas"].Series
    copied.isetitem(k, series(values, index=X.index, dtype=dtype))
    return copied
