"""Sources of chunks: how each is recognised, and how it is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from .._frames import is_pandas
from ._chunks import Chunks, Read, count_block_rows


def is_chunked(X: Any, X_unlabeled: Any) -> bool:
    """Whether unlabelled rows come in chunks, and not as one table like X."""
    if X_unlabeled is None:
        return False
    if type(X_unlabeled) is type(X) and not _is_mapped(X_unlabeled):
        return False
    return _find_opener(X_unlabeled) is not None


def open_chunks(X_unlabeled: Any, X: Any) -> Chunks:
    """Read and check all chunks once, and return them to be read again."""
    opener = _find_opener(X_unlabeled)
    assert opener is not None
    return Chunks(opener(X), X)


def _find_opener(source: Any) -> Callable[[Any], Read] | None:
    """Return what makes a reader of a source's chunks for X; None for a table."""
    if isinstance(source, str | os.PathLike):
        return lambda X: _import_arrow().open_path(source, X)
    arrow = sys.modules.get("pyarrow.dataset")
    if arrow is not None and isinstance(source, arrow.Dataset):
        return lambda X: _import_arrow().open_dataset(source, X)
    if hasattr(source, "partitions") and hasattr(source, "columns"):
        return lambda X: lambda: _read_partitions(source, X)
    if _is_mapped(source):
        return lambda X: lambda: _read_memmap(source, X)
    if not hasattr(source, "__iter__") or hasattr(source, "shape"):
        return None
    return lambda X: _open_iterable(source)


def _is_mapped(source: Any) -> bool:
    """Whether rows are mapped from a file of the user's.

    joblib hands large arrays to its workers as files too, in a folder of its own: they
    stay tables, so that the number of workers does not change what is learned.
    """
    if not isinstance(source, np.memmap):
        return False
    path = Path(source.filename or "")
    return not path.parent.name.startswith("joblib_memmapping_folder")


def _import_arrow() -> Any:
    from . import _arrow

    return _arrow


def _open_iterable(chunks: Any) -> Read:
    if isinstance(chunks, Iterator):
        raise TypeError(
            "X_unlabeled must be an iterable that starts over, because its rows are "
            "read twice: checked, then learned. Received a "
            f"{type(chunks).__name__}, which is used up by the first reading. "
            "Pass a list of chunks, a Parquet or CSV path, or an object whose __iter__ "
            "makes a new iterator."
        )
    return lambda: (("", rows) for rows in chunks)


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
