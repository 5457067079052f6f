"""The students that the command line names, and the candidates for a budget."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn import ensemble, linear_model, tree
from sklearn.base import is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from .._labels._defaults import make_network, prepare_columns
from ._errors import Refusal

#: By name: what makes one for rows. None: the default student of the estimator.
Makers = dict[str, Callable[[Any], Any]]

#: Students of other names are made of trees.
_SCALED = "logistic", "linear", "sgd"


def _make_linear(kind: str) -> Any:
    if kind == "Classifier":
        return linear_model.LogisticRegression(max_iter=1000)
    return linear_model.Ridge()


def _make_sgd(kind: str) -> Any:
    if kind == "Classifier":
        return linear_model.SGDClassifier(loss="log_loss")
    # Its learning rate is one of standardised values.
    scaled, sgd = StandardScaler(), linear_model.SGDRegressor()
    # The check takes rounding of a heavy tail for a fault.
    return TransformedTargetRegressor(sgd, transformer=scaled, check_inverse=False)


def _make_tree(kind: str, **params: Any) -> Any:
    return getattr(tree, f"DecisionTree{kind}")(min_samples_leaf=5, **params)


def _make_boosted(library: str, name: str, **params: Any) -> Any:
    """Return a model of a library that the package need not bring."""
    try:
        model = getattr(importlib.import_module(library), name)
    except ImportError as error:
        raise Refusal(
            f"--student {library} needs {library}: pip install {library}."
        ) from error
    return model(**params)


def _make_lightgbm(kind: str, **params: Any) -> Any:
    given = {"n_estimators": 50, "n_jobs": 1, "verbose": -1, **params}
    return _make_boosted("lightgbm", f"LGBM{kind}", **given)


def _list_students(kind: str) -> Makers:
    forest = {"n_estimators": 50, "min_samples_leaf": 2}
    xgboost = {"n_estimators": 50, "n_jobs": 1}
    catboost = {"iterations": 50, "thread_count": 1, "verbose": 0}
    boosting = f"GradientBoosting{kind}"
    hist = f"HistGradientBoosting{kind}"
    makers: dict[str, Callable[[], Any]] = {
        "logistic" if kind == "Classifier" else "linear": lambda: _make_linear(kind),
        "sgd": lambda: _make_sgd(kind),
        "tree": lambda: _make_tree(kind),
        "forest": lambda: getattr(ensemble, f"RandomForest{kind}")(**forest),
        "extratrees": lambda: getattr(ensemble, f"ExtraTrees{kind}")(**forest),
        "boosting": lambda: getattr(ensemble, boosting)(n_estimators=50),
        "hist": lambda: getattr(ensemble, hist)(max_iter=50),
        "lightgbm": lambda: _make_lightgbm(kind),
        "xgboost": lambda: _make_boosted("xgboost", f"XGB{kind}", **xgboost),
        "catboost": lambda: _make_boosted("catboost", f"CatBoost{kind}", **catboost),
    }

    def prepend(X: Any, name: str) -> Pipeline:
        return _prepend_columns(X, makers[name](), scales=name in _SCALED)

    # The default student, which the estimator builds itself.
    students: Makers = {"mlp": lambda X: None}
    return students | {name: partial(prepend, name=name) for name in makers}


def _prepend_columns(X: Any, model: Any, *, scales: bool) -> Pipeline:
    columns = prepare_columns(X, scales=scales)
    return Pipeline([("columns", columns), (_name_step(model), model)])


def _name_step(model: Any) -> str:
    return "regressor" if is_regressor(model) else "classifier"


# Candidates for a budget. They have no imputer where no value is missing, because it
# takes longer for one row than any of these models.


def _prepend_scaling(X: Any, model: Any) -> Pipeline:
    if not _is_array(X) or np.isnan(X).any():
        return _prepend_columns(X, model, scales=True)
    return Pipeline([("scale", StandardScaler()), (_name_step(model), model)])


def _use_trees(X: Any, trees: Any) -> Any:
    """Trees need no scaling, and take missing values."""
    return trees if _is_array(X) else _prepend_columns(X, trees, scales=False)


def _make_network(X: Any, kind: str, *layers: int) -> Pipeline:
    network = make_network(len(X), stops=False, values=kind == "Regressor")
    return _prepend_scaling(X, network.set_params(hidden_layer_sizes=layers))


def _is_array(X: Any) -> bool:
    """Whether rows hold nothing but numbers, and come without names."""
    return isinstance(X, np.ndarray) and X.dtype.kind in "iuf"


def _list_candidates(kind: str) -> Makers:
    linear = "logistic" if kind == "Classifier" else "linear"
    return {
        linear: lambda X: _prepend_scaling(X, _make_linear(kind)),
        "tree": lambda X: _use_trees(X, _make_tree(kind, max_leaf_nodes=64)),
        "mlp-16": lambda X: _make_network(X, kind, 16),
        "mlp-32": lambda X: _make_network(X, kind, 32),
        "mlp-64-32": lambda X: _make_network(X, kind, 64, 32),
        "lightgbm-50x7": lambda X: _use_trees(X, _make_lightgbm(kind, num_leaves=7)),
    }


STUDENTS, CANDIDATES = _list_students("Classifier"), _list_candidates("Classifier")
VALUE_STUDENTS = _list_students("Regressor")
VALUE_CANDIDATES = _list_candidates("Regressor")
