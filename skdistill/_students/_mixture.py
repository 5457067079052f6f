"""The loss of rows, as a function of the logits of a student.

With weight a of the teacher, softened targets q, true label y (one-hot), temperature T
and logits z, which serve after they are multiplied by T,

    loss               a CE(q, softmax(z)) + (1 - a) / T² CE(y, softmax(T z))
    gradient           a (softmax(z) - q) + (1 - a) / T (softmax(T z) - y)
    diagonal Hessian   a s (1 - s) at z + (1 - a) s (1 - s) at T z

The second term of the served student is Hinton's cross-entropy with the true label, and
all is divided by T², so that learning rates and penalties keep their meaning. Without
labels that have a share, a is 1 and the second term none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit

from .._soft_data import SoftDataset
from .._typing import FloatArray, IndexArray


@dataclass(frozen=True)
class LogitLoss:
    """The loss of some rows, as functions of logits of shape (n_samples, n_outputs).

    A student may have one output for two classes, the margin: the logit of the second
    class, where that of the first is 0.

    Attributes
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
        Softened targets; of a margin, those of the second class.
    codes : ndarray of shape (n_samples,) or None
        Position of each true label among the classes.
    alpha : ndarray of shape (n_samples,) or None
        Weight of the targets against the labels. None: the targets are all.
    temperature : float
        The temperature of the targets.
    """

    targets: FloatArray
    codes: IndexArray | None = None
    alpha: FloatArray | None = None
    temperature: float = 1.0

    @classmethod
    def of(cls, data: SoftDataset, n_outputs: int | None = None) -> LogitLoss:
        """Return the loss of a dataset; by default a class is an output."""
        # One column of two is no block of memory, which is faster to read.
        targets = data.targets[:, -(n_outputs or len(data.classes)) :]
        targets = np.ascontiguousarray(targets)
        if data.alpha is None:
            return cls(targets)
        return cls(targets, data.codes, data.alpha, data.temperature)

    def take(self, rows: IndexArray | slice) -> LogitLoss:
        """Return the loss of the given rows."""
        targets = take_rows(self.targets, rows)
        if self.codes is None or self.alpha is None:
            return LogitLoss(targets)
        codes, alpha = self.codes[rows], self.alpha[rows]
        return LogitLoss(targets, codes, alpha, self.temperature)

    def cast(self, dtype: Any) -> LogitLoss:
        """Return the loss in another precision."""
        alpha = None if self.alpha is None else self.alpha.astype(dtype, copy=False)
        targets = self.targets.astype(dtype, copy=False)
        return replace(self, targets=targets, alpha=alpha)

    def rate(self, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the loss of each row, and the gradient."""
        gradient, total = _normalise(logits)
        losses = total - np.einsum("ij,ij->i", self.targets, logits)
        gradient -= self.targets
        if self.alpha is None:
            return losses, gradient
        share = (1 - self.alpha) / self.temperature
        logits, labels = self.temperature * logits, self._mark_labels()
        hard, total = _normalise(logits)
        hard_losses = total - np.einsum("ij,ij->i", labels, logits)
        hard -= labels
        hard *= share[:, None]
        gradient *= self.alpha[:, None]
        gradient += hard
        return self.alpha * losses + share / self.temperature * hard_losses, gradient

    def differentiate(self, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradient and the diagonal Hessian."""
        proba, _ = _normalise(logits)
        gradient, hessian = proba - self.targets, proba * (1 - proba)
        if self.alpha is None:
            return gradient, hessian
        share = 1 - self.alpha[:, None]
        proba, _ = _normalise(self.temperature * logits)
        for values in (gradient, hessian):
            values *= self.alpha[:, None]
        gradient += share / self.temperature * (proba - self._mark_labels())
        hessian += share * proba * (1 - proba)
        return gradient, hessian

    def _mark_labels(self) -> FloatArray:
        """Return the indicators of the true labels, of the shape of the targets."""
        n_outputs = self.targets.shape[1]
        marks = np.eye(max(n_outputs, 2), dtype=self.targets.dtype)[:, -n_outputs:]
        return marks[self.codes]


def _normalise(logits: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return probabilities, and of each row the logarithm of their divisor."""
    if logits.shape[1] == 1:
        return expit(logits), np.logaddexp(0, logits[:, 0])
    peak = logits.max(axis=1)
    proba = np.exp(logits - peak[:, None])
    total = proba.sum(axis=1)
    proba /= total[:, None]
    return proba, np.log(total) + peak


def count_outputs(n_classes: int) -> int:
    """Return how many outputs a student has that gives two classes one margin."""
    return 1 if n_classes == 2 else n_classes


def take_rows(values: Any, rows: IndexArray | slice) -> Any:
    """Return rows of an array or CSR matrix."""
    if isinstance(values, np.ndarray) and isinstance(rows, np.ndarray):
        # Several times as fast as indexing.
        return values.take(rows, axis=0)
    return values[rows]


def add_first_class(raw: Any) -> Any:
    """Return logits of two classes from the one margin that a student has for them."""
    return np.column_stack([np.zeros(len(raw)), raw]) if raw.shape[1] == 1 else raw
