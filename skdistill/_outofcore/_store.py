"""Rows on disk: appended block by block, read back in slices, or mapped as a whole.

Each store writes rows to files of a folder, and returns them in their own container.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from .._frames import is_pandas, is_polars
from .._soft_data import row_blocks
from .._typing import AnyArray, Int64Array


def open_store(rows: Any, path: Path) -> Any:
    """Return an empty store for rows of this kind."""
    if is_pandas(rows) or is_polars(rows):
        return FrameStore(rows, path)
    if sparse.issparse(rows):
        return SparseStore(rows, path)
    return ArrayStore(np.asarray(rows), path)


class ArrayStore:
    """An array of one or two dimensions, in one file."""

    def __init__(self, rows: AnyArray, path: Path) -> None:
        if rows.dtype.hasobject:
            raise TypeError(
                "Rows that are learned chunk by chunk must be numbers when they reach "
                f"the student; received an array of {rows.dtype}. Encode them in front "
                "of it, in a Pipeline."
            )
        self.dtype, self.width = rows.dtype, rows.shape[1:]
        self.path, self.n_rows = path, 0
        path.touch()

    def append(self, rows: Any) -> None:
        rows = np.asarray(rows)
        if not np.can_cast(rows.dtype, self.dtype):
            # Longer text than before, or lists of whole numbers and then of others.
            self._widen(np.result_type(self.dtype, rows.dtype))
        with self.path.open("ab") as file:
            np.ascontiguousarray(rows, dtype=self.dtype).tofile(file)
        self.n_rows += len(rows)

    def _widen(self, dtype: Any) -> None:
        """Write what is stored once more, in a type that holds what follows as well."""
        known, n_columns = self.map(), int(np.prod(self.width))
        self.dtype, wider = dtype, self.path.with_name(f"{self.path.name}.wider")
        with wider.open("wb") as file:
            for rows in row_blocks(self.n_rows, n_columns):
                known[rows].astype(dtype).tofile(file)
        # Some systems do not replace a file that is mapped.
        del known
        wider.replace(self.path)

    def read(self, parts: Sequence[slice]) -> AnyArray:
        """Return the rows of several slices, one after the other."""
        size = int(np.prod(self.width))
        pieces = [
            np.fromfile(
                self.path,
                self.dtype,
                count=(part.stop - part.start) * size,
                offset=part.start * size * self.dtype.itemsize,
            )
            for part in parts
        ]
        return np.concatenate(pieces).reshape(-1, *self.width)

    def map(self) -> AnyArray:
        """Return all rows, mapped from the file; writing changes the copy alone."""
        shape = (self.n_rows, *self.width)
        if 0 in shape:
            return np.empty(shape, dtype=self.dtype)
        # A plain array: results of a memmap are memmaps as well.
        return np.asarray(np.memmap(self.path, self.dtype, "c", shape=shape))


class SparseStore:
    """A CSR matrix: its stored values, their columns, and where each row ends."""

    def __init__(self, rows: Any, path: Path) -> None:
        self.width = rows.shape[1]
        self.kind = type(rows.tocsr())
        empty = np.empty(0, dtype=rows.dtype)
        self.values = ArrayStore(empty, path.with_suffix(".values"))
        columns = np.empty(0, dtype=np.int32)
        self.columns = ArrayStore(columns, path.with_suffix(".columns"))
        self.counts: list[AnyArray] = []

    def append(self, rows: Any) -> None:
        rows = rows.tocsr()
        self.values.append(rows.data)
        self.columns.append(rows.indices)
        self.counts.append(np.diff(rows.indptr))

    def read(self, parts: Sequence[slice]) -> Any:
        self.counts = [np.concatenate(self.counts)]
        ends = _sum_up(self.counts)
        cells = [slice(*ends[[part.start, part.stop]].tolist()) for part in parts]
        ends = _sum_up([self.counts[0][part] for part in parts])
        return self._build(self.values.read(cells), self.columns.read(cells), ends)

    def map(self) -> Any:
        ends = _sum_up(self.counts)
        return self._build(self.values.map(), self.columns.map(), ends)

    def _build(self, values: Any, columns: Any, ends: Int64Array) -> Any:
        if ends[-1] < np.iinfo(np.int32).max:
            ends = ends.astype(np.int32)
        shape = (len(ends) - 1, self.width)
        return self.kind((values, columns, ends), shape=shape)


def _sum_up(counts: list[AnyArray]) -> Int64Array:
    """Return where each row ends among the stored values, after a zero."""
    return np.cumsum(np.concatenate([[0], *counts]), dtype=np.int64)


class FrameStore:
    """A data frame, one file a column; categories of pandas are stored as codes."""

    def __init__(self, frame: Any, path: Path) -> None:
        self.like = frame[:0]
        self.columns = [
            ArrayStore(values, path.with_suffix(f".{j}"))
            for j, values in enumerate(_list_values(frame[:1]))
        ]

    def append(self, frame: Any) -> None:
        for column, values in zip(self.columns, _list_values(frame), strict=True):
            column.append(values)

    def read(self, parts: Sequence[slice]) -> Any:
        return _build_frame(self.like, [column.read(parts) for column in self.columns])

    def map(self) -> Any:
        return _build_frame(self.like, [column.map() for column in self.columns])


def _list_values(frame: Any) -> list[AnyArray]:
    """Return the numbers of every column."""
    values = []
    for j, name in enumerate(frame.columns):
        column = frame.iloc[:, j] if is_pandas(frame) else frame.to_series(j)
        dtype = column.dtype
        if is_polars(frame):
            whole = dtype.is_integer() and not column.null_count()
            plain = whole or dtype.is_float()
        elif hasattr(column, "cat"):
            column, plain = column.cat.codes, True
        else:
            plain = isinstance(dtype, np.dtype) and not dtype.hasobject
        if not plain:
            raise TypeError(
                "Rows that are learned chunk by chunk must be numbers, or categories "
                f"of pandas, when they reach the student; column {name!r} is {dtype}. "
                "Encode it in front of the student, in a Pipeline."
            )
        values.append(column.to_numpy())
    return values


def _build_frame(like: Any, arrays: list[AnyArray]) -> Any:
    """Return a frame like another one, made of the numbers of its columns."""
    if is_polars(like):
        columns = dict(zip(like.columns, arrays, strict=True))
        return type(like)(columns, schema=like.schema)
    import pandas as pd

    columns = {}
    for j, (values, dtype) in enumerate(zip(arrays, like.dtypes, strict=True)):
        if isinstance(dtype, pd.CategoricalDtype):
            values = pd.Categorical.from_codes(values, dtype=dtype)
        columns[j] = pd.Series(values, copy=False)
    frame = pd.DataFrame(columns, copy=False)
    frame.columns = like.columns
    return frame
