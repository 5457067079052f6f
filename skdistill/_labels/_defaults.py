"""The default teacher and student, built for the columns at hand.

What is built are stock scikit-learn and LightGBM objects, so that the fitted
student loads without this package. `benchmarks/quality/defaults.py` holds what was
compared to choose them.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import csr_matrix, issparse, sparray
from sklearn import get_config
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)

from .._frames import find_kind, is_missing, is_pandas, list_columns, list_some
from .._sklearn import _safe_indexing
from .._warnings import warn_caller

#: Categories of one column that get a column of their own; the rest share one.
MAX_CATEGORIES = 32

#: What stands for a missing category between two imputers; no string of a table is it.
_STAND_IN = "\0missing"

#: Hidden layers that the default student may have, and its most weights: a row takes
#: about the same time whatever the layers are, and a file 100 KB at most.
_HIDDEN = [(64, 32), (128, 64), (128, 128)]
_MAX_WEIGHTS = 25_000

#: Below this many rows a validation split is too small to stop on.
_FEW_ROWS = 200


def default_teacher(X: Any, n_outputs: int | None = None, vote: Any = None) -> Pipeline:
    """Return a soft vote, or mean, of boosted trees and two networks, unfitted.

    The columns of X decide the preprocessing. Behind it is `vote`, if one is given;
    else a `VotingClassifier`; or, with a number of outputs, a `VotingRegressor` for one
    and boosted trees for each of several. The weights are equal; `_members.py` chooses
    others.
    """
    if vote is None:
        vote = _make_vote() if n_outputs is None else _make_mean(n_outputs)
    steps = [("columns", prepare_columns(X)), ("vote", vote)]
    if isinstance(X, sparray):
        # LightGBM predicts for sparse matrices only.
        to_matrix = FunctionTransformer(csr_matrix)
        steps.insert(1, ("matrix", to_matrix))
    return Pipeline(steps)


#: Boosted trees of the default teacher. One thread, where the order of sums would
#: otherwise depend on the machine.
_BOOSTED: dict[str, Any] = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "verbose": -1,
    "n_jobs": 1,
    "deterministic": True,
}

#: A second vote of such trees, smaller and on sampled rows and columns, lowers the log
#: loss of classes by 6% (`benchmarks/quality/members.py`).
_SAMPLED: dict[str, Any] = {
    "n_estimators": 400,
    "num_leaves": 8,
    "subsample": 0.7,
    "subsample_freq": 1,
    "colsample_bytree": 0.5,
}

#: Its networks. They stop where the training loss flattens, which needs no validation
#: rows and beat stopping on the accuracy of a tenth of them.
_NETWORK: dict[str, Any] = {
    "hidden_layer_sizes": (128, 64),
    "n_iter_no_change": 5,
    "max_iter": 1000,
}


def _make_vote() -> VotingClassifier:
    # Imported late: `import skdistill` must not cost a LightGBM.
    from lightgbm import LGBMClassifier

    boosted = _request_weights(LGBMClassifier(**_BOOSTED), True)
    sampled = clone(boosted).set_params(**_SAMPLED)
    network = _request_weights(MLPClassifier(**_NETWORK, tol=5e-3), True)
    members = [
        ("lightgbm", boosted),
        ("mlp", network),
        ("mlp2", clone(network)),
        ("sampled", sampled),
    ]
    return VotingClassifier(members, voting="soft")


def make_boosted(**params: Any) -> Any:
    """Boosted trees of the default teacher for values."""
    from lightgbm import LGBMRegressor

    return _request_weights(LGBMRegressor(**_BOOSTED, **params), True)


def _make_mean(n_outputs: int) -> Any:
    boosted = make_boosted()
    if n_outputs > 1:
        # A VotingRegressor learns one output.
        return MultiOutputRegressor(boosted)
    # The loss of standardised values is some ten times smaller than a log loss.
    network = _request_weights(MLPRegressor(**_NETWORK, tol=5e-4), True)
    # The check takes rounding of a heavy tail for a fault.
    scaled = TransformedTargetRegressor(
        network, transformer=StandardScaler(), check_inverse=False
    )
    members = [("lightgbm", boosted), ("mlp", scaled), ("mlp2", clone(scaled))]
    return VotingRegressor(members)


def default_student(
    X: Any, n_samples: int, *, stops: bool = True, values: bool = False
) -> Pipeline:
    """Return a network of two small layers behind its own preprocessing, unfitted.

    The columns of X decide the preprocessing.
    """
    network = make_network(n_samples, stops=stops, values=values)
    return Pipeline([("columns", prepare_columns(X)), ("mlp", network)])


def make_network(n_samples: int, *, stops: bool, values: bool) -> Any:
    """Return the network of the default student, unfitted.

    Rows so few that a split would decide nothing are not split. The network stops
    early, but not where it learns a transfer set: there the smallest steps come last,
    and the rows that would end it were learned by the teacher.
    """
    kind = MLPRegressor if values else MLPClassifier
    params: dict[str, Any] = {"max_iter": 2000}
    if n_samples >= _FEW_ROWS:
        stopping = {"early_stopping": stops, "n_iter_no_change": 20}
        params = {**stopping, "max_iter": 1000}
    return kind(hidden_layer_sizes=_HIDDEN[0], **params)


def list_wider(student: Pipeline, X: Any, n_outputs: int) -> list[Pipeline]:
    """Return default students with wider layers, as far as their weights are few.

    The categories of X decide the number of inputs; the student is not fitted.
    """
    columns = clone(student[0]).fit(X)
    return [
        clone(student).set_params(mlp__hidden_layer_sizes=hidden)
        for hidden in _HIDDEN[1:]
        if count_weights(columns, X, hidden, n_outputs) <= _MAX_WEIGHTS
    ]


def count_weights(columns: Any, X: Any, hidden: tuple[int, ...], n_outputs: int) -> int:
    """Count weights and intercepts of a network behind fitted columns, if any."""
    row = _safe_indexing(X, slice(0, 1))
    n_inputs = (row if columns is None else columns.transform(row)).shape[1]
    sizes = n_inputs, *hidden, n_outputs
    return sum((before + 1) * after for before, after in pairwise(sizes))


def prepare_columns(X: Any, *, scales: bool = True) -> Any:
    """An unfitted transformer that makes one dense matrix of X, scaled or not.

    Numbers are imputed by their median (with an indicator), and for models that need it
    clipped and standardised: a network goes on along a line beyond the rows that it has
    learned, where one wrong entry makes a value of any size, and trees do not. In front
    of trees scaling would only round their thresholds. Strings, categories and booleans
    become indicators, missing values being a category.
    """
    # Its own steps take arrays from each other, whatever `set_config` says.
    return _choose_steps(X, scales).set_output(transform="default")


def _choose_steps(X: Any, scales: bool) -> Any:
    if issparse(X):
        return MaxAbsScaler(clip=scales)
    numeric, categories = _split_columns(X)
    impute: Any = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=True
    )
    if scales:
        scale = _request_weights(StandardScaler(), False)
        impute = make_pipeline(impute, MinMaxScaler(clip=True), scale)
    if not categories:
        return impute
    encode = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=MAX_CATEGORIES,
        sparse_output=False,
    )
    steps = _unify_missing(X, [column for _, column in categories])
    encode = make_pipeline(*steps, encode) if steps else encode
    parts = [
        ("numbers", impute, numeric),
        ("categories", encode, [key for key, _ in categories]),
    ]
    return ColumnTransformer(parts, sparse_threshold=0)


def _unify_missing(X: Any, columns: list[Any]) -> list[Any]:
    """Return unfitted steps that make each missing value of categories NaN.

    OneHotEncoder takes None and NaN for two categories, and libraries differ in which
    one they hand over; pandas itself does, by the types of the other rows.
    """
    if all(find_kind(c) == "boolean" and _is_complete(c) for c in columns):
        # Any missing value is unknown to the encoder then, and has no indicator.
        return []
    steps: list[Any] = []
    if not any(map(_holds_objects, columns)):
        # SimpleImputer refuses booleans, and has no NaN for integers.
        steps.append(FunctionTransformer(np.asarray, kw_args={"dtype": object}))
    if is_pandas(X) or any(map(_holds_na, columns)):
        import pandas as pd

        # This one stands for all of them, but the fitted model asks for pandas.
        return [*steps, _replace(pd.NA, np.nan)]
    # NaN is replaced first, because an imputer of another value refuses it.
    pairs = (np.nan, _STAND_IN), (None, _STAND_IN), (_STAND_IN, np.nan)
    return steps + [_replace(*pair) for pair in pairs]


def _replace(missing: Any, value: Any) -> SimpleImputer:
    return SimpleImputer(
        missing_values=missing,
        strategy="constant",
        fill_value=value,
        keep_empty_features=True,
    )


def _holds_objects(column: Any) -> bool:
    """Whether scikit-learn reads the column as an array of objects."""
    if not isinstance(column, nw.Series):
        return bool(column.dtype.kind == "O")
    # Text of pandas' ArrowDtype beside booleans is read as floats.
    kind = type(getattr(column.to_native(), "dtype", None)).__name__
    return column.dtype in (nw.String, nw.Object) and kind != "ArrowDtype"


def _is_complete(column: Any) -> bool:
    if isinstance(column, nw.Series) and column.dtype != nw.Object:
        return not column.is_null().any()
    return not any(map(is_missing, column))


def _request_weights(part: Any, wanted: bool) -> Any:
    """Say where row weights go; nobody else can on behalf of a default."""
    if get_config()["enable_metadata_routing"]:
        part.set_fit_request(sample_weight=wanted)
    return part


def _split_columns(X: Any) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Names (or positions) of numbers, and those of categories with the columns."""
    names, columns = list_columns(X)
    # ColumnTransformer reads integers as positions, whatever the names are.
    keys = names if all(isinstance(n, str) for n in names) else list(range(len(names)))
    kinds = [find_kind(column) for column in columns]
    if "other" in kinds:
        other = [key for key, kind in zip(keys, kinds, strict=True) if kind == "other"]
        raise TypeError(
            "The default teacher and student take numbers, booleans, strings and "
            f"categories; columns {other} hold something else. Convert them "
            "(dates to numbers, say), or pass a teacher and a student that take them."
        )
    numeric: list[Any] = []
    categories: list[tuple[Any, Any]] = []
    for key, column, kind in zip(keys, columns, kinds, strict=True):
        if kind == "number":
            numeric.append(key)
        else:
            categories.append((key, column))
    return numeric, categories


def _holds_na(column: Any) -> bool:
    """Whether pandas.NA marks missing values of an array, which is equal to nothing."""
    if isinstance(column, nw.Series) or column.dtype.kind != "O":
        return False
    return any(type(value).__name__ == "NAType" for value in column)


#: Numbers, with a decimal point or comma; those that begin with 0 are codes.
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)
_CODE = re.compile(r"\s*0\d")

#: Least share of the different texts that are numbers (others mark missing values), and
#: least share of all numbers that are different: categories of two rows teach nothing.
_NUMBERS, _DIFFERENT = 0.9, 0.5


def warn_of_text_numbers(X: Any) -> None:
    """Warn where columns of text hold numbers, and are no codes that repeat."""
    if issparse(X):
        return
    columns = zip(*list_columns(X), strict=True)
    found = [name for name, column in columns if _holds_numbers(column)]
    if found:
        warn_caller(
            "The default teacher and student make categories of text, and columns "
            f"{list_some(found)} hold numbers as text. Convert them, by "
            "X.astype(float) or pandas.to_numeric; codes of which most rows have one "
            "of their own are best left out."
        )


def _holds_numbers(column: Any) -> bool:
    if find_kind(column) != "string":
        return False
    values = column.to_list() if isinstance(column, nw.Series) else column.tolist()
    texts = [value for value in values if isinstance(value, str)]
    different = set(texts)
    if len(different) <= MAX_CATEGORIES:
        return False
    numbers = {text for text in different if _NUMBER.fullmatch(text)}
    if len(numbers) < _NUMBERS * len(different) or any(map(_CODE.match, numbers)):
        return False
    return len(numbers) >= _DIFFERENT * sum(text in numbers for text in texts)
