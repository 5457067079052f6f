"""What a model is fed: one tensor of numbers, or one named input a column.

A table of numbers becomes a single input, so that one row costs as few nodes as
possible; a table that also holds strings becomes one input a column, of shape
(n_samples, 1), or, grouped, one of all numbers and one of all strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from ..._frames import find_kind, is_missing, list_columns

#: The input of a table of numbers.
TABLE = "X"
#: The inputs of a table that also holds strings, grouped.
NUMBERS, TEXTS = "numbers", "texts"
#: ONNX has no missing string: an empty one stands for it.
MISSING_TEXT = ""


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
    """

    columns: tuple[str, ...]
    texts: frozenset[int]
    named: bool
    grouped: bool = False

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
        positions = range(len(self.columns))
        if self.is_table:
            return {TABLE: tuple(positions)}
        if not self.grouped:
            return {self.columns[k]: (k,) for k in positions}
        numbers = tuple(k for k in positions if k not in self.texts)
        texts = {TEXTS: tuple(sorted(self.texts))}
        return {NUMBERS: numbers, **texts} if numbers else texts

    def check_names(self) -> None:
        """Raise a ValueError where an input is named like an output."""
        taken = sorted({"label", "probabilities"} & set(self.parts))
        if taken:
            raise ValueError(
                "Inputs are named like the columns, and the outputs label and "
                f"probabilities; {taken} clash. Rename the columns before fitting, or "
                "set grouped=True."
            )

    def feed(self, X: Any) -> dict[str, NDArray[Any]]:
        """Return the arrays to run the model on."""
        arrays = [
            _as_texts(values) if k in self.texts else _as_numbers(values)
            for k, values in enumerate(_list_arrays(X)[1])
        ]
        return {
            name: np.column_stack([arrays[k] for k in columns])
            for name, columns in self.parts.items()
        }


def describe_inputs(X: Any, grouped: bool = False) -> Inputs:
    """Name the inputs for a table.

    Raises
    ------
    TypeError
        A column holds neither numbers, booleans nor strings.
    ValueError
        X is no table, or has no rows.
    """
    names, columns = _list_arrays(X)
    if not all(map(len, columns)):
        raise ValueError(
            "X_example must have at least one row, on which the model is verified; "
            "received none. Pass rows that look like those to be served."
        )
    kinds = [find_kind(values) for values in columns]
    strange = [n for n, kind in zip(names, kinds, strict=True) if kind == "other"]
    if strange:
        raise TypeError(
            "ONNX takes numbers, booleans and strings; columns "
            f"{strange} of X_example hold something else. Convert them first (dates "
            "to numbers, say)."
        )
    named = all(isinstance(name, str) for name in names)
    return Inputs(
        columns=tuple(n if named else f"x{k}" for k, n in enumerate(names)),
        texts=frozenset(k for k, kind in enumerate(kinds) if kind == "string"),
        named=named,
        grouped=grouped,
    )


def _list_arrays(X: Any) -> tuple[list[Any], list[NDArray[Any]]]:
    names, columns = list_columns(X.toarray() if issparse(X) else X)
    return names, [np.asarray(column) for column in columns]


def _as_numbers(values: NDArray[Any]) -> NDArray[np.float32]:
    if values.dtype.kind == "O":
        values = np.array([np.nan if is_missing(v) else float(v) for v in values])
    return values.astype(np.float32)


def _as_texts(values: NDArray[Any]) -> NDArray[Any]:
    texts = [MISSING_TEXT if is_missing(v) else str(v) for v in values]
    return np.array(texts, dtype=object)
