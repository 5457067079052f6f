"""The loss of rows, as a function of what a student puts out: logits, or values.

For logits z, weight a of the teacher, softened targets q, true label y (one-hot) and
temperature T, by which z are multiplied before they serve:

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
from scipy.special import expit, softmax

from .._soft_data import SoftDataset
from .._typing import FloatArray, IndexArray


def fold_shift(shift: FloatArray, n_outputs: int) -> FloatArray:
    """Return what is added to each output, where it is added to the logit of a class.

    One output of two classes is the margin.
    """
    return shift if n_outputs == len(shift) else shift[1:] - shift[:1]


def shift_bias(bias: FloatArray, shift: FloatArray) -> FloatArray:
    """Return the intercepts of the outputs with it added, in their precision."""
    return bias + fold_shift(shift, len(bias)).astype(bias.dtype)


@dataclass(frozen=True)
class LogitLoss:
    """The loss of some rows, as functions of logits of shape (n_samples, n_outputs).

    A student may have one output for two classes, the margin: the logit of the second
    class, where that of the first is 0. `targets` are then those of the second class.
    `codes`, `alpha` and `temperature` are as in `SoftDataset`.
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
        targets = index_rows(self.targets, rows)
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
        """Return the losses of rows, and the gradient, which overwrites the logits."""
        if self.alpha is None:
            return _cross_entropy(logits, self.targets), logits
        share, hard = (1 - self.alpha) / self.temperature, self.temperature * logits
        losses = self.alpha * _cross_entropy(logits, self.targets)
        hard_losses = _cross_entropy(hard, self._mark_labels())
        losses += share / self.temperature * hard_losses
        hard *= share[:, None]
        logits *= self.alpha[:, None]
        logits += hard
        return losses, logits

    def serve(self, logits: FloatArray) -> FloatArray:
        """Return probabilities of shape (n_samples, n_classes)."""
        return softmax(add_first_class(logits), axis=1)

    def differentiate(self, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradient and the diagonal Hessian."""
        proba = logits.copy()
        _normalise(proba)
        gradient, hessian = proba - self.targets, proba * (1 - proba)
        if self.alpha is None:
            return gradient, hessian
        share, hard = 1 - self.alpha[:, None], self.temperature * logits
        _normalise(hard)
        for values in (gradient, hessian):
            values *= self.alpha[:, None]
        gradient += share / self.temperature * (hard - self._mark_labels())
        hessian += share * hard * (1 - hard)
        return gradient, hessian

    def _mark_labels(self) -> FloatArray:
        """Return the indicators of the true labels, of the shape of the targets."""
        n_outputs = self.targets.shape[1]
        marks = np.eye(max(n_outputs, 2), dtype=self.targets.dtype)[:, -n_outputs:]
        return marks[self.codes]


def _cross_entropy(logits: FloatArray, targets: FloatArray) -> FloatArray:
    """Return the losses of the rows, and overwrite the logits by their gradient."""
    fit = np.einsum("ij,ij->i", targets, logits)
    losses = _normalise(logits) - fit
    logits -= targets
    return losses


def _normalise(logits: FloatArray) -> FloatArray:
    """Overwrite logits by probabilities; return the logarithm of each row's divisor."""
    if logits.shape[1] == 1:
        total = np.logaddexp(0, logits[:, 0])
        expit(logits, out=logits)
        return total
    peak = logits.max(axis=1)
    logits -= peak[:, None]
    np.exp(logits, out=logits)
    total = logits.sum(axis=1)
    logits /= total[:, None]
    return np.log(total) + peak


def index_rows(values: Any, rows: IndexArray | slice) -> Any:
    """Return rows of an array or CSR matrix."""
    if isinstance(values, np.ndarray) and isinstance(rows, np.ndarray):
        # Several times as fast as indexing.
        return values.take(rows, axis=0)
    return values[rows]


def add_first_class(raw: Any) -> Any:
    """Return logits of two classes from the one margin that a student has for them."""
    return np.column_stack([np.zeros(len(raw)), raw]) if raw.shape[1] == 1 else raw


@dataclass(frozen=True)
class SquaredError:
    """Half of the squared error of some rows, which is the mean over outputs.

    The gradient is that of the sum over outputs, as in scikit-learn's networks: a
    learning rate means the same whatever the number of outputs.
    """

    targets: FloatArray

    def take(self, rows: IndexArray | slice) -> SquaredError:
        """Return the loss of the given rows."""
        return SquaredError(index_rows(self.targets, rows))

    def cast(self, dtype: Any) -> SquaredError:
        """Return the loss in another precision."""
        return replace(self, targets=self.targets.astype(dtype, copy=False))

    def rate(self, outputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the losses of rows, and the gradient, which overwrites the outputs."""
        outputs -= self.targets
        losses = np.einsum("ij,ij->i", outputs, outputs)
        return losses / (2 * outputs.shape[1]), outputs

    def serve(self, outputs: FloatArray) -> FloatArray:
        """Return the outputs as they are."""
        return outputs


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each output, by which targets are standardised."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, data: SoftDataset) -> Scale:
        """Return the scale of weighted targets; a constant has deviation 1."""
        mean = np.average(data.targets, axis=0, weights=data.weight)
        variance = np.average((data.targets - mean) ** 2, axis=0, weights=data.weight)
        least = (10 * np.finfo(np.float64).eps * mean) ** 2
        return cls(mean, np.where(variance > least, np.sqrt(variance), 1.0))

    def standardize(self, values: FloatArray) -> FloatArray:
        return (values - self.mean) / self.deviation

    def restore(self, values: FloatArray) -> FloatArray:
        return values * self.deviation + self.mean

    def transform(self, data: SoftDataset) -> SoftDataset:
        """Return rows with standardised targets."""
        return replace(data, targets=self.standardize(data.targets))
