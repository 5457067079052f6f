"""Base class of the samplers: checks of the input, and rows with their parents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_count, check_weight, read_seed
from .._frames import check_unique_names, is_frame, is_pandas, is_polars
from .._sklearn import _safe_indexing
from .._tasks import ONE_THREAD
from .._typing import BoolArray, FloatArray, IndexArray
from .._version import Versioned
from ._dense import DenseTable
from ._sparse import SparseTable


class RowSampler(Versioned, ABC, BaseEstimator):
    """Base of the samplers: `fit`, `sample` and `sample_with_parents`."""

    #: Whether `fit` takes sparse X.
    _takes_sparse = True

    @ONE_THREAD
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the distribution of rows.

        Parameters
        ----------
        X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
            Rows. Missing values are allowed.
        y : None
            Ignored: the rows that are made have no labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Rows are built on in proportion to their weight, and those of weight 0
            not at all. None: on every row evenly.

        Returns
        -------
        self : object
            The fitted sampler.

        Raises
        ------
        TypeError
            No row can be made of the container or the values of X.
        ValueError
            Bad parameters, weights, or rows that nothing can be sampled from.
        """
        self._check_parameters()
        rows = _check_rows(self, X)
        weight = check_weight(sample_weight, rows.shape[0])
        nominal = _check_nominal(self.categorical_features, rows)
        used = np.flatnonzero(weight)
        if len(used) < rows.shape[0]:
            rows, weight = _safe_indexing(rows, used), weight[used]
        table = (SparseTable if sparse.issparse(rows) else DenseTable)(rows, nominal)
        learned = self._learn(table, weight)
        # Nothing is set before all is learned: a fit that fails changes nothing.
        validate_data(self, X, skip_check_array=True)
        for name, value in learned.items():
            setattr(self, name, value)
        self._table: Any = table
        self._rows, self._weight = used, weight
        return self

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """Make rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Seeds the draws; an int gives the same rows every time.

        Returns
        -------
        X : ndarray, dataframe or CSR of shape (n_samples, n_features)
            Rows of the container and types of the X in `fit`.
        """
        return self.sample_with_parents(n_samples, random_state)[0]

    @ONE_THREAD
    def sample_with_parents(
        self, n_samples: int = 1, random_state: Any = None
    ) -> tuple[Any, IndexArray]:
        """Make rows, and return the row that each is built on.

        Parameters
        ----------
        n_samples, random_state
            As in :meth:`sample`.

        Returns
        -------
        X : ndarray, dataframe or CSR of shape (n_samples, n_features)
            The rows.
        parents : ndarray of int of shape (n_samples,)
            Position in the X of `fit` of each row's base. Bases are used equally often,
            up to a remainder that is drawn at random. With weights they are used in
            proportion to them, rounded down or up at random.
        """
        check_is_fitted(self)
        check_count("n_samples", n_samples, "Pass the number of rows to make.")
        seed = read_seed(random_state).randint(2**31, size=4, dtype=np.int64)
        X, bases = self._draw(int(n_samples), np.random.default_rng(seed))
        return X, self._rows[bases]

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise ValueError for a parameter that is out of bounds."""

    @abstractmethod
    def _learn(self, table: Any, weight: FloatArray) -> dict[str, Any]:
        """Return what `_draw` needs, by the name of the attribute to keep it as."""

    @abstractmethod
    def _draw(self, n_samples: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return rows, and the row of the table that each is built on."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inputs = tags.input_tags
        inputs.sparse = self._takes_sparse
        inputs.allow_nan = inputs.string = inputs.categorical = True
        return tags


def refuse_other_frames(X: Any, owner: str) -> None:
    """Raise where no row can be made in the container of X."""
    if is_frame(X) and not (is_pandas(X) or is_polars(X)):
        raise TypeError(
            f"{owner} makes rows of arrays, sparse matrices and data frames of pandas "
            f"and polars; received a {type(X).__name__} of "
            f"{type(X).__module__.split('.')[0]}. Convert it, as X.to_pandas() does, "
            "or distil without synthetic rows (augmenter=None)."
        )


def _check_rows(sampler: RowSampler, X: Any) -> Any:
    """X as a dataframe, CSR or ndarray with rows and columns."""
    owner = type(sampler).__name__
    if is_pandas(X) or is_polars(X):
        check_unique_names(X)
        if 0 in X.shape:
            raise ValueError(
                f"{owner} needs at least one row and one column, received X of shape "
                f"{X.shape}. Pass the training rows."
            )
        return X
    refuse_other_frames(X, owner)
    if not hasattr(X, "dtype") and np.asarray(X).dtype.kind in "US":
        # In an array of lists, numbers beside text stay numbers.
        X = np.asarray(X, dtype=object)
    return check_array(
        X,
        accept_sparse=["csr"] if sampler._takes_sparse else False,
        dtype=None,
        ensure_all_finite=False,
        estimator=sampler,
    )


def _check_nominal(categorical_features: Any, X: Any) -> BoolArray:
    """Mask of the columns that are named categorical."""
    n_columns, names = X.shape[1], list(getattr(X, "columns", []))
    nominal = np.zeros(n_columns, dtype=bool)
    given = np.atleast_1d([] if categorical_features is None else categorical_features)
    if given.dtype.kind == "b" and given.shape == (n_columns,):
        return given
    if given.dtype.kind in "iu" and ((given >= 0) & (given < n_columns)).all():
        nominal[given] = True
    elif given.dtype.kind in "UO" and set(given.tolist()) <= set(names):
        nominal[[name in given.tolist() for name in names]] = True
    elif given.size:
        raise ValueError(
            "categorical_features must be None, positions of columns from 0 to "
            f"{n_columns - 1}, a mask of {n_columns} booleans, or names of columns of "
            f"a dataframe, received {categorical_features!r}. Name columns of X."
        )
    return nominal
