"""Rows that are copies of each other: repeated measures, an oversampled class.

All columns of such rows are equal, and chance cannot have made them so. In a table of
few distinct values it can: rows that are drawn anew repeat others there, those that are
served too. The two are told apart by rows that differ in a single column. Chance makes
more of them than of equal rows, and copying makes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._frames import find_kind, holds_columns, is_missing, list_columns
from ._typing import FloatArray, IndexArray

#: Share of the rows that have a copy; fewer mislead no hold-out.
_LEAST_SHARE = 0.05

#: Columns of numbers with so many distinct values are left out one at a time, and so
#: many of them there must be. A column of its own cannot tell copies from chance, nor
#: can the indicators of a category, which the others determine.
_LEAST_VALUES, _LEAST_COLUMNS = 20, 2

#: Copies must be more by this factor than the rows that differ in one column. It is
#: below 3 in spambase and letter, and above 15 in wine quality, whose rows are copied.
_RATIO = 10

#: The smallest step between neighbouring values of one column may be at most this share
#: of its steps: nearly each step of integers and coarsely rounded numbers is so small.
_MOST_STEPS = 0.5

#: A hash of 64 bits, NaN and both zeros being one value each.
Hash = NDArray[np.uint64]


def find_copies(X: Any) -> IndexArray | None:
    """Return the number of each row's group of copies, in the order of first rows.

    None where few rows have a copy, or where chance may have made them, and for sparse
    matrices: a column that is mostly zero tells too little.
    """
    table = _read_table(X)
    if table is None:
        return None
    # Rows that are equal are so in their numbers: mostly that is all that is read.
    if _count_copied(np.unique(table.hash_numbers(), return_counts=True)[1]) == 0:
        return None
    _, firsts, groups, counts = np.unique(
        table.hash_rows(), return_index=True, return_inverse=True, return_counts=True
    )
    n_more = table.n_rows - len(firsts)
    if _count_copied(counts) == 0 or not _tells_rows_apart(table, firsts, n_more):
        return None
    ranks = np.empty(len(firsts), dtype=np.intp)
    ranks[np.argsort(firsts)] = np.arange(len(firsts))
    return ranks[groups]


def count_copies(X: Any, others: Any) -> int:
    """Return how many of the other rows, of the same columns, are copies of rows of X.

    0 where chance may have made them equal.
    """
    table, other = _read_table(X), _read_table(others)
    if table is None or other is None:
        return 0
    if not np.isin(other.hash_numbers(), table.hash_numbers()).any():
        return 0
    hashes, firsts = np.unique(table.hash_rows(), return_index=True)
    n_copies = int(np.isin(other.hash_rows(), hashes).sum())
    return n_copies if _tells_rows_apart(table, firsts, n_copies) else 0


def _count_copied(counts: IndexArray) -> int:
    """Return how many rows have a copy, or 0 where they are few."""
    n_copied, n_rows = int(counts[counts > 1].sum()), int(counts.sum())
    return n_copied if n_copied >= _LEAST_SHARE * n_rows else 0


def _tells_rows_apart(table: _Table, firsts: IndexArray, n_copies: int) -> bool:
    """Whether so many copies cannot be chance, beside the distinct rows `firsts`."""
    hashes, n_columns, n_near, fine = table.hash_rows()[firsts], 0, 0, False
    for k in table.numbers:
        values = _read_numbers(table.columns[k])[firsts]
        found = np.unique(values[np.isfinite(values)])
        if len(found) < _LEAST_VALUES:
            continue
        n_columns += 1
        with np.errstate(over="ignore"):
            steps = np.diff(found)
        fine = fine or (steps <= 1.5 * steps.min()).mean() <= _MOST_STEPS
        rest = hashes - _mix(_read_bits(values), k)
        n_near += len(firsts) - len(np.unique(rest))
        if n_copies < _RATIO * n_near:
            return False
    return n_copies > 0 and fine and n_columns >= _LEAST_COLUMNS


# Hashes of rows -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """The columns of a table, and the positions of those that hold numbers."""

    columns: Sequence[Any]
    numbers: list[int]

    @property
    def n_rows(self) -> int:
        return len(self.columns[0])

    def hash_numbers(self) -> Hash:
        """Return the sum over the columns of numbers of the hashes of their values."""
        return self._sum(self.numbers)

    def hash_rows(self) -> Hash:
        """Return the sum over all columns."""
        others = sorted(set(range(len(self.columns))) - set(self.numbers))
        return self.hash_numbers() + self._sum(others)

    def _sum(self, positions: list[int]) -> Hash:
        total = np.zeros(self.n_rows, dtype=np.uint64)
        for k in positions:
            column = self.columns[k]
            if k in self.numbers:
                bits = _read_bits(_read_numbers(column))
            else:
                bits = np.array([_hash_value(v) for v in column], dtype=np.int64)
            total += _mix(bits.view(np.uint64), k)
        return total


def _read_table(X: Any) -> _Table | None:
    """Return the columns, or None where there are too few of numbers."""
    if not holds_columns(X):
        return None
    columns = list_columns(X)[1]
    numbers = [k for k, column in enumerate(columns) if _holds_numbers(column)]
    return _Table(columns, numbers) if len(numbers) >= _LEAST_COLUMNS else None


def _holds_numbers(column: Any) -> bool:
    if find_kind(column) != "number":
        return False
    try:
        _read_numbers(column)
    except (TypeError, ValueError):
        return False
    return True


def _read_numbers(column: Any) -> FloatArray:
    return np.asarray(column, dtype=np.float64)


def _read_bits(values: FloatArray) -> Hash:
    # Adding zero makes -0.0 the other zero, and a copy.
    values = values + 0.0
    values[np.isnan(values)] = np.nan
    return values.view(np.uint64)


def _hash_value(value: Any) -> int:
    if is_missing(value):
        return 0
    try:
        return hash(value)
    except TypeError:
        return hash(str(value))


def _mix(bits: Hash, position: int) -> Hash:
    """Return a hash of the values of a column (splitmix64), which differs by column."""
    bits = bits + np.uint64((position + 1) * 0x9E3779B97F4A7C15 % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
