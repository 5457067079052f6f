"""What a fitted model learned from, made again by the functions that `fit` calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor

from .._dataset import Dataset, class_priors
from .._labels._calibration import Calibration
from .._labels._row_labels import RowLabels
from .._labels._soft_targets import clip_probabilities
from .._labels._task import Classification, Regression
from .._labels._teacher import Labeller
from .._parts import read_n_synthetic
from .._selection._candidates import Candidate, soften_rows, soften_transfer_set
from .._sklearn import _safe_indexing
from .._soft_data import SoftDataset, make_values
from .._tasks import read_tasks
from .._typing import AnyArray, FloatArray
from .._validation import find_codes
from ..transfer._transfer_set import make_transfer_set
from ._answers import Values, ask


def make_soft_data(
    distilled: Any, X: Any, y: Any, weight: FloatArray | None, random_state: Any
) -> SoftDataset:
    """Label rows by the `teacher_` of a distilled estimator, and synthetic ones.

    It is fitted, and `can_label`. Without true labels, or values, those that the
    teacher predicts count.
    """
    read = _read_values if is_regressor(distilled) else _read_classes
    data, teacher, proba = read(distilled, X, y, weight)
    # Where true labels have a share, one fixed target exists at temperature 1 alone.
    softened = distilled.alpha_ == 1 and not is_regressor(distilled)
    temperature = distilled.temperature_ if softened else 1.0
    candidate = Candidate("fit", distilled.augmenter_, distilled.alpha_, temperature)
    calibration = None
    if getattr(distilled, "calibration_", None) is not None:
        scalar, shift = distilled.calibration_, distilled.calibration_shift_
        calibration = Calibration(scalar, shift)
    params = {} if weight is None else {"sample_weight": weight}
    rows = np.arange(data.n_samples)
    # A class without rows has no prior, and stays 0 where the teacher gives it 0.
    with np.errstate(divide="ignore"):
        labels = RowLabels(rows, proba)
        train = soften_rows(data, rows, labels, candidate, calibration, params)
    if candidate.sampler is None:
        return train
    transfer = make_transfer_set(
        clone(candidate.sampler),
        X,
        weight,
        None,
        read_n_synthetic(distilled, distilled.student_, data.task.n_columns),
        random_state,
    )
    assert transfer is not None
    settings = (data, transfer, teacher.label(transfer.X), candidate, calibration)
    with np.errstate(divide="ignore"):
        extra = soften_transfer_set(*settings, weighted=weight is not None)
    return train.join(extra)


def _read_classes(
    distilled: Any, X: Any, y: Any, weight: FloatArray | None
) -> tuple[Dataset, Labeller, FloatArray]:
    """Return rows with classes, the teacher, and what it says of the rows."""
    classes = distilled.classes_
    task = Classification(classes, np.full(len(classes), 1 / len(classes)))
    teacher = _read_teacher(distilled, task)
    proba = teacher.label(X)
    if y is None:
        codes = proba.argmax(axis=1)
    else:
        codes = find_codes(np.asarray(y), classes, "y")
    task = Classification(classes, class_priors(codes, len(classes), weight))
    return Dataset(X, classes[codes], task, codes, weight), teacher, proba


def _read_values(
    distilled: Any, X: Any, y: Any, weight: FloatArray | None
) -> tuple[Dataset, Labeller, FloatArray]:
    """Return rows with values, the teacher, and what it says of the rows."""
    some = distilled.student_.predict(_safe_indexing(X, slice(0, 1)))
    task = Regression(np.asarray(some), None)
    teacher = _read_teacher(distilled, task)
    values = teacher.label(X)
    y = values if y is None else np.asarray(y, dtype=float)
    task = Regression(y, weight)
    codes = np.zeros(len(y), dtype=np.intp)
    return Dataset(X, y, task, codes, weight), teacher, values


def _read_teacher(distilled: Any, task: Any) -> Labeller:
    """Return the fitted teacher, which the memory knows as `fit` names a fixed one."""
    tasks, teacher = read_tasks(distilled), distilled.teacher_
    return Labeller(teacher, task, tasks, tasks.name(teacher))


def can_label(distilled: Any, y: Any) -> bool:
    """Whether what the student learned can be made again.

    Not where there is no teacher, true labels had a share and are not given, quantiles
    were shifted to cover, or nothing but true labels was learned: certain labels are
    overfitted by epochs that nothing held out ends.
    """
    if getattr(distilled, "quantiles", None) is not None or not distilled.distilled_:
        return False
    return distilled.teacher_ is not None and (distilled.alpha_ == 1 or y is not None)


def label_by_itself(estimator: Any, X: Any, weight: AnyArray | None) -> SoftDataset:
    """Return rows with the probabilities, or values, that a model serves itself."""
    answers = ask(estimator, X)
    if isinstance(answers, Values):
        return make_values(X, answers.outputs, answers.outputs, weight=weight)
    proba = np.asarray(answers.outputs, dtype=float)
    targets = clip_probabilities(proba, proba.mean(axis=0))
    y = answers.classes[proba.argmax(axis=1)]
    return SoftDataset(X, targets, answers.classes, y, weight)
