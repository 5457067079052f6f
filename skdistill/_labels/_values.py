"""Values of a teacher: checked, one column an output.

Live, frozen, stored and function teachers pass the same check.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._frames import find_kinds, is_pandas
from .._typing import FloatArray


def read_numbers(given: Any, owner: str, what: str, dtype: Any) -> FloatArray:
    """Return what `owner` gave as an array of numbers, or raise a ValueError."""
    try:
        found = np.asarray(given)
        if found.dtype.kind == "O" and _holds_numbers(given):
            # NumPy makes objects of pandas' nullable and Arrow's numbers.
            found = given.to_numpy(dtype=np.float64, na_value=np.nan)
        if found.dtype.kind not in "biuf":
            raise TypeError(f"dtype {found.dtype}")
        return found.astype(dtype, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{owner} must be an array of numbers, received {error} in a "
            f"{type(given).__name__}. Pass {what} as numbers."
        ) from None


def _holds_numbers(given: Any) -> bool:
    """Whether all columns of a pandas data frame are numbers."""
    return is_pandas(given) and set(find_kinds(given).values()) == {"number"}


def check_values(
    values: Any,
    n_rows: int,
    n_outputs: int | None,
    owner: str,
    columns: str = "those of y",
) -> FloatArray:
    """Return values as an array of shape (n_rows, n_outputs), or raise a ValueError.

    With `n_outputs=None` there are as many outputs as there are columns. `owner` is who
    gave the values, as the subject of an error, and `columns` what its columns are.
    """
    found = read_numbers(values, owner, "values", np.float64)
    table = found[:, None] if found.ndim == 1 else found
    expected = (n_rows, table.shape[-1] if n_outputs is None else n_outputs)
    if table.shape != expected:
        wanted = (n_rows,) if expected[1] == 1 else expected
        raise ValueError(
            f"{owner} must have one value a row and output, shape {wanted}, received "
            f"{found.shape}. Its columns follow {columns}."
        )
    wrong = ~np.isfinite(table).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{owner} must be finite, received {table[row].tolist()} in row {row}. "
            "Mend the teacher, or drop rows."
        )
    return table
