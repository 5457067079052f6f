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
from .._sklearn import _safe_indexing
from .._tasks import Shared, Tasks, share_cores
from .._typing import FloatArray, IndexArray, Split
from ._teacher import UNNAMED, Labeller, fit_clone


@dataclass(frozen=True)
class OutOfFold:
    """Labels by teachers that were not fitted on the row, and those of pilots.

    Labels of rows that no teacher was asked for are NaN.

    Attributes
    ----------
    rows : ndarray of int of shape (n_labelled,)
        The rows that have such a label, ascending; validation rows are among them.
        Empty where a fixed teacher is given training rows alone.
    labels : ndarray of shape (n_labelled, n_columns)
        Their labels; the mean of the folds where several test a row.
    in_sample : list of ndarrays of shape (n_train, n_columns)
        Labels that the teacher of a fold gives its own training rows: of the first
        fold, and of those with tables. With validation rows, `own`.
    transfer : list of lists of ndarrays of shape (n_rows, n_columns)
        Labels that it gives the rows of each table.
    own : ndarray of shape (n_samples, n_classes) or None
        Labels of all training rows by the teacher that is kept, where it was asked
        for them already.
    """

    rows: IndexArray
    labels: FloatArray
    in_sample: list[FloatArray]
    transfer: list[list[FloatArray]]
    own: FloatArray | None = None

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
    tables: Sequence[Sequence[Any]] | None = (),
    *,
    tasks: Tasks,
    asked: Counter[str],
    labels_own: bool = True,
    context: Any = None,
) -> OutOfFold:
    """Fit a clone of the teacher for each fold, and label the rows it did not see.

    Parameters
    ----------
    teacher : estimator
        Unfitted.
    data : Dataset
        Training rows.
    folds : list of pairs of ndarrays
        Rows to fit a teacher on, and rows that it labels.
    params : dict
        What `fit` is called with, cut to the rows of the fold.
    tables : sequence of sequences of tables, or None
        Further rows that the teacher of each fold labels; later folds may have none.
        None: no teacher of a fold labels its own rows either.
    tasks : Tasks
        Memory and workers.
    asked : Counter
        As in `Labeller`.
    labels_own : bool, default=True
        Whether own rows are labelled; else the labels are NaN.
    context : callback context or None
        Of the caller's progress.
    """
    n_threads = tasks.count_threads(len(folds))
    inner = tasks if n_threads is None else replace(tasks, n_jobs=1)
    name = tasks.name(teacher, data.X, data.y, params)
    given = Shared((teacher, data.X, data.y, data.task, params))

    label = tasks.memory.cache(_label_fold, ignore=_UNNAMED_FOLD)
    further = [] if tables is None else [tuple(some) for some in tables] or [()]
    known: list[bool] = []

    def list_calls() -> Iterator[Any]:
        for number, (train, test) in enumerate(folds):
            others = further[number] if number < len(further) else None
            names: tuple[str | None, str | None] = (None, None)
            if name is not None:
                names = (
                    tasks.name(name, train, test, others, labels_own),
                    tasks.name(name, train),
                )
            progress = context and context.subcontext(task_name="fold", task_id=number)
            rows = (train, test, Shared(others), labels_own)
            call = (*names, given, *rows, inner, n_threads, progress)
            known.append(label.check_call_in_cache(*call))
            yield call

    answers = tasks.run(label, list_calls(), len(folds))
    rows = np.unique(np.concatenate([test for _, test in folds]))
    mean = np.zeros((len(rows), data.task.n_columns), data.task.dtype)
    counts = np.zeros((len(rows), 1), mean.dtype)
    others: list[list[FloatArray]] = []
    for number, ((labels, *more), count) in enumerate(answers):
        test = folds[number][1]
        if not known[number]:
            asked.update(count)
        at = np.searchsorted(rows, test)
        np.add.at(mean, at, labels)
        np.add.at(counts, at, 1)
        if more:
            others.append(more)
    mean /= counts
    in_sample, transfer = [own for own, *_ in others], [made for _, *made in others]
    if in_sample and labels_own:
        data.task.check_order(in_sample[0], data.y[folds[0][0]])
    return OutOfFold(rows, mean, in_sample, transfer)


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
) -> tuple[list[FloatArray], Counter[str]]:
    """Fit a clone on one part of the rows, and label the other.

    With `others`, its own rows and those as well. The names stand for all of it.
    Return how many rows were asked for, too.
    """
    teacher, X, y, task, params = shared.value
    params = {k: take_rows(v, train, len(y)) for k, v in params.items()}
    own = _safe_indexing(X, train)
    fit = tasks.memory.cache(fit_clone, ignore=UNNAMED)
    given = (fit_name, clone(teacher), own, y[train], params, n_threads, context)
    try:
        fitted = share_cores(fit(*given), n_threads)
        labeller = Labeller(fitted, task, tasks, fit_name)
        labels = [labeller.label(_safe_indexing(X, test), "validation")]
        if others.value is not None:
            in_sample = labeller.label(own) if labels_own else task.no_labels(len(own))
            labels += [in_sample, *(labeller.label(X, "pilots") for X in others.value)]
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


#: What `joblib.Memory` need not look at to recognise a fold.
_UNNAMED_FOLD = [
    "fit_name", "shared", "train", "test", "others", "labels_own", "tasks",
    "n_threads", "context",
]  # fmt: skip
