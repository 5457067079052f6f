"""What is learned: values, or classes, whose probabilities a teacher gives.

Every stage of a fit is the same for both. What differs is a method of `Dataset.task`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy.special import entr
from sklearn.metrics import r2_score

from .._sklearn import _num_samples
from .._soft_data import (
    SoftDataset,
    as_columns,
    count_outputs,
    label_dtype,
    make_values,
    predict_values,
    row_blocks,
)
from .._typing import AnyArray, BoolArray, FloatArray, IndexArray
from ._defaults import default_student, default_teacher
from ._probabilities import align, check_answer_order, check_probabilities, check_stored
from ._row_labels import RowLabels
from ._soft_targets import clip_probabilities, soft_targets
from ._values import check_values

#: A teacher this accurate on its own rows, and this certain (in nats), repeats their
#: labels.
_ACCURACY, _ENTROPY = 0.999, 0.1

#: So does one that leaves this share of the variance of its own rows at most.
_UNEXPLAINED = 1e-3

#: Share of the rows below which a class is rare.
_RARE = 0.02


class Task(ABC):
    """What the labels of a teacher are, by its `method`, and what they become.

    There are no `classes` where values are learned.
    """

    method: ClassVar[str]
    #: Whether labels are values, and not probabilities.
    gives_values: ClassVar[bool] = False
    n_columns: int
    #: Outputs of a network; it has one margin for two classes.
    n_outputs: int
    dtype: type[np.floating]
    classes: AnyArray
    #: The parameter of `fit` that has labels in place of a teacher.
    stored_name: ClassVar[str]
    #: Whether true labels may be learned beside, or in place of, those of a teacher.
    learns_labels: ClassVar[bool] = True
    #: Whether a fifth of a small table tells how long a network should learn true
    #: labels: values tell it, which show how near a prediction is.
    few_choose_length: ClassVar[bool] = False
    #: Levels of the quantiles; classes and values have none.
    quantiles: FloatArray = np.empty(0)
    #: Weighted share of each class in the training rows.
    priors: FloatArray
    #: Classes of which a small student may lose a part.
    rare: BoolArray

    # What is asked --------------------------------------------------------------------

    @abstractmethod
    def read_answer(self, answer: Any, X: Any, teacher: Any) -> FloatArray:
        """Return what a teacher gave for rows, checked, in the order of the columns."""

    def check_order(  # noqa: B027
        self, labels: FloatArray, y: AnyArray, teacher: Any
    ) -> None:
        """Raise, or warn, where another order of columns fits true labels better."""

    def no_labels(self) -> RowLabels:
        """Return the labels of no row."""
        return RowLabels(np.arange(0), np.empty((0, self.n_columns), self.dtype))

    @abstractmethod
    def serve(self, student: Any, X: Any) -> FloatArray:
        """Return what a fitted student serves, in the order of the columns."""

    @abstractmethod
    def check_stored(self, labels: Any, y: AnyArray) -> FloatArray:
        """Check labels that stand in for a teacher."""

    # What is learned ------------------------------------------------------------------

    def clip(self, labels: FloatArray) -> FloatArray:
        """Return labels with a finite loss."""
        return labels

    @abstractmethod
    def make_soft(
        self,
        X: Any,
        labels: RowLabels,
        y: AnyArray | None,
        *,
        alpha: float,
        temperature: float,
        calibration: Any,
        **rest: Any,
    ) -> SoftDataset:
        """Return rows with what a student learns of a teacher's labels.

        Rows without a label learn their true one; where y is None, all have one, and
        alpha is 1. `rest` is attributes of the dataset.
        """

    @abstractmethod
    def score(self, served: FloatArray, y: AnyArray) -> FloatArray:
        """Return the loss of each row."""

    @abstractmethod
    def rate_labels(
        self, labels: FloatArray, y: AnyArray, weight: FloatArray | None
    ) -> dict[str, float]:
        """Return figures that show how far labels repeat the true ones."""

    @abstractmethod
    def repeats_labels(self, memorization: dict[str, float]) -> bool:
        """Whether the in-sample labels of a teacher are the true labels."""

    @abstractmethod
    def center(self, labels: FloatArray, y: AnyArray) -> tuple[FloatArray, FloatArray]:
        """Return labels, and those of a teacher that knows y, without their means."""

    # The defaults ---------------------------------------------------------------------

    @abstractmethod
    def default_teacher(self, X: Any) -> Any:
        """Return an unfitted teacher for these columns."""

    def default_student(self, X: Any, n_samples: int, *, stops: bool) -> Any:
        """Return an unfitted student for these columns."""
        return default_student(X, n_samples, stops=stops, values=self.gives_values)


class Classification(Task):
    """Labels are probabilities, one column a class."""

    method = "predict_proba"
    stored_name = "teacher_proba"

    def __init__(self, classes: AnyArray, priors: FloatArray) -> None:
        self.classes, self.priors, self.rare = classes, priors, priors < _RARE
        self.n_columns, self.dtype = len(classes), label_dtype(len(classes))
        self.n_outputs = count_outputs(len(classes))

    def encode(self, y: AnyArray) -> IndexArray:
        """Return the position of each label among the classes."""
        return np.searchsorted(self.classes, y)

    def read_answer(self, answer: Any, X: Any, teacher: Any) -> FloatArray:
        seen = np.asarray(teacher.classes_)
        owner = f"The predict_proba of the teacher ({type(teacher).__name__})"
        given = (answer, _num_samples(X), seen, owner, self.dtype)
        return align(check_probabilities(*given), seen, self.classes)

    def serve(self, student: Any, X: Any) -> FloatArray:
        proba = student.predict_proba(X)
        if proba.shape[1] < self.n_columns:
            # A student of true labels lacks the classes that its rows lack.
            proba = align(proba, student.classes_, self.classes)
        return proba

    def check_stored(self, labels: Any, y: AnyArray) -> FloatArray:
        return check_stored(labels, self.encode(y), self.classes)

    def check_order(self, labels: FloatArray, y: AnyArray, teacher: Any) -> None:
        check_answer_order(labels, self.encode(y), self.classes, teacher)

    def make_soft(self, X, labels, y, *, alpha, temperature, calibration, **rest):
        if y is None:
            y = self.classes[labels.values.argmax(axis=1)]
        weights = alpha
        if len(labels.rows) < len(y):
            weights = np.zeros(len(y))
            weights[labels.rows] = alpha
        targets = soft_targets(
            labels.fill(np.broadcast_to(self.priors, (len(y), self.n_columns))),
            self.encode(y),
            prior=self.priors,
            alpha=weights,
            temperature=temperature,
            calibrate=None if calibration is None else calibration.apply,
        )
        rest["temperature"] = temperature
        if np.min(weights) < 1 and temperature != 1:
            rest["alpha"] = np.full(len(y), weights)
        return SoftDataset(X, targets, self.classes, y, **rest)

    def clip(self, labels: FloatArray) -> FloatArray:
        return clip_probabilities(labels, self.priors)

    def score(self, served: FloatArray, y: AnyArray) -> FloatArray:
        """Return log losses in nats."""
        own = served[np.arange(len(y)), self.encode(y)]
        # GaussianNB gives each class 1, or NaN, where rows have no spread.
        own = own / np.maximum(served.sum(axis=1), 1.0)
        return -np.log(np.fmax(own, np.finfo(np.float64).eps))

    def rate_labels(
        self, labels: FloatArray, y: AnyArray, weight: FloatArray | None
    ) -> dict[str, float]:
        """Return the accuracy, and the mean entropy in nats."""
        hits = labels.argmax(axis=1) == self.encode(y)
        blocks = row_blocks(*labels.shape)
        entropies = [entr(self.clip(labels[block])).sum(axis=1) for block in blocks]
        entropy = np.average(np.concatenate(entropies), weights=weight)
        accuracy = np.average(hits, weights=weight)
        return {"accuracy": float(accuracy), "entropy": float(entropy)}

    def repeats_labels(self, memorization: dict[str, float]) -> bool:
        accurate = memorization["accuracy_in_sample"] >= _ACCURACY
        return accurate and memorization["entropy_in_sample"] <= _ENTROPY

    def center(self, labels: FloatArray, y: AnyArray) -> tuple[FloatArray, FloatArray]:
        true = self.encode(y)[:, None] == np.arange(self.n_columns)
        return labels - labels.mean(axis=0), true - true.mean(axis=0)

    def default_teacher(self, X: Any) -> Any:
        return default_teacher(X)


class Regression(Task):
    """Labels are values, one column an output; y has those of the training rows."""

    method = "predict"
    gives_values = True
    stored_name = "teacher_prediction"
    dtype = np.float64
    few_choose_length = True

    def __init__(self, y: AnyArray, weight: FloatArray | None) -> None:
        self.classes = self.priors = np.empty(0)
        self.rare = np.zeros(0, dtype=bool)
        values = as_columns(y)
        self.is_vector, self.n_columns = y.ndim == 1, values.shape[1]
        self.n_outputs = self.n_columns
        deviation = values - np.average(values, axis=0, weights=weight)
        self._variance = np.average(deviation**2, axis=0, weights=weight)
        self._variance[self._variance == 0] = 1.0

    def read_answer(self, answer: Any, X: Any, teacher: Any) -> FloatArray:
        owner = f"The predict of the teacher ({type(teacher).__name__})"
        return check_values(answer, _num_samples(X), self.n_columns, owner)

    def serve(self, student: Any, X: Any) -> FloatArray:
        return predict_values(student, X)

    def check_stored(self, labels: Any, y: AnyArray) -> FloatArray:
        return check_values(labels, len(y), self.n_columns, self.stored_name)

    def make_soft(self, X, labels, y, *, alpha, temperature, calibration, **rest):
        if y is None:
            y = labels.values[:, 0] if self.is_vector else labels.values
        values = as_columns(y)
        filled = labels.fill(np.broadcast_to(values, (len(y), self.n_columns)))
        return make_values(X, alpha * filled + (1.0 - alpha) * values, y, **rest)

    def score(self, served: FloatArray, y: AnyArray) -> FloatArray:
        """Return squared errors; with several outputs their mean, in variances."""
        errors = (served - as_columns(y)) ** 2
        if self.n_columns == 1:
            return errors[:, 0]
        return (errors / self._variance).mean(axis=1)

    def rate_labels(
        self, labels: FloatArray, y: AnyArray, weight: FloatArray | None
    ) -> dict[str, float]:
        """Return R², the share of the variance that is explained."""
        return {"r2": float(r2_score(as_columns(y), labels, sample_weight=weight))}

    def repeats_labels(self, memorization: dict[str, float]) -> bool:
        return memorization["r2_in_sample"] >= 1 - _UNEXPLAINED

    def center(self, labels: FloatArray, y: AnyArray) -> tuple[FloatArray, FloatArray]:
        true = np.broadcast_to(as_columns(y), labels.shape)
        scale = np.sqrt(self._variance)
        return tuple((a - a.mean(axis=0)) / scale for a in (labels, true))

    def default_teacher(self, X: Any) -> Any:
        return default_teacher(X, self.n_columns)
