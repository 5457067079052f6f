"""Out-of-fold labels: what teachers predict for rows that they were not fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from .._dataset import Dataset
from .._frames import take_rows
from .._sklearn import _safe_indexing
from .._tasks import Shared, Tasks, share_cores
from .._typing import FloatArray, IndexArray, Split
from ._row_labels import RowLabels
from ._teacher import Labeller, fit_clone

#: Fewer rows do not show how often a teacher is right.
_FEWEST_RATED = 5


@dataclass(frozen=True)
class OutOfFold:
    """Labels by teachers that were not fitted on the row, and those of pilots."""

    #: Such labels, those of validation rows among them, the mean of the folds that test
    #: a row; none where a fixed teacher is given training rows alone.
    held_out: RowLabels
    #: What the teacher of a fold says of its own training rows, of the first fold and
    #: of those with tables (with validation rows, `own`), and of each table.
    in_sample: list[RowLabels] = field(default_factory=list)
    transfer: list[list[FloatArray]] = field(default_factory=list)
    #: Labels of training rows by the teacher that is kept, where it was asked.
    own: RowLabels | None = None
    #: Weights of the members of the default teacher. None: equal ones.
    weights: FloatArray | None = None

    def find_validation_rows(self, data: Dataset) -> IndexArray:
        """Return positions of the rows that calibrate: validation rows, or all."""
        first = 0 if data.validation is None else data.n_samples
        return np.flatnonzero(self.held_out.rows >= first)

    def take(self, rows: IndexArray) -> RowLabels:
        """Return the labels that some rows have."""
        if self.own is not None and not len(self.held_out.rows):
            return self.own.take(rows)
        return self.held_out.take(rows)


def cross_fit(
    teacher: Any,
    data: Dataset,
    folds: list[Split],
    params: dict[str, Any],
    seed: int | None,
    tables: Sequence[Sequence[Any]] | None,
    *,
    tasks: Tasks,
    asked: Counter[str],
    n_members: int,
    labels_own: bool,
    context: Any,
) -> tuple[OutOfFold, list[Labeller]]:
    """Fit a clone of the teacher for each fold, and label the rows it did not see.

    `params` of its `fit` are cut to the rows of the fold, and `seed` is torch's. The
    teacher of each fold also labels its own rows (none without `labels_own`) and
    further `tables` of the fold, of which later ones may have none; where `tables` is
    None, neither. With `n_members` the labels are those of the members of a vote. They
    are weighed before the other rows are labelled, by the teachers that are returned.
    """
    n_threads = tasks.count_threads(len(folds))
    inner = tasks if n_threads is None else replace(tasks, n_jobs=1)
    name = tasks.name(teacher, data.X, data.y, params, seed)
    method = "transform" if n_members else data.task.method
    given = Shared((teacher, data.X, data.y, data.task, params, seed, n_members))

    label = tasks.cache(_label_fold, by=["name"])
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
    held_out, others = _average_folds(answers, folds, known, asked)
    if n_members:
        teachers = [
            Labeller(fitted, data.task, tasks, tasks.name(name, train), asked)
            for (fitted,), (train, _) in zip(others, folds, strict=False)
        ]
        return OutOfFold(held_out), teachers
    return add_seen(OutOfFold(held_out), folds, others), []


def add_seen(
    oof: OutOfFold, folds: list[Split], others: list[list[FloatArray]]
) -> OutOfFold:
    """Add what teachers of folds say of their own rows, if anything, and of tables."""
    labelled = zip(folds, others, strict=False)
    in_sample = [RowLabels(rows[: len(own)], own) for (rows, _), (own, *_) in labelled]
    return replace(oof, in_sample=in_sample, transfer=[made for _, *made in others])


def _average_folds(
    answers: Iterator[Any],
    folds: list[Split],
    known: list[bool],
    asked: Counter[str],
) -> tuple[RowLabels, list[list[Any]]]:
    """Return the mean of the labels of the rows that folds test, and what is left."""
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
    return RowLabels(rows, mean), others


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
    teacher, X, y, task, params, seed, n_members = shared.value
    params = {k: take_rows(v, train, len(y)) for k, v in params.items()}
    own = _safe_indexing(X, train)
    fit = tasks.cache(fit_clone, by=["name"])
    given = (fit_name, clone(teacher), own, y[train], params, seed)
    try:
        fitted = share_cores(fit(*given, n_threads, context), n_threads)
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
    in_sample = labeller.label(own) if labels_own else labeller.task.no_labels().values
    return [in_sample, *(labeller.label(X, "pilots") for X in tables)]


def measure_memorization(
    data: Dataset, split: Split, oof: OutOfFold
) -> dict[str, float] | None:
    """Rate the labels of a teacher, that of the first fold, on own and other rows.

    Figures of `Task.rate_labels` with `_in_sample` and `_out_of_fold`; None where
    either has labels of too few rows to tell, as a fold of LeaveOneOut has.
    """
    figures = {}
    parts = split_labels(split, oof)
    for name, labels in zip(("in_sample", "out_of_fold"), parts, strict=True):
        if len(labels.rows) < _FEWEST_RATED:
            return None
        y, _, weight = data.take_labels(labels.rows)
        found = data.task.rate_labels(labels.values, y, weight)
        figures.update({f"{figure}_{name}": value for figure, value in found.items()})
    return figures


def split_labels(split: Split, oof: OutOfFold) -> Iterator[RowLabels]:
    """Yield the labels of the teacher's own rows, then of others, if it has any."""
    # One by one: labels may be large.
    yield oof.in_sample[0]
    labels = oof.take(split[1])
    yield RowLabels(split[1][labels.rows], labels.values)
