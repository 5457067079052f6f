"""Linear students: weighted copies, and logits that can be rescaled."""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import LogisticRegression, SGDClassifier

from ._expansion import check_stopping, fit, wants_validation

__all__ = [
    "accepts",
    "check_stopping",
    "fit",
    "fold",
    "rescales",
    "wants_validation",
]


def accepts(student: Any) -> bool:
    """Stock linear models with a logistic loss."""
    if type(student) is SGDClassifier:
        return student.loss == "log_loss"
    return type(student) is LogisticRegression


def rescales(student: Any, n_classes: int) -> bool:
    """One softmax or one sigmoid; SGD's one-against-rest sigmoids don't."""
    return n_classes == 2 or type(student) is LogisticRegression


def fold(student: Any, temperature: float) -> None:
    """Multiply the logits by the temperature."""
    student.coef_ = student.coef_ * temperature
    student.intercept_ = student.intercept_ * temperature
