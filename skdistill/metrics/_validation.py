"""Checks of the arrays that the metrics take."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._typing import FloatArray
from .._validation import check_weight

#: Far above the rounding of float32 and float16 probabilities, far below a mistake.
_SUM_TOLERANCE = 1e-3


def match_labels(
    y_true: NDArray[np.generic], labels: ArrayLike | None, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
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


def check_proba(proba: NDArray[np.generic], name: str) -> FloatArray:
    """Probabilities as float64 of shape (n_samples, n_classes), or a ValueError."""
    if proba.ndim != 2 or proba.shape[0] < 1 or proba.shape[1] < 2:
        raise ValueError(
            f"{name} must have shape (n_samples, n_classes) with at least one row and "
            f"two columns; got shape {proba.shape}. Pass what predict_proba returns; "
            "from the positive class p alone, np.column_stack([1 - p, p])."
        )
    checked = proba.astype(np.float64)
    sums = checked.sum(axis=1)
    # A comparison with NaN is false, so NaN fails here as well.
    valid = (checked >= 0).all(axis=1) & (np.abs(sums - 1) <= _SUM_TOLERANCE)
    if not valid.all():
        row = int(np.argmin(valid))
        raise ValueError(
            f"Each row of {name} must hold probabilities that are at least 0 and sum "
            f"to 1; got {checked[row].tolist()} in row {row}. Pass what predict_proba "
            "returns; scores and logits need a softmax first."
        )
    return checked


def check_labels(labels: NDArray[np.generic], name: str) -> None:
    if labels.ndim != 1 or len(labels) < 1:
        raise ValueError(
            f"{name} must be labels of shape (n_samples,) or probabilities of shape "
            f"(n_samples, n_classes), with at least one row; got shape {labels.shape}. "
            "Pass what predict or predict_proba returns."
        )


def check_comparable(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    first_name: str,
    second_name: str,
) -> None:
    # Text never equals a number: 0 would look like a result.
    text = first.dtype.kind in "UST", second.dtype.kind in "UST"
    number = first.dtype.kind in "biuf", second.dtype.kind in "biuf"
    if (text[0] and number[1]) or (number[0] and text[1]):
        raise ValueError(
            f"{first_name} and {second_name} must be labels of one type; got dtypes "
            f"{first.dtype} and {second.dtype}. Convert one with astype."
        )


def check_same_shape(
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    first_name: str,
    second_name: str,
) -> None:
    if first.shape != second.shape:
        raise ValueError(
            f"{first_name} and {second_name} must have the same shape; got "
            f"{first.shape} and {second.shape}. Predict with both on the same rows, "
            "for the same classes."
        )


def weigh_rows(sample_weight: ArrayLike | None, n_samples: int) -> FloatArray:
    """Weights as float64 of shape (n_samples,), ones for None, or a ValueError."""
    weight = check_weight(sample_weight, n_samples)
    return np.ones(n_samples) if weight is None else weight


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
