"""imodels: a regressor on the probability of the second of two classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ._task import (
    Failure,
    Outcome,
    Student,
    Task,
    attempt,
    clock,
    count_bytes,
    encode,
    make_vote,
)

# It imports six without requiring it.
REQUIREMENTS = ("imodels==3.0.4", "six", "lightgbm>=4.7")
NEEDS = ("imodels", "lightgbm")


def fit(task: Task) -> Iterator[Outcome]:
    from imodels import FIGSRegressor

    students = {
        "FIGS": FIGSRegressor(),
        "MLP 64-32": make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(64, 32), random_state=task.seed),
        ),
    }
    for name, student in students.items():
        if task.n_classes > 2:
            # It would learn the second class's probability, without a word.
            yield Failure(name, "takes two classes alone")
        else:
            yield attempt(name, partial(distil, task, name, student))


def distil(task: Task, name: str, student) -> Student:
    from imodels import DistilledRegressor

    with clock() as read:
        X, X_test = encode(task)
        model = DistilledRegressor(make_vote(task), student).fit(X, task.y_train)
        seconds = read()

    def serve(X):
        positive = np.asarray(model.predict(X), dtype=float)
        return np.column_stack([1 - positive, positive])

    return Student(name, serve, X_test, seconds, count_bytes(model.student))
