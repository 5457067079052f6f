"""Checks of numbers and of row weights."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random import RandomState
from sklearn.utils import check_array, check_random_state

from ._typing import FloatArray

#: The largest weight that squares and sums of weights are safe for, and its inverse the
#: smallest: LightGBM and some networks keep them in single precision.
_MOST = 1e15


def is_number(value: Any, low: float = -np.inf, high: float = np.inf) -> bool:
    """Whether a value is a real number in [low, high], and no boolean."""
    real = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    return real and bool(low <= value <= high)


def is_whole(value: Any, low: float = -np.inf) -> bool:
    """Whether a value is an integer of at least `low`, and no boolean."""
    return isinstance(value, Integral) and is_number(value, low)


def check_number(name: str, value: Any, high: float, fix: str) -> None:
    """Raise unless value is a number in (0, high]."""
    if not is_number(value, 0, high) or value == 0:
        bounds = f"in (0, {high:g}]" if np.isfinite(high) else "above 0"
        raise ValueError(f"{name} must be a number {bounds}, received {value!r}. {fix}")


def check_count(name: str, value: Any, fix: str) -> None:
    """Raise unless value is an integer of at least 1."""
    if not is_whole(value, 1):
        raise ValueError(
            f"{name} must be an integer of at least 1, received {value!r}. {fix}"
        )


def read_seed(random_state: Any) -> RandomState:
    """Return what is drawn from; raise where scikit-learn has no meaning for it."""
    try:
        return check_random_state(random_state)
    except ValueError:
        raise ValueError(
            "random_state must be None, an integer from 0 to 2**32 - 1 or a "
            f"numpy.random.RandomState, received {random_state!r}. An integer gives "
            "the same result every time."
        ) from None


def check_weight(
    sample_weight: Any, n_samples: int, name: str = "sample_weight"
) -> FloatArray:
    """Return one weight a row, ones for None."""
    if sample_weight is None:
        return np.ones(n_samples)
    weight = _read_numbers(sample_weight, name)
    if weight.shape != (n_samples,):
        raise ValueError(
            f"{name} must have shape ({n_samples},), one weight a row; received "
            f"{name}.shape == {weight.shape}. Pass a vector."
        )
    missing = np.flatnonzero(~np.isfinite(weight))
    if len(missing):
        raise ValueError(
            f"{name} must hold a finite number for every row; {len(missing)} are NaN "
            f"or infinite, the first in row {missing[0]}. Leave those rows out, or "
            "weigh them 0."
        )
    if weight.min() < 0 or not weight.any():
        raise ValueError(
            f"{name} must not be negative, nor zero everywhere; received weights "
            f"from {weight.min():g} to {weight.max():g}. Leave rows out instead."
        )
    if not 1 / _MOST <= weight.max() <= _MOST:
        raise ValueError(
            f"{name} must have its largest weight within {1 / _MOST:g} and {_MOST:g}, "
            "or squares of weights over- or underflow in the single precision of some "
            f"models; received {weight.max():g}. Divide the weights by the largest."
        )
    return weight


def _read_numbers(values: Any, name: str) -> FloatArray:
    """Return an array of any shape, of numbers finite or not."""
    options: dict[str, Any] = {"ensure_2d": False, "ensure_all_finite": False}
    try:
        if np.asarray(values).ndim:
            return check_array(values, dtype=np.float64, input_name=name, **options)
        received = repr(values)
    except (TypeError, ValueError) as error:
        received = str(error).rstrip(".")
    raise ValueError(
        f"{name} must be a vector of numbers, one weight a row; received {received}. "
        "Pass a vector, or None to weigh every row alike."
    )
