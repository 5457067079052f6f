"""Trees behind scalers as trees on the numbers that the scalers are given.

A scaler rounds, and where a threshold is a scaled number of the training rows, as
histograms have them, its last bit decides. No arithmetic of a file need repeat it: what
a scaler makes of a number grows with the number, so each threshold has a largest number
below it, which is the threshold of the input column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..._typing import FloatArray, Int64Array
from ._table import Step, Table, join_tables, start_column
from ._trees import Trees

#: Halvings after which one double is left of all.
_N_HALVINGS = 64


def unscale(trees: Trees, table: Table, dtype: Any) -> tuple[Trees, Table]:
    """Return trees that compare inputs in place of what scalers make of them.

    Trees that compare in float32 stay as they are, for rounding hides the last bit.
    The scalers are given numbers of `dtype`, in which they answer.
    """
    if trees.single or not table.steps:
        return trees, table
    threshold = trees.threshold.copy()
    columns = []
    for k in range(table.width):
        value = table.find_value(k)
        if value is None or k not in table.steps:
            columns.append(table.select([k]))
            continue
        nodes = trees.column == k
        bound = _invert(table.steps[k], threshold[nodes], dtype)
        # A clipped number is at most its upper bound, and at least its lower one.
        bound = np.where(bound < value.low, -np.inf, bound)
        threshold[nodes] = np.where(bound >= value.high, np.inf, bound)
        columns.append(start_column(replace(value, low=-np.inf, high=np.inf)))
    return replace(trees, threshold=threshold), join_tables(columns)


def _invert(steps: Sequence[Step], bound: FloatArray, dtype: Any) -> FloatArray:
    """Return the largest numbers of which the steps make no more than each bound."""
    most = np.array(np.inf).view(np.int64)
    low, high = np.full(len(bound), -most), np.full(len(bound), most)
    for _ in range(_N_HALVINGS):
        # Rounded up, without an overflow.
        middle = (low | high) - ((low ^ high) >> 1)
        below = _scale(steps, _read_order(middle), dtype) <= bound
        low, high = np.where(below, middle, low), np.where(below, high, middle - 1)
    return _read_order(low)


def _read_order(place: Int64Array) -> FloatArray:
    """Return the doubles at these places in their order, that of 0 at 0."""
    return np.copysign(np.abs(place).view(np.float64), place)


@np.errstate(over="ignore", invalid="ignore")
def _scale(steps: Sequence[Step], values: FloatArray, dtype: Any) -> FloatArray:
    made = values.astype(dtype)
    for step in steps:
        operand = np.float64(step.operand)
        made = step.ufunc(made, operand.astype(dtype) if step.casts else operand)
        made = made.astype(dtype)
    return made.astype(np.float64)
