"""Comparison of chunks with X: its container, columns, types and categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._sklearn import _num_samples


class Table:
    """What chunks are compared with.

    Parameters
    ----------
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        The training rows.
    """

    def __init__(self, X: Any) -> None:
        self.kind = type(X)
        self.names = list(X.columns) if hasattr(X, "columns") else None
        self.dtypes = list(X.dtypes) if self.names is not None else None
        self.dtype = getattr(X, "dtype", None)
        self.n_columns = X.shape[1] if hasattr(X, "shape") else None

    def check(self, rows: Any, where: str) -> Any:
        """Return the rows; raise unless they are rows of the table.

        Raises
        ------
        TypeError
            Another container, or a column of another type.
        ValueError
            No rows, other columns, or a category that X does not declare.
        """
        if type(rows) is not self.kind:
            raise TypeError(
                f"{where} must be of the same kind as X, a {self.kind.__name__}; "
                f"received a {type(rows).__name__}. Convert one of the two."
            )
        if not _num_samples(rows):
            raise refuse_empty(where)
        if self.names is not None:
            check_names(list(rows.columns), self.names, where)
            for name, expected, received in zip(
                self.names, self.dtypes or (), rows.dtypes, strict=True
            ):
                check_dtype(received, expected, name, where)
        elif self.dtype is not None:
            self._check_array(rows, where)
        return rows

    def _check_array(self, rows: Any, where: str) -> None:
        if rows.ndim != 2 or rows.shape[1] != self.n_columns:
            raise ValueError(
                f"{where} must have the {self.n_columns} columns of X, received shape "
                f"{rows.shape}. Pass the same columns in the same order."
            )
        # How long the longest text of a chunk is decides the itemsize of its type.
        alike = rows.dtype.kind == self.dtype.kind == "U"  # type: ignore[union-attr]
        if rows.dtype != self.dtype and not alike:
            raise TypeError(
                f"{where} must have the dtype of X, {self.dtype}, in every column; "
                f"received {rows.dtype}. Convert it with astype({self.dtype})."
            )


def refuse_empty(where: str) -> ValueError:
    return ValueError(f"{where} must hold rows, received none. Leave it out.")


def check_names(received: Sequence[Any], expected: Sequence[Any], where: str) -> None:
    """Raise unless the columns are the expected ones, in their order."""
    missing = [name for name in expected if name not in received]
    extra = [name for name in received if name not in expected]
    if missing:
        raise ValueError(
            f"{where} must have the columns of X; column {missing[0]!r} is missing "
            f"(received {_list(received)}). Add it, or leave the chunk out."
        )
    if extra:
        raise ValueError(
            f"{where} must have the columns of X; column {extra[0]!r} is not one of "
            f"them. Drop it."
        )
    if len(received) != len(expected):
        twice = next(name for name in received if list(received).count(name) > 1)
        raise ValueError(
            f"{where} must have each column of X once; received {twice!r} more often. "
            "Rename or drop one of them."
        )
    for name, other in zip(received, expected, strict=True):
        if name != other:
            raise ValueError(
                f"{where} must have the columns in the order of X; received column "
                f"{name!r} in the place of {other!r}. Reorder the columns."
            )


def check_dtype(received: Any, expected: Any, name: Any, where: str) -> None:
    """Raise unless a column has the expected type, and no category but the declared."""
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
            f"{undeclared[0]!r}, which is none of {_list(known)}. Declare it in X, or "
            "leave those rows out."
        )


def list_categories(dtype: Any) -> list[Any] | None:
    """Return those of a categorical type (pandas) or an Enum (polars), or None."""
    categories = getattr(dtype, "categories", None)
    return None if categories is None else list(categories)


def _list(names: Sequence[Any]) -> str:
    """The first few names, for an error."""
    shown = ", ".join(repr(name) for name in names[:10])
    return f"[{shown}{', ...' if len(names) > 10 else ''}]"
