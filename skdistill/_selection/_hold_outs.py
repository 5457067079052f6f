"""Which rows each part of a fit learns, and which rows it is held to: decided once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import check_random_state

from .._dataset import Dataset, split_rows
from .._parts import Parts
from .._students import learns_in_epochs, validation_fraction
from .._typing import IndexArray, Split
from ..transfer._transfer_set import PILOT_ROWS

#: Share of the rows that choose and calibrate.
_PILOT_SHARE = 0.2
#: Share of the rows that end or judge the student's fit, where it does not say.
_VALIDATION_SHARE = 0.1
#: Folds of a small table, and how many rows, and rows of each class, they are worth it
#: for: with fewer they decide nothing, and a fold lacks a class.
_N_FOLDS, _FEWEST_ROWS = 5, 50


@dataclass(frozen=True)
class Splits:
    """Row numbers of every hold-out of a fit.

    Attributes
    ----------
    folds : list of pairs of ndarrays
        Rows to fit a further teacher on, and rows that it labels: the folds of `cv`,
        those of a small table, or the rows of the pilots.
    out_of_fold : bool
        Whether training rows learn the labels of the folds, which `cv` asks for;
        other folds calibrate and compare.
    pilots : list of pairs of ndarrays
        Rows that pilots learn, and rows that choose among them: the first of the folds,
        on a small table all of them. Empty: pilots decide nothing.
    first : pair of ndarrays or None
        The first of the folds, which shows how far labels are memorised; None where
        it cannot.
    validation : pair of ndarrays or None
        Rows of the student's fit, and rows that end it or decide on its tuning;
        only some candidates use them.
    calibrate : bool
        Whether the labels are to be calibrated on rows with out-of-fold labels.
    """

    folds: list[Split]
    out_of_fold: bool
    pilots: list[Split]
    first: Split | None
    validation: Split | None
    calibrate: bool

    @property
    def chooses(self) -> bool:
        """Whether pilots decide what is learned."""
        return bool(self.pilots)

    @property
    def in_folds(self) -> bool:
        """Whether pilots are run on every fold, as on a small table."""
        return len(self.pilots) > 1


def draw_splits(estimator: Any, parts: Parts, data: Dataset) -> Splits:
    """Draw every hold-out of the fit.

    Raises
    ------
    ValueError
        A splitter that leaves rows without a label, a teacher that cannot be
        calibrated, or too few rows.
    """
    cv = _draw_cv(estimator, parts, data)
    calibrate = _decide_calibration(estimator, parts, data)
    small = data.n_samples < PILOT_ROWS
    tries = estimator.augmenter == "auto" and not small
    compares = small and _compares(estimator) and _has_folds(data)
    folds, seed = cv or [], parts.seeds.pilots
    if cv is None and small and (calibrate or compares):
        folds = _draw_folds(data.codes, seed)
    elif cv is None and (calibrate or tries):
        folds = [split_rows(data.codes, _PILOT_SHARE, seed)]
    usable = [_decides(fold, data) for fold in folds]
    if cv is None and not small and usable == [False]:
        folds, usable = [], []
    shows = (calibrate or tries or compares) and bool(folds) and usable[0]
    pilots = []
    if compares and all(usable):
        pilots = folds
    elif tries and estimator.pilot > 0 and shows:
        pilots = folds[:1]
    return Splits(
        folds,
        cv is not None,
        pilots,
        folds[0] if shows else None,
        _draw_validation(estimator, parts, data, tries),
        calibrate,
    )


def _draw_cv(estimator: Any, parts: Parts, data: Dataset) -> list[Split] | None:
    if estimator.cv is None:
        return None
    cv = check_cv(estimator.cv, data.y, classifier=True)
    folds = list(cv.split(data.X, data.y, **parts.splitter_params))
    tested = np.zeros(data.n_samples, dtype=bool)
    for _, test in folds:
        tested[test] = True
    if not tested.all():
        raise ValueError(
            "cv must put every row in a test fold, so that each gets an out-of-fold "
            f"label; {int((~tested).sum())} of {len(tested)} rows are in none. Use a "
            "splitter that covers the data, such as StratifiedKFold."
        )
    return folds


def _draw_folds(codes: IndexArray, seed: Any) -> list[Split]:
    """Draw the folds of a small table, stratified where a class has enough rows."""
    n_folds = min(_N_FOLDS, len(codes))
    stratified = np.bincount(codes).max() >= n_folds
    kind = StratifiedKFold if stratified else KFold
    cv = kind(n_folds, shuffle=True, random_state=check_random_state(seed))
    with warnings.catch_warnings():
        # A class with fewer rows is in fewer folds.
        warnings.simplefilter("ignore", UserWarning)
        return list(cv.split(codes, codes))


def _compares(estimator: Any) -> bool:
    """Whether the parameters leave open whose labels are learned."""
    auto = estimator.augmenter == estimator.alpha == "auto"
    return auto and estimator.pilot > 0


def _has_folds(data: Dataset) -> bool:
    """Whether the folds of a small table decide anything."""
    most = np.bincount(data.codes).min() >= _N_FOLDS
    return data.n_samples >= _FEWEST_ROWS and bool(most)


def _decide_calibration(estimator: Any, parts: Parts, data: Dataset) -> bool:
    if estimator.calibrate == "auto":
        enough = data.n_samples >= PILOT_ROWS or _has_folds(data)
        return parts.refits and enough
    if estimator.calibrate and not parts.refits:
        raise ValueError(
            "calibrate=True needs a teacher that can be fitted without the rows it is "
            "calibrated on; received a frozen teacher or teacher_proba. Calibrate the "
            'teacher before, with CalibratedClassifierCV(method="temperature"), and '
            'leave calibrate at "auto".'
        )
    return estimator.calibrate


def _decides(split: Split, data: Dataset) -> bool:
    """Whether both sides have weight, and no row is on both."""
    weight = data.weight
    counted = weight is None or all(weight[rows].any() for rows in split)
    return counted and not np.intersect1d(*split).size


def _draw_validation(
    estimator: Any, parts: Parts, data: Dataset, tries: bool
) -> Split | None:
    """Hold rows out for a student that stops early, or is tuned.

    And for a network that may turn out to learn the true labels: it stops early then.
    """
    fraction = validation_fraction(parts.student, data.n_samples)
    if fraction is None:
        network = tries and learns_in_epochs(parts.student)
        if not (estimator.fine_tune or network):
            return None
        fraction = _VALIDATION_SHARE
    return split_rows(data.codes, fraction, parts.seeds.split)
