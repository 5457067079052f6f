"""Probabilities of the models that are compared, with the same columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._labels._probabilities import align, check_probabilities
from .._nested import transform_before
from .._sklearn import _num_samples
from .._typing import AnyArray, FloatArray
from ._comparison import find_student


def predict_aligned(
    model: Any, X: Any, classes: AnyArray, name: str, known: Any = None
) -> FloatArray:
    """Return a model's probabilities, columns in the order of `classes`.

    `name` is what errors call the model; `known` are the classes of its columns, by
    default its `classes_`. Raises a ValueError where it has classes beyond `classes`,
    or where its output is no probabilities.
    """
    known = np.asarray(model.classes_ if known is None else known)
    unknown = set(known.tolist()) - set(classes.tolist())
    if unknown:
        raise ValueError(
            f"The classes of the {name} must be among those of the student, "
            f"{classes.tolist()}; got {sorted(unknown, key=str)} as well. Fit both on "
            "the same labels."
        )
    owner, n_rows = f"The predict_proba of the {name}", _num_samples(X)
    proba = check_probabilities(model.predict_proba(X), n_rows, known, owner)
    return normalize(align(proba, known, classes))


def normalize(proba: FloatArray) -> FloatArray:
    # Sums of float32 are off by 1e-7: log_loss would warn.
    return proba / proba.sum(axis=1, keepdims=True)


def predict_both(
    estimator: Any, X: Any, display: str
) -> tuple[FloatArray, FloatArray, AnyArray]:
    """Return the teacher's and the student's probabilities, and their classes."""
    owner = f"{display}.from_estimator"
    fix = (
        "Where only the probabilities are at hand, pass them to "
        f"{display}.from_predictions."
    )
    distilled = find_student(estimator, owner, values=False, fix=fix)
    if distilled.teacher_ is None:
        raise TypeError(
            f"{owner} needs a teacher_; this student learned from stored "
            f"probabilities, and has none. {fix}"
        )
    rows, classes = transform_before(estimator, X), distilled.classes_
    teacher = distilled.teacher_
    proba = align(teacher.predict_proba(rows), teacher.classes_, classes)
    return proba, distilled.predict_proba(rows), classes


def find_column(label: Any, classes: AnyArray) -> int | None:
    """Return the column of a class; for None the second of two, with more None."""
    if label is None:
        return 1 if len(classes) == 2 else None
    positions = np.flatnonzero(classes == label)
    if len(positions) != 1:
        raise ValueError(
            f"label must be one of the classes {classes.tolist()}; got {label!r}. "
            "Pass one of them, or None."
        )
    return int(positions[0])


def list_classes(classes: Any, n_columns: int) -> AnyArray:
    """Return the classes of the columns; for None 0, 1, ..."""
    if classes is None:
        return np.arange(n_columns)
    classes = np.asarray(classes)
    if classes.shape != (n_columns,):
        raise ValueError(
            f"classes must name the {n_columns} columns of the probabilities; got "
            f"{classes.tolist()}. Pass classes=distilled.classes_."
        )
    return classes
