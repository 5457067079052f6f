"""Checks of numbers and of row weights."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_array

from ._typing import FloatArray


def is_number(value: Any, low: float = -np.inf, high: float = np.inf) -> bool:
    """Whether a value is a real number in [low, high], and no boolean."""
    real = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    return real and bool(low <= value <= high)


def is_whole(value: Any, low: float = -np.inf) -> bool:
    """Whether a value is an integer of at least `low`, and no boolean."""
    return isinstance(value, Integral) and is_number(value, low)


def check_number(name: str, value: Any, low: float, high: float, fix: str) -> None:
    """Raise unless value is a number in (low, high]."""
    if not is_number(value, low, high) or value == low:
        bounds = f"in ({low:g}, {high:g}]" if np.isfinite(high) else f"above {low:g}"
        raise ValueError(f"{name} must be a number {bounds}, received {value!r}. {fix}")


def check_count(name: str, value: Any, fix: str) -> None:
    """Raise unless value is an integer of at least 1."""
    if not is_whole(value, 1):
        raise ValueError(
            f"{name} must be an integer of at least 1, received {value!r}. {fix}"
        )


def check_weight(
    sample_weight: Any, n_samples: int, name: str = "sample_weight"
) -> FloatArray:
    """Return one weight a row, ones for None."""
    if sample_weight is None:
        return np.ones(n_samples)
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name=name
    )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"{name} must have shape ({n_samples},), one weight a row; received "
            f"{name}.shape == {weight.shape}. Pass a vector."
        )
    if weight.min() < 0 or not weight.any():
        raise ValueError(
            f"{name} must not be negative, nor zero everywhere; received weights "
            f"from {weight.min():g} to {weight.max():g}. Leave rows out instead."
        )
    return weight
