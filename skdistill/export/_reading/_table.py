"""Columns as sums of terms, which the first layer of a network can take in.

Imputation, scaling, encoding, selection and projection all make columns of one form:
a constant, plus multiples of (imputed) numbers, of "is missing" flags, and of values
looked up by category. Such a table times a matrix is a table again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..._typing import FloatArray


class UnsupportedError(Exception):
    """A transformer whose output is not of this form."""


@dataclass(frozen=True)
class Value:
    """An input column; `fill` stands in for missing values, None leaves them.

    Numbers are clipped to the interval from `low` to `high`.
    """

    column: int
    fill: Any = None
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Missing:
    """1 where the column is NaN, else 0."""

    column: int


@dataclass(frozen=True)
class Category:
    """Indicators of the categories of a column, and last of any other value.

    A category of None is a missing value. `refuses` tells whether the encoder raises
    at any other value, and `truncates` whether a number stands for the one before it.
    """

    column: int
    categories: tuple[Any, ...]
    refuses: bool = False
    truncates: bool = False


Atom = Value | Missing | Category


class Step(NamedTuple):
    """One operation of a scaler, as it rounds.

    Attributes
    ----------
    ufunc : {np.add, np.subtract, np.multiply, np.divide}
    operand : float or ndarray of shape (width,)
        Above 0 where it is a factor or a divisor.
    casts : bool
        Whether the operand is rounded to the type of the numbers first.
    """

    ufunc: Any
    operand: Any
    casts: bool = False


@dataclass(frozen=True)
class Table:
    """Columns as sums of terms.

    Attributes
    ----------
    raw : list of (Value or None)
        For each column, the input column it still is.
    terms : dict of Atom to ndarray of shape (size of the atom, width)
        What each atom contributes to each column; a Value is of numbers.
    constant : ndarray of shape (width,)
        What is added to each column.
    steps : dict of int to tuple of Step
        For each column that scalers alone made of one number, what they did.
    """

    raw: list[Value | None]
    terms: dict[Atom, FloatArray]
    constant: FloatArray
    steps: Mapping[int, tuple[Step, ...]] = field(default_factory=dict)

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
            {new: self.steps[k] for new, k in enumerate(kept) if k in self.steps},
        )

    def multiply(self, matrix: FloatArray, constant: Any = 0.0) -> Table:
        """Return the columns times a matrix plus a constant."""
        if any(raw and not self.is_number(k) for k, raw in enumerate(self.raw)):
            raise UnsupportedError("arithmetic on strings")
        terms = {atom: part @ matrix for atom, part in self.terms.items()}
        total = self.constant @ matrix + constant
        return Table([None] * matrix.shape[1], terms, total)

    def scale(self, *steps: Step) -> Table:
        """Return what a scaler makes of each column."""
        factor, constant = np.ones(self.width), np.zeros(self.width)
        for step in steps:
            constant = step.ufunc(constant, step.operand)
            if step.ufunc in (np.multiply, np.divide):
                factor = step.ufunc(factor, step.operand)
        done = {k: () for k, raw in enumerate(self.raw) if raw is not None}
        operands = [np.broadcast_to(step.operand, self.width) for step in steps]
        return replace(
            self.multiply(np.diag(factor), constant),
            steps={
                k: before
                + tuple(
                    step._replace(operand=float(operand[k]))
                    for step, operand in zip(steps, operands, strict=True)
                )
                for k, before in (done | dict(self.steps)).items()
            },
        )

    def clip(self, low: FloatArray, high: FloatArray) -> Table:
        """Return the columns clipped to the intervals of each, if these can be."""
        bounds = zip(low.tolist(), high.tolist(), strict=True)
        return join_tables(
            [self._clip_one(k, *given) for k, given in enumerate(bounds)]
        )

    def _clip_one(self, k: int, low: float, high: float) -> Table:
        raw = self.raw[k]
        if raw is not None and self.is_number(k):
            return start_column(replace(raw, low=low, high=high))
        atom = self.find_atom(k)
        if not isinstance(atom, Missing):
            raise UnsupportedError("clipping after arithmetic")
        unset = self.constant[k]
        ends = np.clip([unset, unset + self.terms[atom][0, k]], low, high)
        column = look_up(atom, np.diff(ends))
        return replace(column, constant=ends[:1])

    def stack(self, kind: type[Any]) -> tuple[list[Any], FloatArray]:
        """Return the atoms of a kind, and what they contribute, one below the other."""
        atoms = [atom for atom in self.terms if isinstance(atom, kind)]
        parts = [self.terms[atom] for atom in atoms]
        return atoms, np.vstack([np.empty((0, self.width)), *parts])

    def find_atom(self, k: int) -> Atom | None:
        """Return the atom that a column depends on; None: on several, or on none."""
        atoms = [atom for atom, part in self.terms.items() if part[:, k].any()]
        return atoms[0] if len(atoms) == 1 else None

    def find_value(self, k: int) -> Value | None:
        """Return the number that a column is a multiple of, plus a constant."""
        atom = self.find_atom(k)
        return atom if isinstance(atom, Value) else None

    def find_multiples(self) -> dict[int, tuple[Value, float]]:
        """Return the columns that are one number times a factor, plus a constant."""
        values = {k: self.find_value(k) for k in range(self.width)}
        return {
            k: (value, self.terms[value][0, k])
            for k, value in values.items()
            if value is not None
        }

    def find_lookup(self, k: int) -> tuple[Category, FloatArray] | None:
        """Return what a column looks up in, and the values for each category."""
        atom = self.find_atom(k)
        if not isinstance(atom, Category):
            return None
        return atom, self.constant[k] + self.terms[atom][:, k]

    def find_refused(self) -> Table | None:
        """Return one column, NaN where an encoder raises and else 0, if any does."""
        terms: dict[Atom, FloatArray] = {
            atom: np.r_[np.zeros(len(part) - 1), np.nan][:, None]
            for atom, part in self.terms.items()
            if isinstance(atom, Category) and atom.refuses
        }
        return Table([None], terms, np.zeros(1)) if terms else None

    def is_number(self, k: int) -> bool:
        return any(part[:, k].any() for part in self.terms.values())


def list_fills(values: Sequence[Value]) -> FloatArray:
    """Return what stands in for missing numbers; NaN: nothing does."""
    fills = [np.nan if value.fill is None else value.fill for value in values]
    return np.array(fills, dtype=float)


def list_bounds(values: Sequence[Value]) -> tuple[FloatArray, FloatArray] | None:
    """Return what numbers are clipped to; None where none is."""
    low = np.array([value.low for value in values])
    high = np.array([value.high for value in values])
    return (low, high) if np.isfinite([low, high]).any() else None


def start_table(n_columns: int, numbers: Sequence[int]) -> Table:
    """Return the input columns themselves, some of which hold numbers."""
    terms: dict[Atom, FloatArray] = {Value(k): np.eye(1, n_columns, k) for k in numbers}
    return Table([Value(k) for k in range(n_columns)], terms, np.zeros(n_columns))


def start_column(value: Value) -> Table:
    """Return one input column of numbers."""
    return Table([value], {value: np.ones((1, 1))}, np.zeros(1))


def look_up(atom: Missing | Category, values: FloatArray) -> Table:
    """Return one column, of a value for each indicator of an atom."""
    return Table([None], {atom: values[:, None]}, np.zeros(1))


def join_tables(tables: Sequence[Table]) -> Table:
    """Put tables side by side."""
    width = sum(table.width for table in tables)
    terms: dict[Atom, FloatArray] = {}
    steps: dict[int, tuple[Step, ...]] = {}
    start = 0
    for table in tables:
        stop = start + table.width
        steps |= {start + k: done for k, done in table.steps.items()}
        for atom, part in table.terms.items():
            whole = terms.setdefault(atom, np.zeros((len(part), width)))
            whole[:, start:stop] = part
        start = stop
    return Table(
        [raw for table in tables for raw in table.raw],
        terms,
        np.concatenate([table.constant for table in tables] or [np.zeros(0)]),
        steps,
    )
