"""This package with its defaults, the vote as the teacher.

"best" is the better of an MLP 256-256, which has fewer weights than the networks of
AutoGluon and TabTune, and a LightGBM of 50 trees of 15 leaves, by the log loss of a
fifth of the training rows, and then fitted on all of them; the time is that of all
three fits and their teachers. "MLP 64-32" is the small network of the other
benchmarks; "all defaults" is `DistilledClassifier()`, which has a teacher and a student
of its own. Of values there is no "best": "MLP 64-32", "LightGBM 50x15", which is the
LightGBM above, and "all defaults".
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..._onnx import serve_onnx
from ._task import Outcome, Student, Task, attempt, clock, count_bytes, make_vote

REQUIREMENTS = ()
NEEDS = ("skdistill", "lightgbm")


def fit(task: Task) -> Iterator[Outcome]:
    if not task.regression:
        yield attempt("best of MLP and LightGBM", partial(fit_best, task))
    yield attempt("MLP 64-32", partial(fit_one, task, "MLP 64-32", make_small))
    if task.regression:
        name = "LightGBM 50x15"
        yield attempt(name, partial(fit_one, task, name, make_boosted))
    yield attempt("all defaults", partial(fit_default, task))


def take_rows(task: Task) -> tuple[Any, Any]:
    """Tables of numbers as arrays."""
    rows = task.X_train, task.X_test
    return tuple(X.to_numpy() for X in rows) if task.all_numbers else rows


def make_students(task: Task, X) -> dict[str, Any]:
    return {"MLP": make_network(task, X, (256, 256)), "LightGBM": make_boosted(task, X)}


def make_small(task: Task, X):
    return make_network(task, X, (64, 32))


def make_boosted(task: Task, X):
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMRegressor if task.regression else LGBMClassifier
    boosted = kind(n_estimators=50, num_leaves=15, n_jobs=1, verbose=-1)
    # Scaled columns round its thresholds, and an ONNX file may then differ.
    return make_pipeline(*prepare(task, X, scales=False), boosted)


def make_network(task: Task, X, layers: tuple[int, ...]):
    kind = MLPRegressor if task.regression else MLPClassifier
    network = kind(hidden_layer_sizes=layers, max_iter=3 if task.small else 200)
    return make_pipeline(*(prepare(task, X) or [StandardScaler()]), network)


def prepare(task: Task, X, *, scales: bool = True) -> list[Any]:
    """What columns of text need."""
    from ..._private import prepare_columns

    return [] if task.all_numbers else [prepare_columns(X, scales=scales)]


def distil(task: Task, student, X, y):
    """With the defaults, the vote as the teacher."""
    teacher = make_pipeline(*prepare(task, X), make_vote(task))
    # One teacher for both students that "best" is chosen from.
    memory = str(task.folder / "teachers")
    return fit_quietly(task, X, y, teacher=teacher, student=student, memory=memory)


def fit_quietly(task: Task, X, y, **settings):
    from skdistill import DistilledClassifier, DistilledRegressor

    kind = DistilledRegressor if task.regression else DistilledClassifier
    with warnings.catch_warnings():
        # That a teacher brings nothing is what the result shows.
        warnings.simplefilter("ignore")
        return kind(**settings, random_state=task.seed).fit(X, y)


def fit_best(task: Task) -> Student:
    X, X_test = take_rows(task)
    y = task.y_train
    with clock() as read:
        tried, held, y_tried, y_held = train_test_split(
            X, y, test_size=0.2, stratify=y, random_state=task.seed
        )
        losses = {
            name: log_loss(
                y_held, distil(task, student, tried, y_tried).predict_proba(held)
            )
            for name, student in make_students(task, X).items()
        }
        best = min(losses, key=losses.__getitem__)
        distilled = distil(task, make_students(task, X)[best], X, y)
        seconds = read()
    return describe("best of MLP and LightGBM", distilled, X_test, seconds)


def fit_one(task: Task, name: str, make: Callable[[Task, Any], Any]) -> Student:
    X, X_test = take_rows(task)
    # Its time is that of a first fit, with the teacher's.
    shutil.rmtree(task.folder / "teachers", ignore_errors=True)
    with clock() as read:
        distilled = distil(task, make(task, X), X, task.y_train)
        seconds = read()
    return describe(name, distilled, X_test, seconds)


def fit_default(task: Task) -> Student:
    X, X_test = take_rows(task)
    with clock() as read:
        distilled = fit_quietly(task, X, task.y_train)
        seconds = read()
    return describe("all defaults", distilled, X_test, seconds)


def describe(name: str, distilled, X_test, seconds: float) -> Student:
    """With its figures as an ONNX file."""
    from skdistill.export import slim

    notes = serve_onnx(distilled, X_test)
    student = slim(distilled.student_)
    serve = getattr(student, "predict_proba", student.predict)
    return Student(name, serve, X_test, seconds, count_bytes(student), notes)
