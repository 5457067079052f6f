"""The example rows that an export is made for and verified on."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
from scipy.sparse import issparse

from .._frames import check_names, list_columns
from .._nested import find_deployed, list_steps, split_pipeline
from .._sklearn import _num_samples
from ._libraries import is_from


def arrange_example(estimator: Any, X: Any) -> Any:
    """Return the example with its columns in the order of the fit.

    A ColumnTransformer finds its columns by their names, where a file counts them.
    Raise a ValueError where other columns were fitted on.
    """
    fitted = _find_names(estimator)
    names = list_columns(X)[0] if hasattr(X, "columns") else []
    if fitted is None or not names or names == fitted:
        return X
    missing = set(fitted) - set(names)
    if missing or len(names) != len(fitted):
        check_names(names, fitted, "X_example", "the columns that were fitted on")
    return nw.from_native(X, eager_only=True).select(fitted).to_native()


def check_labels(y: Any, X: Any) -> None:
    """Raise unless the example has one label a row."""
    if y is not None and _num_samples(y) != _num_samples(X):
        raise ValueError(
            "y_example must hold one label for each row of X_example; received "
            f"{_num_samples(y)} labels and {_num_samples(X)} rows. Pass the labels of "
            "these rows, or None."
        )


def explain_zeros(estimator: Any, X: Any) -> str:
    """Say what mends an export of XGBoost behind sparse rows; "" where it is none.

    XGBoost takes the zeros that a sparse matrix leaves out as missing.
    """
    steps, learner = split_pipeline(find_deployed(estimator))
    if not is_from(learner, "xgboost"):
        return ""
    for step in steps:
        X = step.transform(X)
    if not issparse(X):
        return ""
    return (
        "XGBoost takes the zeros of a sparse matrix as missing, which a file does "
        "not: fit it on dense rows, by sparse_output=False in a OneHotEncoder or "
        "sparse_threshold=0 in a ColumnTransformer."
    )


def _find_names(estimator: Any) -> list[str] | None:
    """Return the columns that scikit-learn saw in the fit; None: it saw no names.

    LightGBM's own names, a property, may differ from those.
    """
    for level in (estimator, find_deployed(estimator)):
        names = getattr(list_steps(level)[0], "__dict__", {}).get("feature_names_in_")
        if names is not None:
            return list(names)
    return None
