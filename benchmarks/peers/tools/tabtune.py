"""TabTune: its students, taught by the vote.

Its own teachers are foundation models whose weights come from the network. Its network
takes values as they are, and learns next to nothing of large ones: both students are
given standard deviations, and what they serve is scaled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from ._task import (
    Outcome,
    Student,
    Task,
    attempt,
    clock,
    count_bytes,
    encode,
    make_vote,
)

REQUIREMENTS = ("tabtune==0.2.1", "torch==2.13.0", "lightgbm>=4.7")
NEEDS = ("tabtune", "torch", "lightgbm")


def fit(task: Task) -> Iterator[Outcome]:
    with clock() as read:
        X, X_test = (
            pd.DataFrame(rows).rename(columns=lambda name: f"c_{name}")
            for rows in encode(task)
        )
        y = task.y_train
        if task.regression:
            y = (y - y.mean()) / y.std()
        teacher = make_vote(task).fit(X, y)
        seconds = read()
    for kind in ("mlp", "lgbm"):
        yield attempt(kind, partial(distil, task, kind, teacher, X, y, X_test, seconds))


def distil(task: Task, kind: str, teacher, X, y, X_test, seconds: float) -> Student:
    from tabtune.distillation import TabDistiller

    with clock() as read:
        # One fold: a teacher that is fitted is asked for its labels directly.
        distiller = TabDistiller(
            [teacher],
            kind,
            task_type="regression" if task.regression else "classification",
            n_folds=1,
            random_state=task.seed,
        )
        distiller.fit(X, pd.Series(y))
        seconds += read()
    n_bytes = count_bytes(distiller.student_)
    mean, deviation = task.y_train.mean(), task.y_train.std()

    def serve_values(X):
        return distiller.predict(X) * deviation + mean

    serve = serve_values if task.regression else distiller.predict_proba
    return Student(kind, serve, X_test, seconds, n_bytes)
