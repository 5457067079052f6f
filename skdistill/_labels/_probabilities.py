"""Probabilities of a teacher: checked, and one column a class in a known order.

Live, frozen, stored and function teachers pass the same check; the error names who
gave the probabilities, in which row, what they were, and the fix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.frozen import FrozenEstimator

from .._nested import can_refit, find_decider
from .._paired import paired_difference
from .._sklearn import _safe_indexing
from .._soft_data import label_dtype
from .._typing import AnyArray, FloatArray, IndexArray
from .._warnings import warn_caller
from ._values import read_numbers

#: How far a row may sum from 1: for each class what is lost where it is stored with two
#: decimals, but in all no more than the last.
_ROUNDING, _MOST_ROUNDING = 0.005, 0.1

#: What arithmetic leaves of a probability of 0.
_NEGATIVE = -1e-9

#: Whose classifiers order their columns as `classes_`.
_LIBRARIES = ("sklearn", "lightgbm", "xgboost", "catboost")

#: So many standard errors must lie between the labels, their classes' shares, and the
#: labels in another order, and so many nats a row, and of all rows together: a teacher
#: of 30 rows may be worse than the shares, and one of a million by little.
_CERTAIN, _LEAST_LEAD, _EVIDENCE = 3, 0.05, 10.0
#: No row counts for more than this probability says.
_LEAST_PROBABILITY = 1e-3


def check_probabilities(
    proba: Any, n_rows: int, columns: AnyArray, owner: str, dtype: Any = np.float64
) -> FloatArray:
    """Return probabilities as an array of shape (n_rows, n_columns), or raise.

    `columns` are the classes that the columns stand for; those of a data frame that
    they name are put in order. `owner` is who gave the probabilities, as the subject of
    an error. The result may be the array that was given.
    """
    ordered = _order_columns(proba, columns, owner)
    P = read_numbers(ordered, owner, "probabilities", dtype)
    expected = (n_rows, len(columns))
    if P.shape != expected:
        fix = f"Its columns follow the classes {columns.tolist()}."
        if len(columns) == 2 and P.shape in ((n_rows,), (n_rows, 1)):
            fix = "With p of the second class, pass np.column_stack([1 - p, p])."
        raise ValueError(
            f"{owner} must have one row a sample and one column a class, shape "
            f"{expected}, received {P.shape}. {fix}"
        )
    wrong: Any = ~np.isfinite(P).all(axis=1)
    if wrong.any():
        _refuse(P, wrong, f"{owner} must be finite", "Mend the teacher, or drop rows.")
    wrong = (P < _NEGATIVE).any(axis=1)
    if wrong.any():
        fix = "Pass probabilities; log-probabilities want np.exp first."
        _refuse(P, wrong, f"{owner} must not be negative", fix)
    rounding = min(_ROUNDING * len(columns), _MOST_ROUNDING)
    total = P.sum(axis=1)
    wrong = np.abs(total - 1) > rounding + 1e-9
    if wrong.any():
        rule = f"Each row of {owner} must sum to 1; one sums to {total[wrong][0]:g}"
        _refuse(P, wrong, rule, "Pass probabilities, not scores or percentages.")
    return np.maximum(P, 0.0) if (P < 0).any() else P


def _refuse(P: FloatArray, wrong: Any, rule: str, fix: str) -> None:
    row = int(wrong.argmax())
    values = np.array2string(P[row], precision=4, threshold=8)
    raise ValueError(f"{rule}, received {values} in row {row}. {fix}")


def _order_columns(proba: Any, columns: AnyArray, owner: str) -> Any:
    """Return a data frame's columns in the order of the classes that name them."""
    names = [str(name) for name in getattr(proba, "columns", [])]
    # Numbered columns are a frame's default, no statement about classes.
    numbered = [str(k) for k in range(len(names))]
    wanted = [str(label) for label in columns.tolist()]
    if not names or names in (wanted, numbered) or len(names) != len(wanted):
        return proba
    if sorted(names) != sorted(wanted):
        raise ValueError(
            f"{owner} must name its columns by the classes {columns.tolist()}, "
            f"received {names}. Rename them, or pass an array."
        )
    order = [names.index(name) for name in wanted]
    return _safe_indexing(proba, order, axis=1)


def align(proba: FloatArray, seen: Any, classes: AnyArray) -> FloatArray:
    """Return columns in the order of `classes`, 0 for a class that is not in `seen`."""
    seen = np.asarray(seen)
    position = {label: k for k, label in enumerate(classes.tolist())}
    strangers = [label for label in seen.tolist() if label not in position]
    if strangers:
        raise ValueError(
            f"The teacher's classes must all occur in y; {strangers} do not (y holds "
            f"{classes.tolist()}). Pass rows of every class, or a teacher that was "
            "fitted on the classes of y."
        )
    columns = [position[label] for label in seen.tolist()]
    if columns == list(range(len(classes))):
        return proba
    aligned = np.zeros((len(proba), len(classes)), proba.dtype)
    aligned[:, columns] = proba
    return aligned


def check_stored(proba: Any, codes: IndexArray, classes: AnyArray) -> FloatArray:
    """Return probabilities that stand in for a teacher, or raise a ValueError."""
    dtype = label_dtype(len(classes))
    P = check_probabilities(proba, len(codes), classes, "teacher_proba", dtype)
    check_column_order(P, codes, classes, "teacher_proba")
    return P


def check_column_order(
    P: FloatArray, codes: IndexArray, classes: AnyArray, owner: str
) -> None:
    """Raise where another order of columns fits the labels far better."""
    order = _find_order(P, codes)
    if order is not None:
        raise ValueError(
            f"{owner} must have its columns in the order of the classes "
            f"{classes.tolist()}; judged by y they look ordered as "
            f"{classes[order].tolist()}. Reorder the columns."
        )


def check_answer_order(
    P: FloatArray, codes: IndexArray, classes: AnyArray, teacher: Any
) -> None:
    """Raise, or warn of a teacher whose columns follow its `classes_`.

    They do where its `fit` was given the labels here, and where a frozen one is of a
    library that keeps scikit-learn's contract. Platt scaling inverts the probabilities
    of some SVC of few noisy rows.
    """
    library = type(find_decider(teacher)).__module__.split(".")[0]
    frozen = isinstance(teacher, FrozenEstimator) and library in _LIBRARIES
    if not (frozen or can_refit(teacher)):
        check_column_order(P, codes, classes, "The predict_proba of the teacher")
    elif (order := _find_order(P, codes)) is not None:
        warn_caller(
            f"The probabilities of the teacher ({type(teacher).__name__}) contradict "
            f"the labels y: columns ordered as {classes[order].tolist()} would fit "
            f"better than those of its classes, {classes.tolist()}. Mend its "
            "predict_proba if it is your own, calibrate it by CalibratedClassifierCV, "
            "or pass another teacher."
        )


def _find_order(P: FloatArray, codes: IndexArray) -> IndexArray | None:
    """Return the order of columns that fits the labels far better; None: there is none.

    As given, the moved columns tell less than the shares of their classes, and in the
    other order they tell more. A teacher of noise does neither, and stays.
    """
    mass = np.zeros((P.shape[1], P.shape[1]))
    np.add.at(mass, codes, P)
    rows, best = linear_sum_assignment(mass, maximize=True)
    moved = best != rows
    some = np.flatnonzero(moved[codes])
    if not some.size:
        return None
    # No copy of the table, which is large where there are many classes.
    total = (P @ moved.astype(P.dtype))[some]
    own = codes[some]

    def lose(columns: IndexArray) -> FloatArray:
        said = P[some, columns] / np.maximum(total, _LEAST_PROBABILITY)
        return -np.log(np.maximum(said, _LEAST_PROBABILITY))

    given, other = lose(own), lose(best[own])
    counts = np.bincount(own, minlength=len(moved))
    shares = np.log(len(own) / counts[own])
    leads = (
        paired_difference(given, shares, None),
        paired_difference(shares, other, None),
    )
    least = max(_LEAST_LEAD, _EVIDENCE / len(own))
    certain = all(lead > max(_CERTAIN * error, least) for lead, error in leads)
    return np.argsort(best) if certain else None
