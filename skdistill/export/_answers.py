"""What models answer on given rows, how far apart, and how far scores may fall."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from sklearn.base import is_regressor
from sklearn.metrics import log_loss, r2_score, root_mean_squared_error

from .._labels._quantiles import rate_quantiles
from .._soft_data import as_columns, predict_values
from .._typing import AnyArray, FloatArray
from .._warnings import warn_caller

#: Largest difference of a probability that rounding to float32 explains, and how far
#: probabilities may differ at 10 times the range: rounding grows with the numbers.
TOLERANCE, _WIDE_TOLERANCE = 1e-5, 1e-3

#: How far values may be off, as shares of the spread of each output and of the largest
#: value: what rounding to float32 explains. The latter counts up to a share of the
#: spread at which no score changes.
_SPREAD, _ROUNDING, _MOST = 1e-4, 1e-6, 1e-3
#: The share of the largest value up to which a spread is the rounding of double sums.
_NO_SPREAD = 1e-12
#: How many times as far values may be off at 10 times the range of a column.
_WIDE = 10

#: Rise of the log loss, in nats, that a kept accuracy must not hide. On rows that it
#: learned, LightGBM loses .05 with half of its rounds, and on others nothing.
_MOST_RISE = 0.1

Scores = dict[str, float]


@dataclass(frozen=True)
class Answers:
    """Labels and probabilities of a classifier.

    Attributes
    ----------
    label : ndarray of shape (n_samples,)
    outputs : ndarray of shape (n_samples, n_classes)
        The probabilities.
    classes : ndarray of shape (n_classes,)
        The labels in the order of the probabilities.
    """

    label: AnyArray
    outputs: AnyArray
    classes: AnyArray

    method: ClassVar[str] = "predict_proba"
    #: The outputs of an ONNX model of these, and what serves it.
    names: ClassVar[tuple[str, ...]] = ("label", "probabilities")
    server: ClassVar[str] = "OnnxClassifier"
    #: How far outputs may be off.
    limit: ClassVar[Any] = TOLERANCE

    @property
    def truth(self) -> AnyArray:
        """What others are scored against where there are no true labels."""
        return self.label

    def score(self, y: Any) -> Scores:
        """Return accuracy and log loss (nats) against true labels."""
        label, y, classes = self.label, np.asarray(y), self.classes
        if label.dtype.kind in "OUST" or y.dtype.kind in "OUST":
            label, y, classes = label.astype(str), y.astype(str), classes.astype(str)
        proba = np.asarray(self.outputs, dtype=np.float64)
        proba = proba / proba.sum(axis=1, keepdims=True)
        # log_loss takes the columns in the order of the sorted labels.
        order = np.argsort(classes)
        return {
            "accuracy": float(np.mean(label == y)),
            "log_loss": float(log_loss(y, proba[:, order], labels=classes[order])),
        }

    @staticmethod
    def predict(estimator: Any, X: Any) -> AnyArray:
        return estimator.predict_proba(X)

    def bound(self, outputs: AnyArray, wide: bool) -> float:
        """Return how far outputs of changed rows may be off."""
        return _WIDE_TOLERANCE if wide else TOLERANCE

    def refuse_loss(
        self, what: str, before: Scores, after: Scores, tolerance: float, truth: Any
    ) -> None:
        """Raise where the accuracy fell by more than the tolerance.

        Warn where it did not, and the log loss rose far.
        """
        lost = before["accuracy"] - after["accuracy"]
        # A tolerance of .002 is meant to allow 2 rows of 1,000.
        if lost > tolerance + 1e-12:
            raise ValueError(
                f"{what} may cost at most tolerance={tolerance:g} of the accuracy; on "
                f"the rows given it fell by {lost:.5f}, from {before['accuracy']:.5f} "
                f"to {after['accuracy']:.5f} (log loss {before['log_loss']:.5f} to "
                f"{after['log_loss']:.5f}). Ask for less, pass more rows, or raise the "
                "tolerance."
            )
        if after["log_loss"] - before["log_loss"] > _MOST_RISE:
            warn_caller(
                f"{what} kept the accuracy within tolerance={tolerance:g}, and raised "
                f"the log loss on the rows given from {before['log_loss']:.5f} to "
                f"{after['log_loss']:.5f}. Where probabilities matter, compare it on "
                "rows that the model did not learn, and ask for less."
            )


@dataclass(frozen=True)
class Values:
    """What a regressor predicts, of shape (n_samples, n_outputs).

    Where `quantiles` are their levels, they are scored as such.
    """

    outputs: FloatArray
    quantiles: Any = None

    method: ClassVar[str] = "predict"
    names: ClassVar[tuple[str, ...]] = ("values",)
    server: ClassVar[str] = "OnnxRegressor"
    classes: ClassVar[AnyArray] = np.empty(0)

    @property
    def truth(self) -> FloatArray:
        return self.outputs

    def score(self, y: Any) -> Scores:
        """Return RMSE and R² against true values, or the pinball loss of quantiles."""
        y = as_columns(np.asarray(y, dtype=np.float64))
        values = np.asarray(self.outputs, dtype=np.float64)
        if self.quantiles is not None:
            losses = rate_quantiles(values, y, np.asarray(self.quantiles))
            return {"pinball": float(losses.mean())}
        return {
            "rmse": float(root_mean_squared_error(y, values)),
            "r2": float(r2_score(y, values)),
        }

    predict = staticmethod(predict_values)

    @cached_property
    def limit(self) -> FloatArray:
        """How far each output may be off; rows with an infinite one don't count."""
        rounding = _ROUNDING * self.largest
        # Without a spread nothing tells how much of it is lost.
        most = np.where(self.spread > 0, _MOST * self.spread, rounding)
        return _SPREAD * self.spread + np.minimum(rounding, most)

    def bound(self, outputs: FloatArray, wide: bool) -> FloatArray:
        bound = np.maximum(self.limit, Values(outputs).limit)
        return _WIDE * bound if wide else bound

    def refuse_loss(
        self, what: str, before: Scores, after: Scores, tolerance: float, truth: Any
    ) -> None:
        """Raise where the RMSE, or the pinball loss, rose by more than the tolerance.

        That is a share of the standard deviation of the true values.
        """
        key = "rmse" if self.quantiles is None else "pinball"
        spread = np.std(np.asarray(truth, dtype=np.float64))
        if after[key] - before[key] > tolerance * spread + 1e-12:
            raise ValueError(
                f"{what} may cost at most tolerance={tolerance:g} of the standard "
                f"deviation in {key}; on the rows given it rose from {before[key]:.6g} "
                f"to {after[key]:.6g}. Ask for less, pass more rows, or raise the "
                "tolerance."
            )

    @property
    def finite(self) -> FloatArray:
        """The rows without an infinite output."""
        return self.outputs[np.isfinite(self.outputs).all(axis=1)]

    @property
    def largest(self) -> FloatArray:
        return np.abs(self.finite).max(axis=0, initial=0)

    @property
    def spread(self) -> FloatArray:
        spread = self.finite.std(axis=0) if len(self.finite) else self.largest
        return np.where(spread > _NO_SPREAD * self.largest, spread, 0.0)

    @property
    def are_far(self) -> bool:
        """Whether float32 can't hold them beside their spread."""
        return bool((_ROUNDING * self.largest > _MOST * self.spread).any())


def ask(estimator: Any, X: Any, quantiles: Any = None) -> Any:
    """Return what a fitted estimator answers, as `Answers` or `Values`.

    Raise a TypeError where it predicts several labels a row.
    """
    if is_regressor(estimator):
        return Values(Values.predict(estimator, X), quantiles)
    proba = np.asarray(estimator.predict_proba(X))
    label = np.asarray(estimator.predict(X))
    if label.shape == (len(proba), 1):
        # CatBoost's shape of more than two classes.
        label = label[:, 0]
    if proba.ndim != 2 or label.ndim != 1:
        raise TypeError(
            "A model with one label a row can be exported; this "
            f"{type(estimator).__name__} predicts several. Export one a label."
        )
    return Answers(label, proba, _find_classes(estimator, label, proba))


def _find_classes(estimator: Any, label: AnyArray, proba: AnyArray) -> AnyArray:
    """Return the labels in the order of the probabilities."""
    classes = np.asarray(estimator.classes_)
    likely = proba.argmax(axis=1)
    if len(classes) == proba.shape[1] and np.array_equal(label, classes[likely]):
        return classes
    # A skorch net predicts positions, whatever its labels were.
    if label.dtype.kind in "iu" and np.array_equal(label, likely):
        return np.arange(proba.shape[1])
    return classes


def describe_difference(
    found: AnyArray, expected: Answers | Values, what: str
) -> str | None:
    """Describe where what was written differs from the estimator; None: nowhere."""
    off = np.abs(found - expected.outputs)
    off[np.isnan(off)] = np.inf
    wrong = int((off > expected.limit).any(axis=1).sum())
    if not wrong:
        return None
    row, column = np.unravel_index((off - expected.limit).argmax(), off.shape)
    limit = np.broadcast_to(expected.limit, off.shape[1])[column]
    return (
        f"{wrong} of {len(found)} rows differ by more than {limit:.3g}, the most in "
        f"row {row}, column {column}: {expected.method} gives "
        f"{expected.outputs[row, column]:.9g}, {what} {found[row, column]:.9g}"
    )
