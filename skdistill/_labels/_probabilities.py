"""Probabilities of a teacher: one column a class, in the order of the sorted labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.utils.validation import check_array

from .._typing import FloatArray, IndexArray

#: How far a row of stored probabilities may sum from 1 (float32 over many classes).
_SUM_TOLERANCE = 1e-3


def align(proba: Any, seen: Any, classes: NDArray[Any]) -> FloatArray:
    """Return columns in the order of `classes`, 0 for a class that is not in `seen`.

    Raises
    ------
    ValueError
        The teacher was fitted on a class that `classes` lacks.
    """
    seen = np.asarray(seen)
    position = {label: k for k, label in enumerate(classes.tolist())}
    strangers = [label for label in seen.tolist() if label not in position]
    if strangers:
        raise ValueError(
            f"The teacher's classes must all occur in y; {strangers} do not (y holds "
            f"{classes.tolist()}). Pass rows of every class, or a teacher that was "
            "fitted on the classes of y."
        )
    aligned = np.zeros((len(proba), len(classes)))
    aligned[:, [position[label] for label in seen.tolist()]] = proba
    return aligned


def check_stored(proba: Any, codes: IndexArray, classes: NDArray[Any]) -> FloatArray:
    """Validate probabilities that stand in for a teacher.

    Raises
    ------
    ValueError
        Wrong shape, negative or non-finite values, rows that don't sum to 1, or
        columns that are not in the order of `classes`.
    """
    _check_column_names(proba, classes)
    P = check_array(proba, dtype=np.float64, input_name="teacher_proba")
    expected = (len(codes), len(classes))
    if P.shape != expected:
        raise ValueError(
            f"teacher_proba must have one row a sample and one column a class, shape "
            f"{expected}, received {P.shape}. Its columns follow the sorted labels "
            f"{classes.tolist()}."
        )
    if P.min() < 0:
        row = int(P.min(axis=1).argmin())
        raise ValueError(
            f"teacher_proba must not be negative, received {P.min():g} in row {row}. "
            "Pass probabilities; log-probabilities want np.exp first."
        )
    error = np.abs(P.sum(axis=1) - 1)
    if error.max() > _SUM_TOLERANCE:
        row = int(error.argmax())
        raise ValueError(
            f"Each row of teacher_proba must sum to 1, row {row} sums to "
            f"{P[row].sum():g}. Pass probabilities, not scores or percentages."
        )
    _check_column_order(P, codes, classes)
    return P


def _check_column_names(proba: Any, classes: NDArray[Any]) -> None:
    names = list(getattr(proba, "columns", []))
    # Numbered columns are a frame's default, no statement about classes.
    if not names or names == list(range(len(names))):
        return
    if [str(n) for n in names] != [str(c) for c in classes]:
        raise ValueError(
            "The columns of teacher_proba must be the classes in sorted order "
            f"{classes.tolist()}, received {names}. Select them in that order."
        )


def _check_column_order(
    P: FloatArray, codes: IndexArray, classes: NDArray[Any]
) -> None:
    """Raise where another order of columns fits the labels far better."""
    mass = np.zeros((P.shape[1], P.shape[1]))
    np.add.at(mass, codes, P)
    rows, best = linear_sum_assignment(mass, maximize=True)
    moved = rows[best != rows]
    n_moved = int(np.isin(codes, moved).sum())
    gain = mass[moved, best[moved]].sum() - mass[moved, moved].sum()
    # A quarter of the probability over at least 20 rows is no accident.
    if n_moved >= 20 and gain > 0.25 * n_moved:
        raise ValueError(
            "The columns of teacher_proba must follow the sorted labels "
            f"{classes.tolist()}; judged by y they look ordered as "
            f"{classes[np.argsort(best)].tolist()}. Reorder the columns."
        )
