"""What the rest of the package asks about a student: its family's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from .._nested import last_step, list_models
from .._soft_data import weigh_classes
from .._typing import AnyArray, FloatArray
from ._fit_student import check_part, find_family
from ._soft_learner import SoftLearner
from ._value_shift import SHIFTED

_KERNEL_MACHINES = (
    *(SVC, NuSVC, SVR, NuSVR, KernelRidge),
    *(GaussianProcessClassifier, GaussianProcessRegressor),
)

_Rest = ParamSpec("_Rest")
_Answer = TypeVar("_Answer")


def _find(student: Any) -> tuple[SoftLearner, Any]:
    learner = last_step(student)
    return find_family(learner), learner


def _ask(
    method: Callable[Concatenate[SoftLearner, Any, _Rest], _Answer],
) -> Callable[Concatenate[Any, _Rest], _Answer]:
    """Return the method of whichever family the last step of a student is of."""

    @wraps(method)
    def answer(student: Any, *args: _Rest.args, **kwargs: _Rest.kwargs) -> _Answer:
        family, learner = _find(student)
        found: _Answer = getattr(family, method.__name__)(learner, *args, **kwargs)
        return found

    return answer


# Questions that the family of the last step answers as they are asked.
check_fine_tuning = _ask(SoftLearner.check_fine_tuning)
learns_mixtures = _ask(SoftLearner.learns_mixtures)
learns_in_epochs = _ask(SoftLearner.learns_in_epochs)
count_useful_labels = _ask(SoftLearner.count_useful_labels)
count_final_epochs = _ask(SoftLearner.count_epochs)
can_shift_logits = _ask(SoftLearner.can_shift_logits)
refits_leaves = _ask(SoftLearner.refits_leaves)
refit_leaves = _ask(SoftLearner.refit_leaves)
explain_worse = _ask(SoftLearner.explain_worse)
encode_labels = _ask(SoftLearner.encode_labels)
read_labels = _ask(SoftLearner.read_labels)


def check_student(
    student: Any,
    temperature: float | str,
    n_classes: int,
    n_samples: int,
    alpha: float = 1.0,
    method: str = "predict_proba",
) -> None:
    """Raise where the student cannot learn or serve what is asked for."""
    family, learner = _find(student)
    if method == "predict_proba":
        family.check_kind(learner)
    elif family.method != method:
        name = getattr(learner, "__name__", type(learner).__name__)
        raise TypeError(
            f"The student must be a regressor, received {name}. Pass an instance of "
            "one, such as MLPRegressor(); DistilledClassifier takes classifiers."
        )
    check_part(learner, n_classes, n_samples)
    for family, part in _walk_parts(student):
        family.check_temperature(part, temperature, alpha, n_classes)


def check_shift(student: Any) -> None:
    """Raise a TypeError where a number an output can't be added after the fit."""
    family, learner = _find(student)
    if not family.can_shift_logits(learner):
        raise TypeError(
            "The student of quantiles must take a shift of each, which "
            f"{type(learner).__name__} does not. Pass {SHIFTED}."
        )


def choose_temperature(student: Any, n_classes: int) -> float:
    """Return what "auto" stands for on the training rows alone."""
    family, learner = _find(student)
    temperature = family.auto_temperature
    if temperature == 1 or not family.can_scale_logits(learner, n_classes):
        return 1.0
    return temperature


def blends_labels(student: Any) -> bool:
    """Whether true labels may be blended into the targets before the student's fit."""
    return all(family.blends_labels(part) for family, part in _walk_parts(student))


def weigh_served(
    student: Any, classes: AnyArray, priors: FloatArray
) -> FloatArray | None:
    """Factors by which the student's class weights move its probabilities, if any."""
    family, learner = _find(student)
    class_weight = family.class_weight(learner, classes)
    if class_weight is None:
        return None
    return weigh_classes(class_weight, classes, priors)


def limit_epochs(student: Any, n_epochs: int) -> None:
    """Lower the most epochs that a student which learns in epochs makes to so many."""
    family, learner = _find(student)
    name = family.epochs_parameter(learner)
    if name is not None:
        learner.set_params(**{name: min(learner.get_params()[name], n_epochs)})


def learns_by_kernel(student: Any) -> bool:
    """Whether the fit of the student, or of a part, grows faster than its rows."""
    models = list_models(last_step(student))
    return any(isinstance(model, _KERNEL_MACHINES) for model in models)


def is_calibrated(student: Any, n_classes: int) -> bool:
    """Whether the scalar that a pilot asks for divides the student's logits."""
    family, learner = _find(student)
    return family.is_calibrated and family.can_scale_logits(learner, n_classes)


def scale_logits(student: Any, factor: float) -> None:
    """Multiply a fitted student's logits."""
    if factor != 1:
        family, learner = _find(student)
        family.scale_logits(learner, factor)


def shift_logits(student: Any, shift: FloatArray | None) -> None:
    """Add a number a class to a fitted student's logits."""
    if shift is not None:
        family, learner = _find(student)
        family.shift_logits(learner, shift)


def _walk_parts(student: Any) -> Iterator[tuple[SoftLearner, Any]]:
    """Yield a student that is no pipeline, and the parts that it is made of."""
    family, learner = _find(student)
    yield family, learner
    for part in family.list_parts(learner):
        yield from _walk_parts(part)
