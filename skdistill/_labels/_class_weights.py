"""Class weights of a teacher, and those that a student adds to them."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from .._nested import can_refit, list_settings
from .._soft_data import SoftDataset
from .._typing import FloatArray
from .._warnings import warn_caller

#: Parameters by which a classifier gives classes other weights than their shares.
_REWEIGHING = (
    *("class_weight", "class_weights", "auto_class_weights"),
    *("is_unbalance", "scale_pos_weight"),
)

#: Labels that raise the odds of the class that the student weighs most by this factor
#: have its weights in them.
_RAISED = 1.5


def weighs_classes(teacher: Any) -> bool:
    """Whether a part of the teacher shifts the classes' shares by a parameter."""
    return any(
        name in _REWEIGHING and _moves_shares(value)
        for name, value in list_settings(teacher)
    )


def _moves_shares(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    # A positive class of weight 1 weighs as much as the other one.
    return not isinstance(value, Real) or value != 1


def warn_of_weights_twice(
    teacher: Any, learned: SoftDataset, priors: FloatArray, factors: FloatArray | None
) -> None:
    """Warn where labels have class weights in them, and the student adds its own.

    `factors` are the student's, and the labels of `learned` are not calibrated. Where
    the teacher is a function or is not given, the labels alone tell whether it weighs
    classes.
    """
    if factors is None or factors.max() <= factors.min():
        return
    readable = can_refit(teacher) or isinstance(teacher, FrozenEstimator)
    if readable and not weighs_classes(teacher):
        return
    mass = learned.sum_classes()
    moved = mass / mass.sum() / priors
    most, least = int(np.argmax(factors)), int(np.argmin(factors))
    if moved[most] <= _RAISED * moved[least]:
        return
    warn_caller(
        f"The class {learned.classes.tolist()[most]!r} has {priors[most]:.2%} of the "
        f"rows and {moved[most] * priors[most]:.2%} of the labels, as class weights of "
        "a teacher would make it, and the student weighs classes as well: they are "
        "weighed twice. Leave the class weights out of the student; or have the labels "
        'calibrated, which takes out those of the teacher: calibrate="auto", and X_val '
        "for a fixed teacher."
    )
