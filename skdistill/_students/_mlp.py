"""MLPClassifier on one row a sample.

The network's loss and gradient (`activation - y`) hold for any probabilities, but
`MLPClassifier` casts its targets to bool in `_validate_input`. A subclass gives float
targets to the stock optimiser, and the result is moved to a stock `MLPClassifier`.
Where a release has moved what `_PRIVATE` lists, weighted copies learn the same targets
at more rows.

The mixture of two temperatures has another gradient g. The stock optimiser takes the
difference of probabilities and targets: it is given the targets that make it g.
"""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import validate_data

from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from ._fine_tuning import RATE_SHARE, refuse_fine_tuning, run_epochs
from ._mixture import Mixture
from ._soft_learner import NETWORK_TEMPERATURE, SoftLearner, has_methods, move_state
from ._weighted_copies import COPIES

#: Private methods of MLPClassifier that the subclass overrides, with their parameters.
#: It also reads `_optimizer`, `_no_improvement_count`, `_best_coefs` and
#: `_best_intercepts`, and sets `_label_binarizer`.
_PRIVATE = {
    "_validate_input": ["self", "X", "y", "incremental", "reset"],
    "_update_no_improvement_count": ["self", "early_stopping", "X", "y"],
    "_forward_pass": ["self", "activations"],
    "_backprop": ["self", "X", "y", "sample_weight", "activations"],
}

#: How long a network learns from a transfer set, if `max_iter` allows: this many
#: epochs, and on small sets this many updates.
MIN_EPOCHS = 20
MIN_UPDATES = 20_000

#: The learning rate at which a network begins on a transfer set, relative to
#: `learning_rate_init` and at most; it falls to 0 along half a cosine. The targets are
#: smooth and the fit is long: high rates first and low ones last learn them better than
#: a constant rate.
RATE_RATIO = 4.0
MAX_RATE = 4e-3


class MLPLearner(SoftLearner):
    """The stock MLPClassifier: a subclass may have changed its loss."""

    auto_temperature = NETWORK_TEMPERATURE

    def accepts(self, student: Any) -> bool:
        return type(student) is MLPClassifier

    def check_fine_tuning(self, student: MLPClassifier) -> None:
        if student.solver == "lbfgs":
            refuse_fine_tuning(student, " with solver='lbfgs'")

    def wants_validation(self, student: MLPClassifier, n_samples: int) -> bool:
        # L-BFGS ignores the wish.
        return student.early_stopping and student.solver != "lbfgs"

    def can_scale_logits(self, student: MLPClassifier, n_classes: int) -> bool:
        return True

    def learns_mixtures(self, student: MLPClassifier) -> bool:
        return has_native_fit()

    def learns_in_epochs(self, student: MLPClassifier) -> bool:
        return student.solver != "lbfgs"

    def epochs_parameter(self, student: MLPClassifier) -> str | None:
        return "max_iter" if student.solver != "lbfgs" else None

    def count_epochs(self, student: MLPClassifier, n_rows: int) -> int | None:
        if student.solver == "lbfgs":
            return None
        return min(student.max_iter, count_epochs(student, n_rows))

    def fit(
        self,
        student: MLPClassifier,
        train: SoftDataset,
        transfer: SoftDataset | None = None,
        validation: SoftDataset | None = None,
    ) -> MLPClassifier:
        """Fit with a falling learning rate where there is a transfer set."""
        rows = train.join(transfer)
        if transfer is None or student.solver == "lbfgs" or not has_native_fit():
            return self.fit_rows(student, rows, validation)
        return _fit_natively(student, rows, validation, falls=True)

    def fit_chunks(
        self,
        student: MLPClassifier,
        spill: Spill,
        validation: SoftDataset | None = None,
    ) -> MLPClassifier:
        """Fit in epochs over buffers; L-BFGS has no epochs."""
        if student.solver == "lbfgs" or not has_native_fit():
            return super().fit_chunks(student, spill, validation)
        from ._mlp_chunks import fit_chunks

        return fit_chunks(student, spill, validation)

    def fit_rows(
        self,
        student: MLPClassifier,
        rows: SoftDataset,
        validation: SoftDataset | None,
    ) -> MLPClassifier:
        if has_native_fit():
            return _fit_natively(student, rows, validation, falls=False)
        return COPIES.fit_rows(student, rows, validation)

    def scale_logits(self, student: MLPClassifier, factor: float) -> None:
        student.coefs_[-1] = student.coefs_[-1] * factor
        student.intercepts_[-1] = student.intercepts_[-1] * factor

    def fine_tune(
        self, student: MLPClassifier, rows: SoftDataset, epochs: int
    ) -> MLPClassifier:
        """Train on at a tenth of `learning_rate_init`, with a new optimiser state."""
        tuned = copy.deepcopy(student)
        # Its moments belong to the soft targets. Nor is it kept: it holds the small
        # learning rate.
        vars(tuned).pop("_optimizer", None)
        # Early stopping leaves None, which partial_fit cannot compare with.
        best, tuned.best_loss_ = tuned.best_loss_, np.inf
        rate = {"learning_rate_init": RATE_SHARE * student.learning_rate_init}
        run_epochs(tuned, rows, epochs, rate)
        vars(tuned).pop("_optimizer")
        if best is None:
            tuned.best_loss_ = None
        return tuned


def has_native_fit() -> bool:
    """Whether this scikit-learn has the methods that the subclass overrides."""
    return has_methods(MLPClassifier, _PRIVATE)


class SoftMLP(MLPClassifier):
    """MLPClassifier whose targets stay floats; lives only during `fit`."""

    # Set by the stock class, outside of its __init__.
    validation_scores_: list[float] | None
    best_validation_score_: float
    _highest_rate: float | None
    _mixture: Mixture | None
    #: What `_backprop` leaves for `_forward_pass`, and what that leaves for it.
    _batch: Any = None
    _excess: Any

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
        targets = train.targets[:, 1:] if len(train.classes) == 2 else train.targets
        self._mixture = Mixture.of(train)
        if self._mixture is None:
            return X, targets.astype(X.dtype, copy=False)
        # Batches of row numbers, by which `_backprop` finds the rest.
        return X, np.broadcast_to(np.arange(len(targets))[:, None], targets.shape)

    def _backprop(self, X, y, sample_weight, activations, *buffers):
        if self._mixture is None:
            return super()._backprop(X, y, sample_weight, activations, *buffers)
        targets = np.empty(y.shape, X.dtype)
        self._batch = (self._mixture.take(y[:, 0]), targets, sample_weight)
        loss, *gradients = super()._backprop(
            X, targets, sample_weight, activations, *buffers
        )
        self._batch = None
        return loss + self._excess, *gradients

    def _forward_pass(self, activations):
        activations = super()._forward_pass(activations)
        if self._batch is not None:
            mixture, targets, weight = self._batch
            proba = activations[-1]
            # As the stock loss has them.
            eps = np.finfo(proba.dtype).eps
            clipped = np.clip(_complete(proba), eps, 1 - eps)
            logits = np.log(clipped)
            gradient = mixture.differentiate(logits)[0]
            targets[:] = proba - gradient[:, -proba.shape[1] :]
            losses = mixture.losses(logits) + (_complete(targets) * logits).sum(axis=1)
            self._excess = np.average(losses, weights=weight)
        return activations

    def _update_no_improvement_count(self, early_stopping, X, y, sample_weight=None):
        """Called after each epoch."""
        if self._validation is None:
            super()._update_no_improvement_count(early_stopping, X, y, sample_weight)
        else:
            self._count_validation(self._validation)
        if self._highest_rate is not None:
            falls = 0.5 * (1 + math.cos(math.pi * self.n_iter_ / self.max_iter))
            self._optimizer.learning_rate_init = self._highest_rate * falls
            # The last epochs, at low rates, must not be cut off.
            self._no_improvement_count = 0

    def _count_validation(self, validation):
        """Scikit-learn's rule, on the negative soft cross-entropy."""
        if self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        score = -validation.measure(self.predict_proba(validation.X))
        self.validation_scores_.append(score)
        if score < self.best_validation_score_ + self.tol:
            self._no_improvement_count += 1
        else:
            self._no_improvement_count = 0
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            self._best_coefs = [c.copy() for c in self.coefs_]
            self._best_intercepts = [i.copy() for i in self.intercepts_]


def _complete(second: Any) -> Any:
    """Return a column a class: a network has one output for two classes."""
    return np.hstack([1 - second, second]) if second.shape[1] == 1 else second


def _fit_natively(
    student: MLPClassifier,
    rows: SoftDataset,
    validation: SoftDataset | None,
    falls: bool,
) -> MLPClassifier:
    """Fit float targets, at a learning rate that falls over the epochs or does not."""
    given = student.get_params()
    soft = SoftMLP(**given)
    # The stock split would be stratified on floats and scored by accuracy.
    soft.early_stopping = False
    soft._highest_rate = None
    if falls:
        soft.max_iter = min(student.max_iter, count_epochs(student, rows.n_samples))
        soft._highest_rate = find_highest_rate(student)
    if soft._highest_rate is not None:
        soft.learning_rate_init = soft._highest_rate
    soft._train, soft._validation = rows, validation
    with warnings.catch_warnings():
        if soft.max_iter < student.max_iter:
            # The end that we set is no failure of the user's settings.
            warnings.simplefilter("ignore", ConvergenceWarning)
        soft.fit(rows.X, rows.y, sample_weight=rows.weight)
    return move_to_stock(soft, student, given)


def move_to_stock(
    soft: SoftMLP, student: MLPClassifier, given: dict[str, Any]
) -> MLPClassifier:
    """Move what was learned to the student, as of its best epoch if that is known."""
    if soft._validation is not None:
        soft.coefs_, soft.intercepts_ = soft._best_coefs, soft._best_intercepts
        # The stock class leaves None, with which partial_fit fails afterwards.
        soft.best_loss_ = np.inf
    if getattr(soft._train.X, "dtype", None) == np.float32:
        # L-BFGS hands back float64 whatever it was given.
        soft.coefs_ = [c.astype(np.float32, copy=False) for c in soft.coefs_]
        soft.intercepts_ = [i.astype(np.float32, copy=False) for i in soft.intercepts_]
    if soft._highest_rate is not None:
        # For whoever goes on by partial_fit.
        soft._optimizer.learning_rate_init = student.learning_rate_init
    own = {"_train", "_validation", "_highest_rate", "_ends_epoch", *given}
    own |= {"_mixture", "_batch", "_excess"}
    return move_state(soft, student, own)


def find_highest_rate(student: MLPClassifier) -> float | None:
    """Return the learning rate from which epochs on a transfer set fall, if they do."""
    if student.solver != "adam":
        return None
    given = student.learning_rate_init
    return max(given, min(RATE_RATIO * given, MAX_RATE))


def count_epochs(student: MLPClassifier, n_rows: int) -> int:
    """Return the most epochs over a transfer set.

    It has many times the training rows: `max_iter` epochs would cost many times the
    updates without need.
    """
    batch = min(200 if student.batch_size == "auto" else student.batch_size, n_rows)
    return max(MIN_EPOCHS, math.ceil(MIN_UPDATES * batch / n_rows))
