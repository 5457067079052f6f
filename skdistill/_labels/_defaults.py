"""The default teacher and student, built for the columns at hand.

What is built are stock scikit-learn and LightGBM objects, so that the fitted
student loads without this package. `benchmarks/quality/defaults.py` holds what was
compared to choose them.
"""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import csr_matrix, issparse, sparray
from sklearn import get_config
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    StandardScaler,
)

from .._frames import is_missing

#: Levels of one column that get a column of their own; the rest share one.
_MAX_LEVELS = 32

#: Below this many rows a validation split is too small to stop on.
_FEW_ROWS = 200


def default_teacher(X: Any) -> Pipeline:
    """A soft vote of boosted trees and two networks.

    Parameters
    ----------
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Its columns decide the preprocessing; nothing is fitted.

    Returns
    -------
    teacher : Pipeline
        Preprocessing, then a `VotingClassifier`.
    """
    # Imported late: `import skdistill` must not cost a LightGBM.
    from lightgbm import LGBMClassifier

    # One thread, where the order of sums would otherwise depend on the machine.
    boosted = LGBMClassifier(
        n_estimators=200, learning_rate=0.05, verbose=-1, n_jobs=1, deterministic=True
    )
    # Stopped where the training loss flattens: it needs no validation rows, and it
    # beat stopping on the accuracy of a tenth of them.
    network = MLPClassifier((128, 64), tol=5e-3, n_iter_no_change=5, max_iter=1000)
    members = [("lightgbm", boosted), ("mlp", network), ("mlp2", clone(network))]
    for _, member in members:
        _request_weights(member, True)
    vote = VotingClassifier(members, voting="soft")
    steps = [("columns", prepare_columns(X)), ("vote", vote)]
    if isinstance(X, sparray):
        # LightGBM predicts for sparse matrices only.
        to_matrix = FunctionTransformer(csr_matrix, accept_sparse=True)
        steps.insert(1, ("matrix", to_matrix))
    return Pipeline(steps)


def default_student(X: Any, n_samples: int, *, stops: bool = True) -> Pipeline:
    """A network of two small layers behind its own preprocessing.

    Parameters
    ----------
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Its columns decide the preprocessing; nothing is fitted.
    n_samples : int
        Number of rows; so few that a split would decide nothing are not split.
    stops : bool, default=True
        Whether the network stops early. Not where it learns a transfer set: there
        the smallest steps come last, and the rows that would end it were learned by
        the teacher.

    Returns
    -------
    student : Pipeline
        Preprocessing, then an `MLPClassifier`.
    """
    if n_samples < _FEW_ROWS:
        network = MLPClassifier((64, 32), max_iter=2000)
    else:
        network = MLPClassifier(
            (64, 32), early_stopping=stops, n_iter_no_change=20, max_iter=1000
        )
    return Pipeline([("columns", prepare_columns(X)), ("mlp", network)])


def prepare_columns(X: Any) -> Any:
    """An unfitted transformer that makes one dense, scaled matrix of X.

    Numbers are imputed by their median (with an indicator) and standardised;
    strings, categories and booleans become indicators, missing being a level.

    Raises
    ------
    TypeError
        A column is neither, such as dates or nested values.
    ValueError
        X is not two-dimensional.
    """
    if issparse(X):
        return MaxAbsScaler()
    numeric, levels, texts = _split_columns(X)
    impute = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=True
    )
    scale = make_pipeline(impute, _request_weights(StandardScaler(), False))
    if not levels and not texts:
        return scale
    encode = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=_MAX_LEVELS,
        sparse_output=False,
    )
    parts = [("numbers", scale, numeric), ("levels", encode, levels)]
    if texts:
        import pandas as pd

        # OneHotEncoder sorts the levels, and pandas.NA has no order among strings.
        fill = SimpleImputer(
            missing_values=pd.NA,
            strategy="constant",
            fill_value="missing",
            keep_empty_features=True,
        )
        parts.append(("texts", make_pipeline(fill, encode), texts))
    return ColumnTransformer(parts, sparse_threshold=0)


def _request_weights(part: Any, wanted: bool) -> Any:
    """Say where row weights go; nobody else can on behalf of a default."""
    if get_config()["enable_metadata_routing"]:
        part.set_fit_request(sample_weight=wanted)
    return part


def _split_columns(X: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Names (or positions) of numbers, of levels, and of texts marked with NA."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        names = frame.columns
        # ColumnTransformer reads integers as positions, whatever the names are.
        keys = names if all(isinstance(n, str) for n in names) else range(len(names))
        kinds = {
            key: _kind_of_column(column)
            for key, column in zip(keys, frame.iter_columns(), strict=True)
        }
    else:
        array = np.asarray(X)
        if array.ndim != 2:
            raise ValueError(
                "The default teacher and student take a table. Expected 2D array, got "
                f"{array.ndim}D array instead. Reshape X to (n_samples, n_features)."
            )
        kinds = {k: _kind_of_values(array[:, k]) for k in range(array.shape[1])}
    strange = [name for name, kind in kinds.items() if kind == "other"]
    if strange:
        raise TypeError(
            "The default teacher and student take numbers, booleans, strings and "
            f"categories; columns {strange} hold something else. Convert them (dates "
            "to numbers, say), or pass a teacher and a student that take them."
        )
    numeric = [name for name, kind in kinds.items() if kind == "number"]
    levels = [name for name, kind in kinds.items() if kind == "level"]
    return numeric, levels, [name for name, kind in kinds.items() if kind == "text"]


def _kind_of_column(column: Any) -> str:
    dtype = column.dtype
    if dtype.is_numeric():
        return "number"
    if dtype in (nw.Categorical, nw.Enum, nw.Boolean):
        return "level"
    if dtype in (nw.String, nw.Object):
        return _kind_of_values(column.to_numpy())
    return "other"


def _kind_of_values(values: Any) -> str:
    if values.dtype.kind in "iufc":
        return "number"
    if values.dtype.kind in "bUS":
        return "level"
    if values.dtype.kind != "O":
        return "other"
    present = [v for v in values if not is_missing(v)]
    if any(type(v).__name__ == "NAType" for v in values):
        text = all(isinstance(v, str) for v in present)
        return "text" if text else "other"
    if not present:
        return "level"
    for kind in (str, bool | np.bool_):
        if all(isinstance(v, kind) for v in present):
            return "level"
    if all(isinstance(v, int | float | np.number) for v in present):
        return "number"
    return "other"
