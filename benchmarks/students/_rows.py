"""Rows, labels and students that the benchmarks of families share.

The teacher is the soft vote of LightGBM, a random forest, extra trees and a network,
fitted on 4,000 rows of letter (26 classes) and magic (2). Its labels for one seed
are kept in the cache of the data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from joblib import Memory
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from .._data import CACHE, Offline, split_data
from .._measure import fit_quietly, score
from .._private import SoftDataset, clip_probabilities, fit_student, soften
from ._families import make_students, make_teacher

DATA = {"letter": 26, "magic": 2}
N_TRAIN, N_TEST = 4000, 8000
SMOKE_TRAIN, SMOKE_TEST = 260, 260


def load_rows(name: str, seed: int, smoke: bool):
    """A split; of drawn rows where a smoke test can't have the others."""
    n_train, n_test = (SMOKE_TRAIN, SMOKE_TEST) if smoke else (N_TRAIN, N_TEST)
    try:
        X, X_test, y, y_test = split_data(name, seed, n_train)
    except Offline as reason:
        if not smoke:
            raise
        print(f"{reason}\nDrawn data stand in.")
        draw = {"n_informative": 8, "n_clusters_per_class": 1, "random_state": seed}
        X, y = make_classification(2 * n_train, 12, n_classes=DATA[name], **draw)
        return train_test_split(X, y, train_size=n_train, stratify=y)
    return X, X_test[:n_test], y, y_test[:n_test]


@lru_cache
def label_rows(data: str, seed: int, smoke: bool = False) -> dict[str, Any]:
    """Standardised rows, their labels as codes, and the teacher's probabilities."""
    teacher = make_teacher(smoke)
    if smoke:
        return _label(teacher, load_rows(data, seed, smoke), 2, seed)
    label = Memory(CACHE / "students", verbose=0).cache(_label)
    return label(teacher, load_rows(data, seed, smoke), 3, seed)


def _label(teacher: Any, split: Any, n_folds: int, seed: int) -> dict[str, Any]:
    X_train, X_test, y_train, y_test = split
    classes, y_train = np.unique(y_train, return_inverse=True)
    y_test = np.searchsorted(classes, y_test)
    scaler = StandardScaler().fit(X_train)
    X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    out_of_fold = np.zeros((len(y_train), len(classes)))
    for fitted_on, held_out in folds.split(X_train, y_train):
        fitted = fit_quietly(clone(teacher), X_train[fitted_on], y_train[fitted_on])
        out_of_fold[held_out] = fitted.predict_proba(X_train[held_out])
    fitted = fit_quietly(clone(teacher), X_train, y_train)
    return {
        "train": (X_train, y_train),
        "test": (X_test, y_test),
        "in-sample": fitted.predict_proba(X_train),
        "out-of-fold": out_of_fold,
        "test rows": fitted.predict_proba(X_test),
        "teacher": score(fitted, X_test, y_test),
    }


def make_soft(X, y, proba, n_rows: int | None = None) -> SoftDataset:
    """The targets that `DistilledClassifier` makes at temperature 1."""
    X, y, proba = X[:n_rows], y[:n_rows], proba[:n_rows]
    n_classes = proba.shape[1]
    prior = np.bincount(y, minlength=n_classes) / len(y)
    targets = soften(clip_probabilities(proba, prior), 1.0)
    return SoftDataset(X, targets, np.arange(n_classes), y)


def make_student(name: str, X, n_classes: int, seed: int, smoke: bool) -> Any:
    """One student by its name."""
    few = {"epochs": 3, "rounds": 3} if smoke else {}
    return make_students((X.shape[1], n_classes), seed, **few)[name]


def list_students(smoke: bool) -> list[str]:
    """Families that are installed; the slow ones take no part in a smoke test."""
    return list(make_students((2, 2), 0, extras=not smoke))


def fit_hard(student: Any, data: SoftDataset) -> Any:
    return fit_quietly(clone(student), data.X, data.y)


def fit_soft(student: Any, data: SoftDataset) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit_student(clone(student), data)


ROUTES: dict[str, Callable[..., Any]] = {"hard": fit_hard, "soft": fit_soft}


def check_limit(value: float, limit: float | None, text: str) -> str:
    """Append to a text whether a value meets its limit."""
    if limit is None:
        return text
    return f"{text} {'meets' if value <= limit else 'MISSES'} {limit:g}"
