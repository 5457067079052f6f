"""What a student of a regression is given: rows with a value a column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._soft_data import SoftDataset
from ._typing import AnyArray, FloatArray


@dataclass(frozen=True)
class ValueDataset(SoftDataset):
    """Rows with values for targets; there are no classes, and the temperature is 1.

    `targets` has shape (n_samples, n_outputs): where the teacher predicts f and y is
    the true value, alpha f + (1 - alpha) y. The squared error of this blend differs
    from the blend of both squared errors by what does not depend on the student.
    """

    @property
    def values(self) -> FloatArray:
        """The targets, as a vector where there is one column."""
        return self.targets[:, 0] if self.targets.shape[1] == 1 else self.targets

    @property
    def labels(self) -> FloatArray:
        return self.y

    def read_labels(self, labels: AnyArray) -> AnyArray:
        return labels

    def harden(self) -> ValueDataset:
        return replace(self, targets=as_columns(self.y))

    def ask(self, model: Any) -> FloatArray:
        return as_columns(np.asarray(model.predict(self.X), dtype=np.float64))

    def measure(self, served: FloatArray) -> float:
        """Return the mean squared error, over rows and outputs."""
        errors = ((served - self.targets) ** 2).mean(axis=1)
        return float(np.average(errors, weights=self.weight))

    def sum_classes(self) -> FloatArray:
        return np.empty(0)


def make_values(X: Any, targets: FloatArray, y: AnyArray, **rest: Any) -> ValueDataset:
    """Return a dataset without classes."""
    return ValueDataset(X, targets, np.empty(0), y, **rest)


def as_columns(values: AnyArray) -> AnyArray:
    """Return values of shape (n_samples,) or (n_samples, n_outputs) as the latter."""
    return values.reshape(len(values), -1)
