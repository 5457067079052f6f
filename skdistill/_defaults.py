"""The default teacher and student, built for the columns at hand.

What is built are stock scikit-learn and LightGBM objects, so that the fitted
student loads without this package. `benchmarks/defaults.py` holds what was
compared to choose them.
"""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from ._rows import is_missing

#: Levels of one column that get a column of their own; the rest share one.
_MAX_LEVELS = 32

#: Below this many rows a validation split is too small to stop on.
_FEW_ROWS = 200


def default_teacher(X: Any, codes: NDArray[np.intp]) -> Pipeline:
    """A soft vote of boosted trees, extremely randomised trees and a network.

    Parameters
    ----------
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Its columns decide the preprocessing; nothing is fitted.
    codes : ndarray of shape (n_samples,)
        Class of each row; how many there are decides the network's solver.

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
    trees = ExtraTreesClassifier(n_estimators=300, min_samples_leaf=2)
    # Its own validation split is stratified, which a single row of a class refuses.
    stops = np.bincount(codes).min() >= 2
    network = _small_network((128, 64), len(codes), stops=bool(stops))
    members = [("lightgbm", boosted), ("extra_trees", trees), ("mlp", network)]
    for _, member in members:
        _request_weights(member, True)
    vote = VotingClassifier(members, voting="soft")
    return Pipeline([("columns", prepare_columns(X)), ("vote", vote)])


def default_student(X: Any, n_samples: int) -> Pipeline:
    """A network of two small layers behind its own preprocessing.

    Parameters
    ----------
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Its columns decide the preprocessing; nothing is fitted.
    n_samples : int
        Number of rows; it decides the network's solver.

    Returns
    -------
    student : Pipeline
        Preprocessing, then an `MLPClassifier`.
    """
    network = _small_network((64, 32), n_samples)
    return Pipeline([("columns", prepare_columns(X)), ("mlp", network)])


def _small_network(
    layers: tuple[int, ...], n_samples: int, *, stops: bool = True
) -> MLPClassifier:
    """Adam with early stopping; L-BFGS where a tenth of the rows says nothing."""
    if n_samples < _FEW_ROWS or not stops:
        return MLPClassifier(layers, solver="lbfgs", alpha=0.1, max_iter=500)
    return MLPClassifier(layers, early_stopping=True, max_iter=300)


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
    numeric, levels = _split_columns(X)
    impute = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=True
    )
    scale = make_pipeline(impute, _request_weights(StandardScaler(), False))
    if not levels:
        return scale
    encode = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=_MAX_LEVELS,
        sparse_output=False,
    )
    return ColumnTransformer(
        [("numbers", scale, numeric), ("levels", encode, levels)],
        sparse_threshold=0,
    )


def _request_weights(part: Any, wanted: bool) -> Any:
    """Say where row weights go; nobody else can on behalf of a default."""
    if get_config()["enable_metadata_routing"]:
        part.set_fit_request(sample_weight=wanted)
    return part


def _split_columns(X: Any) -> tuple[list[Any], list[Any]]:
    """Names (or positions) of the numeric columns, and of those with levels."""
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
    return numeric, [name for name, kind in kinds.items() if kind == "level"]


def _kind_of_column(column: Any) -> str:
    dtype = column.dtype
    if dtype.is_numeric():
        return "number"
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Boolean):
        return "level"
    if dtype == nw.Object:
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
    if all(isinstance(v, str | bool | np.bool_) for v in present) and present:
        return "level"
    if all(isinstance(v, int | float | np.number) for v in present):
        return "number"
    return "other"
