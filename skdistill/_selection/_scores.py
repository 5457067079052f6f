"""The held-out rows, and how the teacher and the pilots do on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .._dataset import Dataset
from .._labels._calibration import Calibration, fit_calibration, fit_shift
from .._labels._soft_targets import clip_probabilities
from .._labels._task import Classification
from .._paired import paired_difference
from .._students import can_shift_logits, is_calibrated, weigh_served
from .._typing import FloatArray, IndexArray
from ._pilots import Pilot

#: Standard errors by which held-out rows must speak against what does no harm.
CERTAIN = 2

#: A fit is far worse than its pilot where its log loss is higher by this share and so
#: many nats. It has learned the rows that were held out of the pilot, and none of 35
#: ordinary fits had a higher one.
_WORSE, _WORSE_NATS = 0.2, 0.05


class Scores:
    """Held-out rows of classes, and what students serve of them.

    Where the student weighs classes, all are judged on what it is to serve: rows weigh
    w_y, and class k has w_k times its prior.

    Parameters
    ----------
    data : Dataset
        Training rows, and validation rows if there are any.
    rows : ndarray of int
        Those that were held out.
    student : estimator
        Unfitted.
    """

    def __init__(self, data: Dataset, rows: IndexArray, student: Any) -> None:
        assert isinstance(data.task, Classification)
        self._data, self._rows, self._task = data, rows, data.task
        self._student, self._priors = student, data.task.priors
        self.y, self.codes, self.weight = data.take_labels(rows)
        self._factors = weigh_served(student, data.classes, self._priors)
        if self._factors is not None:
            self.weight = self._factors[self.codes] * (
                1.0 if self.weight is None else self.weight
            )
        #: Whether every class is among the rows; else they decide nothing.
        self.complete = len(np.unique(self.codes)) == len(data.classes)

    # Losses of rows -------------------------------------------------------------------

    def rate(self, served: FloatArray) -> FloatArray:
        """Return the log loss of each row, none of the probabilities being 0."""
        return self._task.score(self._clip(served), self.y)

    def rate_student(self, student: Any) -> FloatArray:
        return self.rate(self._task.serve(student, self._data.take(self._rows).X))

    def average(self, values: FloatArray) -> float:
        return float(np.average(values, weights=self.weight))

    def compare(self, first: FloatArray, second: FloatArray) -> tuple[float, float]:
        return paired_difference(first, second, self.weight)

    # The teacher ----------------------------------------------------------------------

    def read_teacher(
        self, said: FloatArray, calibration: Calibration | None
    ) -> FloatArray:
        """Return the teacher's probabilities as the student is to serve them."""
        proba = clip_probabilities(said, self._priors)
        return self._weigh(proba if calibration is None else calibration.apply(proba))

    def has_advantage(self, teacher: FloatArray, direct: Pilot) -> bool:
        """Whether the teacher is better than a student of the true labels.

        In log loss or accuracy, by more than a standard error.
        """
        losses = self._task.score(teacher, self.y)
        lead, error = self.compare(direct.losses, losses)
        gain, noise = self.compare(self._hit(teacher), self._hit(direct.served))
        return lead > error or gain > noise

    # The student ----------------------------------------------------------------------

    def calibrate(self, pilot: Pilot, teacher: FloatArray) -> Calibration:
        """Return what calibrates the student, as its pilot shows.

        A scalar, for a student of few rounds is underconfident whatever its labels are;
        and a shift of the rare classes. A transfer set need not have their shares, and
        a small student loses part of them: on held-out rows that is the difference from
        the teacher's mean probability, which has no noise of labels.
        """
        proba = self._clip(pilot.served)
        scalar = Calibration(self._fit_scalar(pilot, proba))
        if not (pilot.candidate.augmented and can_shift_logits(self._student)):
            return scalar
        return replace(scalar, shift=self._find_lost(scalar.apply(proba), teacher))

    def _fit_scalar(self, pilot: Pilot, proba: FloatArray) -> float:
        """Return the scalar that divides the logits.

        1 after a short pilot, where logits cannot be divided, or where the scalar does
        not help by more than two standard errors.
        """
        divisible = is_calibrated(self._student, len(self._priors))
        if not (pilot.to_end and self.complete and divisible):
            return 1.0
        found = fit_calibration(proba, self.codes, self.weight)
        losses = self._task.score(found.apply(proba), self.y)
        lead, error = self.compare(pilot.losses, losses)
        return found.temperature if lead > CERTAIN * error else 1.0

    def _find_lost(self, proba: FloatArray, teacher: FloatArray) -> FloatArray | None:
        """Return the shift that gives rare classes the teacher's mean probabilities.

        None where no mean differs by more than two standard errors. Common classes keep
        theirs, of which short pilots tell too little.
        """
        lost = np.zeros(len(self._priors))
        for k in np.flatnonzero(self._task.rare):
            lead, error = self.compare(teacher[:, k], proba[:, k])
            if abs(lead) > CERTAIN * error:
                lost[k] = lead
        if not lost.any():
            return None
        wanted = np.average(proba, axis=0, weights=self.weight) + lost
        return fit_shift(proba, wanted / wanted.sum(), self.weight)

    def is_far_worse(self, losses: FloatArray, pilot_losses: FloatArray) -> bool:
        """Whether a student is far worse than its pilot."""
        lead, error = self.compare(losses, pilot_losses)
        least = _WORSE * self.average(pilot_losses) + _WORSE_NATS
        return lead > CERTAIN * error and lead > least

    # For messages and reports ---------------------------------------------------------

    def report(self, served: FloatArray) -> dict[str, float]:
        """Return the figures of `pilots_`."""
        losses = self._task.score(served, self.y)
        accuracy = self.average(self._hit(served))
        return {"log_loss": self.average(losses), "accuracy": accuracy}

    def describe(self, served: FloatArray) -> str:
        figures = self.report(served)
        return (
            f"accuracy {figures['accuracy']:.4f} and log loss {figures['log_loss']:.4f}"
        )

    def _hit(self, served: FloatArray) -> FloatArray:
        return (served.argmax(axis=1) == self.codes).astype(np.float64)

    def _clip(self, served: FloatArray) -> FloatArray:
        """Return a student's probabilities, none of them 0."""
        return clip_probabilities(served, self._weigh(self._priors))

    def _weigh(self, proba: FloatArray) -> FloatArray:
        if self._factors is None:
            return proba
        weighed = proba * self._factors
        return weighed / weighed.sum(axis=-1, keepdims=True)
