"""The loss of a row, where true labels have a share at a temperature other than 1.

With weight a of the teacher, softened targets q, true label y (one-hot), temperature T
and logits z, which serve after they are multiplied by T,

    loss               a CE(q, softmax(z)) + (1 - a) / T² CE(y, softmax(T z))
    gradient           a (softmax(z) - q) + (1 - a) / T (softmax(T z) - y)
    diagonal Hessian   a s (1 - s) at z + (1 - a) s (1 - s) at T z

The second term of the served student is Hinton's cross-entropy with the true label, and
all is divided by T², so that learning rates and penalties keep their meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from .._soft_data import SoftDataset
from .._typing import FloatArray, IndexArray


@dataclass(frozen=True)
class Mixture:
    """The loss of some rows, as functions of logits of shape (n_samples, n_classes)."""

    targets: FloatArray
    codes: IndexArray
    alpha: FloatArray
    temperature: float

    @classmethod
    def of(cls, data: SoftDataset) -> Mixture | None:
        """Return the mixture of a dataset; None where it has one fixed target."""
        if data.alpha is None:
            return None
        return cls(data.targets, data.codes, data.alpha, data.temperature)

    def take(self, rows: IndexArray) -> Mixture:
        """Return the mixture of the given rows."""
        parts = (self.targets[rows], self.codes[rows], self.alpha[rows])
        return Mixture(*parts, self.temperature)

    def losses(self, logits: FloatArray) -> FloatArray:
        """Return the loss of each row."""
        soft = -(self.targets * log_softmax(logits, axis=1)).sum(axis=1)
        log_proba = log_softmax(self.temperature * logits, axis=1)
        hard = -log_proba[np.arange(len(self.codes)), self.codes]
        return self.alpha * soft + (1 - self.alpha) / self.temperature**2 * hard

    def differentiate(self, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return gradient and diagonal Hessian, of the shape of the logits."""
        alpha = self.alpha[:, None]
        soft, hard = softmax(logits, axis=1), softmax(self.temperature * logits, axis=1)
        hessian = alpha * soft * (1 - soft) + (1 - alpha) * hard * (1 - hard)
        hard[np.arange(len(self.codes)), self.codes] -= 1
        gradient = alpha * (soft - self.targets)
        gradient += (1 - alpha) / self.temperature * hard
        return gradient, hessian


def rate_rows(
    data: SoftDataset,
) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
    """Return the losses of rows and their gradient, as a function of their logits."""
    mixture, targets = Mixture.of(data), data.targets

    def rate(logits: FloatArray) -> tuple[FloatArray, FloatArray]:
        if mixture is not None:
            return mixture.losses(logits), mixture.differentiate(logits)[0]
        log_proba = log_softmax(logits, axis=1)
        return -(targets * log_proba).sum(axis=1), np.exp(log_proba) - targets

    return rate


def add_first_class(raw: Any) -> Any:
    """Return logits of two classes from the one margin that a student has for them."""
    return np.column_stack([np.zeros(len(raw)), raw]) if raw.shape[1] == 1 else raw
