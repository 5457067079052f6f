"""The students that the command line names, and the candidates for a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from .._labels._defaults import default_student, prepare_columns
from ..transfer._transfer_set import PILOT_ROWS


def _make_mlp(X: Any) -> None:
    """None: the default student, which DistilledClassifier builds itself."""


def _make_logistic(X: Any) -> Pipeline:
    return _prepend_columns(X, LogisticRegression(max_iter=1000))


def _make_tree(X: Any) -> Pipeline:
    return _prepend_columns(X, DecisionTreeClassifier(min_samples_leaf=5))


def _make_forest(X: Any) -> Pipeline:
    return _prepend_columns(X, RandomForestClassifier(50, min_samples_leaf=2))


def _make_lightgbm(X: Any) -> Pipeline:
    from lightgbm import LGBMClassifier

    return _prepend_columns(X, LGBMClassifier(n_estimators=50, n_jobs=1, verbose=-1))


def _prepend_columns(X: Any, classifier: Any) -> Pipeline:
    return Pipeline([("columns", prepare_columns(X)), ("classifier", classifier)])


STUDENTS: dict[str, Callable[[Any], Pipeline | None]] = {
    "mlp": _make_mlp,
    "logistic": _make_logistic,
    "tree": _make_tree,
    "forest": _make_forest,
    "lightgbm": _make_lightgbm,
}


# Candidates for a budget. They have no imputer where no value is missing, because it
# takes longer for one row than any of these models.


def _make_small_logistic(X: Any) -> Pipeline:
    return _prepend_scaling(X, LogisticRegression(max_iter=1000))


def _make_small_tree(X: Any) -> DecisionTreeClassifier | Pipeline:
    tree = DecisionTreeClassifier(max_leaf_nodes=64, min_samples_leaf=5)
    # It needs no scaling, and takes missing values.
    return tree if is_array(X) else _prepend_columns(X, tree)


def _make_network(*layers: int) -> Callable[[Any], Pipeline]:
    def make(X: Any) -> Pipeline:
        student = default_student(X, len(X), stops=len(X) < PILOT_ROWS)
        network = clone(student[-1])
        return _prepend_scaling(X, network.set_params(hidden_layer_sizes=layers))

    return make


def _make_small_lightgbm(X: Any) -> Any:
    from lightgbm import LGBMClassifier

    boosted = LGBMClassifier(n_estimators=50, num_leaves=7, n_jobs=1, verbose=-1)
    return boosted if is_array(X) else _prepend_columns(X, boosted)


def is_array(X: Any) -> bool:
    """Whether rows hold nothing but numbers, and come without names."""
    return isinstance(X, np.ndarray) and X.dtype.kind in "iuf"


def _prepend_scaling(X: Any, classifier: Any) -> Pipeline:
    if not is_array(X) or np.isnan(X).any():
        return _prepend_columns(X, classifier)
    return Pipeline([("scale", StandardScaler()), ("classifier", classifier)])


CANDIDATES: dict[str, Callable[[Any], Any]] = {
    "logistic": _make_small_logistic,
    "tree": _make_small_tree,
    "mlp-16": _make_network(16),
    "mlp-32": _make_network(32),
    "mlp-64-32": _make_network(64, 32),
    "lightgbm-50x7": _make_small_lightgbm,
}
