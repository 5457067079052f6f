"""Checks of the arrays that the metrics take."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._labels._probabilities import check_probabilities
from .._typing import AnyArray, BoolArray, FloatArray


def match_labels(
    y_true: AnyArray, labels: ArrayLike | None, shape: tuple[int, ...]
) -> BoolArray:
    """Where a row has the column's label, shape (n_samples, n_classes)."""
    n_samples, n_classes = shape
    if y_true.shape != (n_samples,):
        raise ValueError(
            "y_true must hold one label for each row of y_proba, shape "
            f"({n_samples},); got shape {y_true.shape}. Pass the true labels as one "
            "column, in the order of the rows."
        )
    classes = np.unique(y_true) if labels is None else np.asarray(labels)
    if classes.shape != (n_classes,) or len(np.unique(classes)) != n_classes:
        source = "found in y_true" if labels is None else "in labels"
        raise ValueError(
            f"There must be one distinct label for each of the {n_classes} columns of "
            f"y_proba; got {classes.tolist()} {source}. Pass "
            "labels=classifier.classes_."
        )
    matches = np.asarray(y_true[:, None] == classes[None, :], dtype=bool)
    unknown = ~matches.any(axis=1)
    if unknown.any():
        raise ValueError(
            f"Every label of y_true must be one of the labels {classes.tolist()}; got "
            f"{y_true[unknown][0]!r} in {int(unknown.sum())} row(s). Pass labels in "
            "the type of y_true, or leave these rows out."
        )
    return matches


def check_proba(proba: AnyArray, name: str) -> FloatArray:
    """Probabilities as float64 of shape (n_samples, n_classes), or a ValueError."""
    if proba.ndim != 2 or proba.shape[0] < 1 or proba.shape[1] < 2:
        raise ValueError(
            f"{name} must have shape (n_samples, n_classes) with at least one row and "
            f"two columns; got shape {proba.shape}. Pass what predict_proba returns; "
            "from the positive class p alone, np.column_stack([1 - p, p])."
        )
    return check_probabilities(proba, len(proba), np.arange(proba.shape[1]), name)


def check_labels(teacher: AnyArray, student: AnyArray) -> None:
    """Raise a ValueError unless both are vectors of labels that can be compared."""
    if teacher.ndim != 1 or len(teacher) < 1:
        raise ValueError(
            "teacher must be labels of shape (n_samples,) or probabilities of shape "
            f"(n_samples, n_classes), with at least one row; got shape {teacher.shape}."
            " Pass what predict or predict_proba returns."
        )
    # Text never equals a number: 0 would look like a result.
    text, other = (labels.dtype.kind in "UST" for labels in (teacher, student))
    kinds = teacher.dtype.kind + student.dtype.kind
    if text != other and set(kinds) & set("biuf"):
        raise ValueError(
            "teacher and student must be labels of one type; got dtypes "
            f"{teacher.dtype} and {student.dtype}. Convert one with astype."
        )


def check_same_shape(first: AnyArray, second: AnyArray, names: str) -> None:
    if first.shape != second.shape:
        raise ValueError(
            f"{names} must have the same shape; got {first.shape} and {second.shape}. "
            "Predict with both on the same rows, for the same classes."
        )


def check_scores(*scores: ArrayLike) -> list[FloatArray]:
    """Scores as float64 arrays, each a scalar or of the common shape."""
    arrays = [np.asarray(score, dtype=np.float64) for score in scores]
    shapes = {array.shape for array in arrays if array.ndim > 0}
    if len(shapes) > 1:
        raise ValueError(
            "teacher_score, baseline_score and student_score must be single scores or "
            f"arrays of one shape; got shapes {[array.shape for array in arrays]}. "
            "Pass one score for each seed or data set, in the same order."
        )
    if not all(array.size and np.isfinite(array).all() for array in arrays):
        raise ValueError(
            "teacher_score, baseline_score and student_score must be finite and not "
            f"empty; got {[array.tolist() for array in arrays]}. Leave out the seeds "
            "or data sets on which a score is missing, from all three."
        )
    return arrays
