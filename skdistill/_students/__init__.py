"""How each kind of student learns soft targets."""

from ._dispatch import (
    blends_labels,
    can_rescale,
    check_part,
    check_student,
    check_tuning,
    choose_temperature,
    count_final_passes,
    fit_student,
    learns_in_passes,
    limit_passes,
    read_labels,
    refits_leaves,
    rescale,
    seed_net,
    tune_student,
    validation_fraction,
)

__all__ = [
    "blends_labels",
    "can_rescale",
    "check_part",
    "check_student",
    "check_tuning",
    "choose_temperature",
    "count_final_passes",
    "fit_student",
    "learns_in_passes",
    "limit_passes",
    "read_labels",
    "refits_leaves",
    "rescale",
    "seed_net",
    "tune_student",
    "validation_fraction",
]
