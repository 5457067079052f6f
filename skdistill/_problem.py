"""The first step of `fit`: everything that can be wrong, before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import process_routing

from ._labels import _teacher
from ._labels._defaults import default_student, default_teacher
from ._nested import weight_params
from ._outofcore import is_chunked, open_chunks
from ._sklearn import _safe_indexing
from ._soft_data import split_rows
from ._students import (
    check_fine_tuning,
    check_student,
    learns_in_epochs,
    validation_fraction,
)
from ._tasks import Tasks, read_tasks
from ._typing import FloatArray
from ._validation import check_parameters, check_rows, check_stands_alone, check_weight
from .transfer._transfer_set import check_augmenter, check_unlabeled, choose_ratio

Split = tuple[NDArray[np.intp], NDArray[np.intp]]

#: Below so many rows, a fifth of them decides nothing: "auto" leaves things alone.
PILOT_ROWS = 500
_PILOT_SHARE = 0.2


@dataclass(frozen=True)
class Seeds:
    """What each draw is seeded with: ints, or the global generator, or None."""

    split: Any
    pilots: Any
    sampler: Any
    net: int | None


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
    sampler : estimator or None
        Unfitted; None: no row is to be made.
    X_unlabeled : rows, Chunks or None
        Rows without labels.
    temperature, alpha, augmenter : float or str
        As given; "auto" is settled on held-out rows.
    n_synthetic : int or "auto"
        Number of rows to make.
    ratio : int
        Rows to make for each real one, where that is "auto".
    pilot : float
        Share of the student's final fit that pilots may take.
    fine_tune : int
        Passes over the true labels in the end.
    calibrate : bool
        Whether labels are to be calibrated on rows that a teacher did not see.
    teacher_params, student_params : dict
        What their `fit` is called with.
    splits : list or None
        Folds of `cv`.
    pilot_split : tuple of ndarrays or None
        Rows to try on, and rows to choose and calibrate on.
    held_out : tuple of ndarrays or None
        Training and validation rows of a student that stops early or is tuned.
    seeds : Seeds
        For every draw.
    work : Tasks
        Memory and workers.
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
    sampler: Any
    X_unlabeled: Any
    temperature: float | str
    alpha: float | str
    augmenter: Any
    n_synthetic: int | str
    ratio: int
    pilot: float
    fine_tune: int
    calibrate: bool
    teacher_params: dict[str, Any]
    student_params: dict[str, Any]
    splits: _teacher.Splits | None
    pilot_split: Split | None
    held_out: Split | None
    seeds: Seeds
    work: Tasks

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps that take time."""
        names = []
        if self.refits and (self.splits is not None or self.pilot_split is not None):
            names.append("folds")
        if self.chooses:
            names.append("pilots")
        if self.stored is None:
            names.append("teacher" if self.refits else "label")
        return (*names, "student")

    @property
    def chooses(self) -> bool:
        """Whether pilots decide what is learned."""
        auto = self.augmenter == "auto" and self.pilot_split is not None
        return auto and _makes_rows(self, len(self.y))

    def take(self, rows: NDArray[np.intp]) -> Problem:
        """Return the problem of some of the rows."""
        return replace(
            self,
            X=_safe_indexing(self.X, rows),
            y=self.y[rows],
            codes=self.codes[rows],
            weight=None if self.weight is None else self.weight[rows],
        )

    @property
    def refits(self) -> bool:
        """Whether there is a teacher that can be fitted."""
        return self.stored is None and not isinstance(self.teacher, FrozenEstimator)


def pose_problem(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    teacher_proba: Any,
    X_unlabeled: Any,
    metadata: dict[str, Any],
) -> Problem:
    """Check the input of `fit` and prepare what it works on."""
    check_parameters(estimator)
    X, y, names = check_rows(estimator, X, y)
    if not is_chunked(X, X_unlabeled):
        (X_unlabeled,) = indexable(X_unlabeled)
    classes, codes = _find_classes(estimator, y)
    weight = check_weight(sample_weight, len(y))
    stored = None
    if teacher_proba is not None:
        check_stands_alone(estimator)
        stored = _teacher.check_stored(teacher_proba, codes, classes)
    teacher = _choose_teacher(estimator, X, classes, stored)
    student = _choose_student(estimator, X, len(y), len(classes), stored)
    sampler = _choose_sampler(estimator, X, X_unlabeled, stored)
    seeds = _seed_parts(estimator, teacher, student)
    routed = _route(estimator, teacher, student, weight, metadata)
    if is_chunked(X, X_unlabeled):
        # All of it is read, so the rest is checked before.
        X_unlabeled = open_chunks(X_unlabeled, X)
    splits = _draw_folds(estimator, X, y, routed["splitter"])
    frozen = stored is not None or isinstance(teacher, FrozenEstimator)
    calibrate = _choose_calibration(estimator, len(y), frozen)
    tries = estimator.augmenter == "auto" and len(y) >= PILOT_ROWS
    pilot_split = None
    if calibrate or tries:
        pilot_split = _draw_pilot(codes, weight, splits, seeds.pilots)
    held_out = _hold_out(estimator, student, codes, tries, seeds.split)
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
        sampler=sampler,
        X_unlabeled=X_unlabeled,
        temperature=estimator.temperature,
        alpha=estimator.alpha,
        augmenter=estimator.augmenter,
        n_synthetic=estimator.n_synthetic,
        ratio=choose_ratio(learns_in_epochs(student), len(classes)),
        pilot=estimator.pilot,
        fine_tune=estimator.fine_tune,
        calibrate=calibrate,
        teacher_params=routed["teacher"],
        student_params=routed["student"],
        splits=splits,
        pilot_split=pilot_split,
        held_out=held_out,
        seeds=seeds,
        work=read_tasks(estimator),
    )


def _find_classes(
    estimator: Any, y: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The labels, sorted, and the position of each row's among them."""
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least two classes in y, received "
            f"one class: {classes.tolist()}. Pass rows of every class."
        )
    return classes, codes


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
    estimator: Any, X: Any, n_samples: int, n_classes: int, stored: Any
) -> Any:
    """Return a clone of the student."""
    student, alpha = estimator.student, estimator.alpha
    if student is None:
        makes = stored is None and _makes_rows(estimator, n_samples)
        student = default_student(X, n_samples, stops=not makes)
    else:
        student = clone(student, safe=False)
    alpha = 1.0 if alpha == "auto" else alpha
    check_student(student, estimator.temperature, n_classes, n_samples, alpha)
    if estimator.fine_tune:
        check_fine_tuning(student)
    return student


def _makes_rows(given: Any, n_samples: int) -> bool:
    """Whether the parameters, of an estimator or a problem, have rows made or tried."""
    if given.augmenter == "auto":
        return n_samples >= PILOT_ROWS and given.pilot > 0
    return given.augmenter is not None


def _choose_sampler(estimator: Any, X: Any, X_unlabeled: Any, stored: Any) -> Any:
    """Return an unfitted sampler; None where no row is to be made."""
    augmenter = estimator.augmenter
    sampler = check_augmenter(augmenter, estimator.n_synthetic)
    if stored is not None:
        beyond = "X_unlabeled" if X_unlabeled is not None else "an augmenter"
        if X_unlabeled is not None or augmenter not in (None, "auto"):
            raise ValueError(
                f"teacher_proba labels the training rows only; received {beyond}, "
                "whose rows nobody could label. Leave it out, or pass the teacher."
            )
        return None
    if X_unlabeled is not None and not is_chunked(X, X_unlabeled):
        check_unlabeled(X, X_unlabeled)
    return sampler


def _choose_calibration(estimator: Any, n_samples: int, frozen: bool) -> bool:
    if estimator.calibrate == "auto":
        return n_samples >= PILOT_ROWS and not frozen
    if estimator.calibrate and frozen:
        raise ValueError(
            "calibrate=True needs a teacher that can be fitted without the rows it is "
            "calibrated on; received a frozen teacher or teacher_proba. Calibrate the "
            'teacher before, with CalibratedClassifierCV(method="temperature"), and '
            'leave calibrate at "auto".'
        )
    return estimator.calibrate


def _hold_out(
    estimator: Any, student: Any, codes: NDArray[np.intp], tries: bool, seed: Any
) -> Split | None:
    """Return rows for the student's fit and rows to hold out of it, if any are.

    They are for a student that stops early, one that is tuned, and a network that may
    fall back on the true labels.
    """
    fraction = validation_fraction(student, len(codes))
    if fraction is None:
        if not (estimator.fine_tune or (tries and learns_in_epochs(student))):
            return None
        fraction = 0.1
    return split_rows(codes, fraction, seed)


def _draw_folds(
    estimator: Any, X: Any, y: NDArray[Any], params: dict[str, Any]
) -> _teacher.Splits | None:
    if estimator.cv is None:
        return None
    cv = check_cv(estimator.cv, y, classifier=True)
    splits = list(cv.split(X, y, **params))
    _teacher.check_splits(splits, len(y))
    return splits


def _draw_pilot(
    codes: NDArray[np.intp],
    weight: FloatArray | None,
    splits: _teacher.Splits | None,
    seed: Any,
) -> Split | None:
    """Return rows to try on and rows to choose on: the first fold, or a draw."""
    pilot = splits[0] if splits else split_rows(codes, _PILOT_SHARE, seed)
    counted = weight is None or all(weight[rows].any() for rows in pilot)
    # A splitter may test rows that it trains on; those decide nothing.
    return pilot if counted and not np.intersect1d(*pilot).size else None


def _seed_parts(estimator: Any, teacher: Any, student: Any) -> Seeds:
    """Give every `random_state` that is None a seed drawn from the estimator's.

    The teacher comes first: its seed, and with it a cached fit, must not depend
    on which student is tried.
    """
    rng = check_random_state(estimator.random_state)
    if estimator.random_state is None:
        return Seeds(rng, rng, rng, None)
    top = np.iinfo(np.int32).max
    seeds = rng.randint(top, size=6).tolist()
    for part, seed in zip((teacher, student), seeds, strict=False):
        if part is None:
            continue
        own = np.random.RandomState(seed)
        params = part.get_params()
        names = sorted(n for n in params if n.split("__")[-1] == "random_state")
        drawn = {n: int(own.randint(top)) for n in names}
        part.set_params(**{n: drawn[n] for n in names if params[n] is None})
    return Seeds(*seeds[2:])


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
