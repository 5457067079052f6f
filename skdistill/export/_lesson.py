"""What a student learned, made again from the teacher that it learned it from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._classifier import DistilledClassifier
from .._dataset import class_priors
from .._frames import concat_rows
from .._labels._calibration import Calibration, weighs_classes
from .._labels._probabilities import align
from .._labels._soft_targets import clip_probabilities, soft_targets
from .._sklearn import BaseSearchCV
from .._typing import FloatArray
from ..transfer._transfer_set import make_transfer_set


def make_lesson(
    estimator: Any, X: Any, y: NDArray[Any] | None, random_state: Any
) -> tuple[Any, FloatArray]:
    """Return rows and soft targets at temperature 1.

    Parameters
    ----------
    estimator : estimator
        Fitted. A DistilledClassifier asks its teacher again, as its `alpha_`,
        `calibration_` and `augmenter_` say; any other model teaches itself.
    X : rows
        As the estimator takes them.
    y : ndarray of shape (n_samples,) or None
        True labels, where they are known.
    random_state : int or None
        For the sampler.
    """
    if not isinstance(estimator, DistilledClassifier) or not _can_ask(estimator, y):
        own = np.asarray(estimator.predict_proba(X))
        return X, clip_probabilities(own, own.mean(axis=0))
    labels = ask_teacher(estimator, X)
    codes = labels.argmax(axis=1)
    if y is not None:
        codes = np.searchsorted(estimator.classes_, y)
    prior = class_priors(codes, len(estimator.classes_), None)
    calibrate = None
    if estimator.calibration_ is not None:
        calibrate = Calibration(estimator.calibration_).apply
    settings: dict[str, Any] = {
        "prior": prior,
        "temperature": 1.0,
        "calibrate": calibrate,
    }
    targets = soft_targets(labels, codes, alpha=estimator.alpha_, **settings)
    if estimator.augmenter_ is None:
        return X, targets
    sampler, count = clone(estimator.augmenter_), estimator.n_synthetic
    made = make_transfer_set(sampler, X, None, None, count, random_state)
    assert made is not None
    labels = ask_teacher(estimator, made.X)
    added = soft_targets(labels, labels.argmax(axis=1), alpha=1.0, **settings)
    return concat_rows(X, made.X), np.vstack([targets, added])


def _can_ask(distilled: DistilledClassifier, y: NDArray[Any] | None) -> bool:
    """Whether what the student learned can be made again.

    Not where there is no teacher, where true labels had a share and are not given, or
    where classes that the teacher weighs were given their shares of the rows back.
    """
    teacher = distilled.teacher_
    if teacher is None or (distilled.alpha_ < 1 and y is None):
        return False
    return distilled.calibration_ is None or not weighs_classes(teacher)


def find_distilled(estimator: Any, X: Any) -> tuple[DistilledClassifier | None, Any]:
    """Return the DistilledClassifier in a search or Pipeline, and the rows it sees."""
    if isinstance(estimator, BaseSearchCV):
        return find_distilled(estimator.best_estimator_, X)
    if isinstance(estimator, Pipeline):
        rows = estimator[:-1].transform(X) if len(estimator) > 1 else X
        return find_distilled(estimator[-1], rows)
    return (estimator, X) if isinstance(estimator, DistilledClassifier) else (None, X)


def ask_teacher(distilled: DistilledClassifier, X: Any) -> FloatArray:
    """Return the teacher's probabilities, columns in the order of the classes."""
    teacher = distilled.teacher_
    return align(teacher.predict_proba(X), teacher.classes_, distilled.classes_)
