"""Who is compared: the student, its teacher, and the student without a teacher."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..._labels._probabilities import align
from ..._nested import weight_params
from ..._progress import raise_interrupts
from ..._students._skorch import predicts_positions
from ..._typing import FloatArray
from ...metrics._validation import check_proba
from .._displays._pairs import _find_distilled

_TRAIN = (
    "Pass train=(X_train, y_train), the rows that the estimator was fitted on; or "
    "baseline=model, fitted on them; or baseline=None."
)


def find_distilled(estimator: Any) -> Any:
    """Follow a search and Pipelines to the DistilledClassifier that they end in.

    Raises
    ------
    TypeError
        There is none.
    """
    check_is_fitted(estimator)
    found = estimator
    while not hasattr(found, "student_"):
        if hasattr(found, "best_estimator_"):
            found = found.best_estimator_
        elif isinstance(found, Pipeline):
            found = found[-1]
        else:
            raise TypeError(
                "A report needs a fitted DistilledClassifier, alone, at the end of a "
                "Pipeline or as the best_estimator_ of a search; got "
                f"{type(estimator).__name__} without one. Any two models can be "
                "compared with the functions of skdistill.metrics."
            )
    return found


def put_in_place(estimator: Any, model: Any) -> Any:
    """The model behind the transformers that the DistilledClassifier stands behind."""
    if hasattr(estimator, "student_"):
        return model
    if hasattr(estimator, "best_estimator_"):
        return put_in_place(estimator.best_estimator_, model)
    placed = copy.copy(estimator)
    *steps, (name, last) = estimator.steps
    placed.steps = [*steps, (name, put_in_place(last, model))]
    return placed


def find_teacher(estimator: Any, distilled: Any, teacher_proba: Any) -> Any:
    """The teacher as it would be deployed; None where its probabilities stand in.

    Raises
    ------
    ValueError
        There is neither a teacher nor what it would say.
    """
    if distilled.teacher_ is not None:
        return put_in_place(estimator, distilled.teacher_)
    if teacher_proba is None:
        raise ValueError(
            "A report compares a student with its teacher; this one learned from "
            "stored probabilities, so teacher_ is None, and teacher_proba was not "
            "given. Pass teacher_proba=, the teacher's probabilities of these rows, "
            "columns in the order of classes_."
        )
    return None


def predict_rows(
    model: Any, X: Any, classes: NDArray[Any], name: str, served: Any = None
) -> FloatArray:
    """A model's probabilities, columns in the order of `classes`."""
    known = model.classes_ if served is None else served
    strangers = set(np.asarray(known).tolist()) - set(classes.tolist())
    if strangers:
        raise ValueError(
            f"The {name} must know no other classes than the student, "
            f"{classes.tolist()}; it has {sorted(strangers, key=str)} as well. Fit "
            "both on the same labels."
        )
    proba = check_proba(np.asarray(model.predict_proba(X)), f"the {name}'s output")
    return _normalize(align(proba, known, classes))


def check_teacher_proba(proba: Any, shape: tuple[int, int]) -> FloatArray:
    """Stored probabilities of the teacher, one row a row of X."""
    checked = check_proba(np.asarray(proba), "teacher_proba")
    if checked.shape != shape:
        raise ValueError(
            "teacher_proba must hold the teacher's probabilities of the rows of the "
            f"report, shape {shape}; got {checked.shape}. Pass one row for each row "
            "of X and one column for each of classes_."
        )
    return _normalize(checked)


def _normalize(proba: FloatArray) -> FloatArray:
    # Sums of float32 are off by 1e-7, which log_loss would warn of.
    return proba / proba.sum(axis=1, keepdims=True)


def make_baseline(
    baseline: Any, estimator: Any, distilled: Any, train: Any, random_state: Any
) -> tuple[Any, NDArray[Any] | None]:
    """The baseline and the classes of its columns; (None, None) for none."""
    if isinstance(baseline, str) and baseline == "fit":
        return _fit_baseline(estimator, distilled, train, random_state)
    if train is not None:
        raise ValueError(
            "train is for baseline='fit', which fits the student on its labels; got "
            f"train with baseline={_describe(baseline)}. Leave out train, or set "
            "baseline='fit'."
        )
    if baseline is None:
        return None, None
    if not hasattr(baseline, "fit") or isinstance(baseline, type):
        raise ValueError(
            "baseline must be 'fit', a fitted classifier with predict_proba, or None; "
            f"got {baseline!r}. {_TRAIN}"
        )
    check_is_fitted(baseline)
    if not hasattr(baseline, "predict_proba"):
        raise TypeError(
            "A baseline needs predict_proba; got "
            f"{type(baseline).__name__} without it. Wrap it in a "
            "CalibratedClassifierCV."
        )
    return baseline, np.asarray(baseline.classes_)


def _describe(baseline: Any) -> str:
    return "None" if baseline is None else f"{type(baseline).__name__}(...)"


def _fit_baseline(
    estimator: Any, distilled: Any, train: Any, random_state: Any
) -> tuple[Any, NDArray[Any]]:
    """The same student, fitted by its own `fit` on the true labels alone."""
    X, y, weight = _read_train(train)
    given = distilled.student
    student = clone(distilled.student_ if given is None else given)
    _copy_seeds(student, distilled.student_, random_state)
    classes = distilled.classes_
    unknown = set(np.unique(y).tolist()) ^ set(classes.tolist())
    if unknown:
        raise ValueError(
            f"y_train must hold the classes that the student knows, "
            f"{classes.tolist()}; they differ in {sorted(unknown, key=str)}. {_TRAIN}"
        )
    if predicts_positions(_find_learner(student)):
        y = np.searchsorted(classes, y)
    _, rows = _find_distilled(estimator, X)
    with raise_interrupts():
        student.fit(rows, y, **weight_params(student, weight))
    return put_in_place(estimator, student), classes


def _find_learner(student: Any) -> Any:
    return _find_learner(student[-1]) if isinstance(student, Pipeline) else student


def _read_train(train: Any) -> tuple[Any, NDArray[Any], Any]:
    if not isinstance(train, tuple | list) or len(train) not in (2, 3):
        received = "None" if train is None else type(train).__name__
        raise ValueError(
            "baseline='fit' fits the student on the true labels, and needs the rows "
            f"to do so; got train={received}. {_TRAIN}"
        )
    X, y, weight = (*train, None)[:3]
    return X, np.asarray(y), weight


def _copy_seeds(student: Any, fitted: Any, random_state: Any) -> None:
    """Seed as the distilled student was, and otherwise from `random_state`."""
    rng = check_random_state(random_state)
    theirs = fitted.get_params()
    ours = student.get_params()
    names = sorted(name for name in ours if name.split("__")[-1] == "random_state")
    for name in names:
        drawn = int(rng.randint(np.iinfo(np.int32).max))
        seed = drawn if theirs.get(name) is None else theirs[name]
        if ours[name] is None:
            student.set_params(**{name: seed})
