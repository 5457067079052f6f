"""Sources of chunks: how each is recognised, and how it is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from .._frames import is_pandas
from ._arrow import open_dataset, open_path
from ._chunks import Chunks, count_block_rows


def is_chunked(X: Any, X_unlabeled: Any) -> bool:
    """Whether unlabelled rows come in chunks, and not as one table like X."""
    if X_unlabeled is None or type(X_unlabeled) is type(X):
        return False
    if isinstance(X_unlabeled, str | os.PathLike | np.memmap):
        return True
    if _is_dataset(X_unlabeled) or _is_dask(X_unlabeled):
        return True
    return hasattr(X_unlabeled, "__iter__") and not hasattr(X_unlabeled, "shape")


def open_chunks(X_unlabeled: Any, X: Any) -> Chunks:
    """Read all chunks once, and return them to be read again.

    Raises
    ------
    TypeError
        An iterator, which can be read only once, or chunks of another kind or type.
    ValueError
        A file that can't be read, or chunks with other columns than X.
    """
    if isinstance(X_unlabeled, str | os.PathLike):
        return Chunks(open_path(X_unlabeled, X), X)
    if _is_dataset(X_unlabeled):
        return Chunks(open_dataset(X_unlabeled, X), X)
    if _is_dask(X_unlabeled):
        return Chunks(lambda: _read_partitions(X_unlabeled, X), X)
    if isinstance(X_unlabeled, np.memmap):
        return Chunks(lambda: _read_memmap(X_unlabeled, X), X)
    if isinstance(X_unlabeled, Iterator):
        raise TypeError(
            "X_unlabeled must be an iterable that starts over, because its rows are "
            "read twice: checked, then learned. Received a "
            f"{type(X_unlabeled).__name__}, which is used up by the first reading. "
            "Pass a list of chunks, a Parquet or CSV path, or an object whose __iter__ "
            "makes a new iterator."
        )
    return Chunks(lambda: (("", rows) for rows in X_unlabeled), X)


def _read_memmap(X_unlabeled: Any, X: Any) -> Iterator[tuple[str, Any]]:
    for rows in gen_batches(len(X_unlabeled), count_block_rows(X)):
        # Copied, because pages that stay mapped count as memory in use.
        yield "", np.array(X_unlabeled[rows])


def _read_partitions(frame: Any, X: Any) -> Iterator[tuple[str, Any]]:
    """Compute one partition after the other, on Dask's current scheduler."""
    for number in range(frame.npartitions):
        rows = frame.partitions[number].compute()
        if isinstance(X, np.ndarray):
            rows = rows.to_numpy()
        elif is_pandas(X) and list(rows.columns) == list(X.columns):
            rows = _restore_text(rows, X)
        yield f"partition {number}", rows


def _restore_text(rows: Any, X: Any) -> Any:
    """Give columns of text the type that they have in X, which Dask replaces."""
    from pandas.api.types import is_string_dtype

    restored = {}
    for name, dtype, received in zip(X.columns, X.dtypes, rows.dtypes, strict=True):
        if received != dtype and is_string_dtype(received) and is_string_dtype(dtype):
            text = rows[name].to_numpy(dtype=object, na_value=np.nan)
            restored[name] = type(rows[name])(text, rows.index, dtype)
    return rows.assign(**restored)


def _is_dataset(value: Any) -> bool:
    module = sys.modules.get("pyarrow.dataset")
    return module is not None and isinstance(value, module.Dataset)


def _is_dask(value: Any) -> bool:
    return (
        "dask.dataframe" in sys.modules
        and hasattr(value, "partitions")
        and hasattr(value, "compute")
        and hasattr(value, "columns")
    )
