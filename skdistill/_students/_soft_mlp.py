"""MLPClassifier whose targets stay floats, by scikit-learn's own optimiser."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import validate_data

from ._mixture import Mixture
from ._soft_learner import has_methods, move_state

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
