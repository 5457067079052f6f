"""Samplers that exchange values between pairs of rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._checks import check_count, check_number
from .._typing import FloatArray, IndexArray
from ._base import RowSampler
from ._neighbors import find_neighborhoods
from ._pairs import count_bases, pair_rows


class _PairSampler(RowSampler):
    """A sampler whose rows exchange values with other rows."""

    #: Standard deviation of a number drawn, in distances of the two.
    _spread = 0.0

    @abstractmethod
    def _propose(self, rows: IndexArray, rng: np.random.Generator) -> IndexArray:
        """Draw the partner of each of `rows`."""

    def _group_rows(self, table: Any) -> IndexArray:
        """Give every row the number of its distinct value; raise if there is one."""
        group = table.group_rows()
        if group.max() == 0:
            n_rows = len(group)
            rows = "1 sample" if n_rows == 1 else f"{n_rows} that are all the same"
            raise ValueError(
                f"{type(self).__name__} needs at least two rows that differ, received "
                f"{rows}. Pass more rows, or do without a sampler."
            )
        return group

    def _draw(self, n_samples: int, rng: np.random.Generator) -> tuple[Any, Any]:
        counts = count_bases(self._weight, n_samples, rng)
        rates = np.atleast_1d(np.asarray(self.p, dtype=np.float64))
        blocks, bases = [], []
        for pairs in pair_rows(counts, rates, self._propose, rng):
            blocks.append(self._table.exchange(pairs, self._spread, rng))
            bases.append(pairs.weave(pairs.first, pairs.second[pairs.both]))
        return self._table.assemble(blocks), np.concatenate(bases)


def _check_rates(p: Any) -> None:
    fix = "Pass the share of attributes to exchange, or several to mix."
    if isinstance(p, str) or np.ndim(p) > 1 or np.size(p) == 0:
        raise ValueError(
            f"p must be a number in (0, 1] or a sequence of them, received {p!r}. {fix}"
        )
    for rate in [p] if np.ndim(p) == 0 else p:
        check_number("p", rate, 1, fix)


class Munge(_PairSampler):
    """Rows between near neighbours: MUNGE, of the first paper on distillation.

    In each round over the rows, in random order, every row e that has no partner yet
    is paired with e', its nearest neighbour among the rows that differ from it. Each
    attribute a is exchanged with probability p:

    - numbers: e takes a draw from N(e'_a, sd) and e' one from N(e_a, sd), where
      sd = abs(e_a - e'_a) / s, both held to the range of the column and, where the
      column holds whole numbers only, rounded;
    - everything else, and numbers of which one is missing: e and e' swap.

    Every row is the base of one new row a round. What e' takes is kept if e' had no
    partner in the round, and dropped otherwise.

    Parameters
    ----------
    p : float in (0, 1] or sequence of them, default=(0.15, 0.3, 0.5)
        Probability of each attribute to be exchanged. The values of a sequence are
        shared out evenly among the pairs.
    s : float > 0, default=1.0
        The larger it is, the closer numbers are drawn to those of the other row.
    n_neighbors : int, default=1
        The partner of e is drawn among this many nearest rows, and up to 7 more that
        are as near as the last of them.
    categorical_features : array-like of int, bool or str, default=None
        Columns whose numbers are codes of categories, by position, mask or name: they
        swap, and are 0 or 1 apart. Text, booleans and categories always do.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only when all are strings.

    See Also
    --------
    Spunge : Without the search for neighbours.
    GaussianCopula : Moves every attribute of a row a little.

    Notes
    -----
    The distance of two rows is the square root of the squared differences of their
    numbers, each column divided by its standard deviation, plus 1 for every category
    that differs and for every number that only one of them lacks. Neighbours are
    exact up to 4,096 different rows; beyond, rows are compared within the leaves of
    four random projection trees. Sparse rows stay sparse: only cells that either row
    stores can change. Columns of whole numbers, dates and durations stay multiples of
    their greatest common step: dates stay whole days. Fitting is deterministic.

    The paper [1]_ lets a row change in its own turn and again in the turn of every
    row that it is nearest to. Here a row has one partner a round, so that the rate of
    exchange is p.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model compression", KDD 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.transfer import Munge
    >>> X = np.array([[1, 20], [2, 10], [8, 80], [9, 70]])
    >>> sampler = Munge(p=0.5).fit(X)
    >>> sampler.sample(8, random_state=0).shape
    (8, 2)
    >>> rows, parents = sampler.sample_with_parents(8, random_state=0)
    >>> np.bincount(parents)
    array([2, 2, 2, 2])
    """

    def __init__(
        self,
        p: float | Sequence[float] = (0.15, 0.3, 0.5),
        s: float = 1.0,
        n_neighbors: int = 1,
        categorical_features: Any = None,
    ) -> None:
        self.p = p
        self.s = s
        self.n_neighbors = n_neighbors
        self.categorical_features = categorical_features

    @property
    def _spread(self) -> float:  # type: ignore[override]
        return 1.0 / self.s

    def _check_parameters(self) -> None:
        _check_rates(self.p)
        check_number("s", self.s, np.inf, "1 is the usual choice.")
        check_count("n_neighbors", self.n_neighbors, "1 is the nearest row alone.")

    def _learn(self, table: Any, weight: FloatArray) -> dict[str, Any]:
        group = self._group_rows(table)
        numbers, codes = table.read_scaled()
        near = find_neighborhoods(group, numbers, codes, self.n_neighbors)
        return {"_neighborhoods": near}

    def _propose(self, rows: IndexArray, rng: np.random.Generator) -> IndexArray:
        return self._neighborhoods.draw(rows, rng)


class Spunge(_PairSampler):
    """Rows that swap attributes with random rows, without a search for neighbours.

    In each round over the rows, in random order, every row that has no partner yet is
    paired with one drawn at random, and each attribute is swapped with probability p.
    Every value is one that occurs, and every row is the base of one new row a round.

    Parameters
    ----------
    p : float in (0, 1] or sequence of them, default=0.1
        Probability of each attribute to be swapped. The values of a sequence are
        shared out evenly among the pairs. It should be smaller than for `Munge`,
        because the rows of a pair are not alike.
    categorical_features : array-like of int, bool or str, default=None
        Ignored: every value swaps. For exchange with `Munge` in a search.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns; only when all are strings.

    See Also
    --------
    Munge : Exchanges values with the nearest neighbour.

    Notes
    -----
    The name is AutoGluon's [1]_ for MUNGE without neighbours. AutoGluon takes values
    from several rows and adds noise; here one other row gives the values unchanged.

    References
    ----------
    .. [1] R. Fakoor, J. Mueller, N. Erickson, P. Chaudhari, A. Smola, "Fast, accurate,
       and simple models for tabular data via augmented distillation", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skdistill.transfer import Spunge
    >>> X = np.array([["red", 1], ["green", 2], ["blue", 3]], dtype=object)
    >>> rows = Spunge(p=0.5).fit(X).sample(30, random_state=0)
    >>> sorted(set(rows[:, 0].tolist()))
    ['blue', 'green', 'red']
    """

    def __init__(
        self, p: float | Sequence[float] = 0.1, categorical_features: Any = None
    ) -> None:
        self.p = p
        self.categorical_features = categorical_features

    def _check_parameters(self) -> None:
        _check_rates(self.p)

    def _learn(self, table: Any, weight: FloatArray) -> dict[str, Any]:
        self._group_rows(table)
        return {}

    def _propose(self, rows: IndexArray, rng: np.random.Generator) -> IndexArray:
        partners = rng.integers(self._table.n_rows - 1, size=len(rows))
        return partners + (partners >= rows)
