"""HistGradientBoostingClassifier on one row a sample.

The gradient of the log loss is p - q and its hessian p (1 - p) for any target q, and
both are what the weighted copies of a row sum to. A subclass that lives only during
`fit` gives soft targets to the stock booster; the result is moved to a stock object.
With two classes scikit-learn's own loss takes q as it is; with more it is given the
likeliest class, and `SoftLoss` adds the difference, which is 0 for hard labels. Bins,
leaf sizes, regularisation and rounds are those of the rows; memory is the hard fit's
and one more matrix of `n_samples` x `n_classes` numbers.

Early stopping follows the soft cross-entropy of the validation rows. Another
`scoring` needs labels and learns weighted copies, as do all students where a release
has moved what `_PRIVATE` lists: one copy a row and class, with `min_samples_leaf`
multiplied by `n_classes`. The trees are the same up to rounding:
scikit-learn keeps gradients in float32, and the border of a bin that falls exactly
between two rows can move by one. `n_classes` times the rows are binned and searched,
and above 200,000 copies the bins are those of a sample.

Source: Friedman, "Greedy function approximation: a gradient boosting machine",
Annals of Statistics 29 (2001), algorithm 6.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from .._soft_data import MaybeRows, SoftDataset
from ._soft_learner import (
    RATE_SHARE,
    ROUNDS_WORSE,
    SoftLearner,
    has_methods,
    move_state,
    refuse_fine_tuning,
)
from ._soft_loss import SoftLoss, encode_rows
from ._weighted_copies import expand_rows

#: The row count from which scikit-learn's histogram boosting stops early by itself.
_AUTO_ROWS = 10_000

#: Private methods of the stock class that the subclasses override.
_PRIVATE = {
    "_encode_y": ["self", "y"],
    "_encode_y_val": ["self", "y"],
    "_get_loss": ["self", "sample_weight"],
    "_preprocess_X": ["self", "X", "reset"],
    "_bin_data": ["self", "X", "sample_weight", "is_training_data"],
}


class HistLearner(SoftLearner):
    """The stock HistGradientBoostingClassifier: a subclass may change its loss."""

    worse = ROUNDS_WORSE

    def accepts(self, student: Any) -> bool:
        return type(student) is HistGradientBoostingClassifier

    def check_fine_tuning(self, student: Any) -> None:
        if not has_native_fit():
            refuse_fine_tuning(student, " in a scikit-learn whose rounds can't go on")

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        # Without a fraction scikit-learn follows the loss of the training rows.
        held_out = student.validation_fraction is not None
        return held_out and _stops_early(student, n_samples)

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        wish = student.early_stopping
        # "auto" would look at the number of copies, or of the rows left to train on.
        stops = validation is not None or (
            student.validation_fraction is None
            and _stops_early(student, rows.n_samples)
        )
        student.set_params(early_stopping=stops)
        if has_native_fit() and (student.scoring == "loss" or not stops):
            student = _fit_natively(student, rows, validation)
        else:
            student = _fit_on_copies(student, rows, validation)
        return student.set_params(early_stopping=wish)

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Return a copy with more rounds, at a tenth of the learning rate."""
        given = student.get_params(deep=False)
        slower = {
            "warm_start": True,
            "early_stopping": False,
            "learning_rate": RATE_SHARE * given["learning_rate"],
            "max_iter": student.n_iter_ + epochs,
        }
        tuned = copy.deepcopy(student).set_params(**slower)
        tuned = _fit_natively(tuned, rows, None, kind=_ContinuedHist)
        return tuned.set_params(**{name: given[name] for name in slower})


def has_native_fit() -> bool:
    """Whether this scikit-learn has the methods that the subclass overrides."""
    return has_methods(HistGradientBoostingClassifier, _PRIVATE)


def _stops_early(student: Any, n_samples: int) -> bool:
    if student.early_stopping == "auto":
        return n_samples > _AUTO_ROWS
    return bool(student.early_stopping)


class _SoftHist(HistGradientBoostingClassifier):
    """The stock booster with soft targets; lives only during `fit`."""

    _train: SoftDataset
    _validation: Any

    def _encode_y(self, y):
        # As many labels as classes would look like a regression problem.
        super()._encode_y(np.repeat(self._train.classes, 3))
        return encode_rows(self._train)

    def _encode_y_val(self, y):
        return encode_rows(self._validation, first=self._train.n_samples)

    def _get_loss(self, sample_weight):
        stock = super()._get_loss(sample_weight)
        if len(self._train.classes) == 2:
            return stock
        targets = self._train.targets
        if self._validation is not None:
            targets = np.vstack([targets, self._validation.targets])
        return SoftLoss(stock, targets)


class _ContinuedHist(_SoftHist):
    """Further rounds, perhaps on other rows: categories and bins stay as they are.

    A warm start would bin the new rows anew, and then read them with trees that
    were grown on the bins of the first fit.
    """

    @property
    def _bin_mapper(self):
        return vars(self)["_bin_mapper"]

    @_bin_mapper.setter
    def _bin_mapper(self, value):
        pass

    def _bin_data(self, X, sample_weight, is_training_data):
        return np.asfortranarray(super()._bin_data(X, sample_weight, False))

    def _preprocess_X(self, X, *, reset):
        X = super()._preprocess_X(X, reset=False)
        return (X, None) if reset else X


# Errors on parameters name the class that the user passed.
_SoftHist.__name__ = _ContinuedHist.__name__ = HistGradientBoostingClassifier.__name__


def _fit_natively(
    student: Any,
    train: SoftDataset,
    validation: MaybeRows,
    kind: type[_SoftHist] = _SoftHist,
) -> Any:
    soft: Any = kind()
    vars(soft).update(vars(student))
    soft._train, soft._validation = train, validation
    params = dict(train.params or {})
    if validation is not None:
        params |= {"X_val": validation.X, "y_val": validation.y}
        params["sample_weight_val"] = validation.weight
    soft.fit(train.X, train.y, sample_weight=train.weight, **params)
    move_state(soft, student, ["_train", "_validation"])
    student._loss = student._get_loss(sample_weight=train.weight)
    return student


def _fit_on_copies(student: Any, train: SoftDataset, validation: MaybeRows) -> Any:
    # A copy without weight still counts in scikit-learn's leaves.
    X, y, weight, params = expand_rows(train, least=0.0)
    if validation is not None:
        names = ("X_val", "y_val", "sample_weight_val")
        params |= dict(zip(names, expand_rows(validation)[:3], strict=True))
    leaf = student.min_samples_leaf
    student.set_params(min_samples_leaf=leaf * len(train.classes))
    student.fit(X, y, sample_weight=weight, **params)
    return student.set_params(min_samples_leaf=leaf)
