"""The estimators of one fit: clones of teacher, student and sampler, seeded."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_regressor
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import process_routing

from ._checks import is_whole
from ._dataset import Dataset
from ._frames import check_same_table
from ._labels._defaults import warn_of_text_numbers
from ._labels._quantiles import stack_quantiles
from ._labels._teacher import check_fixed_classes, check_takes_weight, check_teacher
from ._nested import (
    can_refit,
    list_models,
    list_own_settings,
    weight_params,
)
from ._nets import holds_net
from ._outofcore import is_chunked, open_chunks
from ._students._fit_student import check_labels
from ._students._properties import (
    check_fine_tuning,
    check_shift,
    check_student,
    count_useful_labels,
    learns_by_kernel,
)
from ._students._settings import check_settings
from ._tasks import Tasks, read_tasks
from ._typing import FloatArray
from ._validation import check_stands_alone
from .transfer._base import refuse_other_frames
from .transfer._transfer_set import Ratio, check_augmenter, choose_ratio, makes_rows

_MAX_SEED = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Seeds:
    """What each draw is seeded with: an int, the global generator, or None."""

    split: Any
    pilots: Any
    sampler: Any
    # Those of torch; None where no net is fitted.
    torch: int | None
    teacher: int | None


@dataclass(frozen=True)
class Parts:
    """What a fit works with, besides its rows."""

    #: A clone, or None where there are stored probabilities alone.
    teacher: Any
    student: Any
    #: Whether the student is the package's own.
    default_student: bool
    #: Unfitted; None: no row is to be made or tried.
    sampler: Any
    X_unlabeled: Any
    #: Labels that stand in for a teacher.
    stored: FloatArray | None
    # What `fit` and `split` are called with.
    teacher_params: dict[str, Any]
    student_params: dict[str, Any]
    splitter_params: dict[str, Any]
    # As in the estimator, but for what "auto" stands for.
    n_synthetic: int | Ratio
    pilot: float
    fine_tune: int
    seeds: Seeds
    tasks: Tasks
    #: Rows that teachers were asked for so far, by what their labels are for.
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def refits(self) -> bool:
        """Whether there is a teacher that can be fitted."""
        return self.stored is None and can_refit(self.teacher)


def clone_parts(
    estimator: Any,
    data: Dataset,
    stored: Any,
    X_unlabeled: Any,
    metadata: dict[str, Any],
) -> Parts:
    """Check what the parameters of an estimator name, and clone it."""
    chunked = is_chunked(data.X, X_unlabeled)
    if not chunked:
        (X_unlabeled,) = indexable(X_unlabeled)
    if stored is not None:
        check_stands_alone(estimator, data)
        stored = data.task.check_stored(stored, data.y)
    teacher = _clone_teacher(estimator, data, stored)
    student = _clone_student(estimator, data, stored)
    default_teacher = estimator.teacher is None and stored is None
    if default_teacher or estimator.student is None:
        warn_of_text_numbers(data.X)
    sampler = _clone_sampler(estimator, data, X_unlabeled, stored)
    if X_unlabeled is not None and not chunked:
        check_same_table(X_unlabeled, data.X, "X_unlabeled")
    seeds = _seed_parts(estimator, teacher, student)
    routed = _route(estimator, teacher, student, data.weight, metadata)
    if chunked:
        # All of it is read, so the rest is checked before.
        X_unlabeled = open_chunks(X_unlabeled, data.X)
    return Parts(
        teacher=teacher,
        student=student,
        default_student=estimator.student is None,
        sampler=sampler,
        X_unlabeled=X_unlabeled,
        stored=stored,
        teacher_params=routed["teacher"],
        student_params=routed["student"],
        splitter_params=routed["splitter"],
        n_synthetic=read_n_synthetic(estimator, student, data.task.n_columns),
        pilot=estimator.pilot,
        fine_tune=estimator.fine_tune,
        seeds=seeds,
        tasks=read_tasks(estimator),
    )


def _clone_teacher(estimator: Any, data: Dataset, stored: FloatArray | None) -> Any:
    teacher = estimator.teacher
    if teacher is None:
        return data.task.default_teacher(data.X) if stored is None else None
    if isinstance(teacher, list | tuple) and len(data.task.quantiles):
        teacher = stack_quantiles(teacher, data.task.quantiles)
    check_teacher(teacher, data.task)
    if not can_refit(teacher):
        if estimator.cv is not None:
            raise ValueError(
                "Out-of-fold labels need a teacher that can be refitted; received cv="
                f"{estimator.cv!r} with a {type(teacher).__name__}. Set cv=None, or "
                "pass the teacher unfrozen."
            )
        check_fixed_classes(teacher, data.classes)
    return clone(teacher)


def _clone_student(estimator: Any, data: Dataset, stored: FloatArray | None) -> Any:
    if estimator.student is None:
        makes = makes_rows(estimator.augmenter, estimator.pilot)
        stops = stored is not None or not makes
        student = data.task.default_student(data.X, data.n_samples, stops=stops)
    else:
        student = clone(estimator.student, safe=False)
    alpha = 1.0 if estimator.alpha == "auto" else estimator.alpha
    given = (estimator.temperature, data.task.n_columns, data.n_samples, alpha)
    check_student(student, *given, data.task.method)
    if len(data.classes):
        check_labels(student, data.classes)
    # Teachers are fitted before the student: its `fit` would say it after all of them.
    check_settings(student)
    if len(data.task.quantiles):
        check_shift(student)
    if estimator.fine_tune:
        check_fine_tuning(student)
    return student


def _clone_sampler(
    estimator: Any, data: Dataset, X_unlabeled: Any, stored: FloatArray | None
) -> Any:
    """Return an unfitted sampler; None where no row is to be made or tried."""
    augmenter = estimator.augmenter
    sampler = check_augmenter(augmenter, estimator.n_synthetic)
    if stored is not None:
        beyond = "X_unlabeled" if X_unlabeled is not None else "an augmenter"
        if X_unlabeled is not None or augmenter not in (None, "auto"):
            name = data.task.stored_name
            raise ValueError(
                f"{name} labels the training rows only; received {beyond}, whose rows "
                "nobody could label. Leave it out, or pass the teacher."
            )
        return None
    if not makes_rows(augmenter, estimator.pilot):
        return None
    refuse_other_frames(data.X, type(sampler).__name__)
    return sampler


def _seed_parts(estimator: Any, teacher: Any, student: Any) -> Seeds:
    """Give every `random_state` that is None a seed drawn from the estimator's.

    The teacher comes first: its seed, and with it a cached fit, must not depend
    on which student is tried.
    """
    rng = check_random_state(estimator.random_state)
    if estimator.random_state is None:
        return Seeds(rng, rng, rng, None, None)
    seeds: list[Any] = rng.randint(_MAX_SEED, size=7).tolist()
    for part, seed in zip((teacher, student), seeds, strict=False):
        if part is not None:
            seed_part(part, np.random.RandomState(seed))
    for k, part in ((-2, student), (-1, teacher)):
        if part is None or not holds_net(part):
            seeds[k] = None
    return Seeds(*seeds[2:])


def seed_part(
    part: Any, rng: np.random.RandomState, given: Mapping[str, Any] | None = None
) -> None:
    """Give every `random_state` that is None the one that is given, or one drawn."""
    given, params = given or {}, part.get_params()
    names = sorted(n for n in params if n.split("__")[-1] == "random_state")
    # One that is set takes its draw as well: the others do not depend on it.
    drawn = {n: int(rng.randint(_MAX_SEED)) for n in names}
    seeds = {n: drawn[n] if given.get(n) is None else given[n] for n in names}
    part.set_params(**{n: seeds[n] for n in names if params[n] is None})
    for found in _list_unnamed(part, params):
        seed = int(rng.randint(_MAX_SEED))
        if hasattr(found, "get_params"):
            if found.get_params(deep=False)["random_state"] is None:
                found.set_params(random_state=seed)
        elif found.random_state is None:
            found.random_state = seed


def _list_unnamed(part: Any, params: dict[str, Any]) -> Iterator[Any]:
    """Yield what draws and is no parameter: what a search tries, and splitters."""
    named = {id(value) for value in (part, *params.values())}
    for model in list_models(part, fixed=False):
        if id(model) not in named and "random_state" in model.get_params(deep=False):
            yield model
        yield from (v for _, v in list_own_settings(model) if _draws(v))


def _draws(value: Any) -> bool:
    """Whether a value that is no estimator, such as a splitter, draws."""
    if hasattr(value, "get_params") or not hasattr(value, "random_state"):
        return False
    # KFold draws where it shuffles, and skorch's ValidSplit where it takes a share.
    shuffles = getattr(value, "shuffle", True)
    return bool(shuffles) and not is_whole(getattr(value, "cv", None))


def seed_splitter(cv: Any, seed: Any) -> Any:
    """Return a splitter that draws by the seed, where it has none of its own."""
    if isinstance(seed, int) and _draws(cv) and cv.random_state is None:
        cv = copy.deepcopy(cv)
        cv.random_state = seed
    return cv


def _route(
    estimator: Any,
    teacher: Any,
    student: Any,
    weight: FloatArray | None,
    metadata: dict[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return what teacher, student and splitter are each called with."""
    if get_config()["enable_metadata_routing"]:
        return _route_metadata(estimator, teacher, weight, metadata)
    if metadata:
        raise ValueError(
            f"Metadata {sorted(metadata)} needs metadata routing. Enable it with "
            "sklearn.set_config(enable_metadata_routing=True) and request it with "
            "set_fit_request(...) on the part that takes it."
        )
    given: dict[str, dict[str, Any]] = {"teacher": {}, "student": {}, "splitter": {}}
    if weight is not None:
        if is_regressor(student):
            check_takes_weight(student, "student")
        given["student"] = {"sample_weight": weight}
        if can_refit(teacher):
            check_takes_weight(teacher, "teacher")
            given["teacher"] = weight_params(teacher, weight)
    return given


def _route_metadata(
    estimator: Any, teacher: Any, weight: FloatArray | None, metadata: dict[str, Any]
) -> dict[str, dict[str, Any]]:
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
        own = isinstance(estimator.teacher, list | tuple) or estimator.teacher is None
        if own and can_refit(teacher):
            given["teacher"]["sample_weight"] = weight
    return given


def read_n_synthetic(estimator: Any, student: Any, n_columns: int) -> int | Ratio:
    """Return how many synthetic rows the student learns, or for each real one."""
    if estimator.n_synthetic != "auto":
        return int(estimator.n_synthetic)
    n_labels, by_kernel = count_useful_labels(student), learns_by_kernel(student)
    return choose_ratio(n_labels, n_columns, by_kernel)
