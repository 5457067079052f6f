"""Reading and writing columns of an array or data frame in their own types.

This is native code of pandas and polars: narwhals has one Int64 for several types of
pandas, and no integers behind datetimes. pandas and polars are imported only where X
is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np

from .._frames import is_missing, is_pandas, is_polars
from .._typing import AnyArray, BoolArray

#: Raw numbers of a column and which of them are missing.
Natural = tuple[AnyArray, BoolArray | None]

#: The integer behind a missing moment or duration.
_NAT = np.iinfo(np.int64).min


def find_container(X: Any) -> Any:
    if is_pandas(X):
        return _Pandas(X)
    return _Polars() if is_polars(X) else _Array(X)


def _objects_to_natural(values: AnyArray) -> Natural | None:
    """Read numbers among Python objects; None where there is any other value."""
    missing = np.array([is_missing(value) for value in values])
    known = values[~missing]
    if not len(known) or not all(
        isinstance(v, Real) and not isinstance(v, bool | np.bool_) for v in known
    ):
        return None
    whole = all(isinstance(v, Integral) for v in known)
    natural = np.zeros(len(values), dtype=np.int64 if whole else np.float64)
    try:
        natural[~missing] = known
    except OverflowError:
        return None
    return natural, missing


def _take_out(pieces: list[Any]) -> Iterator[Any]:
    """Yield the pieces of each column, which are freed on the way."""
    while pieces:
        yield pieces.pop(0)


class _Array:
    """A NumPy array; its columns are views."""

    def __init__(self, X: AnyArray) -> None:
        self.dtype = X.dtype

    def read(self, X: AnyArray, j: int) -> AnyArray:
        return X[:, j]

    def take(self, raw: AnyArray, rows: AnyArray) -> AnyArray:
        return raw[rows]

    def to_natural(self, raw: AnyArray) -> Natural | None:
        kind = raw.dtype.kind
        if kind == "O":
            return _objects_to_natural(raw)
        if kind in "mM":
            return raw.astype(np.int64), np.isnat(raw)
        return (raw, None) if kind in "fiu" else None

    def from_natural(
        self, natural: AnyArray, missing: BoolArray, sample: AnyArray
    ) -> AnyArray:
        if self.dtype.kind in "mM":
            natural[missing] = _NAT
            return natural.view(self.dtype)
        column = natural.astype(self.dtype)
        if self.dtype.kind == "O" and missing.any():
            column[missing] = sample[0]
        return column

    def assemble(self, pieces: list[list[Any]]) -> AnyArray:
        shape = sum(len(piece) for piece in pieces[0]), len(pieces)
        X = np.empty(shape, dtype=self.dtype)
        for j, column in enumerate(_take_out(pieces)):
            X[:, j] = np.concatenate(column)
        return X


class _Pandas:
    """A pandas dataframe."""

    def __init__(self, X: Any) -> None:
        self.names = X.columns

    def read(self, X: Any, j: int) -> Any:
        # By position: names may be anything.
        return X.iloc[:, j].reset_index(drop=True)

    def take(self, raw: Any, rows: AnyArray) -> Any:
        return raw.take(rows.astype(np.intp)).reset_index(drop=True)

    def to_natural(self, raw: Any) -> Natural | None:
        dtype, missing = raw.dtype, raw.isna().to_numpy()
        kind = dtype.kind
        if kind == "O" and isinstance(dtype, np.dtype):
            return _objects_to_natural(raw.to_numpy())
        storage = _find_arrow_storage(dtype)
        if storage is not None:
            kind, raw = "i", raw.astype(storage)
        if kind in "mM":
            if getattr(dtype, "tz", None) is not None:
                raw = raw.dt.tz_convert("UTC").dt.tz_localize(None)
            return raw.to_numpy().view(np.int64), missing
        if kind in "iu":
            wide = np.int64 if kind == "i" else np.uint64
            return raw.to_numpy(dtype=wide, na_value=0), missing
        if kind == "f":
            return raw.to_numpy(dtype=np.float64, na_value=np.nan), missing
        return None

    def from_natural(self, natural: AnyArray, missing: BoolArray, sample: Any) -> Any:
        import pandas as pd

        dtype = sample.dtype
        tz = getattr(dtype, "tz", None)
        if tz is not None or (isinstance(dtype, np.dtype) and dtype.kind in "mM"):
            natural[missing] = _NAT
            if tz is None:
                return pd.Series(natural.view(dtype))
            moments = pd.Series(natural.view(f"M8[{dtype.unit}]"))
            return moments.dt.tz_localize("UTC").dt.tz_convert(tz)
        storage = _find_arrow_storage(dtype)
        column = pd.Series(natural, copy=False)
        column = (column if storage is None else column.astype(storage)).astype(dtype)
        # Floats are NaN already; other types have their own missing value.
        gaps = missing & ~column.isna().to_numpy()
        if gaps.any():
            column[gaps] = sample.iloc[0]
        return column

    def assemble(self, pieces: list[list[Any]]) -> Any:
        import pandas as pd

        columns = [pd.concat(column, ignore_index=True) for column in _take_out(pieces)]
        X = pd.DataFrame(dict(enumerate(columns)), copy=False)
        X.columns = self.names
        return X


def _find_arrow_storage(dtype: Any) -> str | None:
    """Integers that hold the moments or durations of an Arrow column in pandas."""
    arrow = getattr(dtype, "pyarrow_dtype", None)
    # By name, as asking pyarrow would mean importing it.
    temporal = str(arrow).startswith(("date", "time", "duration"))
    return f"int{arrow.bit_width}[pyarrow]" if arrow is not None and temporal else None


class _Polars:
    """A polars dataframe."""

    def read(self, X: Any, j: int) -> Any:
        return X.to_series(j)

    def take(self, raw: Any, rows: AnyArray) -> Any:
        return raw.gather(rows.astype(np.uint32))

    def to_natural(self, raw: Any) -> Natural | None:
        import polars as pl

        missing = raw.is_null().to_numpy()
        if raw.dtype.is_float():
            return raw.cast(pl.Float64).fill_null(np.nan).to_numpy(), missing
        if raw.dtype.is_temporal():
            raw = raw.to_physical()
        if raw.dtype in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64):
            return raw.fill_null(0).cast(pl.UInt64).to_numpy(), missing
        if raw.dtype in (pl.Int8, pl.Int16, pl.Int32, pl.Int64):
            return raw.fill_null(0).cast(pl.Int64).to_numpy(), missing
        return None

    def from_natural(self, natural: AnyArray, missing: BoolArray, sample: Any) -> Any:
        import polars as pl

        column = pl.Series(sample.name, natural)
        if missing.any() and sample.null_count():
            column = column.set(pl.Series(missing), None)
        return column.cast(sample.dtype)

    def assemble(self, pieces: list[list[Any]]) -> Any:
        import polars as pl

        return pl.DataFrame(
            [pl.concat(column, rechunk=True) for column in _take_out(pieces)]
        )
