"""Validation rows whose labels may be those of other rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._dataset import Dataset
from .._labels._cross_fit import OutOfFold, split_labels
from .._labels._row_labels import RowLabels
from ._hold_outs import Splits
from ._scores import make_scores

#: Standard errors: a teacher surely tells its rows, or tells no more than chance.
_SURE, _CHANCE = 5, 2


def describe_foreign(
    data: Dataset, splits: Splits, oof: OutOfFold | None, student: Any
) -> str | None:
    """Say that a teacher knows the training rows, and nothing of the validation rows.

    None where it does not, or where either has no labels.
    """
    if oof is None or splits.first is None or data.validation is None:
        return None
    own, held_out = split_labels(splits.first, oof)
    if not (len(own.rows) and len(held_out.rows)):
        return None
    scores, said = make_scores(data, held_out.rows, student), held_out.values
    useless = scores.varies and scores.is_useless(data.task.score(said, scores.y))
    if not useless or _find_agreement(data, held_out) > _CHANCE:
        return None
    if _find_agreement(data, own) < _SURE:
        return None
    known = make_scores(data, own.rows, student).describe(own.values)
    return (
        f"The teacher knows the rows of X ({known}), and is no better "
        f"than one answer for all rows on X_val ({scores.describe(said)}). Are the "
        "labels in y_val those of X_val, in the same order? If they are, what the "
        "teacher knows of X does not hold for other rows: pass another teacher, or "
        "more rows."
    )


def _find_agreement(data: Dataset, labels: RowLabels) -> float:
    """Return by how many standard errors labels fit y better than y in another order.

    The mean and the variance are those of all orders. Beside one answer for all rows,
    a teacher of a rare class, or one that is too sure, may look as if it knew nothing.
    """
    said, true = data.task.center(labels.values, data.take_labels(labels.rows)[0])
    variance = ((said.T @ said) * (true.T @ true)).sum() / max(len(said) - 1, 1)
    return float((said * true).sum() / np.sqrt(variance)) if variance > 0 else 0.0
