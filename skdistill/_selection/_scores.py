"""The held-out rows, and how the teacher and the pilots do on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor

from .._dataset import Dataset
from .._labels._calibration import Calibration, fit_calibration, fit_shift
from .._labels._quantiles import QuantileRegression
from .._labels._soft_targets import clip_probabilities
from .._labels._task import Classification, Regression
from .._nested import last_step
from .._paired import paired_difference
from .._soft_data import as_columns
from .._students._properties import can_shift_logits, is_calibrated, weigh_served
from .._typing import FloatArray, IndexArray
from ._pilots import Pilot

#: Standard errors by which held-out rows must speak against what does no harm.
CERTAIN = 2

#: A fit is far worse than its pilot where its loss is higher by this share and by so
#: many nats, or this share of the variance. It has learned the rows that were held out
#: of the pilot: its loss was no higher in any of 35 ordinary fits of classes.
_WORSE, _WORSE_NATS, _WORSE_VARIANCE = 0.2, 0.05, 0.02


class Scores(ABC):
    """Held-out rows, and the losses of teacher and students on them.

    `y` and `weight` are those of the rows. The student is unfitted.
    """

    #: Whether the rows may overrule what does no harm.
    complete = True
    #: What the loss is called.
    loss_name: str
    #: What to train directly: it serves what the pilot of the true labels does that
    #: runs for as long as the student's own fit.
    alone: str = "the student alone"
    #: The best one answer for all rows, a number a column.
    _constant: FloatArray

    def __init__(self, data: Dataset, rows: IndexArray, student: Any) -> None:
        self._data, self._rows, self._student = data, rows, student
        self.y, self._codes, self.weight = data.take_labels(rows)
        self._groups = data.take_groups(rows)

    @property
    def varies(self) -> bool:
        """Whether the rows that count have more than one true label."""
        counted = self.y if self.weight is None else self.y[self.weight > 0]
        return bool((counted != counted[0]).any())

    # Losses of rows -------------------------------------------------------------------

    def rate(self, served: FloatArray) -> FloatArray:
        """Return the loss of each row."""
        return self._data.task.score(served, self.y)

    def rate_student(self, student: Any) -> FloatArray:
        X = self._data.take(self._rows).X
        return self.rate(self._data.task.serve(student, X))

    def average(self, values: FloatArray) -> float:
        return float(np.average(values, weights=self.weight))

    def compare(self, first: FloatArray, second: FloatArray) -> tuple[float, float]:
        """Return the mean difference and its standard error."""
        return paired_difference(first, second, self.weight, self._groups)

    def is_far_worse(self, losses: FloatArray, expected: FloatArray) -> bool:
        """Whether a student is far worse than its pilot, or than other models."""
        lead, error = self.compare(losses, expected)
        least = _WORSE * self.average(expected) + self._least_worse
        return lead > CERTAIN * error and lead > least

    def is_useless(self, losses: FloatArray) -> bool:
        """Whether one answer for all rows is better."""
        return self.average(losses) > self._constant_loss

    @cached_property
    def constant_losses(self) -> FloatArray:
        """The losses of the best one answer for all rows."""
        shape = len(self.y), len(self._constant)
        return self.rate(np.broadcast_to(self._constant, shape))

    @property
    def _constant_loss(self) -> float:
        return self.average(self.constant_losses)

    @property
    def _least_worse(self) -> float:
        return _WORSE_VARIANCE * self._constant_loss

    # Teacher and student --------------------------------------------------------------

    def read_teacher(
        self, labels: FloatArray, calibration: Calibration | None
    ) -> FloatArray:
        """Return the teacher's labels as the student is to serve them."""
        return labels

    def rate_advantage(self, teacher: FloatArray, direct: Pilot) -> int:
        """Say whether the teacher is better than a student of the true labels.

        Return 1 where it is by more than a standard error, 0 by less, else -1.
        """
        lead, error = self.find_lead(teacher, direct)
        if lead > error or self.is_more_accurate(teacher, direct):
            return 1
        return 0 if lead > 0 else -1

    def is_worse(self, teacher: FloatArray, direct: Pilot) -> bool:
        """Whether the teacher is certainly worse than a student of the true labels."""
        lead, error = self.find_lead(teacher, direct)
        return -lead > CERTAIN * error or self.is_less_accurate(teacher, direct)

    def is_more_accurate(self, teacher: FloatArray, direct: Pilot) -> bool:
        """Whether the teacher's accuracy is higher by more than a standard error."""
        return False

    def is_less_accurate(self, teacher: FloatArray, direct: Pilot) -> bool:
        """Whether the teacher's accuracy is certainly lower, whatever its loss is."""
        return False

    def find_lead(self, teacher: FloatArray, direct: Pilot) -> tuple[float, float]:
        """Return by how much the teacher's loss is lower, and the standard error."""
        losses = self._data.task.score(teacher, self.y)
        return self.compare(direct.losses, losses)

    def calibrate(self, pilot: Pilot, teacher: FloatArray) -> Calibration:
        """Return what calibrates the student, as its pilot shows."""
        return Calibration(1.0)

    # Figures --------------------------------------------------------------------------

    def report(self, pilot: Pilot) -> dict[str, Any]:
        """Return the figures of `pilots_`."""
        candidate = pilot.candidate
        settings = {"learns from": candidate.name, "alpha": candidate.alpha}
        return {**settings, **self.measure(pilot.served)}

    @abstractmethod
    def measure(self, served: FloatArray) -> dict[str, float]:
        """Return the mean figures of what is served."""

    @abstractmethod
    def describe(self, served: FloatArray) -> str:
        """Name those figures."""


class ValueScores(Scores):
    """Held-out rows of values."""

    loss_name = "squared error"

    def __init__(self, data: Dataset, rows: IndexArray, student: Any) -> None:
        super().__init__(data, rows, student)
        if isinstance(last_step(student), MLPRegressor):
            self.alone = (
                "the student alone, in a TransformedTargetRegressor with a "
                "StandardScaler"
            )
        self._constant = np.average(as_columns(self.y), axis=0, weights=self.weight)

    def measure(self, served: FloatArray) -> dict[str, float]:
        r2 = r2_score(as_columns(self.y), served, sample_weight=self.weight)
        return {"rmse": self.average(self.rate(served)) ** 0.5, "r2": float(r2)}

    def describe(self, served: FloatArray) -> str:
        figures = self.measure(served)
        return f"RMSE {figures['rmse']:.4g} and R² {figures['r2']:.4f}"


class QuantileScores(Scores):
    """Held-out rows of values of which quantiles are served."""

    loss_name = "pinball loss"

    def __init__(self, data: Dataset, rows: IndexArray, student: Any) -> None:
        super().__init__(data, rows, student)
        self._constant = np.quantile(
            self.y, data.task.quantiles, weights=self.weight, method="inverted_cdf"
        )

    def measure(self, served: FloatArray) -> dict[str, float]:
        return {"pinball": self.average(self.rate(served))}

    def describe(self, served: FloatArray) -> str:
        return f"pinball loss {self.measure(served)['pinball']:.4g}"


class ClassScores(Scores):
    """Held-out rows of classes.

    Where the student weighs classes, all are judged on what it is to serve: rows weigh
    w_y, and class k has w_k times its prior.
    """

    loss_name = "log loss"
    _least_worse = _WORSE_NATS

    def __init__(self, data: Dataset, rows: IndexArray, student: Any) -> None:
        super().__init__(data, rows, student)
        self._priors = data.task.priors
        self._factors = weigh_served(student, data.classes, self._priors)
        if self._factors is not None:
            own = 1.0 if self.weight is None else self.weight
            self.weight = self._factors[self._codes] * own
        self._constant = self._weigh(self._priors)
        # Rows that lack a class decide nothing.
        self.complete = len(np.unique(self._codes)) == len(data.classes)

    def rate(self, served: FloatArray) -> FloatArray:
        """Return the log loss of each row, none of the probabilities being 0."""
        own = served[np.arange(len(self.y)), self._codes].astype(np.float64)
        own = clip_probabilities(own, self._weigh(self._priors)[self._codes])
        return -np.log(np.maximum(own, np.finfo(np.float64).eps))

    def read_teacher(
        self, labels: FloatArray, calibration: Calibration | None
    ) -> FloatArray:
        proba = clip_probabilities(labels, self._priors)
        proba = self._weigh(proba if calibration is None else calibration.apply(proba))
        return proba.astype(labels.dtype, copy=False)

    def is_more_accurate(self, teacher: FloatArray, direct: Pilot) -> bool:
        gain, noise = self.compare(self._hit(teacher), self._hit(direct.served))
        return gain > noise

    def is_less_accurate(self, teacher: FloatArray, direct: Pilot) -> bool:
        """A tree's rows of probability 0 make any teacher better in log loss."""
        lost, noise = self.compare(self._hit(direct.served), self._hit(teacher))
        return lost > CERTAIN * noise

    def calibrate(self, pilot: Pilot, teacher: FloatArray) -> Calibration:
        """Return a scalar, and a shift of the rare classes.

        A student of few rounds needs the scalar: it is underconfident whatever its
        labels are. The shift is needed because a transfer set need not have the shares
        of rare classes, and a small student loses part of them. That part is the
        difference from the teacher's mean probability on held-out rows, which has no
        noise of labels.
        """
        proba = self._clip(pilot.served)
        scalar = Calibration(self._fit_scalar(pilot, proba))
        if not (pilot.candidate.augmented and can_shift_logits(self._student)):
            return scalar
        return replace(scalar, shift=self._find_lost(scalar.apply(proba), teacher))

    def _fit_scalar(self, pilot: Pilot, proba: FloatArray) -> float:
        """Return the scalar that divides the logits.

        It is 1 after a short pilot, where logits cannot be divided, and where it does
        not help by more than two standard errors.
        """
        divisible = is_calibrated(self._student, len(self._priors))
        if not (pilot.to_end and self.complete and divisible):
            return 1.0
        found = fit_calibration(proba, self._codes, self.weight)
        losses = self._data.task.score(found.apply(proba), self.y)
        lead, error = self.compare(pilot.losses, losses)
        return found.temperature if lead > CERTAIN * error else 1.0

    def _find_lost(self, proba: FloatArray, teacher: FloatArray) -> FloatArray | None:
        """Return the shift that gives rare classes the teacher's mean probabilities.

        None where no mean differs by more than two standard errors. Common classes keep
        their means: short pilots tell too little of them.
        """
        lost = np.zeros(len(self._priors))
        for k in np.flatnonzero(self._data.task.rare):
            lead, error = self.compare(teacher[:, k], proba[:, k])
            if abs(lead) > CERTAIN * error:
                lost[k] = lead
        if not lost.any():
            return None
        wanted = np.average(proba, axis=0, weights=self.weight) + lost
        return fit_shift(proba, wanted / wanted.sum(), self.weight)

    def report(self, pilot: Pilot) -> dict[str, Any]:
        return {**super().report(pilot), "temperature": pilot.candidate.temperature}

    def measure(self, served: FloatArray) -> dict[str, float]:
        losses = self._data.task.score(served, self.y)
        accuracy = self.average(self._hit(served))
        return {"log_loss": self.average(losses), "accuracy": accuracy}

    def describe(self, served: FloatArray) -> str:
        figures = self.measure(served)
        return (
            f"accuracy {figures['accuracy']:.4f} and log loss {figures['log_loss']:.4f}"
        )

    def _hit(self, served: FloatArray) -> FloatArray:
        return (served.argmax(axis=1) == self._codes).astype(np.float64)

    def _clip(self, served: FloatArray) -> FloatArray:
        """Return a student's probabilities, none of them 0."""
        return clip_probabilities(served, self._weigh(self._priors))

    def _weigh(self, proba: FloatArray) -> FloatArray:
        if self._factors is None:
            return proba
        weighed = proba * self._factors
        return weighed / weighed.sum(axis=-1, keepdims=True)


def make_scores(data: Dataset, rows: IndexArray, student: Any) -> Scores:
    """Return the held-out rows with the losses of their task."""
    kinds: dict[type, Callable[..., Scores]] = {
        Classification: ClassScores,
        Regression: ValueScores,
        QuantileRegression: QuantileScores,
    }
    return kinds[type(data.task)](data, rows, student)
