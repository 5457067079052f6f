"""SGDClassifier(loss="log_loss") on one row a sample.

The stock class learns one binary problem a class; its loss takes any target in [0, 1],
so the updates are scikit-learn's own, as many as on hard labels. Where a release has
moved `_make_validation_score_cb`, in which a subclass sets the targets, weighted copies
learn the same targets at more rows and as many more updates.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.linear_model import SGDClassifier
from sklearn.utils import check_random_state

from .._outofcore._spill import Spill
from .._soft_data import MaybeRows, SoftDataset
from ._soft_learner import EPOCHS_WORSE, RATE_SHARE, SoftLearner, move_state
from ._weighted_copies import COPIES, keep_best_epoch


class SGDLearner(SoftLearner):
    """The stock SGDClassifier with a logistic loss."""

    worse = EPOCHS_WORSE

    def accepts(self, student: Any) -> bool:
        return type(student) is SGDClassifier and student.loss == "log_loss"

    def check_fine_tuning(self, student: Any) -> None:
        """Every SGDClassifier can train on."""

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        return student.early_stopping

    def can_scale_logits(self, student: Any, n_classes: int) -> bool:
        # One sigmoid a class against the rest is no softmax.
        return n_classes == 2

    def fit_chunks(self, student: Any, spill: Spill, validation: MaybeRows) -> Any:
        """Fit in epochs over buffers.

        Averaged SGD is given all rows, because the average of `partial_fit` is not
        that of `fit`.
        """
        if student.average or spill.params or not has_native_fit():
            return super().fit_chunks(student, spill, validation)
        return _fit_chunks(student, spill, validation)

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        # Labels that run through the classes must name each of them.
        few = rows.n_samples < len(rows.classes)
        if few or rows.params or not has_native_fit():
            return COPIES.fit_rows(student, rows, validation)
        return _fit_natively(student, rows, validation)

    def scale_logits(self, student: Any, factor: float) -> None:
        student.coef_ = student.coef_ * factor
        student.intercept_ = student.intercept_ * factor
        _restart_averages(student)

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Train on at a constant rate, a tenth of what the schedule has come to."""
        # partial_fit refuses early_stopping, and with an integer seed it would shuffle
        # every epoch alike.
        changed = {
            "learning_rate": "constant",
            "eta0": RATE_SHARE * _current_rate(student),
            "average": False,
            "early_stopping": False,
            "random_state": check_random_state(student.random_state),
        }
        kept = {name: getattr(student, name) for name in changed}
        tuned = copy.deepcopy(student).set_params(**changed)
        labels = rows.classes[np.argmax(rows.targets, axis=1)]
        for _ in range(epochs):
            tuned.partial_fit(rows.X, labels, sample_weight=rows.weight)
        tuned.set_params(**kept)
        _restart_averages(tuned)
        return tuned


class _SoftSGD(SGDClassifier):
    """SGDClassifier whose targets are floats; lives only during `fit`.

    `SGDClassifier` makes a vector of zeros and ones for each class, hands it to its
    sampler and asks for a scorer, with the same vector, before the first update. The
    targets are written over it at that moment.
    """

    def _make_validation_score_cb(
        self, validation_mask, X, y, sample_weight, classes=None
    ):
        # The labels run through the classes in order, so the first row of a class
        # has the number of the class.
        y[:] = self._targets[:, int(y.argmax())]


@cache
def has_native_fit() -> bool:
    """Whether this scikit-learn learns float targets in the way `_SoftSGD` expects.

    Two updates of the intercept at a rate of 1 have a closed form.
    """
    sgd = _SoftSGD(loss="log_loss", learning_rate="constant", eta0=1.0, shuffle=False)
    sgd._targets = np.array([[0.75, 0.25], [0.4, 0.6]])
    try:
        sgd.partial_fit(np.zeros((2, 1)), [0, 1], classes=[0, 1])
    except Exception:
        # Whatever a release changes, weighted copies learn the same targets.
        return False
    first = 0.25 - 0.5
    return bool(np.allclose(sgd.intercept_, first + 0.6 - expit(first)))


def _fit_natively(student: Any, train: SoftDataset, validation: MaybeRows) -> Any:
    soft = _SoftSGD(**student.get_params())
    soft._targets = train.targets
    labels = np.resize(train.classes, train.n_samples)
    if validation is None:
        soft.fit(train.X, labels, sample_weight=train.weight)
    else:

        def run_epoch(soft: _SoftSGD) -> None:
            soft.partial_fit(train.X, labels, train.classes, train.weight)

        soft = keep_best_epoch(soft, run_epoch, validation)
    return move_state(soft, student, ["_targets"])


def _fit_chunks(student: Any, spill: Spill, validation: MaybeRows) -> Any:
    rng = check_random_state(student.random_state)
    soft = _SoftSGD(**student.get_params()).set_params(random_state=rng)

    def run_epoch(soft: _SoftSGD) -> float | None:
        losses, counts = [], []
        for data in spill.shuffle(rng if soft.shuffle else None):
            if hasattr(soft, "coef_"):
                losses.append(_sigmoid_loss(soft, data))
                counts.append(data.n_samples)
            soft._targets = data.targets
            labels = np.resize(data.classes, data.n_samples)
            soft.partial_fit(data.X, labels, data.classes, data.weight)
        if soft.tol is None:
            # scikit-learn makes every epoch.
            return None
        return float(np.average(losses, weights=counts)) if losses else np.inf

    soft = keep_best_epoch(soft, run_epoch, validation)
    soft.set_params(random_state=student.random_state)
    return move_state(soft, student, ["_targets"])


def _sigmoid_loss(sgd: Any, data: SoftDataset) -> float:
    """Return the mean loss over the classes, each against the rest.

    SGD ends its epochs by this loss of rows that are about to be learned.
    """
    raw = sgd.decision_function(data.X).reshape(data.n_samples, -1)
    targets = data.targets[:, 1:] if raw.shape[1] == 1 else data.targets
    losses = (np.logaddexp(0, raw) - targets * raw).mean(axis=1)
    return float(np.average(losses, weights=data.weight))


def _current_rate(student: Any) -> float:
    """The learning rate of the next update, by scikit-learn's schedules.

    "adaptive" does not record how often it has lowered its rate: eta0 stands for it.
    """
    if student.learning_rate == "optimal":
        return 1 / (student.alpha * (student.alpha**-0.75 + student.t_ - 1))
    if student.learning_rate == "invscaling":
        return student.eta0 / student.t_**student.power_t
    return student.eta0


def _restart_averages(student: Any) -> None:
    """Let averaged SGD go on, in `partial_fit`, from the weights that it serves."""
    if student.average:
        for kind in ("_standard", "_average"):
            setattr(student, f"{kind}_coef", student.coef_.copy())
            setattr(student, f"{kind}_intercept", student.intercept_.copy())
