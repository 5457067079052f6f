"""scikit-learn's multinomial loss on soft targets, for its gradient boosting."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._soft_data import SoftDataset
from .._typing import FloatArray


def encode_rows(data: SoftDataset, first: int = 0) -> FloatArray:
    """Return what stands for labels: targets of two classes, row numbers of more."""
    if len(data.classes) == 2:
        return np.ascontiguousarray(data.targets[:, 1])
    return np.arange(first, first + data.n_samples, dtype=np.float64)


class SoftLoss:
    """A multinomial loss whose `y_true` are row numbers of a target matrix.

    With q the target and t its likeliest class, -q·log p is -log p_t plus the inner
    product of e_t - q with the logits: scikit-learn's loss, and a linear term.
    """

    def __init__(self, stock: Any, targets: FloatArray) -> None:
        self._stock = stock
        self._targets = targets
        self._top = targets.argmax(axis=1).astype(np.float64)
        self._excess = np.asfortranarray(-targets)
        self._excess[np.arange(len(targets)), targets.argmax(axis=1)] += 1.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stock, name)

    def __call__(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, n_threads=1
    ) -> float:
        rows = y_true.astype(np.intp)
        per_row = self._stock.loss(
            y_true=self._top[rows], raw_prediction=raw_prediction, n_threads=n_threads
        )
        per_row += (self._excess[rows] * raw_prediction).sum(axis=1)
        return np.average(per_row, weights=sample_weight)

    def gradient(self, y_true: Any, **given: Any) -> Any:
        return self._add_excess(self._stock.gradient, y_true, **given)

    def gradient_hessian(self, y_true: Any, **given: Any) -> Any:
        return self._add_excess(self._stock.gradient_hessian, y_true, **given)

    def _add_excess(
        self, differentiate: Any, y_true: Any, sample_weight: Any = None, **rest: Any
    ) -> Any:
        rows = y_true.astype(np.intp)
        found = differentiate(self._top[rows], sample_weight=sample_weight, **rest)
        gradient = found[0] if isinstance(found, tuple) else found
        weight = 1.0 if sample_weight is None else sample_weight
        # By columns: a second matrix of gradients would be held in memory.
        for k in range(gradient.shape[1]):
            gradient[:, k] += self._excess[rows, k] * weight
        return found

    def fit_intercept_only(self, y_true: Any, sample_weight: Any = None) -> Any:
        """Scikit-learn's rule, on mean targets instead of class frequencies."""
        targets = self._targets[y_true.astype(np.intp)]
        # By columns, as scikit-learn sums, so that hard labels give the same bits.
        means = [np.average(column, weights=sample_weight) for column in targets.T]
        eps = np.finfo(np.float64).eps
        mean = np.clip(means, eps, 1 - eps)
        return self._stock.link.link(mean[None, :]).reshape(-1)
