"""Rows of an array or data frame, column by column: read, exchange, write."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from .._typing import AnyArray, BoolArray, FloatArray, IndexArray
from ._columns import Categories, Column, read_categories, read_numbers
from ._containers import find_container
from ._pairs import Pairs

#: Rows whose keys are made at the same time.
KEY_ROWS = 4096


class DenseTable:
    """The columns of X, and a writer for rows of the same kind.

    Columns that are `nominal` are categories whatever their type.
    """

    def __init__(self, X: Any, nominal: BoolArray) -> None:
        self.container = find_container(X)
        self.n_rows, n_columns = X.shape
        self.names = list(getattr(X, "columns", range(n_columns)))
        self.columns: list[Column] = []
        self.samples: list[Any] = []  # a value of every category, in X's own type
        for j in range(n_columns):
            raw = self.container.read(X, j)
            column = self._read(j, raw, bool(nominal[j]))
            self.columns.append(column)
            if isinstance(column, Categories):
                rows = column.first
            else:
                # One row tells the type, a missing one if possible.
                rows = np.array([np.isnan(column.values).argmax()])
            self.samples.append(self.container.take(raw, rows))

    def _read(self, j: int, raw: Any, nominal: bool) -> Column:
        natural = None if nominal else self.container.to_natural(raw)
        column = None if natural is None else read_numbers(*natural)
        if column is not None:
            return column
        try:
            # Series become lists, whose values are those of Python.
            listed = raw.to_list() if hasattr(raw, "to_list") else raw
            return read_categories(listed)
        except TypeError as error:
            raise TypeError(
                f"Column {self.names[j]!r} must hold values that can be "
                f"hashed, received {error}. Turn lists and dicts into columns of "
                "their own."
            ) from error

    def group_rows(self) -> IndexArray:
        """Give every row the number of its distinct value."""
        return number_keys(self._make_keys())

    def _make_keys(self) -> Iterable[bytes]:
        for start in range(0, self.n_rows, KEY_ROWS):
            part = slice(start, start + KEY_ROWS)
            stored = [column.values[part] for column in self.columns]
            # Adding 0 turns -0.0 into 0.0, whose bytes differ.
            for row in np.column_stack(stored).astype(np.float64) + 0.0:
                yield row.tobytes()

    def read_scaled(self) -> tuple[FloatArray, AnyArray]:
        """Numbers on a common scale, and the codes of categories, for a mixed metric.

        Numbers are centred and divided by their standard deviation. Infinite and
        missing ones lie at the mean, and 1 away from every number in a further column.
        """
        numbers, codes = [], []
        for column in self.columns:
            if isinstance(column, Categories):
                codes.append(column.values)
                continue
            finite = np.isfinite(column.values)
            scaled = np.zeros(self.n_rows)
            scaled[finite] = _standardise(column.values[finite])
            numbers.append(scaled)
            if not finite.all() and finite.any():
                numbers.append(np.where(finite, 0.0, 1.0))
        # Without a column, too, numbers are floats and codes are not.
        none = np.zeros((self.n_rows, 0))
        coded = [none.astype(np.uint8), *codes]
        return np.column_stack([none, *numbers]), np.column_stack(coded)

    def exchange(
        self, pairs: Pairs, noise: float, rng: np.random.Generator
    ) -> list[Any]:
        """Columns of a batch of pairs, with values exchanged."""
        return [
            self.write(j, self._exchange_column(column, pairs, noise, rng))
            for j, column in enumerate(self.columns)
        ]

    def _exchange_column(
        self, column: Column, pairs: Pairs, noise: float, rng: np.random.Generator
    ) -> AnyArray:
        first, second = column.values[pairs.first], column.values[pairs.second]
        taken, both = rng.random(len(first)) < pairs.rate, pairs.both
        # Only second rows that are kept are drawn.
        sides = (first, second, taken), (second[both], first[both], taken[both])
        given = []
        for own, other, chosen in sides:
            drawn = own.copy()
            drawn[chosen] = column.exchange(own[chosen], other[chosen], noise, rng)
            given.append(drawn)
        return pairs.weave(*given)

    def write(self, j: int, drawn: AnyArray) -> Any:
        """Write drawn values of a column in X's own type."""
        column, sample = self.columns[j], self.samples[j]
        if isinstance(column, Categories):
            return self.container.take(sample, drawn)
        natural, missing = column.to_natural(drawn)
        return self.container.from_natural(natural, missing, sample)

    def assemble(self, blocks: list[list[Any]]) -> Any:
        """Join batches of columns to rows; empties the batches on the way."""
        pieces = [list(columns) for columns in zip(*blocks, strict=True)]
        blocks.clear()
        return self.container.assemble(pieces)


def number_keys(keys: Iterable[Hashable]) -> IndexArray:
    """Give every distinct key a number, in the order in which they come."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)


def _standardise(values: FloatArray) -> FloatArray:
    """Zero mean and unit standard deviation; a constant becomes 0."""
    if not len(values):
        return values
    # First to [-1, 1], so that no square overflows.
    largest = np.abs(values).max()
    values = values / largest if largest else values
    deviation = values.std()
    centred = values - values.mean()
    return centred / deviation if deviation > 1e-12 else np.zeros(len(values))
