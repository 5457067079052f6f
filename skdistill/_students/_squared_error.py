"""The squared error of rows, as a function of the outputs of a student."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._soft_data import SoftDataset
from .._typing import FloatArray, IndexArray
from ._mixture import take_rows


@dataclass(frozen=True)
class SquaredError:
    """Half of the squared error of some rows, which is the mean over outputs.

    The gradient is that of the sum over outputs, as in scikit-learn's networks: a
    learning rate means the same whatever the number of outputs.

    Attributes
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
    """

    targets: FloatArray

    def take(self, rows: IndexArray | slice) -> SquaredError:
        """Return the loss of the given rows."""
        return SquaredError(take_rows(self.targets, rows))

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
        """Return the scale of weighted targets; of a constant, deviation 1."""
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
