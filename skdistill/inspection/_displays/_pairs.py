"""Probabilities of teacher and student for the same rows, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..._labels._probabilities import align
from ..._typing import FloatArray


def predict_both(
    estimator: Any, X: Any, display: str
) -> tuple[FloatArray, FloatArray, NDArray[Any]]:
    """Teacher's and student's probabilities of X, and the classes of the columns.

    Raises
    ------
    TypeError
        The estimator has no teacher to show.
    """
    check_is_fitted(estimator)
    distilled, rows = _find_distilled(estimator, X)
    teacher = getattr(distilled, "teacher_", None)
    if teacher is None:
        raise TypeError(
            f"{display}.from_estimator needs a fitted DistilledClassifier that has a "
            f"teacher_; got {type(distilled).__name__} without one. Where only the "
            f"probabilities are at hand, pass them to {display}.from_predictions."
        )
    classes = distilled.classes_
    return (
        align(teacher.predict_proba(rows), teacher.classes_, classes),
        distilled.predict_proba(rows),
        classes,
    )


def _find_distilled(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Follow searches and Pipelines to what has a teacher; X as it arrives there."""
    if hasattr(estimator, "best_estimator_"):
        return _find_distilled(estimator.best_estimator_, X)
    if isinstance(estimator, Pipeline):
        rows = estimator[:-1].transform(X) if len(estimator) > 1 else X
        return _find_distilled(estimator[-1], rows)
    return estimator, X


def find_column(label: Any, classes: NDArray[Any]) -> int | None:
    """Column of a class; for None the second of two, and None of more.

    Raises
    ------
    ValueError
        There is no such class.
    """
    if label is None:
        return 1 if len(classes) == 2 else None
    positions = np.flatnonzero(classes == label)
    if len(positions) != 1:
        raise ValueError(
            f"label must be one of the classes {classes.tolist()}; got {label!r}. "
            "Pass one of them, or None."
        )
    return int(positions[0])


def list_classes(classes: Any, n_columns: int) -> NDArray[Any]:
    """The classes of the columns, 0, 1, ... for None.

    Raises
    ------
    ValueError
        There is not one for each column.
    """
    if classes is None:
        return np.arange(n_columns)
    classes = np.asarray(classes)
    if classes.shape != (n_columns,):
        raise ValueError(
            f"classes must name the {n_columns} columns of the probabilities; got "
            f"{classes.tolist()}. Pass classes=distilled.classes_."
        )
    return classes
