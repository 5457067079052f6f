"""Labelled rows: what every stage of `fit` reads, and how rows are held out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.utils import check_random_state

from ._sklearn import _safe_indexing
from ._typing import AnyArray, FloatArray, IndexArray, Split

if TYPE_CHECKING:
    from ._labels._task import Task


@dataclass(frozen=True)
class Dataset:
    """Training rows with their labels, as `fit` was given them.

    X is in the user's container. `codes` are positions of labels among the classes, by
    which hold-outs are stratified, and `groups` have the same number for rows that are
    copies of each other. Numbers of validation rows follow those of the training rows:
    they begin at `n_samples`.
    """

    X: Any
    y: AnyArray
    task: Task
    codes: IndexArray
    weight: FloatArray | None
    validation: Dataset | None = None
    groups: IndexArray | None = None

    @property
    def n_samples(self) -> int:
        return len(self.y)

    @property
    def distinct_codes(self) -> IndexArray:
        """Codes of the rows that decide anything: one of those that are copies."""
        return self.codes[find_firsts(self.groups, self.n_samples)]

    @property
    def classes(self) -> AnyArray:
        return self.task.classes

    @property
    def whole_split(self) -> Split:
        """All training rows, and all validation rows."""
        assert self.validation is not None
        n_rows = self.n_samples + self.validation.n_samples
        return np.arange(self.n_samples), np.arange(self.n_samples, n_rows)

    def take(self, rows: IndexArray) -> Dataset:
        """Return some of the training rows, or of the validation rows.

        The task stays.
        """
        source, rows = self.locate(rows)
        if np.array_equal(rows, np.arange(source.n_samples)):
            return replace(source, validation=None)
        X, groups = _safe_indexing(source.X, rows), source.take_groups(rows)
        y, codes, weight = source.take_labels(rows)
        return Dataset(X, y, source.task, codes, weight, groups=groups)

    def take_labels(
        self, rows: IndexArray
    ) -> tuple[AnyArray, IndexArray, FloatArray | None]:
        """Return labels, codes and weights of the rows that `take` would return."""
        source, rows = self.locate(rows)
        weight = None if source.weight is None else source.weight[rows]
        return source.y[rows], source.codes[rows], weight

    def take_groups(self, rows: IndexArray) -> IndexArray | None:
        """Return the groups of the rows that `take` would return."""
        source, rows = self.locate(rows)
        return None if source.groups is None else source.groups[rows]

    def locate(self, rows: IndexArray) -> tuple[Dataset, IndexArray]:
        """Return the dataset that holds the rows, and their numbers there."""
        if self.validation is None or not len(rows) or rows[0] < self.n_samples:
            return self, rows
        return self.validation, rows - self.n_samples


def draw_rows(codes: IndexArray, n_rows: float, seed: Any) -> IndexArray:
    """Return positions among rows, ascending, one of every class among them."""
    order = check_random_state(seed).permutation(len(codes))
    _, firsts = np.unique(codes[order], return_index=True)
    order = np.concatenate([order[firsts], np.delete(order, firsts)])
    return np.sort(order[: int(min(n_rows, len(order)))])


def find_firsts(groups: IndexArray | None, n_rows: int) -> IndexArray:
    """Return the first row of each group, ascending; without groups all rows."""
    if groups is None:
        return np.arange(n_rows)
    return np.sort(np.unique(groups, return_index=True)[1])


def keep_together(
    draw: Callable[[IndexArray], Sequence[Any]], n_rows: int, groups: IndexArray | None
) -> list[Split]:
    """Draw splits that have each group of rows on one side.

    `draw` is given row numbers, and returns splits of their positions. The first row of
    each group is drawn, the others follow.
    """
    firsts = find_firsts(groups, n_rows)
    splits = list(draw(firsts))
    if groups is None:
        return splits

    def find_rows(drawn: IndexArray) -> IndexArray:
        return np.flatnonzero(np.isin(groups, groups[firsts[drawn]]))

    return [(find_rows(train), find_rows(test)) for train, test in splits]


def draw_folds(
    codes: IndexArray, n_folds: int, seed: Any, groups: IndexArray | None = None
) -> list[Split]:
    """Draw folds of rows, stratified where a class has enough of them.

    Rows of a group are in the same fold.
    """

    def draw(rows: IndexArray) -> list[Split]:
        drawn = codes[rows]
        most = min(n_folds, len(drawn))
        kind = StratifiedKFold if np.bincount(drawn).max() >= most else KFold
        cv = kind(most, shuffle=True, random_state=check_random_state(seed))
        with warnings.catch_warnings():
            # A class with fewer rows is in fewer folds.
            warnings.simplefilter("ignore", UserWarning)
            return list(cv.split(drawn, drawn))

    return keep_together(draw, len(codes), groups)


def class_priors(
    codes: IndexArray, n_classes: int, weight: FloatArray | None
) -> FloatArray:
    """Weighted frequency of each class, shape (n_classes,), summing to 1."""
    counts = np.bincount(codes, weights=weight, minlength=n_classes)
    return counts / counts.sum()


def split_rows(
    codes: IndexArray, fraction: float, seed: Any, groups: IndexArray | None = None
) -> Split:
    """Split row numbers into training and validation rows, stratified where possible.

    Rows of a group are on the same side, and the only row of a class is a training row.
    """

    def draw(rows: IndexArray) -> list[Split]:
        return [_split_rows(codes[rows], fraction, seed)]

    return keep_together(draw, len(codes), groups)[0]


def _split_rows(codes: IndexArray, fraction: float, seed: Any) -> Split:
    n_validation = int(np.ceil(fraction * len(codes)))
    if n_validation < 2 or len(codes) - n_validation < 1:
        raise ValueError(
            "Early stopping needs at least 2 validation rows and 1 training row; "
            f"{fraction:g} of {len(codes)} rows leaves {n_validation}. Raise the "
            "student's validation_fraction, pass more rows, or switch early_stopping "
            "off."
        )
    counts = np.bincount(codes)
    single = counts[codes] == 1
    rows, n_classes = np.flatnonzero(~single), (counts > 1).sum()
    stratified = n_classes <= min(n_validation, len(rows) - n_validation)
    if not stratified:
        rows = np.arange(len(codes))
    _, validation = train_test_split(
        rows,
        test_size=n_validation,
        random_state=seed,
        stratify=codes[rows] if stratified else None,
    )
    return np.setdiff1d(np.arange(len(codes)), validation), np.sort(validation)
