"""The values of all leaves of boosted trees, fitted together.

Boosting sets the values of one tree at a time, on the residuals of the trees before it,
and later trees are too few to correct them. Given its trees, the model is linear in the
values of their leaves, and its soft cross-entropy is convex. The minimum, with a ridge
around the boosted values, is much closer to the teacher. So many values need a transfer
set: on the training rows alone they overfit. Splits are better learned from real rows:
trees grown on the transfer set as well were worse in most pilots.

Source: R. Johnson, T. Zhang, "Learning nonlinear functions using regularized greedy
forest", IEEE TPAMI 36(5), 2014 (the fully corrective step).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from .._outofcore._spill import Spill
from .._soft_data import MaybeRows, SoftDataset
from .._typing import FloatArray, Int32Array
from ..transfer._transfer_set import space_evenly
from ._lightgbm_params import stopping_rounds
from ._losses import LogitLoss, SquaredError
from ._soft_learner import SoftLearner

#: Weight of the ridge, times the number of classes: the curvature of the loss in the
#: margin of one class falls with that number. The penalty is half the squared move.
_RIDGE = 6e-4

#: Most leaves times rows that the solver evaluates, and its most iterations.
_MAX_VISITS = 30_000_000
_MAX_ITER = 40


class LeafLearner(SoftLearner):
    """Boosted trees that grow on real rows, with leaves refitted on a transfer set."""

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        return stopping_rounds(student.get_params()) > 0

    def fit(self, student, train, transfer=None, validation=None):
        """Grow trees on real rows where they can be told, and set leaves on all."""
        rows = train.join(transfer)
        if transfer is None or not self.refits_leaves(student):
            return self.fit_rows(student, rows, validation)
        alone = transfer.synthetic and train.labelled is None
        student = self.fit_rows(student, train if alone else rows, validation)
        self.refit_leaves(student, rows)
        return student

    def fit_chunks(self, student: Any, spill: Spill, validation: MaybeRows) -> Any:
        """Grow trees and set leaves on all rows."""
        rows = spill.map()
        student = self.fit_rows(student, rows, validation)
        if self.refits_leaves(student):
            self.refit_leaves(student, rows)
        return student

    def refit_leaves(self, student: Any, rows: SoftDataset) -> None:
        """Set the values of all leaves together."""
        refit_leaves(student, rows, LogitLoss.of, _RIDGE / len(rows.classes))


def refit_leaves(
    student: Any,
    train: SoftDataset,
    make_loss: Callable[[SoftDataset], LogitLoss | SquaredError],
    ridge: float,
    unit: float = 1.0,
) -> None:
    """Set the values of all leaves of a fitted LightGBM model.

    Its leaves hold the start values too. `unit` divides what they hold, where the loss
    has other units.
    """
    booster = student.booster_
    sizes = [tree["num_leaves"] for tree in booster.dump_model()["tree_info"]]
    most = max(1, _MAX_VISITS // len(sizes))
    if most < train.n_samples:
        train = train.take(space_evenly(train.n_samples, most))
    leaves = np.asarray(student.predict(train.X, pred_leaf=True), dtype=np.int32)
    leaves = leaves.reshape(train.n_samples, len(sizes))
    n_outputs = booster.num_model_per_iteration()
    groups = [range(output, len(sizes), n_outputs) for output in range(n_outputs)]
    places = [
        [(t, leaf) for t in trees for leaf in range(sizes[t])] for trees in groups
    ]
    grown = [np.array([booster.get_leaf_output(*at) for at in some]) for some in places]
    marks = _mark_leaves(leaves, groups, sizes)
    share = train.weights
    start = np.concatenate(grown) / unit
    found = _find_values(marks, make_loss(train), share / share.sum(), start, ridge)
    cuts = np.cumsum([len(values) for values in grown])[:-1]
    for some, values in zip(places, np.split(unit * found, cuts), strict=True):
        for at, value in zip(some, values, strict=True):
            booster.set_leaf_output(*at, float(value))


def _mark_leaves(
    leaves: Int32Array, groups: list[range], sizes: list[int]
) -> list[csr_matrix]:
    """Indicators of the leaves of each group that rows fall in: (n_rows, n_leaves).

    All groups have as many trees, and share what is not theirs alone.
    """
    n_rows, n_trees = len(leaves), len(groups[0])
    ends = np.arange(0, n_rows * n_trees + 1, n_trees, dtype=np.int32)
    ones = np.ones(n_rows * n_trees)
    marks = []
    for trees in groups:
        starts = np.cumsum([0, *(sizes[tree] for tree in trees)])
        columns = (leaves[:, list(trees)] + starts[:-1]).astype(np.int32)
        shape = (n_rows, starts[-1])
        marks.append(csr_matrix((ones, columns.ravel(), ends), shape=shape))
    return marks


def _find_values(
    marks: list[csr_matrix],
    loss: LogitLoss | SquaredError,
    share: FloatArray,
    start: FloatArray,
    ridge: float,
) -> FloatArray:
    """Minimise the mean loss and the ridge, from the grown values on."""
    n_samples, n_columns = loss.targets.shape
    # The first of two classes has margin 0.
    n_fixed = n_columns - len(marks)
    cuts = np.cumsum([mark.shape[1] for mark in marks])[:-1]

    def measure(values: FloatArray) -> tuple[float, FloatArray]:
        parts = np.split(values, cuts)
        margins = [mark @ part for mark, part in zip(marks, parts, strict=True)]
        margins = [np.zeros(n_samples)] * n_fixed + margins
        losses, gradient = loss.rate(np.column_stack(margins))
        columns = (share[:, None] * gradient)[:, n_fixed:].T
        steps = [mark.T @ c for mark, c in zip(marks, columns, strict=True)]
        moved = values - start
        value = share @ losses + ridge / 2 * moved @ moved
        return float(value), np.concatenate(steps) + ridge * moved

    options = {"maxiter": _MAX_ITER}
    return minimize(measure, start, jac=True, method="L-BFGS-B", options=options).x
