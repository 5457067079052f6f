"""What models answer on given rows, how far apart, and how far scores may fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from .._warnings import warn_caller

#: Largest difference of a probability that rounding to float32 explains.
TOLERANCE = 1e-5

#: Rise of the log loss, in nats, that a kept accuracy must not hide. On rows that it
#: learned, LightGBM loses .05 with half of its rounds, and on others nothing.
_MOST_RISE = 0.1


@dataclass(frozen=True)
class Answers:
    """Labels and probabilities.

    Attributes
    ----------
    label : ndarray of shape (n_samples,)
    proba : ndarray of shape (n_samples, n_classes)
    classes : ndarray of shape (n_classes,)
        The labels in the order of the probabilities.
    """

    label: NDArray[Any]
    proba: NDArray[Any]
    classes: NDArray[Any]

    def score(self, y: Any) -> dict[str, float]:
        """Return accuracy and log loss (nats) against true labels."""
        label, y, classes = self.label, np.asarray(y), self.classes
        if label.dtype.kind in "OUST" or y.dtype.kind in "OUST":
            label, y, classes = label.astype(str), y.astype(str), classes.astype(str)
        proba = np.asarray(self.proba, dtype=np.float64)
        proba = proba / proba.sum(axis=1, keepdims=True)
        # log_loss takes the columns in the order of the sorted labels.
        order = np.argsort(classes)
        return {
            "accuracy": float(np.mean(label == y)),
            "log_loss": float(log_loss(y, proba[:, order], labels=classes[order])),
        }


def ask(estimator: Any, X: Any) -> Answers:
    """Return what a fitted estimator answers.

    Raises
    ------
    TypeError
        It predicts several labels a row.
    """
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


def _find_classes(
    estimator: Any, label: NDArray[Any], proba: NDArray[Any]
) -> NDArray[Any]:
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
    found: NDArray[Any],
    expected: NDArray[Any],
    bound: Any,
    what: str,
    method: str = "predict_proba",
) -> str | None:
    """Describe where what was written differs from the estimator; None: nowhere.

    Parameters
    ----------
    found, expected : ndarray of shape (n_samples, n_outputs)
    bound : float or ndarray of shape (n_outputs,)
        How far an answer may be off.
    what : str
        What was written.
    method : str
        What the estimator was asked by.
    """
    off = np.abs(found - expected)
    off[np.isnan(off)] = np.inf
    wrong = int((off > bound).any(axis=1).sum())
    if not wrong:
        return None
    row, column = np.unravel_index((off - bound).argmax(), off.shape)
    limit = np.broadcast_to(bound, off.shape[1])[column]
    return (
        f"{wrong} of {len(found)} rows differ by more than {limit:.3g}, the most in "
        f"row {row}, column {column}: {method} gives {expected[row, column]:.9g}, "
        f"{what} {found[row, column]:.9g}"
    )


def refuse_value_loss(
    what: str,
    before: dict[str, float],
    after: dict[str, float],
    tolerance: float,
    truth: Any,
) -> None:
    """Raise where the RMSE, or the pinball loss, rose by more than the tolerance.

    That is a share of the standard deviation of the true values.
    """
    key = "pinball" if "pinball" in before else "rmse"
    if after[key] - before[key] > tolerance * np.std(truth) + 1e-12:
        raise ValueError(
            f"{what} may cost at most tolerance={tolerance:g} of the standard "
            f"deviation in {key}; on the rows given it rose from {before[key]:.6g} to "
            f"{after[key]:.6g}. Ask for less, pass more rows, or raise the tolerance."
        )


def refuse_loss(
    what: str, before: dict[str, float], after: dict[str, float], tolerance: float
) -> None:
    """Raise where the accuracy fell by more than the tolerance.

    Warn where it did not, and the log loss rose far.
    """
    lost = before["accuracy"] - after["accuracy"]
    # A tolerance of .002 is meant to allow 2 rows of 1,000.
    if lost > tolerance + 1e-12:
        raise ValueError(
            f"{what} may cost at most tolerance={tolerance:g} of the accuracy; on the "
            f"rows given it fell by {lost:.5f}, from {before['accuracy']:.5f} to "
            f"{after['accuracy']:.5f} (log loss {before['log_loss']:.5f} to "
            f"{after['log_loss']:.5f}). Ask for less, pass more rows, or raise the "
            "tolerance."
        )
    if after["log_loss"] - before["log_loss"] > _MOST_RISE:
        warn_caller(
            f"{what} kept the accuracy within tolerance={tolerance:g}, and raised the "
            f"log loss on the rows given from {before['log_loss']:.5f} to "
            f"{after['log_loss']:.5f}. Where probabilities matter, compare it on rows "
            "that the model did not learn, and ask for less."
        )
