"""How each kind of student learns soft targets.

A family is a module with `accepts`, `wants_validation`, `check_stopping`,
`rescales`, `fit`, `fold`, `check_fine_tuning` and `tune`; the first in `FAMILIES` that
accepts a student teaches it. One with `fit_chunks` learns rows that do not fit into
memory chunk by chunk; for others they are mapped into it. Pipelines are taken apart
here: all but the last step transform, the last step learns.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from .._labels._soft_targets import cross_entropy, one_hot
from .._outofcore._spill import SoftStream, Spill, spill_rows
from .._soft_data import SoftDataset, weigh_classes
from . import (
    _catboost,
    _expansion,
    _hist,
    _lightgbm,
    _linear,
    _meta,
    _mlp,
    _skorch,
    _trees,
    _xgboost,
)

FAMILIES: tuple[ModuleType, ...] = (
    _skorch,
    _mlp,
    _lightgbm,
    _xgboost,
    _catboost,
    _linear,
    _trees,
    _hist,
    _meta,
    _expansion,
)

#: The temperature of networks on the training rows alone, when none is given;
#: `benchmarks/quality/defaults.py` holds the comparison. A linear model cannot match
#: the teacher's logits, and at a high temperature would try.
AUTO_TEMPERATURE = 3.0


def choose_temperature(student: Any, n_classes: int) -> float:
    """Return what "auto" stands for on the training rows alone."""
    learner = _last_step(student)
    family = _family(learner)
    network = family in (_mlp, _skorch)
    return AUTO_TEMPERATURE if network and family.rescales(learner, n_classes) else 1.0


def check_student(
    student: Any,
    temperature: float | str,
    n_classes: int,
    n_samples: int,
    alpha: float = 1.0,
) -> None:
    """Raise where the student cannot learn or serve what is asked for.

    Raises
    ------
    TypeError
        The student or a part of it has no `predict_proba`, takes no weights, or
        cross-validates in a way of its own.
    ValueError
        The student's logits can't be rescaled and the temperature is not 1, or it
        stops early in a way that can't be given validation rows.
    """
    learner = _last_step(student)
    _skorch.refuse_module(learner)
    if isinstance(learner, type):
        raise TypeError(
            f"The student must be an estimator, received the class {learner.__name__}. "
            f"Pass an instance: {learner.__name__}()."
        )
    name = type(learner).__name__
    if not _meta.has_probabilities(learner):
        raise TypeError(
            f"The student must have predict_proba, which {name} has not as it is "
            "configured. Use a classifier with probabilities, such as MLPClassifier."
        )
    check_part(learner, n_classes, n_samples)
    for part in _list_learners(learner):
        if hasattr(_family(part), "check_blend"):
            _family(part).check_blend(part, temperature, alpha)
    family = _family(learner)
    if temperature not in ("auto", 1) and not family.rescales(learner, n_classes):
        raise ValueError(
            "A temperature other than 1 needs a student whose logits can be "
            f"multiplied by it before serving; received temperature={temperature} "
            f"with {name} on {n_classes} classes. Set temperature=1, or use "
            "MLPClassifier, LogisticRegression or LGBMClassifier."
        )


def blends_labels(student: Any) -> bool:
    """Whether true labels may be blended into the targets before the student's fit."""
    for part in _list_learners(student):
        if hasattr(_family(part), "check_blend"):
            try:
                _family(part).check_blend(part, "auto", 0.5)
            except ValueError:
                return False
    return True


def limit_epochs(student: Any, n_passes: int | None) -> int | None:
    """Set, and return, the most passes that a student makes over its rows.

    None where the student does not learn in passes; with `n_passes=None` nothing is
    set.
    """
    learner = _last_step(student)
    family = _family(learner)
    name = getattr(family, "PASSES", None)
    if name is None or getattr(learner, "solver", None) == "lbfgs":
        return None
    most = learner.get_params()[name]
    if n_passes is not None:
        most = min(most, n_passes)
        learner.set_params(**{name: most})
    return most


def learns_in_epochs(student: Any) -> bool:
    """Whether the student is a network that can end at any pass."""
    learner = _last_step(student)
    return _family(learner) is _mlp and limit_epochs(student, None) is not None


def refits_leaves(student: Any) -> bool:
    """Whether a transfer set only sets the leaves of trees grown on real rows."""
    learner = _last_step(student)
    return _family(learner) is _lightgbm and _lightgbm.may_refit_leaves(learner)


def count_final_epochs(student: Any, n_rows: int) -> int | None:
    """Passes over a transfer set of so many rows."""
    learner = _last_step(student)
    passes = limit_epochs(student, None)
    if passes is None or _family(learner) is not _mlp:
        return passes
    return min(passes, _mlp.count_passes(learner, n_rows))


def can_scale_logits(student: Any, n_classes: int) -> bool:
    """Whether the student's logits can be multiplied after its fit."""
    learner = _last_step(student)
    return _family(learner).rescales(learner, n_classes)


def scale_logits(student: Any, factor: float) -> None:
    """Multiply a fitted student's logits."""
    if factor != 1:
        learner = _last_step(student)
        _family(learner).fold(learner, factor)


def seed_torch(student: Any, seed: int | None) -> AbstractContextManager[None]:
    """Seed what a net draws from torch's global generator, and put that back."""
    return _skorch.seed_torch(_last_step(student), seed)


def read_labels(student: Any, predicted: Any, classes: Any) -> Any:
    """Return what a student predicted as a vector of labels."""
    if _skorch.predicts_positions(_last_step(student)):
        return classes[predicted]
    # CatBoost returns one column.
    return predicted.ravel() if predicted.ndim > 1 else predicted


def check_part(student: Any, n_classes: int, n_samples: int) -> None:
    """Raise where a student, or a part of one, cannot learn soft targets."""
    learner = _last_step(student)
    if hasattr(learner, "cv") and not _meta.accepts(learner):
        raise TypeError(
            "The student must not draw folds of its own, for they would share copies "
            f"of a row; received a {type(learner).__name__}. Put it around the "
            "DistilledClassifier, or use one of scikit-learn's searches, "
            "CalibratedClassifierCV or StackingClassifier."
        )
    family = _family(learner)
    if hasattr(family, "check_parameters"):
        family.check_parameters(learner, n_classes)
    if family.wants_validation(learner, n_samples):
        family.check_stopping(learner)
    if family is _meta:
        inner = 2 if isinstance(learner, OneVsRestClassifier) else n_classes
        for part in _meta.list_parts(learner):
            check_part(part, inner, n_samples)


def validation_fraction(student: Any, n_samples: int) -> float | None:
    """Share of rows to keep for early stopping; None: the student needs none."""
    learner = _last_step(student)
    if not _family(learner).wants_validation(learner, n_samples):
        return None
    return getattr(learner, "validation_fraction", None) or 0.1


def fit_student(
    student: Any,
    train: SoftDataset,
    transfer: SoftDataset | SoftStream | None = None,
    validation: SoftDataset | None = None,
    temperature: float = 1.0,
) -> Any:
    """Fit an unfitted student in place, and serve it at temperature 1.

    Parameters
    ----------
    student : estimator
        A clone; it is fitted in place and returned.
    train : SoftDataset
        Training rows. All steps of a Pipeline learn them.
    transfer : SoftDataset, SoftStream or None
        Rows of the transfer set: the last step of a Pipeline learns them as well,
        the steps before it only transform them. A stream is learned chunk by chunk.
    validation : SoftDataset or None
        Rows to stop early on.
    temperature : float
        The temperature at which the targets were softened.

    Returns
    -------
    student : estimator
        A stock estimator that needs nothing of this package.
    """
    if isinstance(student, Pipeline):
        return _fit_pipeline(student, train, transfer, validation, temperature)
    if isinstance(transfer, SoftStream):
        with spill_rows(train.take_labelled(), transfer) as spill:
            return _fit_learner(student, spill, None, validation, temperature)
    return _fit_learner(student, train, transfer, validation, temperature)


def _fit_learner(
    student: Any,
    train: SoftDataset | Spill,
    transfer: SoftDataset | None,
    validation: SoftDataset | None,
    temperature: float,
) -> Any:
    family = _family(student)
    class_weight = getattr(student, "class_weight", None)
    if class_weight is not None:
        student.set_params(class_weight=None)
        if isinstance(train, Spill):
            train.weigh_classes(class_weight)
        else:
            rows = train.join(transfer)
            factors = weigh_classes(class_weight, rows.classes, rows.sum_classes())
            train = train.scale_classes(factors)
            transfer = transfer and transfer.scale_classes(factors)
        validation = validation and validation.weigh_classes(class_weight)
    if isinstance(train, SoftDataset):
        if transfer is not None and hasattr(family, "fit_transfer"):
            student = family.fit_transfer(student, train, transfer, validation)
        else:
            student = family.fit(student, train.join(transfer), validation)
    elif hasattr(family, "fit_chunks"):
        student = family.fit_chunks(student, train, validation)
    else:
        student = family.fit(student, train.map(), validation)
    if class_weight is not None:
        student.set_params(class_weight=class_weight)
    if temperature != 1:
        family.fold(student, temperature)
    return student


def _fit_pipeline(
    student: Pipeline,
    train: SoftDataset,
    transfer: SoftDataset | SoftStream | None,
    validation: SoftDataset | None,
    temperature: float,
) -> Pipeline:
    steps = student.steps[:-1]
    name, learner = student.steps[-1]
    if steps:
        head = student[:-1]
        params = dict(train.params or {})
        if train.weight is not None:
            params["sample_weight"] = train.weight
        asked = get_routing_for_object(head).consumes("fit_transform", params)
        X = head.fit_transform(train.X, train.y, **{k: params[k] for k in asked})
        train = train.with_rows(X)
        if validation is not None:
            validation = validation.transform(head.transform)
        if transfer is not None:
            transfer = transfer.transform(head.transform)
        # With a cache the pipeline fits copies of its steps.
        steps = head.steps
    learner = fit_student(learner, train, transfer, validation, temperature)
    student.steps = [*steps, (name, learner)]
    return student


def check_fine_tuning(student: Any) -> None:
    """Raise a TypeError where the student cannot train on after distillation."""
    learner = _last_step(student)
    _family(learner).check_fine_tuning(learner)


def fine_tune_student(
    student: Any, train: SoftDataset, validation: SoftDataset, passes: int
) -> tuple[Any, bool, tuple[float, float]]:
    """Train on over the true labels, and keep the result where it is the better one.

    Parameters
    ----------
    student : estimator
        Fitted, as it is served; it is left alone.
    train, validation : SoftDataset
        Rows to learn from, and rows that decide. Of both only `y` counts.
    passes : int
        Passes over the rows (of a boosted model: rounds), at a small step.

    Returns
    -------
    student : estimator
        The tuned student, or the one that was given.
    kept : bool
        Whether it is the tuned one.
    losses : tuple of two floats
        Log loss on the true labels of the validation rows, before and after.
    """
    train, validation = _harden(train), _harden(validation)
    tuned = _tune(student, train, passes)
    class_weight = getattr(_last_step(student), "class_weight", None)
    if class_weight is not None:
        validation = validation.weigh_classes(class_weight)
    before, after = (
        cross_entropy(
            validation.targets, model.predict_proba(validation.X), validation.weight
        )
        for model in (student, tuned)
    )
    return tuned if after < before else student, after < before, (before, after)


def _harden(data: SoftDataset) -> SoftDataset:
    """Put the true labels in the place of the soft targets."""
    codes = np.searchsorted(data.classes, data.y)
    return replace(data, targets=one_hot(codes, len(data.classes)))


def _tune(student: Any, data: SoftDataset, passes: int) -> Any:
    if isinstance(student, Pipeline):
        name, learner = student.steps[-1]
        if len(student.steps) > 1:
            data = data.with_rows(student[:-1].transform(data.X))
        tuned = copy.copy(student)
        tuned.steps = [*student.steps[:-1], (name, _tune(learner, data, passes))]
        return tuned
    class_weight = getattr(student, "class_weight", None)
    if class_weight is None:
        return _family(student).tune(student, data, passes)
    plain = copy.copy(student).set_params(class_weight=None)
    tuned = _family(plain).tune(plain, data.weigh_classes(class_weight), passes)
    return tuned.set_params(class_weight=class_weight)


def _list_learners(student: Any) -> list[Any]:
    """A student that is no pipeline, with the parts that it is made of."""
    learner = _last_step(student)
    parts = _meta.list_parts(learner) if _meta.accepts(learner) else []
    return [learner, *(inner for part in parts for inner in _list_learners(part))]


def _last_step(student: Any) -> Any:
    while isinstance(student, Pipeline):
        student = student.steps[-1][1]
    return student


def _family(learner: Any) -> ModuleType:
    for family in FAMILIES:
        if family.accepts(learner):
            return family
    raise TypeError(
        "The student's fit must take sample_weight, by which it learns soft targets; "
        f"{type(learner).__name__} does not. Use MLPClassifier, LogisticRegression "
        "or HistGradientBoostingClassifier, alone or at the end of a Pipeline."
    )
