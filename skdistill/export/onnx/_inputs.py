"""What a model is fed: one tensor of numbers, or one named input a column.

A table of numbers becomes a single input, so that one row costs as few nodes as
possible; a table that also holds strings becomes one input a column, of shape
(n_samples, 1), or, grouped, one of all numbers and one of all strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from ..._frames import is_missing

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
        """Raise where an input is named like an output.

        Raises
        ------
        ValueError
            One is.
        """
        taken = sorted({"label", "probabilities"} & set(self.parts))
        if taken:
            raise ValueError(
                "Inputs are named like the columns, and the outputs label and "
                f"probabilities; {taken} clash. Rename the columns before fitting, or "
                "set grouped=True."
            )

    def feed(self, X: Any) -> dict[str, NDArray[Any]]:
        """Return the arrays to run the model on."""
        if issparse(X):
            X = X.toarray()
        if self.is_table and not isinstance(_as_frame(X), nw.DataFrame):
            X = np.asarray(X)
            if X.dtype.kind in "biuf":
                return {TABLE: np.ascontiguousarray(X, dtype=np.float32)}
        arrays = [
            _as_texts(values) if k in self.texts else _as_numbers(values)
            for k, values in enumerate(_list_columns(X)[1])
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
    if issparse(X):
        X = X[:1].toarray()
    frame = _as_frame(X)
    if not isinstance(frame, nw.DataFrame) and np.ndim(X) != 2:
        raise ValueError(
            "X_example must be a table of shape (n_samples, n_features), received "
            f"{np.ndim(X)} dimensions. Reshape it."
        )
    if len(frame if isinstance(frame, nw.DataFrame) else X) == 0:
        raise ValueError(
            "X_example must have at least one row, on which the model is verified; "
            "received none. Pass rows that look like those to be served."
        )
    names, columns = _list_columns(X)
    named = all(isinstance(name, str) for name in names)
    kinds = [_kind_of(values) for values in columns]
    strange = [n for n, kind in zip(names, kinds, strict=True) if kind == "other"]
    if strange:
        raise TypeError(
            "ONNX takes numbers, booleans and strings; columns "
            f"{strange} of X_example hold something else. Convert them first (dates "
            "to numbers, say)."
        )
    return Inputs(
        columns=tuple(n if named else f"x{k}" for k, n in enumerate(names)),
        texts=frozenset(k for k, kind in enumerate(kinds) if kind == "text"),
        named=named and isinstance(frame, nw.DataFrame),
        grouped=grouped,
    )


def _as_frame(X: Any) -> Any:
    return nw.from_native(X, eager_only=True, pass_through=True)


def _list_columns(X: Any) -> tuple[list[Any], list[NDArray[Any]]]:
    frame = _as_frame(X)
    if isinstance(frame, nw.DataFrame):
        columns = [np.asarray(column.to_numpy()) for column in frame.iter_columns()]
        return list(frame.columns), columns
    X = np.asarray(X)
    return list(range(X.shape[1])), list(X.T)


def _kind_of(values: NDArray[Any]) -> str:
    if values.dtype.kind in "biuf":
        return "number"
    if values.dtype.kind in "US":
        return "text"
    if values.dtype.kind not in "OT":
        return "other"
    present = [v for v in values if not is_missing(v)]
    if all(isinstance(v, bool | np.bool_ | int | float | np.number) for v in present):
        return "number" if present else "text"
    return "text" if all(isinstance(v, str) for v in present) else "other"


def _as_numbers(values: NDArray[Any]) -> NDArray[np.float32]:
    if values.dtype.kind == "O":
        values = np.array([np.nan if is_missing(v) else float(v) for v in values])
    return values.astype(np.float32)


def _as_texts(values: NDArray[Any]) -> NDArray[Any]:
    texts = [MISSING_TEXT if is_missing(v) else str(v) for v in values]
    return np.array(texts, dtype=object)
