"""Rows, teachers and fits that the benchmarks of scale share."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier

from .._data import split_data

N_COLUMNS, N_TRAIN = 20, 4000


def load_rows(smoke: bool) -> tuple[np.ndarray, np.ndarray]:
    """The first 20 columns of satimage, and its labels."""
    if smoke:
        return make_classification(1000, N_COLUMNS, n_informative=9, random_state=0)
    X, _, y, _ = split_data("satimage", 0, N_TRAIN)
    return X[:, :N_COLUMNS], y


def repeat_rows(X: np.ndarray, n_rows: int) -> np.ndarray:
    """A large table of rows drawn from a small one."""
    return X[np.random.default_rng(0).integers(len(X), size=n_rows)]


def fit_teacher(X: np.ndarray, y: np.ndarray, n_trees: int = 50) -> Any:
    forest = RandomForestClassifier(n_trees, min_samples_leaf=5, random_state=0)
    return FrozenEstimator(forest.fit(X, y))


def distil(X: Any, y: Any, X_unlabeled: Any, teacher: Any, **params: Any) -> Any:
    """A network of a fixed number of epochs, one unless told."""
    n_epochs = params.pop("epochs", 1)
    network = MLPClassifier((64, 32), max_iter=n_epochs)
    given = {"temperature": 1.0, "calibrate": False, "random_state": 0, **params}
    student = make_pipeline(StandardScaler(), network)
    distilled = DistilledClassifier(teacher, student, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return distilled.fit(X, y, X_unlabeled=X_unlabeled)


def check_limit(name: str, value: float, limit: float, least: bool = False) -> str:
    """A line that tells whether a value meets its limit."""
    if np.isnan(value):
        return f"{name}: not measured"
    met = value >= limit if least else value <= limit
    return f"{name}: {value:.3f} {'meets' if met else 'MISSES'} {limit:g}"
