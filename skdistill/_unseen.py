"""What teachers say of rows that they did not see: calibration and the memorization.

A teacher that never saw the held-out rows labels them. Their true labels fit the
scalar that calibrates the teacher, and show how far its labels of its own training
rows can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._labels._calibration import Calibration, fit_calibration, weighs_classes
from ._labels._soft_targets import class_priors, clip_probabilities
from ._problem import Problem
from ._typing import FloatArray


@dataclass(frozen=True)
class Unseen:
    """What teachers say of rows they did not see.

    Attributes
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        NaN where every teacher saw the row.
    own : ndarray of shape (n_rows, n_classes)
        What the teacher of the pilot says of the rows that it was fitted on.
    extra : list of ndarrays of shape (n_rows, n_classes)
        What it says of each transfer set of the pilots.
    """

    proba: FloatArray
    own: FloatArray
    extra: list[FloatArray]


def calibrate_teacher(problem: Problem, unseen: Unseen) -> Calibration:
    """Fit the scalar on every row that some teacher did not see."""
    rows = np.flatnonzero(~np.isnan(unseen.proba[:, 0]))
    weight = None if problem.weight is None else problem.weight[rows]
    return fit_calibration(
        clip_labels(problem, unseen.proba[rows]),
        problem.codes[rows],
        weight,
        shifted=weighs_classes(problem.teacher),
    )


def measure_memorization(problem: Problem, unseen: Unseen) -> dict[str, float]:
    """Accuracy and entropy of the teacher on rows it was fitted on, and on others.

    Entropies are in nats.
    """
    assert problem.pilot_split is not None
    seen, held_out = problem.pilot_split
    figures = {}
    pairs = (
        ("in_sample", seen, unseen.own),
        ("out_of_fold", held_out, unseen.proba[held_out]),
    )
    for name, rows, proba in pairs:
        weight = None if problem.weight is None else problem.weight[rows]
        hits = proba.argmax(axis=1) == problem.codes[rows]
        clipped = clip_labels(problem, proba)
        entropy = -(clipped * np.log(clipped)).sum(axis=1)
        figures[f"accuracy_{name}"] = float(np.average(hits, weights=weight))
        figures[f"entropy_{name}"] = float(np.average(entropy, weights=weight))
    return figures


def clip_labels(problem: Problem, proba: FloatArray) -> FloatArray:
    """Return positive probabilities."""
    prior = class_priors(problem.codes, len(problem.classes), problem.weight)
    return clip_probabilities(proba, prior)
