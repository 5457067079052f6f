"""MLPClassifier on rows that do not fit into memory, in epochs over buffers.

Each buffer is a `partial_fit` of scikit-learn's own optimiser on float targets; scores,
stopping and learning rates follow the last buffer of each epoch.
"""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state

from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from ._soft_mlp import SoftMLP, count_epochs, find_highest_rate, move_to_stock


class _ChunkMLP(SoftMLP):
    """A network whose `partial_fit` is a part of an epoch; lives only during `fit`."""

    _ends_epoch = False

    def _update_no_improvement_count(self, early_stopping, X, y, sample_weight=None):
        if self._ends_epoch:
            super()._update_no_improvement_count(early_stopping, X, y, sample_weight)


def fit_chunks(
    student: MLPClassifier, spill: Spill, validation: SoftDataset | None
) -> MLPClassifier:
    """Fit epoch after epoch, as a fit on all rows at once would."""
    given = student.get_params()
    net = _ChunkMLP(**given)
    # partial_fit refuses early_stopping, and with an integer seed it would shuffle
    # every buffer alike.
    seed = check_random_state(net.random_state)
    # Another generator, because the first draws of that one are the weights.
    rng = check_random_state(net.random_state)
    net.set_params(early_stopping=False, random_state=seed)
    net._validation = validation
    net.max_iter = min(net.max_iter, count_epochs(student, spill.n_samples))
    net._highest_rate = find_highest_rate(student)
    if net._highest_rate is not None:
        net.learning_rate_init = net._highest_rate
    losses: list[float] = []
    for _ in range(net.max_iter):
        losses.append(_run_epoch(net, spill, rng))
        if _stops(net, losses):
            break
    return move_to_stock(net, student, given)


def _run_epoch(net: _ChunkMLP, spill: Spill, rng: np.random.RandomState) -> float:
    """Fit every buffer once; return the mean loss."""
    total = 0.0
    for data in spill.shuffle(rng if net.shuffle else None):
        net._train = data
        net.partial_fit(data.X, data.y, data.weight, classes=data.classes)
        total += net.loss_ * data.n_samples
    return total / spill.n_samples


def _stops(net: _ChunkMLP, losses: list[float]) -> bool:
    """Apply scikit-learn's rule at the end of an epoch."""
    net.loss_, net.loss_curve_ = losses[-1], losses.copy()
    net.n_iter_ = len(losses)
    net._ends_epoch = True
    net._update_no_improvement_count(False, None, None)
    net._ends_epoch = False
    if net._no_improvement_count <= net.n_iter_no_change:
        return False
    # SGD with an adaptive rate lowers it and goes on.
    if net._optimizer.trigger_stopping("The score did not improve.", net.verbose):
        return True
    net._no_improvement_count = 0
    return False
