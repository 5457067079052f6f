"""Labels of some rows, with the numbers of the rows that have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray, IndexArray


@dataclass(frozen=True)
class RowLabels:
    """Labels of the rows that a teacher was asked for.

    `rows` are their numbers, ascending, and `values` has the shape (n_rows, n_columns).
    """

    rows: IndexArray
    values: FloatArray

    def take(self, rows: IndexArray) -> RowLabels:
        """Return the labels that some rows have, by the positions among those."""
        if np.array_equal(rows, self.rows):
            # No copy: labels may be large.
            return RowLabels(np.arange(len(rows)), self.values)
        known = np.flatnonzero(np.isin(rows, self.rows))
        at = np.searchsorted(self.rows, rows[known])
        return RowLabels(known, self.values[at])

    def update(self, others: RowLabels) -> RowLabels:
        """Return these labels and others, which replace those of the same rows."""
        rows = np.union1d(self.rows, others.rows)
        if len(rows) == len(others.rows):
            return others
        values = np.empty((len(rows), others.values.shape[1]), others.values.dtype)
        for given in (self, others):
            values[np.searchsorted(rows, given.rows)] = given.values
        return RowLabels(rows, values)

    def fill(self, others: FloatArray) -> FloatArray:
        """Return a label of each row, that of `others` where none was asked for.

        The result is for reading.
        """
        if len(self.rows) == len(others):
            return self.values
        if not len(self.rows):
            return others
        filled = others.astype(self.values.dtype)
        filled[self.rows] = self.values
        return filled
