"""Sources of chunks: what they are told by, and how each is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from .._frames import concat_rows, count_columns, is_pandas
from .._sklearn import _num_samples, _safe_indexing
from ._table import Table

#: Cells in a block of rows, and the fewest and most rows: what is worked on at a time.
_CELLS = 2**20
_BOUNDS = (2**10, 2**15)

Read = Callable[[], Iterator[tuple[str, Any]]]


class Chunks:
    """Rows without labels that are read again whenever they are iterated.

    Parameters
    ----------
    read : callable
        Returns an iterator of where a chunk is from, for errors, and its rows.
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        The training rows.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    first : rows
        The first ones, a block at most.
    """

    def __init__(self, read: Read, X: Any) -> None:
        self._read, self._table = read, Table(X)
        self.block_rows = count_block_rows(X)
        self._counts: list[int] | None = None
        # One pass before any work: a bad chunk must not cost the teacher's fit.
        firsts: list[Any] = []
        counts: list[int] = []
        for rows in self:
            if sum(counts) < self.block_rows:
                firsts.append(rows)
            counts.append(_num_samples(rows))
        if not counts:
            raise ValueError("X_unlabeled must hold chunks, received none. Pass None.")
        self._counts, self.n_rows = counts, sum(counts)
        n_first = min(self.block_rows, self.n_rows)
        self.first = _safe_indexing(concat_rows(*firsts), slice(0, n_first))

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows of one chunk after the other."""
        number = -1
        for number, (name, rows) in enumerate(self._read()):
            where = f"Chunk {number} of X_unlabeled{name and f' ({name})'}"
            self._table.check(rows, where)
            self._compare_count(number, _num_samples(rows), where)
            yield rows
        if self._counts is not None and number + 1 != len(self._counts):
            raise ValueError(
                "X_unlabeled must hold the same rows whenever it is read; received "
                f"{len(self._counts)} chunks, and then {number + 1}. Pass an iterable "
                "that starts over, such as a list, whose rows nobody changes meanwhile."
            )

    def _compare_count(self, number: int, n_rows: int, where: str) -> None:
        counts = self._counts
        if counts is None:
            return
        expected = counts[number] if number < len(counts) else 0
        if n_rows != expected:
            raise ValueError(
                f"{where} must hold the same rows whenever it is read; received "
                f"{expected}, and then {n_rows}. Let nobody change X_unlabeled "
                "meanwhile."
            )

    def iterate_blocks(self) -> Iterator[Any]:
        """Yield the same rows in blocks of about one size.

        A block holds `block_rows` or more, and less than twice as many, unless there
        are fewer rows.
        """
        held: list[Any] = []
        n_held = 0
        for rows in self:
            held.append(rows)
            n_held += _num_samples(rows)
            if n_held < 2 * self.block_rows:
                continue
            joined = concat_rows(*held)
            n_blocks = n_held // self.block_rows - 1
            for k in range(n_blocks):
                block = slice(k * self.block_rows, (k + 1) * self.block_rows)
                yield _safe_indexing(joined, block)
            held = [_safe_indexing(joined, slice(n_blocks * self.block_rows, n_held))]
            n_held -= n_blocks * self.block_rows
        yield concat_rows(*held)


def count_block_rows(X: Any) -> int:
    """Rows that are worked on at a time: fewer of wide tables."""
    return int(np.clip(_CELLS // max(count_columns(X), 1), *_BOUNDS))


def is_chunked(X: Any, X_unlabeled: Any) -> bool:
    """Whether unlabelled rows come in chunks, and not as one table like X."""
    if X_unlabeled is None or type(X_unlabeled) is type(X):
        return False
    if isinstance(X_unlabeled, str | os.PathLike | np.memmap):
        return True
    if _is_dataset(X_unlabeled) or _is_dask(X_unlabeled):
        return True
    table = sparse.issparse(X_unlabeled) or hasattr(X_unlabeled, "shape")
    return hasattr(X_unlabeled, "__iter__") and not table


def open_chunks(X_unlabeled: Any, X: Any) -> Chunks:
    """Read all chunks once, and return them to be read again.

    Raises
    ------
    TypeError
        An iterator, which can be read but once, or chunks of another kind or type.
    ValueError
        A file that can't be read, or chunks with other columns than X.
    """
    if isinstance(X_unlabeled, str | os.PathLike):
        from ._arrow import open_path

        return Chunks(open_path(X_unlabeled, X), X)
    if _is_dataset(X_unlabeled):
        from ._arrow import open_dataset

        return Chunks(open_dataset(X_unlabeled, X), X)
    if _is_dask(X_unlabeled):
        return Chunks(lambda: _read_partitions(X_unlabeled, X), X)
    if isinstance(X_unlabeled, np.memmap):
        return Chunks(lambda: _read_memmap(X_unlabeled, X), X)
    if isinstance(X_unlabeled, Iterator):
        raise TypeError(
            "X_unlabeled must be an iterable that starts over, for its rows are read "
            f"twice: checked, then learned. Received a {type(X_unlabeled).__name__}, "
            "which is used up by the first. Pass a list of chunks, a Parquet or CSV "
            "path, or an object whose __iter__ makes a new iterator."
        )
    return Chunks(lambda: (("", rows) for rows in X_unlabeled), X)


def _read_memmap(X_unlabeled: Any, X: Any) -> Iterator[tuple[str, Any]]:
    for rows in gen_batches(len(X_unlabeled), count_block_rows(X)):
        # Copied, for pages that stay mapped count as memory in use.
        yield "", np.array(X_unlabeled[rows])


def _read_partitions(frame: Any, X: Any) -> Iterator[tuple[str, Any]]:
    """Compute one partition after the other, on whatever scheduler is Dask's."""
    for number in range(frame.npartitions):
        rows = frame.partitions[number].compute()
        if isinstance(X, np.ndarray):
            rows = rows.to_numpy()
        elif is_pandas(X) and list(rows.columns) == list(X.columns):
            rows = _restore_text(rows, X)
        yield f"partition {number}", rows


def _restore_text(rows: Any, X: Any) -> Any:
    """Give columns of text the type that they have in X: Dask has one of its own."""
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
