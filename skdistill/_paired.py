"""The paired difference of two figures of the same rows."""

from __future__ import annotations

import numpy as np

from ._typing import FloatArray


def paired_difference(
    first: FloatArray, second: FloatArray, weight: FloatArray | None = None
) -> tuple[float, float]:
    """Weighted mean of ``first - second``, and its standard error.

    Parameters
    ----------
    first, second : ndarrays of shape (n_samples,)
        One figure a row of each model.
    weight : ndarray of shape (n_samples,), default=None
        Weight of each row; None: all rows weigh the same.

    Returns
    -------
    mean, standard_error : float
    """
    weight = np.ones(len(first)) if weight is None else weight
    share = weight / weight.sum()
    difference = first - second
    mean = share @ difference
    return float(mean), float(np.sqrt((share**2) @ (difference - mean) ** 2))
