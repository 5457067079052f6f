"""Rows and columns of any container: arrays, lists, sparse matrices, data frames.

narwhals reads the data frames; none of their libraries is imported here. Rows are
joined by the library of the frames themselves, because narwhals refuses column names
that occur twice.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
from narwhals import dependencies
from scipy import sparse

from ._sklearn import _num_samples, _safe_indexing
from ._typing import AnyArray

Kind = Literal["number", "boolean", "category", "string", "other"]

is_pandas = dependencies.is_pandas_dataframe
is_polars = dependencies.is_polars_dataframe


def is_frame(X: Any) -> bool:
    """Whether it is a data frame of any library that narwhals knows."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return isinstance(frame, nw.DataFrame)


def holds_columns(X: Any) -> bool:
    """Whether rows are dense and of two dimensions; no data frame is copied to see."""
    if hasattr(X, "columns"):
        return True
    return not sparse.issparse(X) and np.ndim(X) == 2


# Columns -----------------------------------------------------------------------------


def list_columns(X: Any) -> tuple[list[Any], list[Any]]:
    """Return the names of the columns, or their positions, and the columns.

    The columns of a data frame are narwhals Series, those of any other container are
    ndarrays.
    """
    check_unique_names(X)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return list(frame.columns), list(frame.iter_columns())
    array = np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"X must be a table. Expected 2D array, got {array.ndim}D array instead. "
            "Reshape X to (n_samples, n_features)."
        )
    return list(range(array.shape[1])), list(array.T)


def check_unique_names(X: Any, where: str = "X") -> None:
    """Raise where columns of a data frame share a name; pandas alone allows it."""
    if not is_pandas(X) or X.columns.is_unique:
        return
    twice = X.columns[X.columns.duplicated()].unique().tolist()
    raise ValueError(
        f"{where} must have one column a name; received a data frame with several "
        f"columns named {list_some(twice)}. Rename them, or drop copies by "
        "X.loc[:, ~X.columns.duplicated()]."
    )


def refuse_lost_categories(X: Any) -> None:
    """Raise where pyarrow would hand over a missing category as another one."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not (isinstance(frame, nw.DataFrame) and frame.implementation.is_pyarrow()):
        return
    for column in frame.iter_columns():
        if column.dtype == nw.Categorical and column.is_null().any():
            raise ValueError(
                "A table of pyarrow must have no missing category, which it hands over "
                f"as another one; column {column.name!r} has missing ones. Convert it "
                "to text by dictionary_decode(), or the table by to_pandas()."
            )


def count_columns(X: Any) -> int:
    """Return the number of columns of a table, or of its first row."""
    return X.shape[1] if hasattr(X, "shape") else len(X[0])


def find_kind(column: Any) -> Kind:
    """Return what a column holds, a narwhals Series or an ndarray.

    A column of Python objects has the kind that all of them share, missing ones apart;
    "string" where all are missing. Dates and nested values are "other".
    """
    if isinstance(column, nw.Series):
        dtype = column.dtype
        if dtype.is_numeric():
            return "number"
        if dtype == nw.Boolean:
            return "boolean"
        if dtype in (nw.Categorical, nw.Enum):
            return "category"
        if dtype == nw.String:
            return "string"
        return _find_kind_of_objects(column) if dtype == nw.Object else "other"
    if column.dtype.kind == "O":
        return _find_kind_of_objects(column)
    for kind, letters in _LETTERS.items():
        if column.dtype.kind in letters:
            return kind
    return "other"


def find_kinds(X: Any) -> dict[Any, Kind]:
    """Return the kind of each column of a table, by its name or position."""
    return {name: find_kind(c) for name, c in zip(*list_columns(X), strict=True)}


#: The letters by which NumPy tells its types.
_LETTERS: dict[Kind, str] = {"number": "iufc", "boolean": "b", "string": "UST"}


def _find_kind_of_objects(values: Any) -> Kind:
    present = [value for value in values if not is_missing(value)]
    types: list[tuple[Kind, Any]] = [
        ("string", str),
        ("boolean", bool | np.bool_),
        ("number", int | float | np.number),
    ]
    for kind, allowed in types:
        if all(isinstance(value, allowed) for value in present):
            return kind
    return "other"


def is_missing(value: Any) -> bool:
    """Whether a single value stands for a missing one: None, NaN, NaT or NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        # pandas.NA refuses to be a bool.
        return True


# Rows --------------------------------------------------------------------------------


def take_chunk(X: Any, rows: AnyArray | slice) -> Any:
    """Return some rows as they would arrive in another process.

    The order of an array's numbers in memory, which decides the last bits of what is
    computed of them, must not depend on where that is done.
    """
    chunk = _safe_indexing(X, rows)
    if isinstance(chunk, np.ndarray) and not chunk.flags.forc:
        return np.ascontiguousarray(chunk)
    return chunk


def take_rows(value: Any, rows: AnyArray, n_samples: int) -> Any:
    """Index metadata that has one entry a row; leave everything else alone."""
    per_row = hasattr(value, "__len__") and not isinstance(value, str | dict)
    if per_row and len(value) == n_samples:
        return _safe_indexing(value, rows)
    return value


def concat_rows(*parts: Any) -> Any:
    """Stack rows of one kind: arrays, sparse matrices or data frames."""
    first, *others = parts
    if not others:
        return first
    if sparse.issparse(first):
        return sparse.vstack(parts, format="csr")
    if is_pandas(first):
        return sys.modules["pandas"].concat(parts, ignore_index=True)
    if is_polars(first):
        return sys.modules["polars"].concat(parts)
    if is_frame(first):
        frames = [nw.from_native(part, eager_only=True) for part in parts]
        return nw.concat(frames, how="vertical").to_native()
    return np.concatenate([np.asarray(part) for part in parts])


# Comparison --------------------------------------------------------------------------


def check_same_table(rows: Any, X: Any, where: str) -> None:
    """Raise unless rows have the container and the columns of X.

    Data frames have names and types of columns, other containers their number.
    """
    if find_container(rows) is not find_container(X):
        raise TypeError(
            f"{where} must be of the same kind as X, a {type(X).__name__}; received a "
            f"{type(rows).__name__}. Convert one of the two."
        )
    if not _num_samples(rows):
        raise refuse_empty(where)
    if hasattr(X, "columns"):
        check_unique_names(rows, where)
        names, types = _list_types(X)
        found, received = _list_types(rows)
        check_names(found, names, where)
        for name, dtype, other in zip(names, types, received, strict=True):
            _check_dtype(other, dtype, name, where)
        return
    # The first row tells the width of lists.
    received, expected = (
        np.shape(table if hasattr(table, "shape") else table[:1])[1:]
        for table in (rows, X)
    )
    if received != expected:
        raise ValueError(
            f"{where} must have the columns of X, rows of shape {expected}, received "
            f"rows of shape {received}. Pass the same columns in the same order."
        )


def _list_types(X: Any) -> tuple[list[Any], list[Any]]:
    """Return the names and types of the columns; a table of pyarrow has no `dtypes`."""
    if hasattr(X, "dtypes"):
        return list(X.columns), list(X.dtypes)
    schema = nw.from_native(X, eager_only=True).schema
    return list(schema), list(schema.values())


def find_container(X: Any) -> type:
    """Return the class of a table; a memory-mapped array is an array."""
    return np.ndarray if isinstance(X, np.memmap) else type(X)


def refuse_empty(where: str) -> ValueError:
    """Return the error for a table without rows."""
    return ValueError(f"{where} must hold rows, received none. Leave it out.")


def check_names(
    received: list[Any],
    expected: list[Any],
    where: str,
    rule: str = "the columns of X, in their order",
) -> None:
    """Raise unless the columns are the expected ones, in their order.

    No name occurs twice.
    """
    missing = [name for name in expected if name not in received]
    extra = [name for name in received if name not in expected]
    if missing:
        fault = f"column {missing[0]!r} is missing (received {list_some(received)})"
    elif extra:
        fault = f"column {extra[0]!r} is not one of them"
    else:
        pairs = zip(received, expected, strict=True)
        moved = [pair for pair in pairs if pair[0] != pair[1]]
        if not moved:
            return
        fault = "received column {!r} in the place of {!r}".format(*moved[0])
    raise ValueError(f"{where} must have {rule}; {fault}. Pass exactly those columns.")


def _check_dtype(received: Any, expected: Any, name: Any, where: str) -> None:
    if received == expected:
        return
    found, known = list_categories(received), list_categories(expected)
    if found is not None and known is not None:
        check_categories(found, known, name, where)
    raise TypeError(
        f"{where} must have the dtypes of X, which the teacher is fitted on; column "
        f"{name!r} is {expected} in X, received {received}. Convert it with astype."
    )


def check_categories(
    found: Sequence[Any], known: Sequence[Any], name: Any, where: str
) -> None:
    """Raise where a category is not declared."""
    declared = set(known)
    undeclared = [category for category in found if category not in declared]
    if undeclared:
        raise ValueError(
            f"{where} must hold only categories that X declares; column {name!r} holds "
            f"{undeclared[0]!r}, which is none of {list_some(known)}. Declare it in X, "
            "or leave those rows out."
        )


def list_categories(dtype: Any) -> list[Any] | None:
    """Return those of a categorical type (pandas) or an Enum (polars), or None."""
    categories: Any = getattr(dtype, "categories", None)
    # A Categorical of polars declares none.
    return categories.to_list() if hasattr(categories, "to_list") else None


def list_some(names: Sequence[Any]) -> str:
    """The first few names, for an error."""
    shown = ", ".join(repr(name) for name in names[:10])
    return f"[{shown}{', ...' if len(names) > 10 else ''}]"
