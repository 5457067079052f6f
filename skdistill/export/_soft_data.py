"""What a fitted model learned from, made again by the functions that `fit` calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._dataset import Dataset, class_priors
from .._labels._calibration import Calibration
from .._labels._soft_targets import clip_probabilities
from .._labels._task import Classification
from .._labels._teacher import Labeller
from .._selection._candidates import Candidate, soften_rows, soften_transfer_set
from .._soft_data import SoftDataset
from .._students import learns_in_epochs
from .._tasks import read_tasks
from .._typing import FloatArray
from ..transfer._transfer_set import choose_ratio, make_transfer_set
from ._answers import ask


def make_soft_data(
    distilled: Any, X: Any, y: Any, weight: FloatArray | None, random_state: Any
) -> SoftDataset:
    """Label rows by the `teacher_` of a DistilledClassifier, and synthetic ones.

    Parameters
    ----------
    distilled : DistilledClassifier
        Fitted; see `can_label`.
    X : rows
        As the estimator takes them.
    y : array-like of shape (n_samples,) or None
        True labels. None: those that the teacher predicts.
    weight : ndarray of shape (n_samples,) or None
        Row weights.
    random_state : int, RandomState or None
        For the sampler.
    """
    classes = distilled.classes_
    task = Classification(classes, np.full(len(classes), 1 / len(classes)))
    teacher = Labeller(distilled.teacher_, task, read_tasks(distilled), None)
    proba = teacher.label(X)
    codes = proba.argmax(axis=1) if y is None else task.encode(y)
    task = Classification(classes, class_priors(codes, len(classes), weight))
    data = Dataset(X, classes[codes], task, codes, weight)
    # Where true labels have a share, one fixed target exists at temperature 1 alone.
    temperature = distilled.temperature_ if distilled.alpha_ == 1 else 1.0
    candidate = Candidate("fit", distilled.augmenter_, distilled.alpha_, temperature)
    calibration = None
    if distilled.calibration_ is not None:
        scalar, shift = distilled.calibration_, distilled.calibration_shift_
        calibration = Calibration(scalar, shift)
    params = {} if weight is None else {"sample_weight": weight}
    rows = np.arange(data.n_samples)
    # A class without rows has no prior, and stays 0 where the teacher gives it 0.
    with np.errstate(divide="ignore"):
        train = soften_rows(data, rows, proba, candidate, calibration, params)
    if candidate.sampler is None:
        return train
    transfer = make_transfer_set(
        clone(candidate.sampler),
        X,
        weight,
        None,
        distilled.n_synthetic,
        random_state,
        choose_ratio(learns_in_epochs(distilled.student_), len(classes)),
    )
    assert transfer is not None
    labels = teacher.label(transfer.X)
    settings = (data, transfer, labels, candidate, calibration)
    with np.errstate(divide="ignore"):
        extra = soften_transfer_set(*settings, weighted=weight is not None)
    return train.join(extra)


def can_label(distilled: Any, y: Any) -> bool:
    """Whether what the student learned can be made again.

    Not where there is no teacher, or true labels had a share and are not given.
    """
    return distilled.teacher_ is not None and (distilled.alpha_ == 1 or y is not None)


def label_by_itself(estimator: Any, X: Any, weight: NDArray[Any] | None) -> SoftDataset:
    """Return rows with the probabilities that a model serves itself."""
    answers = ask(estimator, X)
    proba = np.asarray(answers.proba, dtype=float)
    targets = clip_probabilities(proba, proba.mean(axis=0))
    y = answers.classes[proba.argmax(axis=1)]
    return SoftDataset(X, targets, answers.classes, y, weight)
