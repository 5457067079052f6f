"""The paired difference of two figures of the same rows."""

from __future__ import annotations

import numpy as np

from ._typing import FloatArray


def paired_difference(
    first: FloatArray, second: FloatArray, weight: FloatArray | None
) -> tuple[float, float]:
    """Weighted mean over rows of ``first - second``, and its standard error."""
    weight = np.ones(len(first)) if weight is None else weight
    share = weight / weight.sum()
    difference = first - second
    mean = share @ difference
    return float(mean), float(np.sqrt((share**2) @ (difference - mean) ** 2))
