"""The registry of families, and the fit of a student by its family.

Pipelines are taken apart here: all but the last step transform, the last step learns.
"""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from .._copies import find_copies
from .._dataset import split_rows
from .._labels._calibration import fit_shift
from .._nested import last_step, map_learner
from .._nets import inherits
from .._outofcore._spill import SoftStream, Spill, spill_rows
from .._soft_data import MaybeRows, SoftDataset, weigh_classes
from .._typing import AnyArray
from ._catboost import CatBoostLearner
from ._gradient_boosting import GradientBoostingLearner
from ._hist import HistLearner
from ._lightgbm import LightGBMLearner, LightGBMRegressorLearner
from ._logistic import LogisticLearner
from ._meta import MetaLearner
from ._mlp import MLPLearner, MLPRegressorLearner
from ._sgd import SGDLearner
from ._skorch import SkorchLearner
from ._soft_learner import SoftLearner
from ._trees import TreeLearner
from ._value_learner import RegressorLearner
from ._weighted_copies import WeightedCopiesLearner
from ._xgboost import XGBoostLearner

#: Share of the rows that a student stops early on, where it has no such parameter.
_VALIDATION_FRACTION = 0.1

#: Rows of a file that tell the mean label of a class, and what a student makes of it.
_MEAN_ROWS = 2**14

#: Labels of a table that tell it.
_MEAN_LABELS = 2**19


def fit_student(
    student: Any,
    train: SoftDataset,
    transfer: SoftDataset | SoftStream | None = None,
    validation: MaybeRows = None,
) -> Any:
    """Fit an unfitted student in place, and serve it at temperature 1.

    All steps of a Pipeline learn the training rows. Those of the transfer set, a stream
    chunk by chunk, are learned by its last step, and only transformed by the others.
    Validation rows are those to stop early on.
    """
    if isinstance(student, Pipeline):
        learner, *given = fit_head(student, train, transfer, validation)
        return set_learner(student, fit_student(learner, *given))
    family = find_family(student)
    if (limit := family.limit_targets(student, train)) is not None:
        train, transfer = limit(train), transfer and limit(transfer)
        validation = validation and limit(validation)
    class_weight = getattr(student, "class_weight", None)
    if class_weight is not None:
        student.set_params(class_weight=None)
        validation = validation and validation.weigh_classes(class_weight)
    softened, learned = train.temperature != 1, []
    if isinstance(transfer, SoftStream):
        with spill_rows(train.take_labelled(), transfer) as spill:
            if class_weight is not None:
                spill.weigh_classes(class_weight)
            student = family.fit_chunks(student, spill, validation)
            if softened:
                learned = _sample_rows(spill)
    else:
        if class_weight is not None:
            train, transfer = _weigh_classes(class_weight, train, transfer)
        student = family.fit(student, train, transfer, validation)
        if softened:
            learned = [train.take_labelled(), *([transfer] if transfer else [])]
    if class_weight is not None:
        student.set_params(class_weight=class_weight)
    if softened:
        serve_softened(student, learned)
    return student


def serve_softened(student: Any, learned: list[SoftDataset]) -> None:
    """Serve what a student has learned at a temperature other than 1 at temperature 1.

    The fit of intercepts keeps the means of softened probabilities, which are no means
    of probabilities: little would be left of a rare class. So where numbers can be
    added to the multiplied logits, they give the rows the mean labels of the classes.
    `student` is no Pipeline, and `learned` may be a sample.
    """
    family = find_family(student)
    family.scale_logits(student, learned[0].temperature)
    learned = [rows for rows in learned if rows.n_samples]
    if not (learned and family.can_shift_logits(student)):
        return
    learned = [_thin_out(rows) for rows in learned]
    wanted = np.sum([rows.sum_classes() for rows in learned], axis=0)
    served = np.concatenate([rows.ask(student) for rows in learned])
    served = np.maximum(served, np.finfo(np.float64).tiny, dtype=np.float64)
    weight = np.concatenate([rows.weights for rows in learned])
    wanted /= wanted.sum()
    family.shift_logits(student, fit_shift(served, wanted, weight, pulled=True))


def _thin_out(rows: SoftDataset) -> SoftDataset:
    """Return rows from all over the given ones, of so many labels at most."""
    step = -(-rows.targets.size // _MEAN_LABELS)
    return rows.take(np.arange(0, rows.n_samples, step)) if step > 1 else rows


def _sample_rows(spill: Spill) -> list[SoftDataset]:
    """Return buffers of rows from all over the file, enough for the mean of a class."""
    learned: list[SoftDataset] = []
    for rows in spill.shuffle(np.random.RandomState(0)):
        learned.append(rows)
        if sum(rows.n_samples for rows in learned) >= _MEAN_ROWS:
            break
    return learned


def _weigh_classes(
    class_weight: Any, train: SoftDataset, transfer: MaybeRows
) -> tuple[SoftDataset, MaybeRows]:
    """Work a student's `class_weight` into both; "balanced" counts them together."""
    mass = train.take_labelled().sum_classes()
    if transfer is not None:
        mass = mass + transfer.sum_classes()
    factors = weigh_classes(class_weight, train.classes, mass)
    return train.scale_classes(factors), transfer and transfer.scale_classes(factors)


def set_learner(student: Pipeline, learner: Any) -> Pipeline:
    """Put a fitted learner into the last step."""
    student.steps = [*student.steps[:-1], (student.steps[-1][0], learner)]
    return student


def fit_head(
    student: Pipeline, train: SoftDataset, transfer: Any, validation: MaybeRows
) -> tuple[Any, SoftDataset, Any, MaybeRows]:
    """Fit the steps before the learner; return that, unfitted, and what it is given."""
    learner = student.steps[-1][1]
    if len(student.steps) == 1:
        return learner, train, transfer, validation
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
    student.steps = [*head.steps, student.steps[-1]]
    return learner, train, transfer, validation


# Parts of students -------------------------------------------------------------------


def check_part(student: Any, n_classes: int, n_samples: int) -> None:
    """Raise where a student, or a part of one, cannot learn soft targets."""
    learner = last_step(student)
    if inherits(learner, "skdistill.", "Distilled"):
        raise TypeError(
            "The student must be the model that is to be served; received a "
            f"{type(learner).__name__}, which trains one from a teacher. Pass its "
            f"student, here student={learner.student!r}; it may itself be the teacher."
        )
    family = find_family(learner)
    family.check(learner, n_classes, n_samples)
    inner = family.count_part_classes(learner, n_classes)
    for part in family.list_parts(learner):
        if find_family(last_step(part)).method != family.method:
            raise TypeError(
                f"What a {type(learner).__name__} student is made of must be "
                f"classifiers; received {type(last_step(part)).__name__}. Pass a "
                "classifier."
            )
        check_part(part, inner, n_samples)


def check_labels(student: Any, classes: AnyArray) -> None:
    """Raise where a student, or a part of one, cannot learn classes so called."""
    learner = last_step(student)
    family = find_family(learner)
    family.check_labels(learner, classes)
    if not family.encodes_labels(learner):
        for part in family.list_parts(learner):
            check_labels(part, classes)


def validation_fraction(student: Any, n_samples: int) -> float | None:
    """Share of rows to keep for early stopping; None: the student needs none."""
    learner = last_step(student)
    if not find_family(learner).wants_validation(learner, n_samples):
        return None
    given = getattr(learner, "validation_fraction", None) or _VALIDATION_FRACTION
    # Histogram boosting takes a number of rows as well.
    counts = isinstance(given, Integral)
    share: float = given / n_samples if counts else given
    return share


def fit_part(student: Any, data: SoftDataset) -> Any:
    """Fit a part of a student on rows of which it holds out its own validation rows."""
    check_part(student, len(data.classes), data.n_samples)
    check_labels(student, data.classes)
    fraction = validation_fraction(student, data.n_samples)
    if fraction is None:
        return fit_student(student, data)
    seed = getattr(last_step(student), "random_state", None)
    train, held_out = split_rows(data.codes, fraction, seed, find_copies(data.X))
    return fit_student(student, data.take(train), validation=data.take(held_out))


# Fine-tuning -------------------------------------------------------------------------


def fine_tune_student(
    student: Any, train: SoftDataset, validation: SoftDataset, epochs: int
) -> tuple[Any, bool, tuple[float, float]]:
    """Train on over the true labels, and keep the result where it is the better one.

    The student that is given stays as it is. Return the better one, whether that is the
    fine-tuned one, and the losses of the validation rows before and after.
    """
    train, validation = train.harden(), validation.harden()
    tuned = _fine_tune(student, train, epochs)
    class_weight = getattr(last_step(student), "class_weight", None)
    if class_weight is not None:
        validation = validation.weigh_classes(class_weight)
    before, after = (
        validation.measure(validation.ask(model)) for model in (student, tuned)
    )
    return tuned if after < before else student, after < before, (before, after)


def _fine_tune(student: Any, data: SoftDataset, epochs: int) -> Any:
    def tune(learner: Any, X: Any) -> Any:
        rows, class_weight = data.with_rows(X), getattr(learner, "class_weight", None)
        if class_weight is None:
            return find_family(learner).fine_tune(learner, rows, epochs)
        plain = copy.copy(learner).set_params(class_weight=None)
        rows = rows.weigh_classes(class_weight)
        tuned = find_family(plain).fine_tune(plain, rows, epochs)
        return tuned.set_params(class_weight=class_weight)

    return map_learner(student, data.X, tune)


# The registry ------------------------------------------------------------------------

#: The families in order: the first that accepts a student teaches it. The last
#: accepts all.
LEARNERS: tuple[SoftLearner, ...] = (
    MLPRegressorLearner(),
    LightGBMRegressorLearner(),
    RegressorLearner(),
    SkorchLearner(),
    MLPLearner(),
    LightGBMLearner(),
    XGBoostLearner(),
    CatBoostLearner(),
    LogisticLearner(),
    SGDLearner(),
    TreeLearner(),
    HistLearner(),
    GradientBoostingLearner(),
    MetaLearner(fit_part),
    WeightedCopiesLearner(),
)


def find_family(learner: Any) -> SoftLearner:
    """Return the family of a student that is no Pipeline."""
    return next(family for family in LEARNERS if family.accepts(learner))
