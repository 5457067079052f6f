"""The arithmetic of soft targets: clip, blend, soften, serve.

One definition for every student (see the README for the formulas), as functions of
arrays alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from .._typing import FloatArray, IndexArray

#: Share of the class priors mixed into the teacher's probabilities. A teacher's
#: zero has no logarithm, and how small the mixture is decides what a high
#: temperature makes of it: for p = (1, 0, 0) at T = 3 the top class of the
#: softened target under equal priors is .88, .97 and .994 at 1e-3, 1e-5, 1e-7. The
#: largest of these served best, most of all under teachers that are certain of their
#: training rows (`benchmarks/quality/defaults.py`).
EPSILON = 1e-3


def one_hot(codes: IndexArray, n_classes: int) -> FloatArray:
    """Indicator matrix of shape (n_samples, n_classes)."""
    return np.eye(n_classes)[codes]


def clip_probabilities(
    proba: FloatArray, prior: FloatArray, epsilon: float = EPSILON
) -> FloatArray:
    """Mix the priors in, so that every class has a finite logarithm."""
    return (1.0 - epsilon) * proba + epsilon * prior


def blend_targets(proba: FloatArray, labels: FloatArray, alpha: float) -> FloatArray:
    """Weigh the teacher's probabilities against the one-hot true labels."""
    return alpha * proba + (1.0 - alpha) * labels


def soften(proba: FloatArray, temperature: float) -> FloatArray:
    """softmax(log(proba) / temperature), row by row; zeros stay zero."""
    if temperature == 1:
        return proba / proba.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return softmax(np.log(proba) / temperature, axis=1)


def serve(softened: FloatArray, temperature: float) -> FloatArray:
    """Undo `soften`: multiply the logits by the temperature."""
    return soften(softened, 1.0 / temperature)


def soft_targets(
    proba: FloatArray,
    codes: IndexArray,
    *,
    prior: FloatArray,
    alpha: float,
    temperature: float,
    calibrate: Callable[[FloatArray], FloatArray] | None = None,
) -> FloatArray:
    """What the student learns: clipped, blended and softened probabilities.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        The teacher's probabilities.
    codes : ndarray of shape (n_samples,)
        Position of each row's true label among the classes.
    prior : ndarray of shape (n_classes,)
        Class priors.
    alpha : float in [0, 1]
        Weight of the teacher against the true label.
    temperature : float > 0
        Temperature of the softening.
    calibrate : callable or None
        Applied to the clipped probabilities.

    Returns
    -------
    targets : ndarray of shape (n_samples, n_classes)
        Rows sum to 1.
    """
    clipped = clip_probabilities(proba, prior)
    if calibrate is not None:
        clipped = calibrate(clipped)
    blended = blend_targets(clipped, one_hot(codes, len(prior)), alpha)
    return soften(blended, temperature)


def cross_entropy(
    targets: FloatArray, proba: FloatArray, weight: FloatArray | None = None
) -> float:
    """Mean soft cross-entropy -sum(q log p), in nats; 0 log 0 is 0."""
    floor = np.finfo(np.float64).tiny
    per_row = -(targets * np.log(np.maximum(proba, floor))).sum(axis=1)
    return float(np.average(per_row, weights=weight))
