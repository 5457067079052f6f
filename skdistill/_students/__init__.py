"""How each family of students learns soft targets."""

from ._fit_student import fine_tune_student, fit_student, validation_fraction
from ._properties import (
    blends_labels,
    can_scale_logits,
    check_fine_tuning,
    check_student,
    choose_temperature,
    count_final_epochs,
    encode_labels,
    is_calibrated,
    learns_in_epochs,
    learns_mixtures,
    limit_epochs,
    read_labels,
    refits_leaves,
    scale_logits,
    seed_torch,
    weigh_served,
)

__all__ = [
    "blends_labels",
    "can_scale_logits",
    "check_fine_tuning",
    "check_student",
    "choose_temperature",
    "count_final_epochs",
    "encode_labels",
    "fine_tune_student",
    "fit_student",
    "is_calibrated",
    "learns_in_epochs",
    "learns_mixtures",
    "limit_epochs",
    "read_labels",
    "refits_leaves",
    "scale_logits",
    "seed_torch",
    "validation_fraction",
    "weigh_served",
]
