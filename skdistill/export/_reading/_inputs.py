"""What a model is fed: one tensor of numbers, or one named input a column.

A table of numbers becomes a single input, so that one row costs as few nodes as
possible; a table that also holds strings becomes one input a column, of shape
(n_samples, 1), or, grouped, one of all numbers and one of all strings. Numbers are
float32, but double in an input with a column that float32 can't hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse

from ..._frames import find_kind, is_missing, list_categories, list_columns
from ..._typing import AnyArray, FloatArray

#: The input of a table of numbers.
TABLE = "X"
#: The inputs of a table that also holds strings, grouped.
NUMBERS, TEXTS = "numbers", "texts"
#: ONNX has no missing string. "" stands for it, or for itself; this for the other one.
OTHER_TEXT = "\ue000"

#: Rounding to float32, as a share of a column's spread, that is too much. Columns far
#: from 0 have it, such as the seconds of an epoch or the latitudes of a town.
_MOST_ROUNDING = 3e-6


@dataclass(frozen=True)
class Inputs:
    """The inputs of a model.

    Attributes
    ----------
    columns : tuple of str
        Names, in the order of the table.
    texts : frozenset of int
        Positions of the columns that hold strings.
    named : bool
        Whether the columns are named by the user's table.
    grouped : bool
        Whether numbers and strings are one input each, where there are strings.
    offsets : dict of int to float
        For each column that float32 can't hold, a number in its middle.
    categories : dict of int to tuple
        For each column of a categorical type, its categories in their order.
    empties : frozenset of int
        Positions of the columns of strings in which "" stands for itself, not for a
        missing one.
    given_dtype : type
        In which the user's table holds numbers: float32 where all of them are.
    """

    columns: tuple[str, ...]
    texts: frozenset[int]
    named: bool
    grouped: bool = False
    offsets: Mapping[int, float] = field(default_factory=dict)
    categories: Mapping[int, tuple[Any, ...]] = field(default_factory=dict)
    empties: frozenset[int] = frozenset()
    given_dtype: Any = np.float64

    @property
    def numbers(self) -> tuple[int, ...]:
        """Positions of the columns that hold numbers."""
        return tuple(k for k in range(len(self.columns)) if k not in self.texts)

    @property
    def is_table(self) -> bool:
        """Whether all columns are one tensor."""
        return not self.texts

    @property
    def is_grouped(self) -> bool:
        """Whether numbers and strings are one tensor each."""
        return self.grouped and not self.is_table

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Positions of the columns of each input, all numbers or all strings."""
        if self.is_table:
            return {TABLE: self.numbers}
        if not self.grouped:
            return {name: (k,) for k, name in enumerate(self.columns)}
        texts = {TEXTS: tuple(sorted(self.texts))}
        return {NUMBERS: self.numbers, **texts} if self.numbers else texts

    def find_dtype(self, name: str) -> Any:
        """Return the type of an input: float32, float64, or object for strings."""
        columns = self.parts[name]
        if columns[0] in self.texts:
            return object
        return np.float64 if self.offsets.keys() & set(columns) else np.float32

    def check_names(self, outputs: Sequence[str]) -> None:
        """Raise a ValueError where an input is named like one of the outputs."""
        taken = sorted(set(outputs) & set(self.parts))
        if taken:
            raise ValueError(
                f"Inputs are named like the columns, and outputs {list(outputs)}; "
                f"{taken} clash. Rename the columns before fitting, or set "
                "grouped=True."
            )

    def read_numbers(self, X: Any, k: int) -> FloatArray:
        """Return a column of numbers of a table, missing ones as NaN."""
        return _as_numbers(_list_arrays(X)[k])

    def read_columns(self, X: Any) -> list[AnyArray]:
        """Return the columns as numbers, NaN where missing, or strings and None."""
        return [
            _as_texts(values) if k in self.texts else _as_numbers(values)
            for k, values in enumerate(_list_arrays(X))
        ]

    def write_text(self, text: str | None, k: int) -> str:
        """Return what stands in a column of strings for one of them, or for None."""
        return text or find_stand_ins(k in self.empties)[text is not None]

    @np.errstate(over="ignore")
    def feed(self, X: Any) -> dict[str, AnyArray]:
        """Return the arrays to run the model on, infinite beyond their precision."""
        arrays = self.read_columns(X)
        for k in self.texts:
            texts = [self.write_text(text, k) for text in arrays[k]]
            arrays[k] = np.array(texts, dtype=object)
        return {
            name: np.column_stack([arrays[k] for k in columns]).astype(
                self.find_dtype(name), copy=False
            )
            for name, columns in self.parts.items()
        }


def find_stand_ins(empties: bool) -> tuple[str, str]:
    """Return what stands for a missing string, and for an empty one; see `Inputs`."""
    return (OTHER_TEXT, "") if empties else ("", OTHER_TEXT)


def describe_inputs(X: Any, grouped: bool = False, exact: bool = False) -> Inputs:
    """Name the inputs for rows like those to be served.

    `exact`: any rounding to float32 is too much. Raise a TypeError where a column holds
    neither numbers, booleans nor strings, and a ValueError without rows.
    """
    names, series = list_columns(X.toarray() if issparse(X) else X)
    columns = [_as_array(column) for column in series]
    if not all(map(len, columns)):
        raise ValueError(
            "X_example must have at least one row, on which the model is verified; "
            "received none. Pass rows that look like those to be served."
        )
    kinds = [find_kind(values) for values in columns]
    strange = [n for n, kind in zip(names, kinds, strict=True) if kind == "other"]
    if strange:
        raise TypeError(
            "Exports take numbers, booleans and strings; columns "
            f"{strange} of X_example hold something else. Convert them first (dates "
            "to numbers, say)."
        )
    numbers = {
        k: _as_numbers(columns[k]) for k, kind in enumerate(kinds) if kind != "string"
    }
    categories = {
        k: tuple(list_categories(getattr(column.to_native(), "dtype", None)) or ())
        for k, column in enumerate(series)
        if find_kind(column) == "category"
    }
    named = all(isinstance(name, str) for name in names)
    texts = frozenset(k for k, kind in enumerate(kinds) if kind == "string")
    return Inputs(
        columns=tuple(n if named else f"x{k}" for k, n in enumerate(names)),
        texts=texts,
        named=named,
        grouped=grouped,
        offsets={
            k: float(np.median(values[np.isfinite(values)]))
            for k, values in numbers.items()
            if lacks_digits(values, exact)
        },
        categories={k: known for k, known in categories.items() if known},
        empties=frozenset(k for k in texts if _has_only_empties(_as_texts(columns[k]))),
        given_dtype=np.float32
        if numbers and all(columns[k].dtype == np.float32 for k in numbers)
        else np.float64,
    )


def lacks_digits(values: FloatArray, exact: bool = False) -> bool:
    """Whether float32 can't hold numbers beside their spread; `exact`: can't hold any.

    The usual error decides; without a spread there is none to lose.
    """
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        lost = np.abs(values.astype(np.float32) - values)
    # Beyond the range of float32 it has no digit.
    if exact or not lost.any() or np.isinf(lost).any():
        return bool(lost.any())
    spread = float(np.std(values))
    return bool(spread) and float(np.median(lost)) > _MOST_ROUNDING * spread


def _list_arrays(X: Any) -> list[AnyArray]:
    _, columns = list_columns(X.toarray() if issparse(X) else X)
    return [_as_array(column) for column in columns]


def _as_array(column: Any) -> AnyArray:
    if isinstance(column, nw.Series) and column.implementation.is_pyarrow():
        # pyarrow makes no array of categories where all of them are missing.
        categories = column.dtype == nw.Categorical
        column = column.cast(nw.String) if categories else column
    return np.asarray(column)


def _as_numbers(values: AnyArray) -> FloatArray:
    if values.dtype.kind == "O":
        values = np.array([np.nan if is_missing(v) else float(v) for v in values])
    return values.astype(np.float64)


def _as_texts(values: AnyArray) -> AnyArray:
    texts = [None if is_missing(v) else str(v) for v in values]
    return np.array(texts, dtype=object)


def _has_only_empties(texts: AnyArray) -> bool:
    """Whether some strings are empty and none is missing."""
    held = set(texts.tolist())
    return "" in held and None not in held
