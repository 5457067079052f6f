"""How each kind of student learns soft targets.

A family is a module with `accepts`, `wants_validation`, `check_stopping`,
`rescales`, `fit` and `fold`; the first in `FAMILIES` that accepts a student teaches
it. Pipelines are taken apart here: all but the last step transform, the last step
learns.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from . import _expansion, _linear, _mlp
from ._data import SoftData, split_rows

__all__ = [
    "SoftData",
    "check_student",
    "choose_temperature",
    "fit_student",
    "split_rows",
    "validation_fraction",
]

FAMILIES: tuple[ModuleType, ...] = (_mlp, _linear, _expansion)

#: The temperature of students whose logits can be rescaled, when none is given.
#: `benchmarks/defaults.py` holds the comparison.
AUTO_TEMPERATURE = 3.0


def choose_temperature(student: Any, n_classes: int) -> float:
    """Return what "auto" stands for: 1 where logits can't be rescaled exactly."""
    learner = _last_step(student)
    return AUTO_TEMPERATURE if _family(learner).rescales(learner, n_classes) else 1.0


def check_student(
    student: Any, temperature: float | str, n_classes: int, n_samples: int
) -> None:
    """Raise where the student cannot learn or serve what is asked for.

    Raises
    ------
    TypeError
        The student has no `predict_proba`, takes no weights, or cross-validates.
    ValueError
        The student's logits can't be rescaled and the temperature is not 1, or it
        stops early in a way that can't be given validation rows.
    """
    learner = _last_step(student)
    if isinstance(learner, type):
        raise TypeError(
            f"The student must be an estimator, received the class {learner.__name__}. "
            f"Pass an instance: {learner.__name__}()."
        )
    name = type(learner).__name__
    if not hasattr(learner, "predict_proba"):
        raise TypeError(
            f"The student must have predict_proba, which {name} has not as it is "
            "configured. Use a classifier with probabilities, such as MLPClassifier."
        )
    if hasattr(learner, "cv"):
        raise TypeError(
            f"The student must be a single classifier, received a {name}, whose "
            "inner folds would share copies of a row. Put the search or the "
            "calibration around the DistilledClassifier: "
            "GridSearchCV(DistilledClassifier(...), {'student__...': ...})."
        )
    family = _family(learner)
    if family.wants_validation(learner, n_samples):
        family.check_stopping(learner)
    if temperature not in ("auto", 1) and not family.rescales(learner, n_classes):
        raise ValueError(
            "A temperature other than 1 needs a student whose logits can be "
            f"multiplied by it before serving; received temperature={temperature} "
            f"with {name} on {n_classes} classes. Set temperature=1, or use "
            "MLPClassifier or LogisticRegression."
        )


def validation_fraction(student: Any, n_samples: int) -> float | None:
    """Share of rows to keep for early stopping; None: the student needs none."""
    learner = _last_step(student)
    if not _family(learner).wants_validation(learner, n_samples):
        return None
    return getattr(learner, "validation_fraction", None) or 0.1


def fit_student(
    student: Any,
    train: SoftData,
    validation: SoftData | None = None,
    temperature: float = 1.0,
) -> Any:
    """Fit an unfitted student in place, and serve it at temperature 1.

    Parameters
    ----------
    student : estimator
        A clone; it is fitted in place and returned.
    train, validation : SoftData
        Rows to learn from, and rows to stop early on.
    temperature : float
        The temperature at which the targets were softened.

    Returns
    -------
    student : estimator
        A stock estimator that needs nothing of this package.
    """
    if isinstance(student, Pipeline):
        return _fit_pipeline(student, train, validation, temperature)
    family = _family(student)
    class_weight = getattr(student, "class_weight", None)
    if class_weight is not None:
        student.set_params(class_weight=None)
        train = train.weigh_classes(class_weight)
        validation = validation and validation.weigh_classes(class_weight)
    student = family.fit(student, train, validation)
    if class_weight is not None:
        student.set_params(class_weight=class_weight)
    if temperature != 1:
        family.fold(student, temperature)
    return student


def _fit_pipeline(
    student: Pipeline,
    train: SoftData,
    validation: SoftData | None,
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
            validation = validation.with_rows(head.transform(validation.X))
        # With a cache the pipeline fits copies of its steps.
        steps = head.steps
    learner = fit_student(learner, train, validation, temperature)
    student.steps = [*steps, (name, learner)]
    return student


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
