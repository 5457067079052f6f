"""The paired difference of two figures of the same rows."""

from __future__ import annotations

import numpy as np

from ._typing import FloatArray, IndexArray


def paired_difference(
    first: FloatArray,
    second: FloatArray,
    weight: FloatArray | None,
    groups: IndexArray | None = None,
) -> tuple[float, float]:
    """Weighted mean over rows of ``first - second``, and its standard error.

    Rows of a group, if there are any, count as one draw: they are copies.
    """
    weight = np.ones(len(first)) if weight is None else weight
    share = weight / weight.sum()
    difference = first - second
    mean = share @ difference
    if groups is None:
        return float(mean), float(np.sqrt((share**2) @ (difference - mean) ** 2))
    sums = np.bincount(groups, share * (difference - mean))
    return float(mean), float(np.sqrt(sums @ sums))
