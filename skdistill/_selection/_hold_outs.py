"""Which rows each part of a fit learns, and which rows it is held to: decided once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from .._dataset import Dataset, draw_folds, split_rows
from .._labels._members import is_vote
from .._parts import Parts
from .._students._fit_student import validation_fraction
from .._students._properties import blends_labels, can_shift_logits
from .._students._training_length import can_choose_length
from .._typing import Split
from .._warnings import warn_caller
from ..transfer._transfer_set import PILOT_ROWS
from ._cv import draw_cv

#: Share of the rows that choose and calibrate.
_PILOT_SHARE = 0.2
#: Share of the rows that end or check the student's fit, where it does not say.
VALIDATION_SHARE = 0.1
#: Share of those that choose its length: it learns them afterwards.
LENGTH_SHARE = 0.2
#: Folds of a small table, each with a row of every class that counts, and the fewest
#: rows of such classes, in the table or in X_val, for which pilots are run.
_N_FOLDS, _FEWEST_ROWS = 5, 50

#: Share of `max_labels` that the rows which choose and calibrate take at most.
_HELD_OUT_LABELS = 1 / 4


@dataclass(frozen=True)
class LabelPlan:
    """The most rows beyond the held-out ones that teachers are asked for."""

    #: Rows beyond the training rows that all pilots learn together.
    pilots: float = np.inf
    #: Rows beyond the training rows that the student learns.
    transfer: float = np.inf
    #: Training rows that are labelled, by the teacher that is kept or with `cv` out of
    #: fold.
    training: float = np.inf
    #: Whether teachers of folds label their own rows, for pilots.
    labels_own: bool = True
    #: Whether pilots learn the transfer set of the student, with the same labels.
    shared: bool = False

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.training < np.inf

    def leaves_most(self, n_rows: int) -> bool:
        """Whether most of what is learned are true labels, of so many training rows."""
        return n_rows - self.training > min(self.training, n_rows) + self.transfer


@dataclass(frozen=True)
class Splits:
    """Row numbers of every hold-out of a fit."""

    #: Rows to fit a further teacher on, and rows that it labels: the folds of `cv`;
    #: without validation rows those of a small table, or the rows of the pilots.
    folds: list[Split]
    #: Whether training rows learn the labels of the folds, which `cv` asks for; other
    #: folds calibrate and compare.
    out_of_fold: bool
    #: Rows that pilots learn, and rows that choose among them: training and validation
    #: rows, or the first of the folds, on a small table all of them. Empty: pilots
    #: decide nothing.
    pilots: list[Split]
    #: The first of the hold-outs, which shows how far labels are memorised; None where
    #: it cannot, or where no label is learned.
    first: Split | None
    #: Rows of the student's fit, and rows that end it or decide on its tuning; only
    #: some candidates use them.
    validation: Split | None
    #: Whether the labels are to be calibrated on rows with out-of-fold labels.
    calibrate: bool
    #: Whether the pilots are those of a small table.
    small: bool
    #: Whether parameters say what is learned, and the pilot of the true labels only
    #: shows whether the teacher has an advantage over them.
    rates: bool
    #: Whether the pilot of an only candidate shows what the student loses of a class.
    shifts: bool
    #: Whether rows with out-of-fold labels weigh the members of the default teacher.
    weighs: bool
    plan: LabelPlan = LabelPlan()

    @property
    def chooses(self) -> bool:
        """Whether pilots decide what is learned."""
        return bool(self.pilots) and not (self.rates or self.shifts)

    @property
    def only_compares(self) -> bool:
        """Whether what is learned has no pilot, but the true labels have one."""
        return self.rates and not self.shifts

    @property
    def tries_one_set(self) -> bool:
        """Whether few rows, and labels, leave a network one transfer set and no pilot.

        The teacher stands for it: the student comes as near as few rows can tell.
        """
        return self.small and self.plan.limited

    def has_pilots(self, candidates: list[Any]) -> bool:
        """Whether any of the candidates is learned by a pilot."""
        return len(candidates) > 1 or self.shifts


@dataclass(frozen=True)
class _Uses:
    """What held-out rows are for, which is known before any is drawn."""

    #: Whether labels of a teacher may be learned; else there is nothing to judge.
    labels: bool
    #: Whether the table is small.
    few: bool
    #: Whether there are rows, and labels, enough to decide anything.
    enough: bool
    #: Whether they calibrate the labels.
    calibrate: bool
    #: Whether they choose what is learned.
    chooses: bool
    #: As in Splits.
    rates: bool
    #: As in Splits.
    shifts: bool

    @property
    def any(self) -> bool:
        """Whether rows are held out at all, where the user names none."""
        return self.labels and (self.calibrate or self.chooses or self.rates)

    @property
    def pilots(self) -> bool:
        """Whether pilots are held to them."""
        return self.chooses or self.rates or self.shifts


def draw_splits(estimator: Any, parts: Parts, data: Dataset) -> Splits:
    """Draw every hold-out of the fit.

    Raises
    ------
    ValueError
        A splitter that leaves rows without a label, a teacher that cannot be
        calibrated, or too few rows.
    """
    uses = _decide_uses(estimator, parts, data)
    cv = draw_cv(estimator, parts, data) if uses.labels else None
    hold_outs = _draw_hold_outs(estimator, parts, data, uses, cv)
    pilots = _take_pilots(estimator, data, uses, hold_outs)
    if data.validation is None:
        _warn_of_known_rows(parts, pilots)
        shows = uses.any and parts.refits and bool(hold_outs)
        shows = shows and _decides(hold_outs[0], data)
        folds = hold_outs
    else:
        shows, folds = uses.labels, cv or []
    small = uses.few and bool(pilots)
    lengths = small or (uses.chooses and not uses.few)
    own_vote = estimator.teacher is None and is_vote(parts.teacher)
    known = uses.labels and bool(folds or data.validation)
    return Splits(
        folds=folds,
        out_of_fold=cv is not None,
        pilots=pilots,
        first=hold_outs[0] if shows else None,
        validation=_draw_validation(estimator, parts, data, lengths),
        calibrate=uses.calibrate,
        small=small,
        rates=uses.rates and bool(pilots),
        shifts=uses.shifts and bool(pilots),
        weighs=own_vote and uses.enough and known,
    )


def _decide_uses(estimator: Any, parts: Parts, data: Dataset) -> _Uses:
    """Decide what held-out rows are for; warn where there are too few."""
    labels = _learns_labels(estimator, parts)
    few = len(data.distinct_codes) < PILOT_ROWS
    opens = _leaves_open(estimator, data, few)
    enough = _has_rows(data, few)
    if not enough and (opens or data.validation is not None):
        _warn_of_few_rows(data, few)
    enough = enough and _has_labels(estimator, data)
    calibrate = _decide_calibration(estimator, parts, data, enough) and labels
    if estimator.max_labels is not None:
        # No label is spent on rows that a fixed teacher may know.
        enough = enough and (parts.refits or data.validation is not None)
    chooses = enough and opens
    judges = enough and not opens and _may_harm(estimator, parts, data, calibrate)
    loses = calibrate and not (chooses or few) and _may_lose(parts, data)
    return _Uses(labels, few, enough, calibrate, chooses, rates=judges, shifts=loses)


def _draw_hold_outs(
    estimator: Any, parts: Parts, data: Dataset, uses: _Uses, cv: list[Split] | None
) -> list[Split]:
    """Draw the rows that are held out, where neither X_val nor `cv` says them."""
    if data.validation is not None:
        return [data.whole_split]
    if cv is not None:
        return cv
    if not uses.any:
        return []
    seed = parts.seeds.pilots
    if not uses.few:
        split = split_rows(data.codes, _PILOT_SHARE, seed, data.groups)
        return [split] if _decides(split, data) else []
    folds = draw_folds(data.codes, _N_FOLDS, seed, data.groups)
    filled = _fills_folds(data)[data.codes]
    if data.groups is not None:
        filled = (np.bincount(data.groups, ~filled) == 0)[data.groups]
    if filled.all() or estimator.calibrate is True:
        return folds
    # Too few rows of a class for the folds are learned in each of them.
    rows = np.arange(data.n_samples)
    held_out = [test[filled[test]] for _, test in folds]
    return [(np.setdiff1d(rows, test), test) for test in held_out]


def _take_pilots(
    estimator: Any, data: Dataset, uses: _Uses, hold_outs: list[Split]
) -> list[Split]:
    """Return the hold-outs of the pilots: those of a small table, else the first."""
    pilots = hold_outs if uses.few else hold_outs[:1]
    wanted = uses.pilots and estimator.pilot > 0
    return pilots if wanted and all(_decides(split, data) for split in pilots) else []


def _warn_of_few_rows(data: Dataset, few: bool) -> None:
    """Say that there are too few rows to judge the teacher."""
    rows, name = (data, "X") if data.validation is None else (data.validation, "X_val")
    kind = "rows" if rows.groups is None else "rows that are no copies of others"
    need = f"Pass at least {_FEWEST_ROWS}"
    if few and len(data.classes):
        need += f", with {_N_FOLDS} or more of two classes"
    warn_caller(
        f"{name} has {len(rows.distinct_codes)} {kind}, too few to judge the teacher: "
        "what the student learns is not chosen, and labels are not calibrated. "
        f"{need}."
    )


def knows_rows(parts: Parts) -> bool:
    """Whether the teacher may have learned the rows of X that are held out."""
    return not parts.refits and parts.stored is None


def _warn_of_known_rows(parts: Parts, pilots: list[Split]) -> None:
    """Say that a fixed teacher is compared on rows that it knows."""
    if pilots and knows_rows(parts):
        warn_caller(
            "The teacher is fixed, and fit judges it by rows of X, whose labels it may "
            "have memorised. Pass X_val and y_val, rows that it was not fitted on, "
            "which then choose what the student learns, and calibrate."
        )


def _may_lose(parts: Parts, data: Dataset) -> bool:
    """Whether a student of a transfer set may lose a rare class, and be told so."""
    augmented = parts.sampler is not None
    rare = bool(data.task.rare.any())
    return rare and augmented and can_shift_logits(parts.student)


def _leaves_open(estimator: Any, data: Dataset, few: bool) -> bool:
    """Whether the parameters leave open whose labels, or which rows, are learned."""
    if not few:
        return estimator.augmenter == "auto"
    auto = estimator.augmenter == estimator.alpha == "auto"
    return auto and estimator.pilot > 0 and data.task.learns_labels


def _learns_labels(estimator: Any, parts: Parts) -> bool:
    """Whether parameters leave it to the student to learn labels of the teacher."""
    adds = parts.sampler is not None or parts.X_unlabeled is not None
    return bool(adds or estimator.alpha != 0)


def _may_harm(estimator: Any, parts: Parts, data: Dataset, calibrate: bool) -> bool:
    """Whether parameters say that labels are learned, and a pilot may judge them.

    No further teacher is fitted for it, except for values, which are never calibrated.
    """
    learns = _learns_labels(estimator, parts)
    known = calibrate or data.validation is not None or parts.stored is not None
    known = known or (parts.refits and not is_classifier(estimator))
    compared = data.task.learns_labels and blends_labels(parts.student)
    return bool(learns and known and compared and estimator.pilot > 0)


def _has_rows(data: Dataset, few: bool) -> bool:
    """Whether the rows that are held out, or all rows in folds, decide anything."""
    rows = data if data.validation is None else data.validation
    if data.validation is None and not few:
        return True
    codes = rows.distinct_codes
    if not few or not len(data.classes):
        return len(codes) >= _FEWEST_ROWS
    filled = _fills_folds(rows)
    return filled.sum() > 1 and filled[codes].sum() >= _FEWEST_ROWS


def _fills_folds(data: Dataset) -> Any:
    """Whether each class has a row for every fold; values are of one class."""
    counts = np.bincount(data.distinct_codes, minlength=len(data.classes))
    return counts >= _N_FOLDS


def limit_held_out(max_labels: int | None, n_rows: int) -> float:
    """Return how many of the held-out rows are labelled: none if they are few."""
    if max_labels is None:
        return n_rows
    most = int(_HELD_OUT_LABELS * max_labels)
    return min(n_rows, most) if most >= _FEWEST_ROWS else 0


def _has_labels(estimator: Any, data: Dataset) -> bool:
    """Whether enough of the held-out rows are labelled to decide anything."""
    rows = data if data.validation is None else data.validation
    labels = limit_held_out(estimator.max_labels, rows.n_samples)
    return estimator.max_labels is None or labels >= _FEWEST_ROWS


def _decide_calibration(
    estimator: Any, parts: Parts, data: Dataset, enough: bool
) -> bool:
    known = not parts.refits and data.validation is None
    if estimator.calibrate == "auto":
        return enough and not known
    if estimator.calibrate and known:
        raise ValueError(
            "calibrate=True needs a teacher that can be fitted without the rows it is "
            "calibrated on; received a frozen teacher or teacher_proba. Pass X_val and "
            "y_val, rows that the teacher was not fitted on; or calibrate it before, "
            'with CalibratedClassifierCV(method="temperature"), and leave calibrate at '
            '"auto".'
        )
    return estimator.calibrate


def _decides(split: Split, data: Dataset) -> bool:
    """Whether both sides have weight, and no row is on both."""
    weights = [data.take_labels(rows)[2] for rows in split]
    counted = all(weight is None or weight.any() for weight in weights)
    return counted and not np.intersect1d(*split).size


def _draw_validation(
    estimator: Any, parts: Parts, data: Dataset, lengths: bool
) -> Split | None:
    """Hold rows out for a student that stops early, or is tuned; validation rows serve.

    With `lengths` they are held out for a network as well that may turn out to learn
    the true labels, for as many epochs as they ask.
    """
    fraction = validation_fraction(parts.student, data.n_samples)
    if fraction is None:
        chooses = lengths or estimator.max_labels is not None
        chooses = chooses and can_choose_length(parts.student, data.distinct_codes)
        if not (estimator.fine_tune or chooses):
            return None
        fraction = VALIDATION_SHARE if estimator.fine_tune else LENGTH_SHARE
    if data.validation is not None:
        return data.whole_split
    return split_rows(data.codes, fraction, parts.seeds.split, data.groups)
