"""Calibrated labels: one scalar, fitted on out-of-fold labels.

Averaged forests are underconfident, networks overconfident; a scalar temperature
on the logarithms of the probabilities mends either without changing what is
predicted [1]_. The student inherits it, so that what is served is calibrated.

.. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
   networks", ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from .._dataset import Dataset
from .._typing import FloatArray, IndexArray
from ._cross_fit import OutOfFold
from ._soft_targets import clip_probabilities

#: A scalar beyond these bounds is fitted to few rows rather than to the teacher.
_BOUNDS = (0.25, 4.0)

#: Parameters by which a classifier gives classes other weights than their shares.
_REWEIGHING = (
    "class_weight",
    "class_weights",
    "auto_class_weights",
    "is_unbalance",
    "scale_pos_weight",
)


@dataclass(frozen=True)
class Calibration:
    """softmax(log(p) / temperature + shift), row by row.

    Attributes
    ----------
    temperature : float
        Above 1: the teacher is overconfident; below 1: underconfident.
    shift : ndarray of shape (n_classes,) or None
        Gives classes their share of the rows back, where the teacher weighs classes.
    """

    temperature: float
    shift: FloatArray | None = None

    def apply(self, proba: FloatArray) -> FloatArray:
        """Return calibrated probabilities; all given ones must be positive."""
        logits = np.log(proba) / self.temperature
        return softmax(logits if self.shift is None else logits + self.shift, axis=1)


def calibrate_labels(data: Dataset, oof: OutOfFold, teacher: Any) -> Calibration:
    """Fit the calibration on every row that has an out-of-fold label.

    Parameters
    ----------
    data : Dataset
        Training rows.
    oof : OutOfFold
        Their out-of-fold labels.
    teacher : estimator
        Whose parameters show whether it gives classes other weights than their
        shares.
    """
    return fit_calibration(
        clip_probabilities(oof.proba, data.priors),
        data.codes[oof.rows],
        None if data.weight is None else data.weight[oof.rows],
        shifted=weighs_classes(teacher),
    )


def fit_calibration(
    proba: FloatArray,
    codes: IndexArray,
    weight: FloatArray | None = None,
    *,
    shifted: bool = False,
) -> Calibration:
    """Minimise the log loss of the true labels.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Positive probabilities.
    codes : ndarray of shape (n_samples,)
        Position of the true label among the classes.
    weight : ndarray of shape (n_samples,) or None
        Row weights.
    shifted : bool
        Fit a term a class as well.
    """
    logits, rows = np.log(proba), np.arange(len(codes))

    def measure(slope, shift):
        log_proba = log_softmax(slope * logits + shift, axis=1)
        return -np.average(log_proba[rows, codes], weights=weight)

    bounds = (-np.log(_BOUNDS[1]), -np.log(_BOUNDS[0]))
    found = minimize_scalar(
        lambda s: measure(np.exp(s), 0.0), bounds=bounds, method="bounded"
    )
    if not shifted:
        return Calibration(float(np.exp(-found.x)))
    n_classes = logits.shape[1]
    start = np.concatenate([[found.x], np.zeros(n_classes)])
    best = minimize(
        # The ridge keeps a class of few rows where it is.
        lambda v: measure(np.exp(v[0]), v[1:]) + 1e-4 * (v[1:] ** 2).sum(),
        start,
        method="L-BFGS-B",
        bounds=[bounds] + [(None, None)] * n_classes,
    )
    return Calibration(float(np.exp(-best.x[0])), best.x[1:])


def weighs_classes(teacher: Any) -> bool:
    """Whether a part of the teacher shifts the classes' shares by a parameter."""
    return any(
        name.split("__")[-1] in _REWEIGHING and _moves_shares(value)
        for name, value in teacher.get_params().items()
    )


def _moves_shares(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    # Of two classes, one that weighs 1 weighs as much as the other.
    return not isinstance(value, Real) or value != 1
