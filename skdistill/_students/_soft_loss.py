"""scikit-learn's multinomial loss on soft targets, for its gradient boosting."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class SoftLoss:
    """A multinomial loss whose `y_true` are row numbers of a target matrix.

    With q the target and t its likeliest class, -q·log p is -log p_t plus the inner
    product of e_t - q with the logits: scikit-learn's loss, and a linear term.
    """

    def __init__(self, stock: Any, targets: NDArray[np.float64]) -> None:
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

    def gradient(self, y_true: Any, *, sample_weight: Any = None, **rest: Any) -> Any:
        rows = y_true.astype(np.intp)
        given = {"y_true": self._top[rows], "sample_weight": sample_weight, **rest}
        return self._add_excess(self._stock.gradient(**given), rows, sample_weight)

    def gradient_hessian(
        self, y_true: Any, *, sample_weight: Any = None, **rest: Any
    ) -> tuple[Any, Any]:
        rows = y_true.astype(np.intp)
        given = {"y_true": self._top[rows], "sample_weight": sample_weight, **rest}
        gradient, hessian = self._stock.gradient_hessian(**given)
        return self._add_excess(gradient, rows, sample_weight), hessian

    def _add_excess(self, gradient: Any, rows: Any, sample_weight: Any) -> Any:
        # By columns: a second matrix of gradients would be held in memory.
        for k in range(gradient.shape[1]):
            column = self._excess[rows, k]
            gradient[:, k] += (
                column if sample_weight is None else column * sample_weight
            )
        return gradient

    def fit_intercept_only(self, y_true: Any, sample_weight: Any = None) -> Any:
        """Scikit-learn's rule, on mean targets instead of class frequencies."""
        targets = self._targets[y_true.astype(np.intp)]
        # By columns, as scikit-learn sums, so that hard labels give the same bits.
        means = [np.average(column, weights=sample_weight) for column in targets.T]
        eps = np.finfo(np.float64).eps
        mean = np.clip(means, eps, 1 - eps)
        return self._stock.link.link(mean[None, :]).reshape(-1)
