"""Dense layers on flat vectors: outputs, loss and gradient.

A layer with weights W and intercepts b gives f(A W + b) for inputs A; the last one has
no f. All parameters are one vector and their gradient is another. Layers are views of
them, so that an optimiser works on two vectors whatever the layers are. The arrays of a
batch are allocated once, for the largest batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.utils import gen_batches

from .._typing import AnyArray
from ._losses import LogitLoss, SquaredError, index_rows

#: Rows whose outputs are computed at once.
BLOCK = 2048


@dataclass(frozen=True)
class SoftRows:
    """Rows as the network reads them: an array or CSR matrix, loss and weights."""

    X: Any
    loss: LogitLoss | SquaredError
    weight: AnyArray | None

    def take(self, rows: Any) -> SoftRows:
        """Return the given rows, or a slice of them."""
        weight = None if self.weight is None else self.weight[rows]
        return SoftRows(index_rows(self.X, rows), self.loss.take(rows), weight)

    def cast(self, dtype: Any) -> SoftRows:
        """Return the rows in another precision."""
        weight = None if self.weight is None else self.weight.astype(dtype, copy=False)
        return SoftRows(self.X.astype(dtype, copy=False), self.loss.cast(dtype), weight)

    def sum_weight(self) -> float:
        return self.X.shape[0] if self.weight is None else float(self.weight.sum())


class Network:
    """Dense layers of `sizes` units, inputs and outputs included.

    `params` has the weights of all layers, then all intercepts, and `weights` and
    `intercepts` are views of it, one a layer.
    """

    def __init__(self, sizes: list[int], activation: str, dtype: Any) -> None:
        shapes = list(pairwise(sizes))
        self._n_weights = sum(n_in * n_out for n_in, n_out in shapes)
        self.params = np.zeros(self._n_weights + sum(sizes[1:]), dtype)
        self.gradient = np.zeros_like(self.params)
        self.weights, self.intercepts = split_layers(self.params, shapes)
        self._slopes, self._offsets = split_layers(self.gradient, shapes)
        self._activation = activation
        self._reserve(0)

    def draw(self, rng: np.random.RandomState) -> None:
        """Draw the first parameters as scikit-learn does (Glorot and Bengio, 2010)."""
        factor = 2.0 if self._activation == "logistic" else 6.0
        for weights, intercepts in zip(self.weights, self.intercepts, strict=True):
            bound = math.sqrt(factor / sum(weights.shape))
            weights[:] = rng.uniform(-bound, bound, weights.shape)
            intercepts[:] = rng.uniform(-bound, bound, intercepts.shape)

    def predict(self, X: Any) -> AnyArray:
        """Return outputs of shape (n_samples, n_outputs)."""
        blocks = gen_batches(X.shape[0], BLOCK)
        dtype = self.params.dtype
        outputs = [self._forward(X[b].astype(dtype, copy=False)).copy() for b in blocks]
        return np.concatenate(outputs)

    def differentiate(self, rows: SoftRows, total: float, penalty: float) -> float:
        """Return the weighted sum of the losses over `total`; set its gradient.

        Both include half of the penalty times the squared weights, over `total`.
        """
        losses, delta = rows.loss.rate(self._forward(rows.X))
        if rows.weight is not None:
            losses = losses * rows.weight
            delta *= rows.weight[:, None]
        delta /= total
        self._backward(rows.X, delta)
        weights = self.params[: self._n_weights]
        self.gradient[: self._n_weights] += penalty / total * weights
        return float(losses.sum() + 0.5 * penalty * (weights @ weights)) / total

    def _reserve(self, n_rows: int) -> None:
        dtype, n_units = self.params.dtype, [len(b) for b in self.intercepts]
        self._outputs = [np.empty((n_rows, n), dtype) for n in n_units]
        self._deltas = [np.empty((n_rows, n), dtype) for n in n_units[:-1]]
        self._ones = np.ones(n_rows, dtype)

    def _forward(self, X: Any) -> AnyArray:
        n_rows, last = X.shape[0], len(self.weights) - 1
        if n_rows > len(self._ones):
            self._reserve(n_rows)
        for layer, weights in enumerate(self.weights):
            outputs = self._outputs[layer][:n_rows]
            _multiply(X, weights, outputs)
            outputs += self.intercepts[layer]
            if layer < last:
                _activate(self._activation, outputs)
            X = outputs
        return X

    def _backward(self, X: Any, delta: AnyArray) -> None:
        """Set the gradient from that in the outputs, which `_forward` has left."""
        n_rows = len(delta)
        for layer in reversed(range(len(self.weights))):
            inputs = self._outputs[layer - 1][:n_rows] if layer else X
            _multiply(inputs.T, delta, self._slopes[layer])
            # Faster than a sum over the rows.
            np.dot(self._ones[:n_rows], delta, out=self._offsets[layer])
            if layer:
                behind = self._deltas[layer - 1][:n_rows]
                delta = np.dot(delta, self.weights[layer].T, out=behind)
                _differentiate(self._activation, inputs, delta)


def split_layers(
    flat: AnyArray, shapes: list[tuple[int, int]]
) -> tuple[list[AnyArray], list[AnyArray]]:
    """Return the weights and the intercepts of each layer, as views of one vector."""
    lengths = [a * b for a, b in shapes] + [b for _, b in shapes]
    parts = np.split(flat, np.cumsum(lengths)[:-1])
    weights = [p.reshape(s) for p, s in zip(parts, shapes, strict=False)]
    return weights, parts[len(shapes) :]


def _multiply(one: Any, other: AnyArray, out: AnyArray) -> None:
    if isinstance(one, np.ndarray):
        np.dot(one, other, out=out)
    else:
        out[:] = one @ other


def _activate(name: str, units: AnyArray) -> None:
    """Apply an activation, in place."""
    if name == "relu":
        np.maximum(units, 0, out=units)
    elif name == "tanh":
        np.tanh(units, out=units)
    elif name == "logistic":
        expit(units, out=units)


def _differentiate(name: str, units: AnyArray, delta: AnyArray) -> None:
    """Multiply a gradient by the slope of the activation that gave these units."""
    if name == "relu":
        delta *= units > 0
    elif name == "tanh":
        delta *= 1 - units * units
    elif name == "logistic":
        delta *= units * (1 - units)
