"""MLPClassifier on rows that do not fit into memory, in passes over buffers.

Each buffer is a `partial_fit` of scikit-learn's own optimiser on float targets; what
happens between passes (scores, stopping, learning rates) happens after the last buffer
of each.
"""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state

from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from ._mlp import SoftMLP, count_passes, find_highest_step, hand_over


class _ChunkMLP(SoftMLP):
    """Knows that a `partial_fit` is a part of a pass; lives only during `fit`."""

    _ends_pass = False

    def _update_no_improvement_count(self, early_stopping, X, y, sample_weight=None):
        if self._ends_pass:
            super()._update_no_improvement_count(early_stopping, X, y, sample_weight)


def learn_chunks(
    student: MLPClassifier, spill: Spill, validation: SoftDataset | None
) -> MLPClassifier:
    """Fit by the native route, pass after pass, as a fit on the whole would."""
    given = student.get_params()
    net = _ChunkMLP(**given)
    # partial_fit refuses early_stopping, and with an integer seed it would shuffle
    # every buffer alike.
    seed = check_random_state(net.random_state)
    # Of its own, for the first draws of the other are the weights.
    rng = check_random_state(net.random_state)
    net.set_params(early_stopping=False, random_state=seed)
    net._validation = validation
    net.max_iter = min(net.max_iter, count_passes(student, spill.n_samples))
    net._highest_step = find_highest_step(student)
    if net._highest_step is not None:
        net.learning_rate_init = net._highest_step
    losses: list[float] = []
    for _ in range(net.max_iter):
        losses.append(_run_pass(net, spill, rng))
        if _stops(net, losses):
            break
    return hand_over(net, student, given)


def _run_pass(net: _ChunkMLP, spill: Spill, rng: np.random.RandomState) -> float:
    """Learn every buffer once; return the mean loss."""
    total = 0.0
    for data in spill.shuffle(rng if net.shuffle else None):
        net._train = data
        net.partial_fit(data.X, data.y, data.weight, classes=data.classes)
        total += net.loss_ * data.n_samples
    return total / spill.n_samples


def _stops(net: _ChunkMLP, losses: list[float]) -> bool:
    """Apply scikit-learn's rule at the end of a pass."""
    net.loss_, net.loss_curve_ = losses[-1], losses.copy()
    net.n_iter_ = len(losses)
    net._ends_pass = True
    net._update_no_improvement_count(False, None, None)
    net._ends_pass = False
    if net._no_improvement_count <= net.n_iter_no_change:
        return False
    # SGD with an adaptive rate lowers it and goes on.
    if net._optimizer.trigger_stopping("The score did not improve.", net.verbose):
        return True
    net._no_improvement_count = 0
    return False
