"""deepbridge-distillation: its students are fitted on the true labels.

The teacher decides nothing but which of a few random settings of the student is
kept. Its default of 50 of them is cut to 5, since it has no limit of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from os import devnull

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

REQUIREMENTS = ("deepbridge-distillation==2.0.0", "lightgbm>=4.7", "torch==2.13.0")
NEEDS = ("deepbridge_distillation", "lightgbm")
N_TRIALS = 5


def fit(task: Task) -> Iterator[Outcome]:
    with clock() as read:
        X, X_test = encode(task)
        teacher = make_vote(task).fit(X, task.y_train)
        seconds = read()
    # The network is among the kinds that it names; so far it refuses to make one.
    for kind in ("GBM", "LOGISTIC_REGRESSION", "MLP"):
        yield attempt(kind, partial(distil, task, kind, teacher, X, X_test, seconds))


def distil(task: Task, kind: str, teacher, X, X_test, seconds: float) -> Student:
    from deepbridge.utils.model_registry import ModelType
    from deepbridge_distillation import KnowledgeDistillation

    with clock() as read, open(devnull, "w") as file, redirect_stdout(file):
        model = KnowledgeDistillation(
            teacher_model=teacher,
            student_model_type=ModelType[kind],
            n_trials=N_TRIALS,
            random_state=task.seed,
        )
        model.fit(X, task.y_train, verbose=False)
        seconds += read()
    n_bytes = count_bytes(model.student_model)
    return Student(kind, model.predict_proba, X_test, seconds, n_bytes)
