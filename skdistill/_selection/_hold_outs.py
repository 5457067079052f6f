"""Which rows each part of a fit learns, and which rows it is held to: decided once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from .._dataset import Dataset, split_rows
from .._parts import Parts
from .._students import learns_in_epochs, validation_fraction
from .._typing import Split
from ..transfer._transfer_set import PILOT_ROWS

#: Share of the rows that choose and calibrate.
_PILOT_SHARE = 0.2
#: Share of the rows that end or judge the student's fit, where it does not say.
_VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Splits:
    """Row numbers of every hold-out of a fit.

    Attributes
    ----------
    cv : list of pairs of ndarrays or None
        Folds of `cv`: rows to fit a teacher on, rows that it labels.
    pilot : pair of ndarrays or None
        Rows that pilots learn, and rows that choose among them and calibrate.
    validation : pair of ndarrays or None
        Rows of the student's fit, and rows that end it or decide on its tuning;
        only some candidates use them.
    calibrate : bool
        Whether the labels are to be calibrated on rows with out-of-fold labels.
    chooses : bool
        Whether pilots decide what is learned.
    """

    cv: list[Split] | None
    pilot: Split | None
    validation: Split | None
    calibrate: bool
    chooses: bool

    @property
    def folds(self) -> list[Split]:
        """Splits for which a further teacher is fitted."""
        if self.cv is not None:
            return self.cv
        return [] if self.pilot is None else [self.pilot]


def draw_splits(estimator: Any, parts: Parts, data: Dataset) -> Splits:
    """Draw every hold-out of the fit.

    Raises
    ------
    ValueError
        A splitter that leaves rows without a label, a teacher that cannot be
        calibrated, or too few rows.
    """
    cv = _draw_folds(estimator, parts, data)
    calibrate = _decide_calibration(estimator, parts, data)
    tries = estimator.augmenter == "auto" and data.n_samples >= PILOT_ROWS
    pilot = None
    if calibrate or tries:
        pilot = (
            cv[0] if cv else split_rows(data.codes, _PILOT_SHARE, parts.seeds.pilots)
        )
        pilot = pilot if _decides(pilot, data) else None
    return Splits(
        cv,
        pilot,
        _draw_validation(estimator, parts, data, tries),
        calibrate,
        chooses=tries and estimator.pilot > 0 and pilot is not None,
    )


def _draw_folds(estimator: Any, parts: Parts, data: Dataset) -> list[Split] | None:
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


def _decide_calibration(estimator: Any, parts: Parts, data: Dataset) -> bool:
    if estimator.calibrate == "auto":
        return data.n_samples >= PILOT_ROWS and parts.refits
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
