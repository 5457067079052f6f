"""The students that the command line names, and the candidates for a budget."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from .._labels._defaults import default_student, prepare_columns
from ._errors import Refusal


def _prepend_columns(X: Any, classifier: Any) -> Pipeline:
    return Pipeline([("columns", prepare_columns(X)), ("classifier", classifier)])


def _make_logistic() -> LogisticRegression:
    return LogisticRegression(max_iter=1000)


def _make_lightgbm(**params: Any) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=50, n_jobs=1, verbose=-1, **params)


def _make_optional(library: str, name: str, **params: Any) -> Any:
    """Return a classifier of a library that the package does not bring."""
    try:
        kind = getattr(importlib.import_module(library), name)
    except ImportError as error:
        raise Refusal(
            f"--student {library} needs {library}: pip install {library}."
        ) from error
    return kind(**params)


STUDENTS: dict[str, Callable[[Any], Pipeline | None]] = {
    # The default student, which DistilledClassifier builds itself.
    "mlp": lambda X: None,
    "logistic": lambda X: _prepend_columns(X, _make_logistic()),
    "sgd": lambda X: _prepend_columns(X, SGDClassifier(loss="log_loss")),
    "tree": lambda X: _prepend_columns(X, DecisionTreeClassifier(min_samples_leaf=5)),
    "forest": lambda X: _prepend_columns(
        X, RandomForestClassifier(50, min_samples_leaf=2)
    ),
    "extratrees": lambda X: _prepend_columns(
        X, ExtraTreesClassifier(50, min_samples_leaf=2)
    ),
    "hist": lambda X: _prepend_columns(X, HistGradientBoostingClassifier(max_iter=50)),
    "lightgbm": lambda X: _prepend_columns(X, _make_lightgbm()),
    "xgboost": lambda X: _prepend_columns(
        X, _make_optional("xgboost", "XGBClassifier", n_estimators=50, n_jobs=1)
    ),
    "catboost": lambda X: _prepend_columns(
        X,
        _make_optional(
            "catboost", "CatBoostClassifier", iterations=50, thread_count=1, verbose=0
        ),
    ),
}


# Candidates for a budget. They have no imputer where no value is missing, because it
# takes longer for one row than any of these models.


def _prepend_scaling(X: Any, classifier: Any) -> Pipeline:
    if not _is_array(X) or np.isnan(X).any():
        return _prepend_columns(X, classifier)
    return Pipeline([("scale", StandardScaler()), ("classifier", classifier)])


def _use_trees(X: Any, trees: Any) -> Any:
    """Trees need no scaling, and take missing values."""
    return trees if _is_array(X) else _prepend_columns(X, trees)


def _make_network(X: Any, *layers: int) -> Pipeline:
    network = clone(default_student(X, len(X), stops=False)[-1])
    return _prepend_scaling(X, network.set_params(hidden_layer_sizes=layers))


def _is_array(X: Any) -> bool:
    """Whether rows hold nothing but numbers, and come without names."""
    return isinstance(X, np.ndarray) and X.dtype.kind in "iuf"


CANDIDATES: dict[str, Callable[[Any], Any]] = {
    "logistic": lambda X: _prepend_scaling(X, _make_logistic()),
    "tree": lambda X: _use_trees(
        X, DecisionTreeClassifier(max_leaf_nodes=64, min_samples_leaf=5)
    ),
    "mlp-16": lambda X: _make_network(X, 16),
    "mlp-32": lambda X: _make_network(X, 32),
    "mlp-64-32": lambda X: _make_network(X, 64, 32),
    "lightgbm-50x7": lambda X: _use_trees(X, _make_lightgbm(num_leaves=7)),
}
