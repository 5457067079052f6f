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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from .._dataset import Dataset
from .._soft_data import row_blocks
from .._typing import FloatArray, IndexArray
from .._warnings import warn_caller
from ._class_weights import weighs_classes
from ._cross_fit import OutOfFold
from ._soft_targets import clip_probabilities

#: Where the scalar is looked for; its prior alone should decide. A teacher that has
#: memorised noise asks for 10 and more, which leaves the shares of the classes; extra
#: trees of indicator columns ask for 0.1.
_BOUNDS = (0.05, 100.0)

#: Rows of a class of which one is always held out, by a fifth of the rows or in folds.
_FEWEST = 5

#: Standard deviations of the priors of the scalar's logarithm, and of a shift.
_WIDTH, _SHIFT_WIDTH = 0.5, 1.0

#: Share of a mean that a shift of one nat costs, where it is pulled towards 0.
_PULL = 0.01


@dataclass(frozen=True)
class Calibration:
    """softmax(log(p) / temperature + shift): above 1, the teacher is overconfident."""

    temperature: float
    shift: FloatArray | None = None

    def apply(self, proba: FloatArray) -> FloatArray:
        """Return calibrated probabilities; all given ones must be positive."""
        return np.exp(self.calibrate_logits(np.log(proba)))

    def calibrate_logits(self, logits: FloatArray) -> FloatArray:
        """Return the logarithms of the calibrated probabilities."""
        scaled = logits / self.temperature
        if self.shift is not None:
            scaled = scaled + self.shift
        return log_softmax(scaled, axis=1)


def calibrate_labels(data: Dataset, oof: OutOfFold, teacher: Any) -> Calibration | None:
    """Fit the calibration on validation rows, or on all with an out-of-fold label.

    Without a row of each class there is none, and a warning names the class. The
    teacher's parameters show whether it gives classes other weights than their shares.
    """
    rows = oof.held_out.rows[oof.find_validation_rows(data)]
    _, codes, weight = data.take_labels(rows)
    missing = np.setdiff1d(data.classes, data.classes[codes]).tolist()
    if missing:
        held, fix = "rows of X_val", "Pass rows of each."
        if data.validation is None:
            held, fix = "that are held out", f"Set cv=5, or pass {_FEWEST} of each."
        warn_caller(
            f"The labels are not calibrated: no row of the classes {missing} is among "
            f"the {len(codes)} {held}. {fix}"
        )
        return None
    proba, observed = oof.held_out.take(rows).values, weighs_classes(teacher)
    priors = data.task.priors
    return fit_calibration(proba, codes, weight, priors=priors, observed=observed)


def fit_calibration(
    proba: FloatArray,
    codes: IndexArray,
    weight: FloatArray | None = None,
    *,
    priors: FloatArray | None = None,
    observed: bool = False,
) -> Calibration:
    """Minimise the log loss of the true labels and the penalty of the prior.

    Without class priors it is a scalar alone, and probabilities, which they clip, must
    be positive. `observed`: the mean probability of a class becomes its share of the
    rows; else it stays as it was.
    """
    blocks = _Blocks(proba, priors)
    weight = np.ones(len(codes)) if weight is None else weight / weight.mean()
    wanted = sum(weight[rows] @ p for rows, p, _ in blocks) / weight.sum()
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
        given = (blocks, slope, centre, weight / weight.sum(), wanted, ridge)
        # What was added for the last scalar is a good start.
        added = _find_shift(*given, added)
        return Calibration(1 / slope, centre + added)

    def measure(log_slope: float) -> float:
        found = calibrate(np.exp(log_slope))
        loss: Any = 0.0
        for rows, _, logits in blocks:
            right = (np.arange(len(logits)), codes[rows])
            loss += weight[rows] @ -found.calibrate_logits(logits)[right]
        return float(loss + 0.5 * (log_slope / _WIDTH) ** 2)

    bounds = (-np.log(_BOUNDS[1]), -np.log(_BOUNDS[0]))
    options = {"xatol": 1e-7}
    found = minimize_scalar(measure, bounds=bounds, method="bounded", options=options)
    return calibrate(float(np.exp(found.x)))


def fit_shift(
    proba: FloatArray, wanted: FloatArray, weight: Any, *, pulled: bool = False
) -> FloatArray:
    """Return the numbers a class that give logits the wanted mean probabilities.

    All probabilities are positive; `weight` has row weights, or is None. Numbers that
    are `pulled` towards 0 miss each mean by a hundredth of it a nat: where classes lie
    far apart, large numbers alone move a mean, for which rows in between pay.
    """
    share = np.full(len(proba), 1 / len(proba))
    if weight is not None:
        share = weight / weight.sum()
    zero = np.zeros(proba.shape[1])
    ridge = _PULL * wanted if pulled else 0.0
    found = _find_shift(_Blocks(proba, None), 1.0, zero, share, wanted, ridge, zero)
    # Softmax knows differences alone.
    return found - found.mean()


class _Blocks:
    """Rows, probabilities and their logarithms; a single block is kept."""

    def __init__(self, proba: FloatArray, priors: FloatArray | None) -> None:
        self._proba, self._priors = proba, priors
        self._rows = list(row_blocks(*proba.shape))
        self._kept = [self._read(rows) for rows in self._rows[:1]]

    def _read(self, rows: slice) -> tuple[slice, FloatArray, FloatArray]:
        proba = np.asarray(self._proba[rows], dtype=np.float64)
        if self._priors is not None:
            proba = clip_probabilities(proba, self._priors)
        return rows, proba, np.log(proba)

    def __iter__(self) -> Iterator[tuple[slice, FloatArray, FloatArray]]:
        yield from self._kept
        for rows in self._rows[1:]:
            yield self._read(rows)


def _find_shift(
    blocks: _Blocks,
    slope: float,
    centre: FloatArray,
    share: FloatArray,
    wanted: FloatArray,
    ridge: float | FloatArray,
    start: FloatArray,
) -> FloatArray:
    """Return the shift that gives the classes their wanted means, but for a ridge.

    It is where a convex function has its minimum. Its curvature is about the mean
    probability of a class, by whose root the shift is scaled for the optimiser.
    """
    scale = 1 / np.sqrt(wanted)

    def measure(scaled: FloatArray) -> tuple[float, FloatArray]:
        shift, mean, total = scale * scaled, np.zeros(len(scaled)), 0.0
        for rows, _, logits in blocks:
            shifted = slope * logits + (centre + shift)
            peak = shifted.max(axis=1)
            shifted -= peak[:, None]
            odds = np.exp(shifted, out=shifted)
            sums = odds.sum(axis=1)
            mean += (share[rows] / sums) @ odds
            total += share[rows] @ (np.log(sums) + peak)
        gradient = scale * (mean - wanted + ridge * shift)
        value = total - wanted @ shift + 0.5 * (ridge * shift) @ shift
        return float(value), gradient

    options = {"gtol": 1e-10, "ftol": 1e-18, "maxiter": 200}
    first, method = start / scale, "L-BFGS-B"
    return scale * minimize(measure, first, jac=True, method=method, options=options).x
