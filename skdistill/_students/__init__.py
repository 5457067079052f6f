"""How each kind of student learns soft targets."""

from ._dispatch import (
    blends_labels,
    can_scale_logits,
    check_fine_tuning,
    check_part,
    check_student,
    choose_temperature,
    count_final_epochs,
    fine_tune_student,
    fit_student,
    learns_in_epochs,
    limit_epochs,
    read_labels,
    refits_leaves,
    scale_logits,
    seed_torch,
    validation_fraction,
)

__all__ = [
    "blends_labels",
    "can_scale_logits",
    "check_fine_tuning",
    "check_part",
    "check_student",
    "choose_temperature",
    "count_final_epochs",
    "fine_tune_student",
    "fit_student",
    "learns_in_epochs",
    "limit_epochs",
    "read_labels",
    "refits_leaves",
    "scale_logits",
    "seed_torch",
    "validation_fraction",
]
