"""Accuracy and log loss, before and after, and where they fall too far."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from ._lesson import ask_teacher, find_distilled


def score_answers(
    y: NDArray[Any], label: NDArray[Any], proba: NDArray[Any], classes: NDArray[Any]
) -> dict[str, float]:
    """Return accuracy and log loss, in nats, of the answers on given rows."""
    label, y = np.asarray(label), np.asarray(y)
    if label.dtype.kind in "OUST" or y.dtype.kind in "OUST":
        label, y, classes = label.astype(str), y.astype(str), classes.astype(str)
    proba = np.asarray(proba, dtype=np.float64)
    proba = proba / proba.sum(axis=1, keepdims=True)
    # log_loss takes the columns in the order of the sorted labels.
    order = np.argsort(classes)
    return {
        "accuracy": float(np.mean(label == y)),
        "log_loss": float(log_loss(y, proba[:, order], labels=classes[order])),
    }


def score_teacher(estimator: Any, X: Any, y: NDArray[Any]) -> dict[str, float] | None:
    """Return the scores of the teacher inside a fitted estimator, if there is one."""
    distilled, rows = find_distilled(estimator, X)
    if distilled is None or distilled.teacher_ is None:
        return None
    proba, classes = ask_teacher(distilled, rows), distilled.classes_
    return score_answers(y, classes[proba.argmax(axis=1)], proba, classes)


def refuse_loss(
    what: str, before: dict[str, float], after: dict[str, float], tolerance: float
) -> None:
    """Raise where the accuracy fell by more than the tolerance.

    Raises
    ------
    ValueError
        It did; both scores are named.
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
