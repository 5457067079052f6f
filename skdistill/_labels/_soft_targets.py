"""The arithmetic of soft targets: clip, calibrate, blend, soften.

One definition for every student, as functions of arrays alone; `docs/guide/method.md`
has the formulas.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._soft_data import label_dtype, row_blocks, soften
from .._typing import FloatArray, IndexArray

#: Share of the class priors mixed into the teacher's probabilities. A teacher's
#: zero has no logarithm, and how small the mixture is decides what a high
#: temperature makes of it: for p = (1, 0, 0) at T = 3 the top class of the
#: softened target under equal priors is .88, .97 and .994 at 1e-3, 1e-5, 1e-7. The
#: largest of these served best, most of all under teachers that are certain of their
#: training rows (`benchmarks/quality/defaults.py`).
EPSILON = 1e-3


def clip_probabilities(proba: FloatArray, prior: FloatArray) -> FloatArray:
    """Mix the priors in, so that every class has a finite logarithm."""
    return (1.0 - EPSILON) * proba + EPSILON * prior


def soft_targets(
    proba: FloatArray,
    codes: IndexArray,
    *,
    prior: FloatArray,
    alpha: float | FloatArray,
    temperature: float,
    calibrate: Callable[[FloatArray], FloatArray] | None = None,
) -> FloatArray:
    """The fixed targets of rows: clipped, calibrated, blended, softened probabilities.

    At a temperature other than 1 true labels are not blended in: softened true labels
    average to another probability than theirs, and the loss weighs them instead
    (`SoftDataset.alpha`). `codes` are positions of the true labels, and `alpha` is the
    weight of the teacher, one for all rows or one a row.
    """
    targets = np.empty(proba.shape, label_dtype(len(prior)))
    alpha = np.broadcast_to(alpha, len(proba))[:, None]

    def make(rows: slice) -> FloatArray:
        # A function, which frees a block before the next.
        made = clip_probabilities(np.asarray(proba[rows], dtype=np.float64), prior)
        if calibrate is not None:
            made = calibrate(made)
        if temperature == 1:
            # In place: one-hot labels would take as much memory again.
            made *= alpha[rows]
            made[np.arange(len(made)), codes[rows]] += 1.0 - alpha[rows, 0]
        return soften(made, temperature)

    for rows in row_blocks(*proba.shape):
        targets[rows] = make(rows)
    return targets
