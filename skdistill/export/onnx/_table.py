"""Columns as sums of terms, which the first layer of a network can take in.

Imputation, scaling, encoding, selection and projection all make columns of one form:
a constant, plus multiples of (imputed) numbers, of "is missing" flags, and of values
looked up by category. Such a table times a matrix is a table again.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._typing import FloatArray


class UnsupportedError(Exception):
    """A transformer whose output is not of this form."""


@dataclass(frozen=True)
class Value:
    """A column of numbers; `fill` stands in for NaN, None leaves it."""

    column: int
    fill: float | None = None


@dataclass(frozen=True)
class Missing:
    """1 where the column is NaN, else 0."""

    column: int


@dataclass(frozen=True)
class Category:
    """Indicators of the categories of a column, and last of any other value.

    A category of None is a missing value. `refuses` tells whether the encoder raises
    at any other value.
    """

    column: int
    categories: tuple[Any, ...]
    refuses: bool = False


Atom = Value | Missing | Category


@dataclass(frozen=True)
class Raw:
    """An input column, untouched but for missing values."""

    column: int
    fill: Any = None


@dataclass(frozen=True)
class Table:
    """Columns as sums of terms.

    Attributes
    ----------
    raw : list of (Raw or None)
        For each column, the input column it still is.
    terms : dict of Atom to ndarray of shape (size of the atom, width)
        What each atom contributes to each column.
    constant : ndarray of shape (width,)
        What is added to each column.
    """

    raw: list[Raw | None]
    terms: dict[Atom, FloatArray]
    constant: FloatArray

    @property
    def width(self) -> int:
        return len(self.constant)

    @property
    def is_untouched(self) -> bool:
        """Whether all are input columns, filled in or not, without arithmetic."""
        return all(raw is not None for raw in self.raw)

    def keeps_any(self, columns: Set[int]) -> bool:
        """Whether one of these input columns is still as it was."""
        return any(raw is not None and raw.column in columns for raw in self.raw)

    def select(self, columns: Any) -> Table:
        """Return some of the columns, in the order given."""
        kept = np.arange(self.width)[columns]
        terms = {atom: part[:, kept] for atom, part in self.terms.items()}
        return Table(
            [self.raw[k] for k in kept],
            {atom: part for atom, part in terms.items() if part.any()},
            self.constant[kept],
        )

    def multiply(self, matrix: FloatArray, constant: Any = 0.0) -> Table:
        """Return the columns times a matrix plus a constant."""
        if any(raw and not self.is_number(k) for k, raw in enumerate(self.raw)):
            raise UnsupportedError("arithmetic on strings")
        terms = {atom: part @ matrix for atom, part in self.terms.items()}
        total = self.constant @ matrix + constant
        return Table([None] * matrix.shape[1], terms, total)

    def scale(self, factor: Any, constant: Any) -> Table:
        """Return each column times its factor plus a constant."""
        factor = np.broadcast_to(np.asarray(factor, dtype=float), (self.width,))
        return self.multiply(np.diag(factor), constant)

    def find_value(self, k: int) -> Value | None:
        """Return the number that a column is a multiple of, plus a constant."""
        atoms = [atom for atom, part in self.terms.items() if part[:, k].any()]
        return atoms[0] if len(atoms) == 1 and isinstance(atoms[0], Value) else None

    def find_lookup(self, k: int) -> tuple[Category, FloatArray] | None:
        """Return what a column looks up in, and the values for each category."""
        atoms = [atom for atom, part in self.terms.items() if part[:, k].any()]
        if len(atoms) != 1 or not isinstance(atoms[0], Category):
            return None
        return atoms[0], self.constant[k] + self.terms[atoms[0]][:, k]

    def find_refused(self) -> Table | None:
        """Return one column, NaN where an encoder raises and else 0, if any does."""
        terms: dict[Atom, FloatArray] = {}
        for atom, part in self.terms.items():
            if isinstance(atom, Category) and atom.refuses:
                terms[atom] = np.r_[np.zeros(len(part) - 1), np.nan][:, None]
        return Table([None], terms, np.zeros(1)) if terms else None

    def is_number(self, k: int) -> bool:
        return any(part[:, k].any() for part in self.terms.values())


def start_table(n_columns: int, texts: frozenset[int]) -> Table:
    """Return the input columns themselves."""
    terms: dict[Atom, FloatArray] = {}
    for k in range(n_columns):
        if k not in texts:
            terms[Value(k)] = np.eye(1, n_columns, k)
    return Table([Raw(k) for k in range(n_columns)], terms, np.zeros(n_columns))


def join_tables(tables: Sequence[Table]) -> Table:
    """Put tables side by side."""
    width = sum(table.width for table in tables)
    terms: dict[Atom, FloatArray] = {}
    start = 0
    for table in tables:
        stop = start + table.width
        for atom, part in table.terms.items():
            whole = terms.setdefault(atom, np.zeros((len(part), width)))
            whole[:, start:stop] = part
        start = stop
    return Table(
        [raw for table in tables for raw in table.raw],
        terms,
        np.concatenate([table.constant for table in tables] or [np.zeros(0)]),
    )
