"""Rows on disk: appended block by block, read back in slices, or mapped as a whole.

Each store writes rows to files of a folder, and returns them in their own container.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .._frames import is_pandas, is_polars
from .._typing import AnyArray


def open_store(rows: Any, path: Path) -> Any:
    """Return an empty store for rows of this kind.

    Raises
    ------
    TypeError
        Rows of Python objects, which no file can hold as they are.
    """
    if is_pandas(rows):
        return FrameStore(rows, path, _read_pandas, _build_pandas)
    if is_polars(rows):
        return FrameStore(rows, path, _read_polars, _build_polars)
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
        rows = np.ascontiguousarray(rows, dtype=self.dtype)
        with self.path.open("ab") as file:
            rows.tofile(file)
        self.n_rows += len(rows)

    def read(self, parts: Sequence[slice]) -> AnyArray:
        """Return the rows of several slices, one after the other."""
        n_rows = sum(part.stop - part.start for part in parts)
        out = np.empty((n_rows, *self.width), dtype=self.dtype)
        size = out.dtype.itemsize * int(np.prod(self.width))
        end = 0
        with self.path.open("rb") as file:
            for part in parts:
                start, end = end, end + part.stop - part.start
                file.seek(part.start * size)
                # The view on bytes saves a copy.
                file.readinto(out[start:end].reshape(-1).view(np.uint8).data)
        return out

    def map(self) -> AnyArray:
        """Return all rows, mapped into memory; writing to them changes no file."""
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

    def _find_ends(self) -> NDArray[np.int64]:
        if len(self.counts) > 1:
            self.counts = [np.concatenate(self.counts)]
        return np.concatenate([[0], np.cumsum(self.counts[0], dtype=np.int64)])

    def read(self, parts: Sequence[slice]) -> Any:
        ends = self._find_ends()
        cells = [slice(int(ends[p.start]), int(ends[p.stop])) for p in parts]
        counts = [np.diff(ends[p.start : p.stop + 1]) for p in parts]
        return self._build(
            self.values.read(cells), self.columns.read(cells), np.concatenate(counts)
        )

    def map(self) -> Any:
        counts = np.diff(self._find_ends())
        return self._build(self.values.map(), self.columns.map(), counts)

    def _build(self, values: Any, columns: Any, counts: NDArray[np.int64]) -> Any:
        ends = np.concatenate([[0], np.cumsum(counts)])
        if ends[-1] < np.iinfo(np.int32).max:
            ends = ends.astype(np.int32)
        shape = (len(counts), self.width)
        return self.kind((values, columns, ends), shape=shape)


class FrameStore:
    """A data frame, one file a column; categories are stored as codes.

    Parameters
    ----------
    frame : pandas or polars dataframe
    path : Path
        Folder and start of the files' names.
    read : callable
        Returns the numbers of a column, or None where it does not hold numbers.
    build : callable
        Makes a frame like a given one from the numbers of all columns.
    """

    def __init__(
        self,
        frame: Any,
        path: Path,
        read: Callable[[Any], AnyArray | None],
        build: Callable[[Any, list[AnyArray]], Any],
    ) -> None:
        self._like, self._read, self._build = frame[:0], read, build
        self.columns = [
            ArrayStore(values, path.with_suffix(f".{j}"))
            for j, values in enumerate(self._list_values(frame[:1]))
        ]

    def _list_values(self, frame: Any) -> list[AnyArray]:
        values = []
        for j, name in enumerate(frame.columns):
            column = frame.iloc[:, j] if is_pandas(frame) else frame.to_series(j)
            numbers = self._read(column)
            if numbers is None:
                raise TypeError(
                    "Rows that are learned chunk by chunk must be numbers, or "
                    "categories of pandas, when they reach the student; column "
                    f"{name!r} is {column.dtype}. Encode it in front of the student, "
                    "in a Pipeline."
                )
            values.append(numbers)
        return values

    def append(self, frame: Any) -> None:
        values = self._list_values(frame)
        for column, part in zip(self.columns, values, strict=True):
            column.append(part)

    def read(self, parts: Sequence[slice]) -> Any:
        return self._build(self._like, [column.read(parts) for column in self.columns])

    def map(self) -> Any:
        return self._build(self._like, [column.map() for column in self.columns])


def _read_pandas(column: Any) -> AnyArray | None:
    if hasattr(column, "cat"):
        return column.cat.codes.to_numpy()
    plain = isinstance(column.dtype, np.dtype) and not column.dtype.hasobject
    return column.to_numpy() if plain else None


def _build_pandas(like: Any, arrays: list[AnyArray]) -> Any:
    import pandas as pd

    columns = {}
    for j, (values, dtype) in enumerate(zip(arrays, like.dtypes, strict=True)):
        if isinstance(dtype, pd.CategoricalDtype):
            values = pd.Categorical.from_codes(values, dtype=dtype, validate=False)
        columns[j] = pd.Series(values, copy=False)
    frame = pd.DataFrame(columns, copy=False)
    frame.columns = like.columns
    return frame


def _read_polars(column: Any) -> AnyArray | None:
    if column.dtype.is_float():
        return column.to_numpy()
    plain = column.dtype.is_integer() and not column.null_count()
    return column.to_numpy() if plain else None


def _build_polars(like: Any, arrays: list[AnyArray]) -> Any:
    return type(like)(dict(zip(like.columns, arrays, strict=True)), schema=like.schema)
