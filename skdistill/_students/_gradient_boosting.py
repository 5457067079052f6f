"""GradientBoostingClassifier on one row a sample.

The gradient of the log loss is p - q for any target q, and the leaf values depend on
it and on p alone: both are what the weighted copies of a row sum to. A subclass that
lives only during `fit` gives soft targets to the stock `fit`, and the result is moved
to a stock object. The trees are those of the weighted copies; only `min_samples_split`,
`min_samples_leaf` and `subsample` count rows in place of copies.

Early stopping follows scikit-learn's rule, on the soft cross-entropy of the validation
rows. Weighted copies learn what is left: the exponential loss, an `init` estimator,
`fit`'s metadata, and all students where a release has moved what `_PRIVATE` lists.

Source: Friedman, "Greedy function approximation: a gradient boosting machine",
Annals of Statistics 29 (2001), algorithm 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier

from .._frames import count_columns
from .._soft_data import MaybeRows, SoftDataset
from .._typing import FloatArray
from ._soft_learner import ROUNDS_WORSE, SoftLearner, has_methods, move_state
from ._soft_loss import SoftLoss, encode_rows
from ._weighted_copies import COPIES

#: Private methods of the stock class that the subclass overrides. It also relies on
#: `_fit_stages` to read the targets of class k, and only those, by `y == k`.
_PRIVATE = {
    "_encode_y": ["self", "y", "sample_weight"],
    "_get_loss": ["self", "sample_weight"],
    "_init_state": ["self"],
    "_fit_stages": ["self", "X", "y", "raw_predictions", "sample_weight"],
}


class GradientBoostingLearner(SoftLearner):
    """The stock GradientBoostingClassifier: a subclass may change its loss."""

    worse = ROUNDS_WORSE

    def accepts(self, student: Any) -> bool:
        return type(student) is GradientBoostingClassifier

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        if not _is_native(student):
            COPIES.check(student, n_classes, n_samples)

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        return student.n_iter_no_change is not None

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        if rows.params or not _is_native(student):
            return COPIES.fit_rows(student, rows, validation)
        return _fit_natively(student, rows, validation)


def _is_native(student: Any) -> bool:
    """Whether the student's settings have an exact form on soft targets."""
    plain = student.loss == "log_loss" and student.init in (None, "zero")
    return plain and has_methods(GradientBoostingClassifier, _PRIVATE)


def _fit_natively(student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
    soft: Any = _SoftBoosting(**student.get_params(deep=False))
    soft.set_params(n_iter_no_change=None)
    soft._train = rows
    monitor = None if validation is None else _Stopper(student, validation)
    soft.fit(rows.X, rows.y, sample_weight=rows.weight, monitor=monitor)
    move_state(soft, student, ["_train", "n_iter_no_change"])
    if student.init is None:
        student.init_ = move_state(soft.init_, DummyClassifier())
    student._loss = student._get_loss(sample_weight=rows.weight)
    return student


class _SoftBoosting(GradientBoostingClassifier):
    """The stock class with soft targets; lives only during `fit`.

    Two classes: its loss takes the targets as they are. More: `SoftLoss` takes row
    numbers in their place.
    """

    _train: SoftDataset

    def _encode_y(self, y, sample_weight):
        # Repeated, because one row a class would look like a regression.
        super()._encode_y(np.repeat(self._train.classes, 3), None)
        return encode_rows(self._train)

    def _get_loss(self, sample_weight):
        stock = super()._get_loss(sample_weight)
        if len(self._train.classes) == 2:
            return stock
        # A loss of the stock class, by which leaf values are chosen.
        kind = type("SoftLoss", (SoftLoss, type(stock)), {})
        return kind(stock, self._train.targets)

    def _init_state(self):
        super()._init_state()
        if self.init is None:
            self.init_ = _fit_prior(self._train)

    def _fit_stages(self, X, y, *args, **kwargs):
        if len(self._train.classes) > 2:
            y = y.view(_RowNumbers)
            y.targets = self._train.targets
        return super()._fit_stages(X, y, *args, **kwargs)


# Errors on parameters name the class that the user passed.
_SoftBoosting.__name__ = GradientBoostingClassifier.__name__


class _RowNumbers(np.ndarray):
    """Numbers of all rows, whose comparison with a class gives the class's targets."""

    targets: FloatArray

    def __eq__(self, k: Any) -> Any:
        return self.targets[:, k]

    __hash__ = None


class _Prior(DummyClassifier):
    """Mean targets, which the stock `fit` leaves as they are."""

    def fit(self, X, y, sample_weight=None):
        return self


def _fit_prior(rows: SoftDataset) -> _Prior:
    n_classes, n_columns = len(rows.classes), count_columns(rows.X)
    mean = np.average(rows.targets, axis=0, weights=rows.weight)
    prior = DummyClassifier(strategy="prior")
    prior.fit(np.zeros((n_classes, n_columns)), np.arange(float(n_classes)), mean)
    return move_state(prior, _Prior())


class _Stopper:
    """Monitor that ends boosting by scikit-learn's rule, on validation rows."""

    def __init__(self, student: Any, validation: SoftDataset) -> None:
        self._validation, self._tol = validation, student.tol
        self._history = np.full(student.n_iter_no_change, np.inf)
        # scikit-learn counts the deviance of two classes, twice the log loss.
        self._factor = 2 if len(validation.classes) == 2 else 1
        self._staged: Any = None

    def __call__(self, i: int, boosting: Any, variables: dict[str, Any]) -> bool:
        data = self._validation
        if self._staged is None:
            self._staged = boosting.staged_predict_proba(data.X)
        loss = self._factor * data.measure(next(self._staged))
        if not (loss + self._tol < self._history).any():
            return True
        self._history[i % len(self._history)] = loss
        return False
