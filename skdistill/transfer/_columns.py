"""Columns of a sampler: numbers that can be drawn, or categories that swap.

Numbers are kept as float64, and those on a grid (integers, whole floats, datetimes,
durations) as the position on the grid, counted from the smallest value: drawn values
are rounded to the grid, and dates stay whole days. Every other value is a category,
kept as a code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._frames import is_missing
from .._typing import AnyArray, BoolArray, FloatArray, IndexArray

#: Above this, neighbouring integers are the same float64.
_EXACT = 2**53


@dataclass
class Numbers:
    """A column of numbers."""

    #: The numbers, or their positions on the grid. Infinities are kept; NaN for a
    #: missing value of any kind.
    values: FloatArray
    #: The range seen, in the same terms.
    low: float
    high: float
    #: Smallest value and step; None for a continuous column.
    grid: tuple[int, int] | None
    #: Type of the numbers that `to_natural` returns: float64, int64 or uint64.
    dtype: np.dtype[Any]

    def to_natural(self, drawn: FloatArray) -> tuple[AnyArray, BoolArray]:
        """Return drawn values as numbers of `dtype`, and the mask of missing ones."""
        missing = np.isnan(drawn)
        if self.grid is None:
            return drawn, missing
        low, step = self.grid
        if self.dtype.kind == "f":
            return low + step * drawn, missing
        # Modulo 2**64 throughout, so that no span of the type overflows.
        steps = np.where(missing, 0.0, drawn).astype(np.uint64)
        natural = steps * np.uint64(step) + np.uint64(low % 2**64)
        return natural.view(self.dtype), missing

    def exchange(
        self, own: AnyArray, other: AnyArray, noise: float, rng: np.random.Generator
    ) -> AnyArray:
        """Draw the numbers that rows get in exchange for their `own`."""
        whole = self.grid is not None
        return exchange_numbers(own, other, noise, self.low, self.high, whole, rng)


@dataclass
class Categories:
    """A column of categories."""

    #: The code of each row's category.
    values: AnyArray
    #: A row in which each category occurs.
    first: IndexArray

    def exchange(
        self, own: AnyArray, other: AnyArray, noise: float, rng: np.random.Generator
    ) -> AnyArray:
        """Return what rows get in exchange for their `own` values: the others."""
        return other


Column = Numbers | Categories


def read_numbers(natural: AnyArray, missing: BoolArray | None = None) -> Numbers | None:
    """Read numbers of kind "f", "i" or "u"; None where float64 can't tell them apart.

    Rows that are `missing` are ignored; NaN is missing in any case.
    """
    kind = natural.dtype.kind
    if kind == "f":
        natural = natural.astype(np.float64, copy=False)
    given = ~np.isnan(natural)
    if missing is not None:
        given &= ~missing
    known = given & np.isfinite(natural)
    grid = _find_grid(natural[known])
    if grid is None and kind != "f":
        return None
    values = np.full(len(natural), np.nan)
    values[given] = natural[given]
    if grid is not None:
        values[known] = _subtract(natural[known], grid[0]) // np.uint64(grid[1])
    inside = values[known]
    low, high = (inside.min(), inside.max()) if len(inside) else (0.0, 0.0)
    dtype = np.dtype({"f": np.float64, "i": np.int64, "u": np.uint64}[kind])
    return Numbers(values, float(low), float(high), grid, dtype)


def _find_grid(natural: AnyArray) -> tuple[int, int] | None:
    """Smallest value and greatest common step of whole numbers."""
    if not len(natural):
        return 0, 1
    if natural.dtype.kind == "f" and not (
        (np.abs(natural) <= _EXACT).all() and (natural == np.rint(natural)).all()
    ):
        return None
    low = int(natural.min())
    spans = _subtract(natural, low)
    step = max(int(np.gcd.reduce(spans)), 1)
    return None if int(spans.max()) // step > _EXACT else (low, step)


def _subtract(natural: AnyArray, low: int) -> NDArray[np.uint64]:
    """Return distances of whole numbers from the smallest, without overflow."""
    whole = natural if natural.dtype.kind == "u" else natural.astype(np.int64)
    return whole.astype(np.uint64) - np.uint64(low % 2**64)


def read_categories(values: Iterable[Any]) -> Categories:
    """Give every distinct value a code; each kind of missing value is a category."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        return Categories(_narrow(inverse, len(first)), first)
    seen: dict[Any, int] = {}
    first_rows: list[int] = []
    codes = []
    for row, value in enumerate(values):
        # 1, 1.0 and True are equal, but different values.
        key = (type(value), None if is_missing(value) else value)
        code = seen.setdefault(key, len(seen))
        if code == len(first_rows):
            first_rows.append(row)
        codes.append(code)
    return Categories(_narrow(codes, len(seen)), np.array(first_rows, dtype=np.intp))


def _narrow(codes: Any, n_categories: int) -> AnyArray:
    return np.asarray(codes).astype(np.min_scalar_type(max(n_categories - 1, 0)))


def exchange_numbers(
    own: FloatArray,
    other: FloatArray,
    noise: float,
    low: FloatArray | float,
    high: FloatArray | float,
    whole: BoolArray | bool,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw the numbers that rows get in exchange for their `own`.

    A normal around the `other` value with standard deviation `noise` times their
    distance, held to the range and to whole numbers where `whole`. Where either is
    not finite, the other value itself.
    """
    if not noise:
        return other
    # Results of infinities are replaced in the last line.
    with np.errstate(invalid="ignore", over="ignore"):
        drawn = other + noise * np.abs(own - other) * rng.standard_normal(len(own))
        drawn = np.clip(drawn, low, high)
    drawn = np.where(whole, np.rint(drawn), drawn)
    return np.where(np.isfinite(own) & np.isfinite(other), drawn, other)
