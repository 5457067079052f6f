"""Calibrated labels: one scalar for what rows tell beyond the shares of the classes.

Averaged forests are underconfident, networks overconfident; a scalar temperature
on the logarithms of the probabilities mends either [1]_. Alone it would move a rare
class towards one half or towards nothing. So the scalar divides the logarithms
relative to the class priors, log(p / prior), and a shift a class holds the mean
probability of the class where the teacher has it. Normal priors pull the scalar
towards 1 and the shifts towards 0 where rows are few. The student inherits the
calibration.

.. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural
   networks", ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, logsumexp

from .._dataset import Dataset
from .._typing import FloatArray, IndexArray
from .._warnings import warn_caller
from ._cross_fit import OutOfFold
from ._soft_targets import clip_probabilities

#: A scalar beyond these bounds is fitted to few rows rather than to the teacher.
_BOUNDS = (0.25, 4.0)

#: Standard deviations of the priors of the scalar's logarithm, and of a shift.
_WIDTH, _SHIFT_WIDTH = 0.5, 1.0

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
        Gives the classes their shares.
    """

    temperature: float
    shift: FloatArray | None = None

    def apply(self, proba: FloatArray) -> FloatArray:
        """Return calibrated probabilities; all given ones must be positive."""
        return np.exp(self.calibrate_logits(np.log(proba)))

    def calibrate_logits(self, logits: FloatArray) -> FloatArray:
        """Return the logarithms of the calibrated probabilities."""
        scaled = logits / self.temperature
        return log_softmax(
            scaled if self.shift is None else scaled + self.shift, axis=1
        )


def calibrate_labels(data: Dataset, oof: OutOfFold, teacher: Any) -> Calibration | None:
    """Fit the calibration on every row that has an out-of-fold label.

    Without a row of each class there is none, and a warning names the class.

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
    codes = data.codes[oof.rows]
    missing = np.setdiff1d(data.classes, data.classes[codes]).tolist()
    if missing:
        warn_caller(
            f"The labels are not calibrated: no row of the class {missing} is among "
            f"the {len(codes)} rows with an out-of-fold label. Set cv=5, or pass more "
            "rows of it."
        )
        return None
    return fit_calibration(
        clip_probabilities(oof.proba, data.priors),
        codes,
        None if data.weight is None else data.weight[oof.rows],
        priors=data.priors,
        observed=weighs_classes(teacher),
    )


def fit_calibration(
    proba: FloatArray,
    codes: IndexArray,
    weight: FloatArray | None = None,
    *,
    priors: FloatArray | None = None,
    observed: bool = False,
) -> Calibration:
    """Minimise the log loss of the true labels and the penalty of the prior.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Positive probabilities.
    codes : ndarray of shape (n_samples,)
        Position of the true label among the classes.
    weight : ndarray of shape (n_samples,) or None
        Row weights.
    priors : ndarray of shape (n_classes,) or None
        Class priors; None: a scalar alone, without shifts.
    observed : bool
        Whether the mean probability of a class becomes its share of the rows; else it
        stays as it was.
    """
    logits, rows = np.log(proba), np.arange(len(codes))
    weight = np.ones(len(codes)) if weight is None else weight / weight.mean()
    wanted = weight @ proba / weight.sum()
    ridge = 1 / (_SHIFT_WIDTH**2 * len(codes))
    if observed:
        # One more row, as the teacher has it: no class is without a share.
        counts = np.bincount(codes, weights=weight, minlength=proba.shape[1])
        wanted, ridge = (counts + wanted) / (len(codes) + 1), 0.0
    added = np.zeros(proba.shape[1])

    def calibrate(slope: float) -> Calibration:
        nonlocal added
        if priors is None:
            return Calibration(1 / slope)
        centre = (1 - slope) * np.log(priors)
        scaled = slope * logits + centre
        # What was added for the last scalar is a good start.
        added = _find_shift(scaled, weight / weight.sum(), wanted, ridge, added)
        return Calibration(1 / slope, centre + added)

    def measure(log_slope: float) -> float:
        losses = -calibrate(np.exp(log_slope)).calibrate_logits(logits)[rows, codes]
        return float(weight @ losses + 0.5 * (log_slope / _WIDTH) ** 2)

    bounds = (-np.log(_BOUNDS[1]), -np.log(_BOUNDS[0]))
    options = {"xatol": 1e-7}
    found = minimize_scalar(measure, bounds=bounds, method="bounded", options=options)
    return calibrate(float(np.exp(found.x)))


def _find_shift(
    logits: FloatArray,
    share: FloatArray,
    wanted: FloatArray,
    ridge: float,
    start: FloatArray,
) -> FloatArray:
    """Return the shift that gives the classes their wanted means, but for a ridge.

    It is where a convex function has its minimum.
    """

    def measure(shift: FloatArray) -> tuple[float, FloatArray]:
        shifted = logits + shift
        total = logsumexp(shifted, axis=1)
        gradient = share @ np.exp(shifted - total[:, None]) - wanted + ridge * shift
        value = share @ total - wanted @ shift + 0.5 * ridge * shift @ shift
        return float(value), gradient

    options = {"gtol": 1e-9, "ftol": 1e-16, "maxiter": 200}
    return minimize(measure, start, jac=True, method="L-BFGS-B", options=options).x


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
