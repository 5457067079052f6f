"""How far a teacher repeats the labels of the rows that it was fitted on."""

from __future__ import annotations

from .._dataset import Dataset
from .._typing import Split
from ._cross_fit import OutOfFold
from ._task import is_asked


def measure_memorization(
    data: Dataset, split: Split, oof: OutOfFold
) -> dict[str, float] | None:
    """Rate the labels of a teacher, that of the first fold, on own and other rows.

    Figures of `Task.rate_labels` with `_in_sample` and `_out_of_fold`; None where
    either has no labels.
    """
    train, held_out = split
    figures = {}
    for name, rows, labels in (
        ("in_sample", train, oof.in_sample[0]),
        ("out_of_fold", held_out, oof.take(held_out)),
    ):
        asked = is_asked(labels)
        if not asked.any():
            return None
        if not asked.all():
            rows, labels = rows[asked], labels[asked]
        y, _, weight = data.take_labels(rows)
        found = data.task.rate_labels(labels, y, weight)
        figures.update({f"{figure}_{name}": value for figure, value in found.items()})
    return figures
