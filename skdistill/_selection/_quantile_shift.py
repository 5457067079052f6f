"""The shift of each quantile by which held-out rows are covered as often as it says.

Conformalised quantile regression (Romano, Patterson and Candès, 2019), with one score a
quantile, y less the quantile, in place of one an interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._checks import is_whole
from .._dataset import Dataset, split_rows
from .._frames import take_rows
from .._soft_data import as_columns, predict_values
from .._students._properties import shift_logits
from .._typing import FloatArray
from .._warnings import warn_caller

#: Share of the rows that are held out for the shift, without validation rows.
_SHARE = 0.2


def hold_out_shift(
    estimator: Any, data: Dataset, stored: Any, metadata: dict[str, Any]
) -> tuple[Dataset, Dataset | None, Any, dict[str, Any]]:
    """Take the rows that set the shift out of what is learned.

    They are validation rows where there are any. Return the rows that are learned,
    those that set the shift (None: no quantiles are learned), and the labels and the
    metadata of the former.

    Raises
    ------
    ValueError
        `cv` lists positions, which would be those of other rows.
    """
    if not len(data.task.quantiles):
        return data, None, stored, metadata
    if data.validation is not None:
        return data, data.validation, stored, metadata
    cv = estimator.cv
    if not (cv is None or is_whole(cv) or hasattr(cv, "split")):
        raise ValueError(
            "With quantiles a fifth of the rows sets their shift, so that splits given "
            f"by positions are those of other rows; received cv={type(cv).__name__}. "
            "Pass a splitter such as KFold(5), or X_val and y_val."
        )
    if stored is not None:
        stored = data.task.check_stored(stored, data.y)
    rng = check_random_state(estimator.random_state)
    learned, held_out = split_rows(data.codes, _SHARE, rng, data.groups)
    metadata = {k: take_rows(v, learned, data.n_samples) for k, v in metadata.items()}
    stored = None if stored is None else stored[learned]
    return data.take(learned), data.take(held_out), stored, metadata


def shift_quantiles(
    student: Any, held_out: Dataset | None, seed: Any
) -> tuple[FloatArray | None, FloatArray | None]:
    """Shift the quantiles of a fitted student in place.

    Return what was added to each, and the share of held-out rows whose value is at most
    the quantile, each half of them under the shift that the other half sets.
    """
    if held_out is None:
        return None, None
    quantiles = held_out.task.quantiles
    served = predict_values(student, held_out.X)
    scores, weight = as_columns(held_out.y) - served, held_out.weight
    if weight is None:
        weight = np.ones(len(scores))
    order = check_random_state(seed).permutation(len(scores))
    halves = np.array_split(order, 2)
    covered = np.empty(scores.shape)
    for own, other in (halves, halves[::-1]):
        shift = _find_shift(scores[other], weight[other], quantiles)
        moved = np.sort(served[own] + shift, axis=1)
        covered[own] = as_columns(held_out.y[own]) <= moved
    coverage = np.average(covered, axis=0, weights=weight)
    _warn_of_few_rows(len(scores), quantiles)
    shift = _find_shift(scores, weight, quantiles)
    shift_logits(student, shift)
    return shift, coverage


def _find_shift(
    scores: FloatArray, weight: FloatArray, quantiles: FloatArray
) -> FloatArray:
    """Return the score of each quantile that has its share of n + 1 rows below it.

    A next row counts as one of mean weight. The share is rounded away from the median,
    so that intervals cover at least as often as they say.
    """
    total = weight.sum() + weight.mean()
    shift = np.empty(len(quantiles))
    for k, level in enumerate(quantiles):
        order = np.argsort(scores[:, k], kind="stable")
        sums, slack = np.cumsum(weight[order]), 1e-9 * total
        if level < 0.5:
            place = np.searchsorted(sums, level * total + slack, side="right") - 1
        else:
            place = np.searchsorted(sums, level * total - slack)
        place = int(np.clip(place, 0, len(order) - 1))
        shift[k] = scores[order[place], k]
    return shift


def _warn_of_few_rows(n_rows: int, quantiles: FloatArray) -> None:
    tail = min(quantiles[0], 1 - quantiles[-1])
    least = int(np.ceil(1 / tail - 1 - 1e-9))
    if n_rows < least:
        warn_caller(
            f"{n_rows} held-out rows set the shift of the quantiles, and those of "
            f"{quantiles.tolist()} need at least {least}: the outer ones may be "
            "covered less often than they say. Pass more rows, or X_val."
        )
