"""Rows drawn around rows under a Gaussian copula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from .._checks import check_number
from .._typing import AnyArray, FloatArray, IndexArray, Int32Array
from ._base import RowSampler
from ._columns import Categories, Column
from ._pairs import count_bases, draw_rounds

#: Scores that are worked on at the same time.
CHUNK_CELLS = 2**21
#: Distance from 0 and 1 at which the normal quantile function is still finite.
_TINY = 1e-12


@dataclass
class _Margin:
    """The distribution of one column, on (0, 1)."""

    #: Position of each row's value in `values`.
    rank: Int32Array
    #: Distinct values in order: numbers sorted, infinite and missing ones last;
    #: codes of categories from the most frequent to the rarest.
    values: AnyArray
    #: Cumulative frequencies: value k holds the interval from edge k to edge k + 1.
    edges: FloatArray
    #: For a continuous column, points of (0, 1) and the numbers there: the middle of
    #: the interval of a number that occurs once, both ends of another's.
    knots: FloatArray | None

    def to_scores(self, rows: IndexArray, rng: np.random.Generator) -> FloatArray:
        """Draw a point in the interval of each row's value, as a normal quantile."""
        start, end = self.edges[self.rank[rows]], self.edges[self.rank[rows] + 1]
        uniform = start + (end - start) * rng.random(len(rows))
        return ndtri(np.clip(uniform, _TINY, 1 - _TINY))

    def from_scores(self, scores: FloatArray) -> AnyArray:
        """Return the value at each normal quantile."""
        uniform = ndtr(scores)
        rank = np.searchsorted(self.edges[1:-1], uniform, side="right")
        drawn = self.values[rank]
        if self.knots is not None:
            numbers = np.isfinite(drawn)
            drawn[numbers] = np.interp(uniform[numbers], *self.knots)
        return drawn


def _read_margin(column: Column, weight: FloatArray) -> _Margin:
    values, rank = np.unique(column.values, return_inverse=True)
    share, counts = np.bincount(rank, weights=weight), np.bincount(rank)
    # Stable sorts: categories by falling frequency, finite numbers first.
    key = -share if isinstance(column, Categories) else ~np.isfinite(values)
    order = np.argsort(key, kind="stable")
    values, share, counts = values[order], share[order], counts[order]
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order))
    edges = np.append(0.0, np.cumsum(share)) / share.sum()
    stepped = isinstance(column, Categories) or column.grid is not None
    knots = None if stepped else _place_knots(values, edges, counts)
    return _Margin(place[rank], values, edges, knots)


def _place_knots(
    values: FloatArray, edges: FloatArray, counts: IndexArray
) -> FloatArray:
    n_numbers = int(np.isfinite(values).sum())
    start, end = edges[:n_numbers], edges[1 : n_numbers + 1]
    # A number that occurs often (zero, say) keeps its frequency: numbers between it and
    # its neighbours are drawn only in the intervals of the neighbours.
    single = counts[:n_numbers] == 1
    points = np.where(single, (start + end) / 2, np.stack([start, end]))
    return np.stack([points.T.ravel(), np.repeat(values[:n_numbers], 2)])


class GaussianCopula(RowSampler):
    """Rows around rows, moved along the dependence of a Gaussian copula.

    Each column is carried to a standard normal by its own distribution function: a
    value is drawn uniformly in its interval of cumulative frequency and mapped by
    the normal quantile function. With z the scores of a base row, C the correlation
    matrix of the scores of all rows and w the width, a new row has the scores

        sqrt(1 - w**2) z + w N(0, C)

    carried back by the same functions. Scores keep mean, variance and correlation at
    every width; at width 1 the row does not depend on its base and follows the Gaussian
    copula itself.

    Parameters
    ----------
    width : float in (0, 1], default=0.2
        How far new rows move from their bases.
    categorical_features : array-like of int, bool or str, default=None
        Columns whose numbers are codes of categories, by position, mask or name. Text,
        booleans and categories are categories always.

    Attributes
    ----------
    correlation_ : ndarray of shape (`n_features_in_`, `n_features_in_`)
        Correlation of the scores.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only when all are strings.

    See Also
    --------
    Munge : Changes some attributes of a row, and leaves the others as they are.

    Notes
    -----
    Numbers of a continuous column are interpolated between neighbouring values; in
    columns of whole numbers, and among categories, only values that occur are drawn.
    Categories are ordered by frequency, and missing values come after the largest
    number. Ties are broken at random (the distributional transform [2]_). The step
    from base to new row is the smoothed bootstrap that keeps the variance [1]_, taken
    on normal scores. Sparse X is refused, as every cell would change.

    References
    ----------
    .. [1] B. W. Silverman, G. A. Young, "The bootstrap: to smooth or not to
       smooth?", Biometrika 74, 1987.
    .. [2] L. Rueschendorf, "On the distributional transform, Sklar's theorem, and the
       empirical copula process", J. Stat. Plan. Inference 139, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.transfer import GaussianCopula
    >>> x = np.random.RandomState(0).standard_normal(500)
    >>> X = np.column_stack([np.exp(x), x**3])
    >>> rows = GaussianCopula(width=1.0).fit(X).sample(1000, random_state=0)
    >>> bool(np.corrcoef(np.log(rows[:, 0]), np.cbrt(rows[:, 1]))[0, 1] > 0.95)
    True
    """

    _takes_sparse = False

    def __init__(self, width: float = 0.2, categorical_features: Any = None) -> None:
        self.width = width
        self.categorical_features = categorical_features

    def _check_parameters(self) -> None:
        check_number("width", self.width, 1, "1 is the Gaussian copula itself.")

    def _learn(self, table: Any, weight: FloatArray) -> dict[str, Any]:
        if table.n_rows < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two rows, received 1 sample. "
                "Pass more rows, or do without a sampler."
            )
        margins = [_read_margin(column, weight) for column in table.columns]
        # A fixed seed: fitting is deterministic.
        rng = np.random.default_rng(0)
        rows = np.arange(table.n_rows)
        scores = np.column_stack([margin.to_scores(rows, rng) for margin in margins])
        correlation, factor = _correlate(scores, weight)
        return {"_margins": margins, "_factor": factor, "correlation_": correlation}

    def _draw(self, n_samples: int, rng: np.random.Generator) -> tuple[Any, Any]:
        counts = count_bases(self._weight, n_samples, rng)
        n_chunk = max(1, CHUNK_CELLS // len(self._margins))
        blocks, bases = [], []
        for rows, _ in draw_rounds(counts, rng):
            for part in np.array_split(rows, -(-len(rows) // n_chunk)):
                blocks.append(self._move(part, rng))
            bases.append(rows)
        return self._table.assemble(blocks), np.concatenate(bases)

    def _move(self, rows: IndexArray, rng: np.random.Generator) -> list[Any]:
        """Columns of rows drawn around `rows`."""
        margins = self._margins
        scores = np.column_stack([margin.to_scores(rows, rng) for margin in margins])
        scores *= np.sqrt(1 - self.width**2)
        scores += self.width * rng.standard_normal(scores.shape) @ self._factor.T
        return [
            self._table.write(j, margin.from_scores(scores[:, j]))
            for j, margin in enumerate(margins)
        ]


def _correlate(scores: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation matrix, and a factor F with F F' equal to it."""
    covariance = np.atleast_2d(np.cov(scores, rowvar=False, aweights=weight))
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    values, vectors = np.linalg.eigh(correlation)
    # With fewer rows than columns some eigenvalues are zero, give or take rounding.
    return correlation, vectors * np.sqrt(np.maximum(values, 0.0))
