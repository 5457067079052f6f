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

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from .._soft_data import SoftDataset
from .._typing import FloatArray
from ._mixture import LogitLoss

#: Weight of the ridge, times the number of classes: the curvature of the loss in the
#: margin of one class falls with that number. The penalty is half the squared move.
_RIDGE = 6e-4

#: Most leaves times rows that the solver evaluates, and its most iterations.
_MAX_VISITS = 10_000_000
_MAX_ITER = 40


def refit_leaves(student: Any, train: SoftDataset) -> None:
    """Set the values of all leaves of a fitted LGBMClassifier.

    Parameters
    ----------
    student : LGBMClassifier
        Fitted, its leaves holding the start values too.
    train : SoftDataset
        Rows to learn from; where trees times rows are more than ten million, as
        many of them as that allows, evenly spaced.
    """
    booster = student.booster_
    sizes = [tree["num_leaves"] for tree in booster.dump_model()["tree_info"]]
    most = max(1, _MAX_VISITS // len(sizes))
    if most < train.n_samples:
        rows = np.linspace(0, train.n_samples - 1, most).astype(np.intp)
        train = train.take(rows)
    leaves = np.asarray(student.predict(train.X, pred_leaf=True), dtype=np.intp)
    leaves = leaves.reshape(train.n_samples, len(sizes))
    n_outputs = booster.num_model_per_iteration()
    groups = [range(output, len(sizes), n_outputs) for output in range(n_outputs)]
    grown = [_read_values(booster, trees, sizes) for trees in groups]
    marks = [_mark_leaves(leaves, trees, sizes) for trees in groups]
    found = _find_values(marks, train, grown)
    for trees, values in zip(groups, found, strict=True):
        places = ((tree, leaf) for tree in trees for leaf in range(sizes[tree]))
        for (tree, leaf), value in zip(places, values, strict=True):
            booster.set_leaf_output(tree, leaf, float(value))


def _read_values(booster: Any, trees: range, sizes: list[int]) -> FloatArray:
    return np.array(
        [booster.get_leaf_output(t, leaf) for t in trees for leaf in range(sizes[t])]
    )


def _mark_leaves(
    leaves: NDArray[np.intp], trees: range, sizes: list[int]
) -> csr_matrix:
    """Indicators of the leaves that each row falls in, of shape (n_rows, n_leaves)."""
    starts = np.cumsum([0, *(sizes[tree] for tree in trees)])
    columns = leaves[:, list(trees)] + starts[:-1]
    ends = np.arange(0, columns.size + 1, len(trees))
    ones = np.ones(columns.size, dtype=np.float32)
    return csr_matrix((ones, columns.ravel(), ends), shape=(len(leaves), starts[-1]))


def _find_values(
    marks: list[csr_matrix],
    train: SoftDataset,
    grown: list[FloatArray],
) -> list[FloatArray]:
    """Minimise the mean loss and the ridge, from the grown values on."""
    n_samples, n_classes = train.targets.shape
    share = np.full(n_samples, 1.0) if train.weight is None else train.weight
    share = share / share.sum()
    binary = len(marks) == 1
    start = np.concatenate(grown)
    cuts = np.cumsum([len(values) for values in grown])[:-1]
    transposed = [mark.T.tocsr() for mark in marks]
    ridge, loss = _RIDGE / n_classes, LogitLoss.of(train)

    def measure(values: FloatArray) -> tuple[float, FloatArray]:
        parts = np.split(values, cuts)
        margins = [mark @ part for mark, part in zip(marks, parts, strict=True)]
        # Of two classes, the first has margin 0.
        margins = [np.zeros(n_samples)] * binary + margins
        losses, gradient = loss.rate(np.column_stack(margins))
        columns = (share[:, None] * gradient)[:, binary:].T
        steps = [t @ c for t, c in zip(transposed, columns, strict=True)]
        moved = values - start
        value = share @ losses + ridge / 2 * moved @ moved
        return float(value), np.concatenate(steps) + ridge * moved

    settings = {"maxiter": _MAX_ITER}
    found = minimize(measure, start, jac=True, method="L-BFGS-B", options=settings)
    return np.split(found.x, cuts)
