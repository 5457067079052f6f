"""Out-of-fold labels: what teachers predict for rows that they were not fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from .._dataset import Dataset
from .._frames import take_rows
from .._sklearn import _num_samples, _safe_indexing
from .._tasks import Shared, Tasks, share_cores
from .._typing import FloatArray, IndexArray, Split
from ._task import is_asked
from ._teacher import UNNAMED, Labeller, fit_clone

#: Fewer rows do not show how often a teacher is right.
_FEWEST_RATED = 5


@dataclass(frozen=True)
class OutOfFold:
    """Labels by teachers that were not fitted on the row, and those of pilots.

    Labels of rows that no teacher was asked for are NaN.
    """

    #: The rows that have such a label, ascending, validation rows among them; none
    #: where a fixed teacher is given training rows alone.
    rows: IndexArray
    #: Their labels, the mean of the folds that test a row.
    labels: FloatArray
    #: What the teacher of a fold says of its own training rows, of the first fold and
    #: of those with tables (with validation rows, `own`), and of each table.
    in_sample: list[FloatArray]
    transfer: list[list[FloatArray]]
    #: Labels of all training rows by the teacher that is kept, where it was asked.
    own: FloatArray | None = None
    #: Those of the members of the default teacher. None: equal ones.
    weights: FloatArray | None = None

    def find_validation_rows(self, data: Dataset) -> IndexArray:
        """Return positions of the rows that calibrate: validation rows, or all."""
        first = 0 if data.validation is None else data.n_samples
        return np.flatnonzero(self.rows >= first)

    def take(self, rows: IndexArray) -> FloatArray:
        """Return the labels of some of the rows."""
        if self.own is not None and not len(self.rows):
            return self.own[rows]
        at = np.searchsorted(self.rows, rows)
        missing = np.take(self.rows, at, mode="clip") != rows
        if not missing.any():
            return self.labels[at]
        labels = np.take(self.labels, at, axis=0, mode="clip")
        labels[missing] = np.nan
        return labels


def cross_fit(
    teacher: Any,
    data: Dataset,
    folds: list[Split],
    params: dict[str, Any],
    tables: Sequence[Sequence[Any]] | None,
    *,
    tasks: Tasks,
    asked: Counter[str],
    n_members: int,
    labels_own: bool,
    context: Any,
) -> tuple[OutOfFold, list[Labeller]]:
    """Fit a clone of the teacher for each fold, and label the rows it did not see.

    `params` of its `fit` are cut to the rows of the fold. The teacher of each fold also
    labels its own rows (NaN without `labels_own`) and the further `tables` of the fold,
    of which later ones may have none; where `tables` is None, neither. With `n_members`
    the labels are those of the members of a vote. They are weighed before the other
    rows are labelled, by the teachers that are returned.
    """
    n_threads = tasks.count_threads(len(folds))
    inner = tasks if n_threads is None else replace(tasks, n_jobs=1)
    name = tasks.name(teacher, data.X, data.y, params)
    method = "transform" if n_members else data.task.method
    given = Shared((teacher, data.X, data.y, data.task, params, n_members))

    label = tasks.memory.cache(_label_fold, ignore=_UNNAMED_FOLD)
    further = [] if tables is None else [tuple(some) for some in tables] or [()]
    known: list[bool] = []

    def list_calls() -> Iterator[Any]:
        for number, (train, test) in enumerate(folds):
            others = further[number] if number < len(further) else None
            label_name = tasks.name(name, train, test, others, labels_own, method)
            names = label_name, tasks.name(name, train)
            progress = context and context.subcontext(task_name="fold", task_id=number)
            rows = (train, test, Shared(others), labels_own)
            call = (*names, given, *rows, inner, n_threads, progress)
            known.append(label.check_call_in_cache(*call))
            yield call

    answers = tasks.run(label, list_calls(), len(folds))
    rows, mean, others = _average_folds(answers, folds, known, asked)
    if n_members:
        teachers = [
            Labeller(fitted, data.task, tasks, tasks.name(name, train), asked)
            for (fitted,), (train, _) in zip(others, folds, strict=False)
        ]
        return OutOfFold(rows, mean, [], []), teachers
    in_sample, transfer = [own for own, *_ in others], [made for _, *made in others]
    return OutOfFold(rows, mean, in_sample, transfer), []


def _average_folds(
    answers: Iterator[Any],
    folds: list[Split],
    known: list[bool],
    asked: Counter[str],
) -> tuple[IndexArray, FloatArray, list[list[Any]]]:
    """Return the rows that folds test, the mean of their labels, and what is left."""
    rows = np.unique(np.concatenate([test for _, test in folds]))
    mean: Any = None
    others = []
    for number, ((labels, *more), count) in enumerate(answers):
        if mean is None:
            mean = np.zeros((len(rows), labels.shape[1]), labels.dtype)
            counts = np.zeros((len(rows), 1), labels.dtype)
        if not known[number]:
            asked.update(count)
        at = np.searchsorted(rows, folds[number][1])
        np.add.at(mean, at, labels)
        np.add.at(counts, at, 1)
        if more:
            others.append(more)
    mean /= counts
    return rows, mean, others


def _label_fold(
    name: str | None,
    fit_name: str | None,
    shared: Shared,
    train: IndexArray,
    test: IndexArray,
    others: Shared,
    labels_own: bool,
    tasks: Tasks,
    n_threads: int | None,
    context: Any,
) -> tuple[list[Any], Counter[str]]:
    """Fit a clone on one part of the rows, and label the other.

    With `others`, its own rows and those as well, or return it where it is a vote whose
    members are weighed before. The names stand for all of it. Return how many rows were
    asked for, too.
    """
    teacher, X, y, task, params, n_members = shared.value
    params = {k: take_rows(v, train, len(y)) for k, v in params.items()}
    own = _safe_indexing(X, train)
    fit = tasks.memory.cache(fit_clone, ignore=UNNAMED)
    given = (fit_name, clone(teacher), own, y[train], params, n_threads, context)
    try:
        fitted = share_cores(fit(*given), n_threads)
        labeller = Labeller(fitted, task, tasks, fit_name, n_members=n_members)
        labels = [labeller.label(_safe_indexing(X, test), "validation")]
        if others.value is not None and n_members:
            labels.append(fitted)
        elif others.value is not None:
            labels += label_seen(labeller, own, others.value, labels_own)
        return labels, labeller.asked
    except Exception as error:
        missing = np.setdiff1d(task.classes, y[train]).tolist()
        if not missing:
            raise
        raise ValueError(
            "The teacher must work without the rows of each fold; it fails where they "
            f"are all rows of the classes {missing}: {error} Pass more rows of these "
            "classes, fewer folds, or cv=None."
        ) from error


def label_seen(
    labeller: Labeller, own: Any, tables: Sequence[Any], labels_own: bool
) -> list[FloatArray]:
    """Return the labels of a teacher's own rows, if wanted, and of each table."""
    n_own = _num_samples(own)
    in_sample = labeller.label(own) if labels_own else labeller.task.no_labels(n_own)
    return [in_sample, *(labeller.label(X, "pilots") for X in tables)]


#: What `joblib.Memory` need not look at to recognise a fold.
_UNNAMED_FOLD = [
    "fit_name", "shared", "train", "test", "others", "labels_own", "tasks",
    "n_threads", "context",
]  # fmt: skip


def measure_memorization(
    data: Dataset, split: Split, oof: OutOfFold
) -> dict[str, float] | None:
    """Rate the labels of a teacher, that of the first fold, on own and other rows.

    Figures of `Task.rate_labels` with `_in_sample` and `_out_of_fold`; None where
    either has labels of too few rows to tell, as a fold of LeaveOneOut has.
    """
    figures = {}
    parts = take_labels(split, oof)
    for name, (rows, labels) in zip(("in_sample", "out_of_fold"), parts, strict=True):
        if len(rows) < _FEWEST_RATED:
            return None
        y, _, weight = data.take_labels(rows)
        found = data.task.rate_labels(labels, y, weight)
        figures.update({f"{figure}_{name}": value for figure, value in found.items()})
    return figures


def take_labels(
    split: Split, oof: OutOfFold
) -> Iterator[tuple[IndexArray, FloatArray]]:
    """Yield the teacher's own rows, then others, with their labels, if it has any."""
    train, held_out = split
    # One by one: labels may be large.
    yield _keep_asked(train, oof.in_sample[0])
    yield _keep_asked(held_out, oof.take(held_out))


def _keep_asked(rows: IndexArray, labels: FloatArray) -> tuple[IndexArray, FloatArray]:
    asked = is_asked(labels)
    return (rows, labels) if asked.all() else (rows[asked], labels[asked])
