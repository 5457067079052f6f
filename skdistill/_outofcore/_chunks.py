"""Rows without labels in chunks of any size, checked, and read again in even blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import numpy as np

from .._frames import (
    check_same_table,
    concat_rows,
    count_columns,
    is_pandas,
    list_categories,
)
from .._sklearn import _num_samples, _safe_indexing

#: Cells in a block of rows, and its fewest and most rows.
_CELLS = 2**20
_BOUNDS = (2**10, 2**15)

Read = Callable[[], Iterator[tuple[str, Any]]]


class Chunks:
    """Rows without labels that are read again whenever they are iterated.

    `read` returns an iterator over the name of each chunk, for errors, and its rows;
    X are the training rows. `first` are the first of the `n_rows`, a block at most.
    """

    def __init__(self, read: Read, X: Any) -> None:
        self._read, self._X = read, X
        self.block_rows = count_block_rows(X)
        # All are read before any work: a bad chunk must not cost the teacher's fit.
        firsts: list[Any] = []
        self._counts: list[int] = []
        for rows in self._read_checked():
            if sum(self._counts) < self.block_rows:
                firsts.append(rows)
            self._counts.append(_num_samples(rows))
        if not firsts:
            raise ValueError("X_unlabeled must hold chunks, received none. Pass None.")
        self.n_rows = sum(self._counts)
        n_first = min(self.block_rows, self.n_rows)
        self.first = _safe_indexing(concat_rows(*firsts), slice(0, n_first))

    def _read_checked(self) -> Iterator[Any]:
        for number, (name, rows) in enumerate(self._read()):
            where = f"Chunk {number} of X_unlabeled{name and f' ({name})'}"
            check_same_table(rows, self._X, where)
            if not hasattr(rows, "columns") and hasattr(rows, "dtype"):
                _check_dtype(rows.dtype, self._X.dtype, where)
            yield _reorder_categories(rows, self._X)

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows of each chunk."""
        chunks = zip_longest(self._read_checked(), self._counts)
        for number, (chunk, expected) in enumerate(chunks):
            received = 0 if chunk is None else _num_samples(chunk)
            if received != expected:
                raise ValueError(
                    f"Chunk {number} of X_unlabeled must hold the same rows whenever "
                    f"it is read; received {expected or 0}, and then {received}. Pass "
                    "an iterable that starts over, such as a list, and whose rows do "
                    "not change during the fit."
                )
            yield chunk

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


def _check_dtype(received: Any, expected: Any, where: str) -> None:
    # How long the longest text of a chunk is decides the itemsize of its type.
    if received != expected and not received.kind == expected.kind == "U":
        raise TypeError(
            f"{where} must have the dtype of X, {expected}, in every column; received "
            f"{received}. Convert it with astype({expected})."
        )


def _reorder_categories(rows: Any, X: Any) -> Any:
    """Give categories of pandas the codes that they have in X.

    Types of categories without an order are equal whatever order these are listed in.
    """
    if not is_pandas(X):
        return rows
    moved = {}
    for name, dtype, received in zip(X.columns, X.dtypes, rows.dtypes, strict=True):
        known, found = list_categories(dtype), list_categories(received)
        if known is not None and known != found:
            moved[name] = rows[name].cat.set_categories(known)
    return rows.assign(**moved) if moved else rows


def count_block_rows(X: Any) -> int:
    """Return the number of rows in a block, which is smaller for wide tables."""
    return int(np.clip(_CELLS // max(count_columns(X), 1), *_BOUNDS))
