"""Rows without labels in chunks of any size, checked, and read again in even blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._frames import concat_rows, count_columns
from .._sklearn import _num_samples, _safe_indexing
from ._table import Table

#: Cells in a block of rows, and its fewest and most rows.
_CELLS = 2**20
_BOUNDS = (2**10, 2**15)

Read = Callable[[], Iterator[tuple[str, Any]]]


class Chunks:
    """Rows without labels that are read again whenever they are iterated.

    Parameters
    ----------
    read : callable
        Returns an iterator over the name of each chunk, for errors, and its rows.
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
        # All are read before any work: a bad chunk must not cost the teacher's fit.
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
        """Yield the rows of each chunk."""
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
                "that starts over, such as a list, and whose rows do not change."
            )

    def _compare_count(self, number: int, n_rows: int, where: str) -> None:
        counts = self._counts
        if counts is None:
            return
        expected = counts[number] if number < len(counts) else 0
        if n_rows != expected:
            raise ValueError(
                f"{where} must hold the same rows whenever it is read; received "
                f"{expected}, and then {n_rows}. X_unlabeled must not "
                "change during the fit."
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
    """Return the number of rows in a block, which is smaller for wide tables."""
    return int(np.clip(_CELLS // max(count_columns(X), 1), *_BOUNDS))
