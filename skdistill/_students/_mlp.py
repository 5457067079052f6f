"""MLPClassifier on one row a sample.

The network's loss and gradient (`activation - y`) hold for any probabilities,
but `MLPClassifier` casts its targets to bool in `_validate_input`. This file is
the only one that touches scikit-learn's private side: a subclass hands float
targets to the stock optimiser, and the result is moved to a stock
`MLPClassifier`. Where a release has moved those internals, the public route
(weighted copies, `_expansion`) learns the same targets at more rows.
"""

from __future__ import annotations

import copy
import inspect
import math
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import validate_data

from .._labels._soft_targets import cross_entropy
from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from . import _expansion
from ._tuning import SMALL_STEP, refuse_tuning, run_passes

#: The parameter that counts passes over the rows.
PASSES = "max_iter"

#: How long a network learns from a transfer set, if `max_iter` allows: this many
#: passes, and on small sets this many updates.
MIN_PASSES = 20
MIN_UPDATES = 20_000

#: The step at which a network begins on a transfer set, relative to
#: `learning_rate_init` and at most; it falls to 0 along half a cosine. The lesson is
#: smooth and long: large steps first and small ones last learn it better than the same
#: step throughout.
STEP_RATIO = 4.0
MOST_STEP = 4e-3

_INTERNALS = {
    "_validate_input": ["self", "X", "y", "incremental", "reset"],
    "_update_no_improvement_count": ["self", "early_stopping", "X", "y"],
    "_initialize": ["self", "y", "layer_units", "dtype"],
}


def accepts(student: Any) -> bool:
    """Only the stock class: a subclass may have changed its loss."""
    return type(student) is MLPClassifier


def wants_validation(student: MLPClassifier, n_samples: int) -> bool:
    """Whether the student stops early; L-BFGS ignores the wish."""
    return student.early_stopping and student.solver != "lbfgs"


def check_stopping(student: MLPClassifier) -> None:
    """Nothing to say: both routes take validation rows."""


def rescales(student: MLPClassifier, n_classes: int) -> bool:
    """The last layer gives the logits, for any number of classes."""
    return True


def fold(student: MLPClassifier, temperature: float) -> None:
    """Multiply the logits by the temperature in the last layer."""
    student.coefs_[-1] = student.coefs_[-1] * temperature
    student.intercepts_[-1] = student.intercepts_[-1] * temperature


def fit(
    student: MLPClassifier, train: SoftDataset, validation: SoftDataset | None
) -> MLPClassifier:
    """Fit on float targets, by the native route where it is available."""
    return _fit_rows(student, train, validation, scheduled=False)


def fit_transfer(
    student: MLPClassifier,
    train: SoftDataset,
    transfer: SoftDataset,
    validation: SoftDataset | None,
) -> MLPClassifier:
    """Fit on training rows and a transfer set, at a falling learning rate."""
    return _fit_rows(student, train.join(transfer), validation, scheduled=True)


def _fit_rows(
    student: MLPClassifier,
    train: SoftDataset,
    validation: SoftDataset | None,
    scheduled: bool,
) -> MLPClassifier:
    if has_native_route():
        return _fit_natively(student, train, validation, scheduled)
    if validation is not None:
        return _expansion.fit_by_epochs(student, train, validation)
    X, y, weight, _ = _expansion.expand_rows(train)
    return student.fit(X, y, sample_weight=weight)


def fit_chunks(
    student: MLPClassifier, spill: Spill, validation: SoftDataset | None
) -> MLPClassifier:
    """Fit in passes over buffers; L-BFGS has no passes."""
    if student.solver == "lbfgs" or not has_native_route():
        return fit(student, spill.map(), validation)
    from ._mlp_chunks import learn_chunks

    return learn_chunks(student, spill, validation)


def has_native_route() -> bool:
    """Whether this scikit-learn has the internals that the native route uses."""
    for name, expected in _INTERNALS.items():
        method = getattr(MLPClassifier, name, None)
        if method is None:
            return False
        if list(inspect.signature(method).parameters)[: len(expected)] != expected:
            return False
    return True


def check_fine_tuning(student: MLPClassifier) -> None:
    """L-BFGS has no passes."""
    if student.solver == "lbfgs":
        refuse_tuning(student, " with solver='lbfgs'")


def tune(student: MLPClassifier, data: SoftDataset, passes: int) -> MLPClassifier:
    """Continue at a tenth of `learning_rate_init`, the optimiser starting afresh."""
    tuned = copy.deepcopy(student)
    # Its moments belong to the soft targets. Nor is it kept: it holds the small step.
    vars(tuned).pop("_optimizer", None)
    # Early stopping leaves None, which partial_fit cannot compare with.
    best, tuned.best_loss_ = tuned.best_loss_, np.inf
    step = {"learning_rate_init": SMALL_STEP * student.learning_rate_init}
    run_passes(tuned, data, passes, step)
    vars(tuned).pop("_optimizer")
    if best is None:
        tuned.best_loss_ = None
    return tuned


class SoftMLP(MLPClassifier):
    """MLPClassifier whose targets stay floats; lives only during `fit`."""

    # Set by the stock class, outside of its __init__.
    validation_scores_: list[float] | None
    best_validation_score_: float
    _highest_step: float | None

    def _validate_input(self, X, y, incremental, reset):
        X = validate_data(
            self,
            X,
            accept_sparse=["csr", "csc"],
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        train = self._train
        self._label_binarizer = LabelBinarizer().fit(train.classes)
        self.classes_ = self._label_binarizer.classes_
        targets = train.targets.astype(X.dtype, copy=False)
        return X, targets[:, 1:] if targets.shape[1] == 2 else targets

    def _update_no_improvement_count(self, early_stopping, X, y, sample_weight=None):
        """Called after each pass."""
        if self._validation is None:
            super()._update_no_improvement_count(early_stopping, X, y, sample_weight)
        else:
            self._count_validation(self._validation)
        if self._highest_step is not None:
            falls = 0.5 * (1 + math.cos(math.pi * self.n_iter_ / self.max_iter))
            self._optimizer.learning_rate_init = self._highest_step * falls
            # What is learned last, at small steps, is what counts.
            self._no_improvement_count = 0

    def _count_validation(self, validation):
        """Scikit-learn's rule, on the negative soft cross-entropy."""
        if self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        proba = self.predict_proba(validation.X)
        score = -cross_entropy(validation.targets, proba, validation.weight)
        self.validation_scores_.append(score)
        if score < self.best_validation_score_ + self.tol:
            self._no_improvement_count += 1
        else:
            self._no_improvement_count = 0
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            self._best_coefs = [c.copy() for c in self.coefs_]
            self._best_intercepts = [i.copy() for i in self.intercepts_]


def _fit_natively(
    student: MLPClassifier,
    train: SoftDataset,
    validation: SoftDataset | None,
    scheduled: bool,
) -> MLPClassifier:
    given = student.get_params()
    soft = SoftMLP(**given)
    # The stock split would be stratified on floats and scored by accuracy.
    soft.early_stopping = False
    soft._highest_step = None
    if scheduled and student.solver != "lbfgs":
        most = count_passes(student, train.n_samples)
        soft.max_iter = min(student.max_iter, most)
        soft._highest_step = find_highest_step(student)
    if soft._highest_step is not None:
        soft.learning_rate_init = soft._highest_step
    soft._train, soft._validation = train, validation
    with warnings.catch_warnings():
        if soft.max_iter < student.max_iter:
            # The end that we set is no failure of the user's settings.
            warnings.simplefilter("ignore", ConvergenceWarning)
        soft.fit(train.X, train.y, sample_weight=train.weight)
    return hand_over(soft, student, given)


def hand_over(
    soft: SoftMLP, student: MLPClassifier, given: dict[str, Any]
) -> MLPClassifier:
    """Move what was learned to the student, at its best pass where that is known."""
    if soft._validation is not None:
        soft.coefs_, soft.intercepts_ = soft._best_coefs, soft._best_intercepts
        # The stock class leaves None, with which partial_fit fails afterwards.
        soft.best_loss_ = np.inf
    if getattr(soft._train.X, "dtype", None) == np.float32:
        # L-BFGS hands back float64 whatever it was given.
        soft.coefs_ = [c.astype(np.float32, copy=False) for c in soft.coefs_]
        soft.intercepts_ = [i.astype(np.float32, copy=False) for i in soft.intercepts_]
    if soft._highest_step is not None:
        # For whoever goes on by partial_fit.
        soft._optimizer.learning_rate_init = student.learning_rate_init
    state = dict(vars(soft))
    for name in {"_train", "_validation", "_highest_step", "_ends_pass"} & set(state):
        del state[name]
    vars(student).update(state)
    return student.set_params(**given)


def find_highest_step(student: MLPClassifier) -> float | None:
    """The step that falls over the passes of a transfer set, if any does."""
    if student.solver != "adam":
        return None
    given = student.learning_rate_init
    return max(given, min(STEP_RATIO * given, MOST_STEP))


def count_passes(student: MLPClassifier, n_rows: int) -> int:
    """Most passes over a transfer set; over the user's own rows, `max_iter` decides.

    A transfer set has many times the rows, and as many passes over it would cost
    many times the updates without need.
    """
    batch = min(200 if student.batch_size == "auto" else student.batch_size, n_rows)
    return max(MIN_PASSES, math.ceil(MIN_UPDATES * batch / n_rows))
