"""Who labels: a fitted, frozen or cross-fitted teacher, or stored probabilities.

Whatever order or subset of classes a teacher saw, what leaves this module has
one column per entry of `classes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_array, check_is_fitted

from .._frames import take_chunk, take_rows
from .._nested import takes_sample_weight
from .._sklearn import _num_samples, _safe_indexing
from .._tasks import Shared, Tasks, share_cores
from .._typing import FloatArray

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


def fit_teacher(
    teacher: Any,
    X: Any,
    y: Any,
    params: dict[str, Any],
    *,
    work: Tasks,
    context: Any = None,
) -> tuple[Any, str | None]:
    """Fit a clone, or find it in the memory; return it and the name it has there."""
    name = work.name(teacher, X, y, params)
    fit = work.memory.cache(_fit, ignore=_UNNAMED)
    return fit(name, clone(teacher), X, y, params, None, context), name


def _fit(
    name: str | None,
    teacher: Any,
    X: Any,
    y: Any,
    params: dict[str, Any],
    n_threads: int | None,
    context: Any,
) -> Any:
    """Fit in place. The name stands for what is fitted, and on what.

    `context` is the progress of the caller and no part of the result.
    """
    teacher = share_cores(teacher, n_threads)
    with propagate(context, teacher):
        teacher.fit(X, y, **params)
    return teacher


#: What `joblib.Memory` need not look at to know a fit.
_UNNAMED = ["teacher", "X", "y", "params", "n_threads", "context"]


def label_rows(
    teacher: Any, X: Any, *, work: Tasks, name: str | None = None
) -> FloatArray:
    """Return the teacher's probabilities of a table.

    Parameters
    ----------
    teacher, work, name
        As in `label_chunks`.
    X : rows in the user's container
        Of any number.
    """
    n_rows = _num_samples(X)
    chunks = (take_chunk(X, rows) for rows in gen_batches(n_rows, _CHUNK))
    n_chunks = -(-n_rows // _CHUNK)
    labels = label_chunks(teacher, chunks, work=work, name=name, n_chunks=n_chunks)
    return np.concatenate(list(labels))


def label_chunks(
    teacher: Any,
    chunks: Iterable[Any],
    *,
    work: Tasks,
    name: str | None = None,
    n_chunks: int | None = None,
) -> Iterator[FloatArray]:
    """Return the teacher's probabilities of each chunk of rows, in order.

    The teacher travels to each worker once, and each chunk to one worker. What the
    chunks are decides the result, to the byte, and never the number of workers. With
    a memory, each chunk's labels are kept as soon as they are known.

    Parameters
    ----------
    teacher : fitted classifier
        Has `predict_proba`.
    chunks : iterable
        Rows in the user's container; drawn from as workers become free.
    work : Tasks
        Workers and memory.
    name : str or None
        What the memory knows the teacher by: from `fit_teacher`, or `Tasks.name`.
    n_chunks : int or None
        Number of chunks, where it is known.
    """
    teacher = share_cores(teacher, work.count_threads(n_chunks), alone=True)
    given = Shared(teacher)
    calls = ((work, name, given, chunk) for chunk in chunks)
    return work.run(_label_chunk, calls, n_chunks)


def _label_chunk(
    work: Tasks, name: str | None, teacher: Shared, chunk: Any
) -> FloatArray:
    label = work.memory.cache(_predict, ignore=["teacher", "chunk"])
    return label(name, work.name(chunk), teacher.value, chunk)


def _predict(
    name: str | None, chunk_name: str | None, teacher: Any, chunk: Any
) -> FloatArray:
    """Label one chunk; the names stand for the other two."""
    return teacher.predict_proba(chunk)


def cross_label(
    teacher: Any,
    X: Any,
    y: Any,
    splits: Splits,
    params: dict[str, Any],
    classes: NDArray[Any],
    *,
    others: tuple[Any, ...] = (),
    work: Tasks,
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
    n_threads = work.count_threads(len(splits))
    inner = work if n_threads is None else replace(work, n_jobs=1)
    name = work.name(teacher, X, y, params)
    given = Shared((teacher, X, y, params))

    def list_calls() -> Iterator[Any]:
        for number, (train, test) in enumerate(splits):
            own = others if number == 0 else None
            names: tuple[str | None, str | None] = (None, None)
            if name is not None:
                names = work.name(name, train, test, own), work.name(name, train)
            progress = context and context.subcontext(task_name="fold", task_id=number)
            rows = (train, test, Shared(own))
            yield *names, given, *rows, inner, n_threads, progress

    label = work.memory.cache(_label_fold, ignore=_UNNAMED_FOLD)
    parts = list(work.run(label, list_calls(), len(splits)))
    proba = np.zeros((len(y), len(classes)))
    counts = np.zeros(len(y))
    for (_, test), (seen, tables) in zip(splits, parts, strict=True):
        np.add.at(proba, test, align(tables[0], seen, classes))
        np.add.at(counts, test, 1)
    proba[counts == 0] = np.nan
    seen, tables = parts[0]
    firsts = [align(table, seen, classes) for table in tables[1:]]
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


def _label_fold(
    name: str | None,
    fit_name: str | None,
    given: Shared,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    others: Shared,
    work: Tasks,
    n_threads: int | None,
    context: Any,
) -> tuple[NDArray[Any], list[FloatArray]]:
    """Fit a clone on one part of the rows, and label the other.

    With `others`, its own rows and those as well. The names stand for all of it.
    """
    teacher, X, y, params = given.value
    params = {k: take_rows(v, train, len(y)) for k, v in params.items()}
    own = _safe_indexing(X, train)
    fit = work.memory.cache(_fit, ignore=_UNNAMED)
    fitted = fit(fit_name, clone(teacher), own, y[train], params, n_threads, context)
    tables = [_safe_indexing(X, test)]
    if others.value is not None:
        tables += [own, *others.value]
    fitted = share_cores(fitted, n_threads)
    labels = [label_rows(fitted, X, work=work, name=fit_name) for X in tables]
    return fitted.classes_, labels


#: What `joblib.Memory` need not look at to know a fold.
_UNNAMED_FOLD = [
    "fit_name", "given", "train", "test", "others", "work", "n_threads", "context",
]  # fmt: skip


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
