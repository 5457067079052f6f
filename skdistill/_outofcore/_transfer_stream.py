"""A transfer set that is made block by block from unlabelled rows in chunks.

The first block is built on the training rows and the first unlabelled ones, each other
block on unlabelled rows alone. A sampler is fitted on every block, so that it searches
neighbours within the block. Where all rows fit into one block, the result equals that
of `make_transfer_set` to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state, gen_batches

from .._frames import concat_rows
from .._sklearn import _num_samples
from .._typing import FloatArray
from ..transfer._transfer_set import (
    Ratio,
    TransferSet,
    count_rows,
    make_transfer_set,
    sample_rows,
)
from ._chunks import Chunks

#: Rows that are labelled at a time.
PART_ROWS = 2**14


class TransferStream:
    """Parts of a transfer set, made as they are read; they can be read once.

    Parameters are those of `make_transfer_set`, with `chunks` in place of unlabelled
    rows; `n_synthetic` is shared out to the blocks by their rows. `sampler` is as it
    was fitted on the first block.
    """

    def __init__(
        self,
        sampler: Any,
        X: Any,
        weight: FloatArray | None,
        chunks: Chunks,
        n_synthetic: int | Ratio,
        seed: Any,
        most: float,
    ) -> None:
        self._blank, self._weight, self._seed = sampler, weight, seed
        self._most = most
        self._n_real = _num_samples(X) + chunks.n_rows
        n_made = count_rows(self._n_real, n_synthetic)
        self._n_synthetic = 0 if sampler is None else n_made
        self._blocks = self._make_blocks(X, chunks)
        # A sampler that fails must do so before a teacher is fitted.
        self._first: TransferSet | None = next(self._blocks)
        self.sampler = self._first.sampler

    def __iter__(self) -> Iterator[TransferSet]:
        left = self._most
        for part in self._iterate_parts():
            if part.n_rows >= left:
                if left >= 1:
                    yield part.take(slice(0, int(left)))
                return
            left -= part.n_rows
            yield part

    def _iterate_parts(self) -> Iterator[TransferSet]:
        first, self._first = self._first, None
        if first is not None:
            yield from _split(first)
            # It may be large, and is not needed any more.
            del first
        for block in self._blocks:
            yield from _split(block)

    def _make_blocks(self, X: Any, chunks: Chunks) -> Iterator[TransferSet]:
        seed = self._seed
        rng = check_random_state(seed)
        n_seen, n_made = _num_samples(X), 0
        for number, rows in enumerate(chunks.iterate_blocks()):
            n_seen += _num_samples(rows)
            n_due = self._n_synthetic * n_seen // self._n_real - n_made
            n_made += n_due
            sampler = clone(self._blank) if n_due else None
            if number == 0:
                block = make_transfer_set(sampler, X, self._weight, rows, n_due, seed)
                assert block is not None
                yield block
                continue
            if seed is not rng:
                seed = int(rng.randint(2**31 - 1))
            if sampler is not None:
                rows = concat_rows(rows, sample_rows(sampler, rows, n_due, seed)[0])
            weight = None
            if self._weight is not None:
                weight = np.full(_num_samples(rows), self._weight.mean())
            yield TransferSet(rows, weight, sampler)


def _split(block: TransferSet) -> Iterator[TransferSet]:
    for part in gen_batches(block.n_rows, PART_ROWS):
        yield block.take(part)
