"""Training rows: what every stage of `fit` reads, and how rows are held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from ._sklearn import _safe_indexing
from ._typing import FloatArray, IndexArray, Split

if TYPE_CHECKING:
    from ._labels._task import Task


@dataclass(frozen=True)
class Dataset:
    """Training rows with their labels, as `fit` was given them.

    Attributes
    ----------
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows, in the user's container.
    y : ndarray of shape (n_samples,)
        Labels.
    task : Task
        What is learned: classes or values.
    codes : ndarray of int of shape (n_samples,)
        Position of each label among the classes, by which hold-outs are stratified.
    weight : ndarray of shape (n_samples,) or None
        Row weights.
    """

    X: Any
    y: NDArray[Any]
    task: Task
    codes: IndexArray
    weight: FloatArray | None

    @property
    def n_samples(self) -> int:
        return len(self.y)

    @property
    def classes(self) -> NDArray[Any]:
        return self.task.classes

    def take(self, rows: IndexArray) -> Dataset:
        """Return some of the rows; the task stays."""
        weight = None if self.weight is None else self.weight[rows]
        X = _safe_indexing(self.X, rows)
        return replace(self, X=X, y=self.y[rows], codes=self.codes[rows], weight=weight)


def class_priors(
    codes: IndexArray, n_classes: int, weight: FloatArray | None
) -> FloatArray:
    """Weighted frequency of each class, shape (n_classes,), summing to 1."""
    counts = np.bincount(codes, weights=weight, minlength=n_classes)
    return counts / counts.sum()


def split_rows(codes: IndexArray, fraction: float, seed: Any) -> Split:
    """Split row numbers into training and validation rows, stratified where possible.

    The only row of a class is a training row.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,)
        Class of each row.
    fraction : float
        Share of validation rows.
    seed : int or RandomState
        Draws the rows.

    Returns
    -------
    train, validation : ndarrays of int
        Row numbers, ascending.

    Raises
    ------
    ValueError
        There are too few rows to validate on.
    """
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
