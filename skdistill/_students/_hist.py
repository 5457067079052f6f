"""HistGradientBoostingClassifier on one row a sample.

The gradient of the log loss is p - q and its hessian p (1 - p) for any target q, and
both are what the weighted copies of a row sum to. This file hands soft targets to the
stock booster by a subclass that lives only during `fit`; the result is moved to a
stock object. With two classes scikit-learn's own loss takes q as it is; with more it
is given the likeliest class, and `_SoftLoss` adds the difference, which is 0 for hard
labels. Bins, leaf sizes, regularisation and rounds are those of the rows; memory is
the hard fit's and one more matrix of `n_samples` x `n_classes` numbers.

Early stopping follows the soft cross-entropy of the validation rows. Another
`scoring` needs labels, and goes the public way, as does a scikit-learn that has
moved its internals: copies of each row, one a class, weighted by its target, with
`min_samples_leaf` multiplied by `n_classes`. The trees are the same up to rounding:
scikit-learn keeps gradients in float32, and the border of a bin that falls exactly
between two rows can move by one. `n_classes` times the rows are binned and searched,
and above 200,000 copies the bins are those of a sample.

Source: Friedman, "Greedy function approximation: a gradient boosting machine",
Annals of Statistics 29 (2001), algorithm 6.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from .._soft_data import SoftDataset
from ._expansion import expand_rows
from ._tuning import SMALL_STEP, refuse_tuning

#: The row count from which scikit-learn's histogram boosting stops early by itself.
_AUTO_ROWS = 10_000

_INTERNALS = {
    "_encode_y": ["self", "y"],
    "_encode_y_val": ["self", "y"],
    "_get_loss": ["self", "sample_weight"],
    "_preprocess_X": ["self", "X", "reset"],
    "_bin_data": ["self", "X", "sample_weight", "is_training_data"],
}


def accepts(student: Any) -> bool:
    """Only the stock class: a subclass may have changed its loss."""
    return type(student) is HistGradientBoostingClassifier


def wants_validation(student: Any, n_samples: int) -> bool:
    """Whether the student stops early on held-out rows."""
    # Without a fraction scikit-learn follows the loss of the training rows.
    return _stops_early(student, n_samples) and student.validation_fraction is not None


def _stops_early(student: Any, n_samples: int) -> bool:
    if student.early_stopping == "auto":
        return n_samples > _AUTO_ROWS
    return bool(student.early_stopping)


def check_stopping(student: Any) -> None:
    """Nothing to say: both routes take validation rows."""


def rescales(student: Any, n_classes: int) -> bool:
    """Not done: scikit-learn keeps the logits in private tree nodes."""
    return False


def fold(student: Any, temperature: float) -> None:
    """Never called: `rescales` is False."""
    raise NotImplementedError


def check_fine_tuning(student: Any) -> None:
    """Raise where this scikit-learn's rounds can't be continued on soft targets."""
    if not has_native_route():
        refuse_tuning(student, " in a scikit-learn that can't continue on other rows")


def fit(student: Any, train: SoftDataset, validation: SoftDataset | None) -> Any:
    """Fit on soft targets, by the native route where it is available."""
    wish = student.early_stopping
    # "auto" would look at the number of copies, or of the rows left to train on.
    stops = validation is not None or (
        student.validation_fraction is None and _stops_early(student, train.n_samples)
    )
    student.set_params(early_stopping=stops)
    if has_native_route() and (student.scoring == "loss" or not stops):
        student = _fit_natively(student, train, validation)
    else:
        student = _fit_on_copies(student, train, validation)
    return student.set_params(early_stopping=wish)


def tune(student: Any, data: SoftDataset, passes: int) -> Any:
    """Return a copy with `passes` more rounds at a tenth of the learning rate."""
    given = student.get_params(deep=False)
    slower = {
        "warm_start": True,
        "early_stopping": False,
        "learning_rate": SMALL_STEP * given["learning_rate"],
        "max_iter": student.n_iter_ + passes,
    }
    tuned = copy.deepcopy(student).set_params(**slower)
    tuned = _fit_natively(tuned, data, None, kind=_ContinuedHist)
    return tuned.set_params(**{name: given[name] for name in slower})


def has_native_route() -> bool:
    """Whether this scikit-learn has the internals that the native route uses."""
    for name, expected in _INTERNALS.items():
        method = getattr(HistGradientBoostingClassifier, name, None)
        if method is None:
            return False
        if list(inspect.signature(method).parameters) != expected:
            return False
    return True


class _SoftLoss:
    """A multinomial loss whose `y_true` are row numbers of a target matrix.

    With q the target and t its likeliest class, -q·log p is -log p_t plus the inner
    product of e_t - q with the logits: scikit-learn's loss, and a linear term.
    """

    def __init__(self, stock: Any, targets: NDArray[np.float64]) -> None:
        self._stock = stock
        self._targets = targets
        self._top = targets.argmax(axis=1).astype(np.float64)
        self._excess = np.asfortranarray(-targets)
        self._excess[np.arange(len(targets)), targets.argmax(axis=1)] += 1.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stock, name)

    def __call__(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, n_threads=1
    ) -> float:
        rows = y_true.astype(np.intp)
        per_row = self._stock.loss(
            y_true=self._top[rows], raw_prediction=raw_prediction, n_threads=n_threads
        )
        per_row += (self._excess[rows] * raw_prediction).sum(axis=1)
        return np.average(per_row, weights=sample_weight)

    def gradient_hessian(
        self,
        y_true: Any,
        raw_prediction: Any,
        sample_weight: Any = None,
        gradient_out: Any = None,
        hessian_out: Any = None,
        n_threads: int = 1,
    ) -> tuple[Any, Any]:
        rows = y_true.astype(np.intp)
        gradient, hessian = self._stock.gradient_hessian(
            y_true=self._top[rows],
            raw_prediction=raw_prediction,
            sample_weight=sample_weight,
            gradient_out=gradient_out,
            hessian_out=hessian_out,
            n_threads=n_threads,
        )
        # By columns: a second matrix of gradients would be held in memory.
        for k in range(gradient.shape[1]):
            column = self._excess[rows, k]
            gradient[:, k] += (
                column if sample_weight is None else column * sample_weight
            )
        return gradient, hessian

    def fit_intercept_only(self, y_true: Any, sample_weight: Any = None) -> Any:
        """Scikit-learn's rule, on mean targets instead of class frequencies."""
        targets = self._targets[y_true.astype(np.intp)]
        # By columns, as scikit-learn sums, so that hard labels give the same bits.
        means = [np.average(column, weights=sample_weight) for column in targets.T]
        eps = np.finfo(np.float64).eps
        mean = np.clip(means, eps, 1 - eps)
        return self._stock.link.link(mean[None, :]).reshape(-1)


class _SoftHist(HistGradientBoostingClassifier):
    """The stock booster with soft targets; lives only during `fit`."""

    _train: SoftDataset
    _validation: Any

    def _encode_y(self, y):
        # As many labels as classes would look like a regression problem.
        super()._encode_y(np.repeat(self._train.classes, 3))
        if len(self._train.classes) == 2:
            return np.ascontiguousarray(self._train.targets[:, 1])
        return np.arange(self._train.n_samples, dtype=np.float64)

    def _encode_y_val(self, y):
        if len(self._train.classes) == 2:
            return np.ascontiguousarray(self._validation.targets[:, 1])
        first = self._train.n_samples
        return np.arange(first, first + self._validation.n_samples, dtype=np.float64)

    def _get_loss(self, sample_weight):
        stock = super()._get_loss(sample_weight)
        if len(self._train.classes) == 2:
            return stock
        targets = self._train.targets
        if self._validation is not None:
            targets = np.vstack([targets, self._validation.targets])
        return _SoftLoss(stock, targets)


class _ContinuedHist(_SoftHist):
    """Further rounds, perhaps on other rows: categories and bins stay as they are.

    A warm start would bin the new rows anew, and then read them with trees that
    know the bins of the first fit.
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
    validation: SoftDataset | None,
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
    state = vars(soft)
    del state["_train"], state["_validation"]
    vars(student).update(state)
    student._loss = student._get_loss(sample_weight=train.weight)
    return student


def _fit_on_copies(
    student: Any, train: SoftDataset, validation: SoftDataset | None
) -> Any:
    # A copy without weight still counts in scikit-learn's leaves.
    X, y, weight, params = expand_rows(train, least=0.0)
    if validation is not None:
        names = ("X_val", "y_val", "sample_weight_val")
        params |= dict(zip(names, expand_rows(validation)[:3], strict=True))
    leaf = student.min_samples_leaf
    student.set_params(min_samples_leaf=leaf * len(train.classes))
    student.fit(X, y, sample_weight=weight, **params)
    return student.set_params(min_samples_leaf=leaf)
