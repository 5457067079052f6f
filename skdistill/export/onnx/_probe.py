"""Rows that the example does not show: missing values in one column after the other."""

from __future__ import annotations

import warnings
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse

from ..._frames import is_pandas
from ..._sklearn import _safe_indexing
from ._inputs import Inputs
from ._session import open_session
from ._verify import TOLERANCE

#: Rows on which a change is tried.
_N_ROWS = 20


def find_accepted(estimator: Any, model: Any, X: Any, inputs: Inputs) -> dict[str, Any]:
    """Return which numbers may be missing, and whether they may be infinite.

    An estimator tells by an error, where an ONNX graph would answer anything; what the
    graph answers otherwise than the estimator is not accepted either.

    Returns
    -------
    accepted : dict
        ``missing``, positions of columns, and ``infinite``, a boolean.
    """
    session = open_session(model)
    rows = _safe_indexing(X.tocsr() if issparse(X) else X, slice(0, _N_ROWS))

    def accepts(columns: list[int], value: float) -> bool:
        changed = fill(rows, columns, value)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = np.asarray(estimator.predict_proba(changed))
        except Exception:
            # Each library has its own.
            return False
        answer = session.run(["probabilities"], inputs.feed(changed))[0]
        return bool((np.abs(answer - expected) <= TOLERANCE).all())

    def keep_missing(columns: list[int]) -> list[int]:
        """Return the columns that may be missing, all tried at once first."""
        if not columns or accepts(columns, np.nan):
            return columns
        half = len(columns) // 2
        parts = (columns[:half], columns[half:]) if half else ()
        return [k for part in parts for k in keep_missing(part)]

    numbers = [k for k in range(len(inputs.columns)) if k not in inputs.texts]
    infinite = bool(numbers) and accepts(numbers, np.inf)
    return {"missing": keep_missing(numbers), "infinite": infinite}


def fill(X: Any, columns: list[int], value: float) -> Any:
    """Return a copy of a table with columns of numbers set to one value."""
    if is_pandas(X):
        copied = X.copy()
        for k in columns:
            copied.isetitem(k, np.full(len(X), value))
        return copied
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        known = [frame.columns[k] for k in columns]
        given = None if np.isnan(value) else value
        # A missing value of polars is null; its NaN is a number.
        changed = [nw.lit(given).cast(nw.Float64).alias(name) for name in known]
        return frame.with_columns(changed).to_native()
    array = X.toarray() if issparse(X) else np.array(X)
    array = array if array.dtype.kind in "fO" else array.astype(float)
    array[:, columns] = value
    return type(X)(array) if issparse(X) else array
