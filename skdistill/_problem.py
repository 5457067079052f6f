"""The first step of `fit`: everything that can be wrong, before any work."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, column_or_1d, indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    validate_data,
)

from . import _teacher
from ._defaults import default_student, default_teacher
from ._rows import is_missing
from ._students import (
    check_student,
    choose_temperature,
    split_rows,
    validation_fraction,
)
from ._targets import FloatArray
from ._weights import weight_params


@dataclass(frozen=True)
class Problem:
    """What `fit` was given, checked, with unfitted clones to work on.

    Attributes
    ----------
    X, y : array-likes of length n_samples
        Rows, in the user's container, and labels.
    codes : ndarray of shape (n_samples,)
        Position of each label in `classes`.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    weight : ndarray of shape (n_samples,) or None
        Row weights.
    stored : ndarray of shape (n_samples, n_classes) or None
        Probabilities that stand in for a teacher.
    names : dict
        `n_features_in_` and, for named columns, `feature_names_in_`.
    teacher, student : estimators
        Clones, seeded; the teacher is None where only probabilities exist.
    temperature : float
        Of the softening.
    teacher_params, student_params : dict
        What their `fit` is called with.
    splits : list or None
        Folds of `cv`.
    held_out : tuple of ndarrays or None
        Training and validation rows of a student that stops early.
    """

    X: Any
    y: NDArray[Any]
    codes: NDArray[np.intp]
    classes: NDArray[Any]
    weight: FloatArray | None
    stored: FloatArray | None
    names: dict[str, Any]
    teacher: Any
    student: Any
    temperature: float
    teacher_params: dict[str, Any]
    student_params: dict[str, Any]
    splits: _teacher.Splits | None
    held_out: tuple[NDArray[np.intp], NDArray[np.intp]] | None

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps that take time."""
        if self.stored is not None:
            return ("student",)
        if isinstance(self.teacher, FrozenEstimator):
            return ("label", "student")
        if self.splits is None:
            return ("teacher", "student")
        return ("teacher", "folds", "student")


def pose_problem(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    teacher_proba: Any,
    metadata: dict[str, Any],
) -> Problem:
    """Check the input of `fit` and prepare what it works on."""
    _check_parameters(estimator)
    X, y, names = _check_rows(estimator, X, y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes in y, received "
            f"one class: {classes.tolist()}. Pass rows of every class."
        )
    weight = _check_weight(sample_weight, len(y))
    stored = None
    if teacher_proba is not None:
        _check_stands_alone(estimator)
        stored = _teacher.check_stored(teacher_proba, codes, classes)
    teacher = _choose_teacher(estimator, X, classes, stored)
    student, temperature = _choose_student(estimator, X, len(y), len(classes))
    split_seed = _seed_parts(estimator, teacher, student)
    routed = _route(estimator, teacher, student, weight, metadata)
    splits = None
    if estimator.cv is not None:
        cv = check_cv(estimator.cv, y, classifier=True)
        splits = list(cv.split(X, y, **routed["splitter"]))
        _teacher.check_splits(splits, len(y))
    fraction = validation_fraction(student, len(y))
    held_out = None if fraction is None else split_rows(codes, fraction, split_seed)
    return Problem(
        X=X,
        y=y,
        codes=codes,
        classes=classes,
        weight=weight,
        stored=stored,
        names=names,
        teacher=teacher,
        student=student,
        temperature=temperature,
        teacher_params=routed["teacher"],
        student_params=routed["student"],
        splits=splits,
        held_out=held_out,
    )


def _check_parameters(estimator: Any) -> None:
    temperature, alpha = estimator.temperature, estimator.alpha
    if temperature != "auto" and not (
        _is_number(temperature) and 0 < temperature < np.inf
    ):
        raise ValueError(
            'temperature must be "auto" or a finite number greater than 0, received '
            f"{temperature!r}. 1 leaves the teacher's probabilities as they are."
        )
    if not _is_number(alpha) or not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha must be a number in [0, 1], received {alpha!r}. 1 learns from the "
            "teacher alone, 0 from the true labels alone."
        )
    n_jobs = estimator.n_jobs
    if n_jobs is not None and (
        not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool) or n_jobs == 0
    ):
        raise ValueError(
            "n_jobs must be None or an integer other than 0, received "
            f"{n_jobs!r}. -1 uses every core."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _check_rows(
    estimator: Any, X: Any, y: Any
) -> tuple[Any, NDArray[Any], dict[str, Any]]:
    """Rows as they came, labels as a vector, and what is known of the columns."""
    owner = type(estimator).__name__
    if y is None:
        raise ValueError(
            f"{owner} requires y to be passed, but the target y is None. Pass the "
            "true label of each row."
        )
    y = column_or_1d(y, warn=True)
    if y.dtype.kind == "O":
        missing = np.flatnonzero([is_missing(label) for label in y])
    else:
        missing = np.flatnonzero(y != y)
    if len(missing):
        raise ValueError(
            f"y must hold a label for every row; {len(missing)} are missing or NaN, "
            f"the first in row {missing[0]}. Leave those rows out."
        )
    check_classification_targets(y)
    (X,) = indexable(X)
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "biufc":
        raise ValueError(
            "X must hold one row a sample. Expected 2D array, got 1D array instead: "
            f"shape {X.shape}. Use X.reshape(-1, 1) for a single column."
        )
    # The shell takes the names, so that a failed fit leaves the estimator alone.
    shell = BaseEstimator()
    validate_data(shell, X, skip_check_array=True)
    check_consistent_length(X, y)
    return X, y, vars(shell)


def _check_weight(sample_weight: Any, n_samples: int) -> FloatArray | None:
    if sample_weight is None:
        return None
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), one weight a row; received "
            f"sample_weight.shape == {weight.shape}. Pass a vector."
        )
    if weight.min() < 0 or not weight.any():
        raise ValueError(
            "sample_weight must not be negative, nor zero everywhere; received weights "
            f"from {weight.min():g} to {weight.max():g}. Leave rows out instead."
        )
    return weight


def _check_stands_alone(estimator: Any) -> None:
    """Stored probabilities leave nothing to fit."""
    if estimator.cv is not None:
        raise ValueError(
            "Out-of-fold labels need a live teacher; received cv="
            f"{estimator.cv!r} with teacher_proba. Set cv=None, or drop teacher_proba."
        )
    teacher = estimator.teacher
    if teacher is not None and not isinstance(teacher, FrozenEstimator):
        raise ValueError(
            "teacher_proba stands in for the teacher, which would not be fitted; "
            f"received teacher={type(teacher).__name__}. Set teacher=None, or wrap a "
            "fitted teacher in FrozenEstimator."
        )


def _choose_teacher(
    estimator: Any,
    X: Any,
    classes: NDArray[Any],
    stored: FloatArray | None,
) -> Any:
    teacher = estimator.teacher
    if teacher is None:
        return default_teacher(X) if stored is None else None
    _teacher.check_teacher(teacher)
    if isinstance(teacher, FrozenEstimator):
        if estimator.cv is not None:
            raise ValueError(
                "Out-of-fold labels need a teacher that can be refitted; received cv="
                f"{estimator.cv!r} with a FrozenEstimator. Set cv=None, or pass the "
                "teacher unfrozen."
            )
        _teacher.check_frozen_classes(teacher, classes)
    return clone(teacher)


def _choose_student(
    estimator: Any, X: Any, n_samples: int, n_classes: int
) -> tuple[Any, float]:
    """Return a clone of the student, and the temperature at which it learns."""
    student, temperature = estimator.student, estimator.temperature
    if student is None:
        student = default_student(X, n_samples)
    else:
        student = clone(student, safe=False)
    check_student(student, temperature, n_classes, n_samples)
    if temperature == "auto":
        temperature = choose_temperature(student, n_classes)
    return student, float(temperature)


def _seed_parts(estimator: Any, teacher: Any, student: Any) -> Any:
    """Give every `random_state` that is None a seed drawn from the estimator's.

    The teacher comes first: its seed, and with it a cached fit, must not depend
    on which student is tried.

    Returns
    -------
    split_seed : int or RandomState
    """
    rng = check_random_state(estimator.random_state)
    if estimator.random_state is None:
        return rng
    top = np.iinfo(np.int32).max
    seeds = rng.randint(top, size=3)
    for part, seed in zip((teacher, student), seeds, strict=False):
        if part is None:
            continue
        own = np.random.RandomState(seed)
        params = part.get_params()
        names = sorted(n for n in params if n.split("__")[-1] == "random_state")
        drawn = {n: int(own.randint(top)) for n in names}
        part.set_params(**{n: drawn[n] for n in names if params[n] is None})
    return int(seeds[2])


def _route(
    estimator: Any,
    teacher: Any,
    student: Any,
    weight: FloatArray | None,
    metadata: dict[str, Any],
) -> dict[str, dict[str, Any]]:
    """What teacher, student and splitter are each called with."""
    frozen = teacher is None or isinstance(teacher, FrozenEstimator)
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(estimator, "fit", sample_weight=weight, **metadata)
        given = {
            "teacher": dict(routed.get("teacher", {}).get("fit", {})),
            "student": dict(routed.get("student", {}).get("fit", {})),
            "splitter": dict(routed.get("splitter", {}).get("split", {})),
        }
        if weight is not None:
            # The defaults take weights, and nobody could have asked on their behalf.
            if estimator.student is None:
                given["student"]["sample_weight"] = weight
            if estimator.teacher is None and not frozen:
                given["teacher"]["sample_weight"] = weight
        return given
    if metadata:
        raise ValueError(
            f"Metadata {sorted(metadata)} needs metadata routing. Enable it with "
            "sklearn.set_config(enable_metadata_routing=True) and request it with "
            "set_fit_request(...) on the part that takes it."
        )
    if weight is None or frozen:
        teacher_params: dict[str, Any] = {}
    else:
        _teacher.check_teacher_takes_weight(teacher)
        teacher_params = weight_params(teacher, weight)
    student_params = {} if weight is None else {"sample_weight": weight}
    return {"teacher": teacher_params, "student": student_params, "splitter": {}}
