"""Who labels: a fitted, frozen or cross-fitted teacher, or stored probabilities.

Whatever order or subset of classes a teacher saw, what leaves this module has
one column per entry of `classes`.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, gen_batches
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_array, check_is_fitted

from ._rows import take_rows
from ._targets import FloatArray
from ._weights import takes_sample_weight

Splits = list[tuple[NDArray[np.intp], NDArray[np.intp]]]

#: How far a row of stored probabilities may sum from 1 (float32 over many classes).
_SUM_TOLERANCE = 1e-3

#: Rows labelled at a time: a teacher of many members holds all their answers.
_CHUNK = 50_000


def check_teacher(teacher: Any) -> None:
    """Raise where the teacher cannot give probabilities.

    Raises
    ------
    TypeError
        The teacher has no `predict_proba`.
    ValueError
        The teacher is a `VotingClassifier` that votes hard.
    """
    last = teacher.estimator if isinstance(teacher, FrozenEstimator) else teacher
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    if isinstance(teacher, type):
        raise TypeError(
            f"The teacher must be an estimator, received the class {teacher.__name__}. "
            f"Pass an instance: {teacher.__name__}()."
        )
    if getattr(last, "voting", None) == "hard":
        raise ValueError(
            "The teacher must give probabilities, received a VotingClassifier with "
            'voting="hard". Set voting="soft".'
        )
    if not hasattr(teacher, "fit") or not hasattr(teacher, "predict_proba"):
        raise TypeError(
            "The teacher must be a classifier with predict_proba, received "
            f"{type(last).__name__}. Wrap it in CalibratedClassifierCV, or switch "
            "its probabilities on."
        )
    if isinstance(teacher, FrozenEstimator):
        check_is_fitted(teacher)


def check_teacher_takes_weight(teacher: Any) -> None:
    """Raise where row weights would be lost on the way to the teacher."""
    if not takes_sample_weight(teacher):
        raise TypeError(
            "With sample_weight, the teacher's fit must take sample_weight; "
            f"{type(teacher).__name__} or one of its members does not. Use a teacher "
            "that does, or enable metadata routing and say which parts take weights "
            "with set_fit_request(sample_weight=...)."
        )


def fit_and_label(
    teacher: Any,
    X: Any,
    y: Any,
    params: dict[str, Any],
    others: tuple[Any, ...] = (),
    context: Any = None,
) -> tuple[Any, list[FloatArray]]:
    """Fit a clone in place; label its own training rows, then every other table.

    Free of any state, so that `joblib.Memory` can stand in for it. `context` is
    the progress of the caller and no part of the result.
    """
    with propagate(context, teacher):
        teacher.fit(X, y, **params)
    return teacher, [label_rows(teacher, table) for table in (X, *others)]


def label_others(
    fitted: Any,
    others: tuple[Any, ...],
    teacher: Any,
    X: Any,
    y: Any,
    params: dict[str, Any],
) -> list[FloatArray]:
    """Label further tables.

    The last four are what the teacher was fitted with: `joblib.Memory` knows it by
    them, for a fitted ensemble is slow to hash.
    """
    return [label_rows(fitted, table) for table in others]


def label_rows(teacher: Any, X: Any) -> FloatArray:
    """Return the teacher's probabilities, chunk by chunk."""
    n_rows = _num_samples(X)
    if n_rows <= _CHUNK:
        return teacher.predict_proba(X)
    chunks = gen_batches(n_rows, _CHUNK)
    return np.concatenate(
        [teacher.predict_proba(_safe_indexing(X, chunk)) for chunk in chunks]
    )


def cross_label(
    teacher: Any,
    X: Any,
    y: Any,
    splits: Splits,
    params: dict[str, Any],
    classes: NDArray[Any],
    *,
    others: tuple[Any, ...] = (),
    memory: Memory,
    n_jobs: int | None,
    context: Any = None,
) -> tuple[FloatArray, list[FloatArray]]:
    """Label rows by teachers that did not see them.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
        Rows that several folds test (a repeated splitter) get their mean, rows that
        none tests NaN.
    firsts : list of ndarrays
        What the teacher of the first fold says of its own training rows, and of the
        `others`.
    """
    label = memory.cache(_fit_fold, ignore=["context"])
    parts = Parallel(n_jobs=n_jobs)(
        delayed(label)(
            clone(teacher),
            X,
            y,
            train,
            test,
            params,
            others if number == 0 else (),
            context and context.subcontext(task_name="fold", task_id=number),
        )
        for number, (train, test) in enumerate(splits)
    )
    proba = np.zeros((len(y), len(classes)))
    counts = np.zeros(len(y))
    for (_, test), (seen, tables) in zip(splits, parts, strict=True):
        np.add.at(proba, test, align(tables[1], seen, classes))
        np.add.at(counts, test, 1)
    proba[counts == 0] = np.nan
    seen, tables = parts[0]
    firsts = [align(table, seen, classes) for table in (tables[0], *tables[2:])]
    return proba / np.maximum(counts, 1)[:, None], firsts


def check_splits(splits: Splits, n_samples: int) -> None:
    """Raise where the splitter leaves rows without an out-of-fold label."""
    tested = np.zeros(n_samples, dtype=bool)
    for _, test in splits:
        tested[test] = True
    if not tested.all():
        raise ValueError(
            "cv must put every row in a test fold, so that each gets an out-of-fold "
            f"label; {int((~tested).sum())} of {n_samples} rows are in none. Use a "
            "splitter that covers the data, such as StratifiedKFold."
        )


def _fit_fold(
    teacher: Any,
    X: Any,
    y: Any,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    params: dict[str, Any],
    others: tuple[Any, ...] = (),
    context: Any = None,
) -> tuple[NDArray[Any], list[FloatArray]]:
    params = {k: take_rows(v, train, len(y)) for k, v in params.items()}
    others = (_safe_indexing(X, test), *others)
    teacher, tables = fit_and_label(
        teacher, _safe_indexing(X, train), y[train], params, others, context
    )
    return teacher.classes_, tables


def propagate(context: Any, estimator: Any) -> Any:
    """Hand the caller's callbacks on to an estimator that knows callbacks."""
    if context is None or not hasattr(estimator, "set_callbacks"):
        return nullcontext()
    return context.propagate_callback_context(estimator)


def align(proba: Any, seen: Any, classes: NDArray[Any]) -> FloatArray:
    """Columns in the order of `classes`; classes never seen get 0.

    Raises
    ------
    ValueError
        The teacher knows a class that `classes` lacks.
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


def check_frozen_classes(teacher: FrozenEstimator, classes: NDArray[Any]) -> None:
    """Raise where a frozen teacher has never seen a class of y."""
    known = set(np.asarray(teacher.classes_).tolist())
    missing = [label for label in classes.tolist() if label not in known]
    if missing:
        raise ValueError(
            "A frozen teacher must know every class of y; it never saw "
            f"{missing}. Refit the teacher, or leave those rows out."
        )


def check_stored(
    proba: Any, codes: NDArray[np.intp], classes: NDArray[Any]
) -> FloatArray:
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
    P: FloatArray, codes: NDArray[np.intp], classes: NDArray[Any]
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
