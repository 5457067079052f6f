"""Sparse rows: only cells that either row of a pair stores can change."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import min_max_axis

from .._typing import AnyArray, BoolArray, IndexArray, Int64Array
from ._columns import exchange_numbers
from ._dense import number_keys
from ._pairs import Pairs

#: Stored cells that are exchanged at the same time.
CHUNK_CELLS = 2**18


class SparseTable:
    """The rows of a sparse X, with the range of each column; `nominal` ones swap."""

    def __init__(self, X: Any, nominal: BoolArray) -> None:
        self.family = (
            sparse.csr_array if isinstance(X, sparse.sparray) else sparse.csr_matrix
        )
        # An array, in which * and indexing mean the same for both families.
        self.X = sparse.csr_array(X, copy=True)
        self.X.sum_duplicates()
        self.n_rows = X.shape[0]
        self.nominal = nominal | (X.dtype.kind == "b")
        values = self.X.astype(np.float64)
        finite = values.copy()
        finite.data[~np.isfinite(finite.data)] = np.nan
        self.low, self.high = min_max_axis(finite, axis=0, ignore_nan=True)
        with np.errstate(invalid="ignore"):
            broken = np.isfinite(values.data) & (values.data != np.rint(values.data))
        self.whole = np.bincount(values.indices[broken], minlength=X.shape[1]) == 0

    def group_rows(self) -> IndexArray:
        """Give every row the number of its distinct value."""
        X = self.X.copy()
        X.eliminate_zeros()
        bounds = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        return number_keys(
            X.indices[start:end].tobytes() + X.data[start:end].tobytes()
            for start, end in bounds
        )

    def read_scaled(self) -> tuple[Any, AnyArray]:
        """Columns of unit variance, not centred: distances are the same.

        Infinite and missing values count as 0, and as 1 away from every number.
        """
        X = self.X.astype(np.float64)
        strange = ~np.isfinite(X.data)
        gaps = X.copy()
        gaps.data = strange.astype(np.float64)
        X.data[strange] = 0.0
        largest = np.maximum(np.abs(self.low), np.abs(self.high))
        X.data /= np.where(largest > 0, largest, 1.0)[X.indices]
        mean = np.asarray(X.mean(axis=0)).ravel()
        square = X.copy()
        square.data **= 2
        variance = np.asarray(square.mean(axis=0)).ravel() - mean**2
        deviation = np.sqrt(np.maximum(variance, 0.0))
        X.data /= np.where(deviation > 1e-12, deviation, np.inf)[X.indices]
        if strange.any():
            gaps.eliminate_zeros()
            X = sparse.csr_array(sparse.hstack([X, gaps], format="csr"))
        return X, np.zeros((self.n_rows, 0), dtype=np.uint8)

    def exchange(self, pairs: Pairs, noise: float, rng: np.random.Generator) -> Any:
        """Rows of a batch of pairs, with values exchanged."""
        stored = np.diff(self.X.indptr)
        cells = np.cumsum(stored[pairs.first] + stored[pairs.second])
        n_chunks = 1 + int(cells[-1]) // CHUNK_CELLS
        parts = np.array_split(np.arange(len(pairs.first)), n_chunks)
        blocks = [self._exchange_part(pairs, part, noise, rng) for part in parts]
        return sparse.vstack(blocks, format="csr")

    def _exchange_part(
        self, pairs: Pairs, part: IndexArray, noise: float, rng: np.random.Generator
    ) -> Any:
        chosen = pairs.take(part)
        first, second, cells = _align(self.X[chosen.first], self.X[chosen.second])
        row, column = np.divmod(cells, self.X.shape[1])
        taken = rng.random(len(cells)) < chosen.rate[row]
        given_first = self._draw(first, second, taken, column, noise, rng)
        given_second = self._draw(second, first, taken, column, noise, rng)
        kept = chosen.both[row]
        start = chosen.find_starts()
        data = np.concatenate([given_first, given_second[kept]])
        rows = np.concatenate([start[row], start[row[kept]] + 1])
        columns = np.concatenate([column, column[kept]])
        shape = chosen.n_rows, self.X.shape[1]
        block = sparse.csr_array((data, (rows, columns)), shape=shape)
        block.eliminate_zeros()
        return block

    def _draw(
        self,
        own: AnyArray,
        other: AnyArray,
        taken: BoolArray,
        column: IndexArray,
        noise: float,
        rng: np.random.Generator,
    ) -> AnyArray:
        """Values of stored cells after the exchange, in X's own type."""
        given = np.where(taken, other, own)
        drawn = np.flatnonzero(taken & ~self.nominal[column])
        if noise and len(drawn):
            j = column[drawn]
            mine, others = own[drawn].astype(float), other[drawn].astype(float)
            bounds = (self.low[j], self.high[j], self.whole[j])
            values = exchange_numbers(mine, others, noise, *bounds, rng)
            given[drawn] = values.astype(given.dtype)
        return given

    def assemble(self, blocks: list[Any]) -> Any:
        """Join batches to rows of X's own family."""
        X = sparse.vstack(blocks, format="csr", dtype=self.X.dtype)
        # scikit-learn's trees take no indices of 64 bits.
        kind = sparse.get_index_dtype(maxval=max(X.nnz, X.shape[1]))
        parts = (X.data, X.indices.astype(kind), X.indptr.astype(kind))
        return self.family(parts, shape=X.shape)


def _align(first: Any, second: Any) -> tuple[AnyArray, AnyArray, Int64Array]:
    """Values of two CSR of one shape at every cell that either stores."""
    keys = []
    for X in (first, second):
        row = np.repeat(np.arange(X.shape[0], dtype=np.int64), np.diff(X.indptr))
        keys.append(row * X.shape[1] + X.indices)
    # Two sorted runs: merged, with cells that both store once.
    cells = np.sort(np.concatenate(keys), kind="stable")
    cells = cells[np.diff(cells, prepend=-1) > 0]
    values = []
    for X, key in zip((first, second), keys, strict=True):
        column = np.zeros(len(cells), dtype=X.dtype)
        column[np.searchsorted(cells, key)] = X.data
        values.append(column)
    return values[0], values[1], cells
