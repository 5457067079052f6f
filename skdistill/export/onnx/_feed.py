"""From tables of any container to what an ONNX session is fed.

A row of a service must cost little more than the session: names are compared once a
container, a single row is read as a list, and narwhals is asked only where neither
NumPy, pandas nor polars is met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from narwhals.dependencies import is_into_dataframe
from sklearn.utils import check_array

from ..._frames import is_missing, is_pandas, is_polars, list_columns
from ..._typing import AnyArray
from .._reading._inputs import find_stand_ins

#: Up to so many rows a data frame is read as one array of objects.
_FEW_ROWS = 8
#: The largest number of float32, and what makes any above it infinite in double.
_LARGEST = float(np.finfo(np.float32).max)
_TOO_MUCH = float(np.finfo(np.float64).max) / _LARGEST
#: Numbers whose products float32 may not hold, whatever the model.
_LARGE = 1e30
#: Types of the values of a dict that is one row.
_SINGLE = {str, int, float, bool, type(None)}

Arrange = Callable[[Any], Any]


@dataclass(frozen=True)
class Part:
    """One input of a session."""

    name: str
    #: Positions among the columns of the table.
    columns: tuple[int, ...]
    #: float32, float64, or object for strings.
    dtype: Any


def _cut(parts: list[Part]) -> list[tuple[str, slice, Any]]:
    """Return name, place among the columns of its kind, and type of each input."""
    ends = np.cumsum([0, *(len(part.columns) for part in parts)]).tolist()
    return [
        (part.name, slice(*bounds), part.dtype)
        for part, bounds in zip(parts, pairwise(ends), strict=True)
    ]


class Feeder:
    """Makes the feed of a session, whose inputs are `parts`, from rows.

    The table that the model was fitted on had these names of columns where it is
    `named`. Numbers may be `missing` and `infinite` in these, and beyond float32 in
    `double`; in `empties` "" stands for itself. An error names the `owner`.
    """

    def __init__(
        self,
        columns: Sequence[str],
        named: bool,
        parts: list[Part],
        *,
        missing: set[int],
        infinite: set[int],
        double: set[int],
        empties: set[int],
        owner: str,
    ) -> None:
        self.columns = list(columns)
        self.named = named
        self.missing = missing
        self.infinite = infinite
        self._stand_ins = [find_stand_ins(k in empties) for k in range(len(columns))]
        self.owner = owner
        texts = [part for part in parts if part.dtype is object]
        numbers = [part for part in parts if part.dtype is not object]
        # Columns in the order in which they are fed: numbers first.
        self._number_columns = [k for part in numbers for k in part.columns]
        self._text_columns = [k for part in texts for k in part.columns]
        self._number_parts = _cut(numbers)
        self._text_parts = _cut(texts)
        dtypes = {part.dtype for part in numbers}
        self._dtype = np.float64 if np.float64 in dtypes else np.float32
        # In one input with columns of doubles, the others are single as well.
        self._single = np.array([k not in double for k in self._number_columns])
        # So small that no sum of finite numbers overflows, and those too large do.
        tiny = 1e-20 if self._dtype is np.float32 else _TOO_MUCH
        self._tiny = np.where(self._single, tiny, 1e-300).astype(self._dtype)
        alone = len(parts) == 1 and bool(numbers)
        self._table = parts[0].name if alone else None
        self._given = self._arrange(range(len(columns)))
        # The names of the last table, and how its columns are arranged.
        self._last: tuple[list[Any] | None, Arrange] = (None, self._given)

    @np.errstate(over="ignore", invalid="ignore")
    def __call__(self, X: Any) -> dict[str, AnyArray]:
        """Return the arrays that the session is fed.

        Raise as scikit-learn's estimators do: columns are missing or unknown, X is no
        table, a value is of another kind, missing or infinite.
        """
        if type(X) is np.ndarray:
            return self._feed_array(X)
        if isinstance(X, dict):
            return self._feed_dict(X)
        if is_pandas(X):
            return self._feed_pandas(X)
        if is_polars(X) and len(X) == 1:
            return self._feed_row(X.row(0), self._find_columns(X.columns))
        if is_into_dataframe(X):
            names, columns = list_columns(X)
            arrange = self._find_columns(names)
            return self._feed_columns(columns, len(columns[0]), arrange)
        return self._feed_array(self._check_array(X))

    # Containers ----------------------------------------------------------------------

    def _feed_array(self, X: AnyArray) -> dict[str, AnyArray]:
        if X.ndim != 2 or X.dtype.kind not in "fiubO":
            X = self._check_array(X)
        if X.shape[1] != len(self.columns):
            raise self._refuse_width(X.shape[1])
        if self._table is not None and X.dtype.kind != "O":
            return {self._table: self._cast(X)}
        if len(X) == 1:
            return self._feed_row(X[0].tolist(), self._given)
        return self._feed_columns(list(X.T), len(X), self._given)

    def _feed_dict(self, X: dict[str, Any]) -> dict[str, AnyArray]:
        if not self.named:
            raise ValueError(
                f"A dict names its columns, and this {self.owner} was fitted without "
                "feature names. Pass an array with the columns in their order."
            )
        arrange = self._find_columns(list(X))
        columns = list(X.values())
        kinds = set(map(type, columns))
        if kinds != {list}:
            if kinds <= _SINGLE or not any(map(np.ndim, columns)):
                # A record, as a service receives it.
                return self._feed_row(columns, arrange)
            columns = [self._check_column(*item) for item in X.items()]
        lengths = set(map(len, columns))
        if len(lengths) > 1:
            raise ValueError(
                "The columns of a dict must be of one length, or all single values; "
                f"received lengths {sorted(lengths)}."
            )
        if lengths == {1}:
            return self._feed_row([column[0] for column in columns], arrange)
        return self._feed_columns(columns, lengths.pop(), arrange)

    def _check_column(self, name: Any, values: Any) -> Any:
        """Return a column of a dict as a list or an array."""
        if type(values) is list:
            return values
        array = np.asarray(values)
        if array.ndim != 1:
            raise ValueError(
                "The columns of a dict must be 1D, or all of them single values; "
                f"{name!r} is {array.ndim}D."
            )
        return array if len(array) > 1 else array.tolist()

    def _feed_pandas(self, X: Any) -> dict[str, AnyArray]:
        arrange = self._find_columns(X.columns.tolist())
        n_rows = len(X)
        if n_rows == 1:
            # By far the fastest way of pandas for columns of several types.
            return self._feed_row(X.iloc[0].tolist(), arrange)
        if n_rows <= _FEW_ROWS:
            columns = list(X.to_numpy(dtype=object).T)
        else:
            columns = [column.to_numpy() for _, column in X.items()]
        return self._feed_columns(columns, n_rows, arrange)

    def _check_array(self, X: Any) -> AnyArray:
        """Return an array, with scikit-learn's errors for what is none."""
        return check_array(
            X,
            dtype=object if self._text_parts else "numeric",
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            estimator=self.owner,
        )

    def _refuse_width(self, width: int) -> ValueError:
        return ValueError(
            f"X has {width} features, but {self.owner} is expecting "
            f"{len(self.columns)} features as input."
        )

    # Names ---------------------------------------------------------------------------

    def _arrange(self, places: Sequence[int]) -> Arrange:
        """Return what puts columns in the order in which they are fed."""
        order = [places[k] for k in (*self._number_columns, *self._text_columns)]
        if len(order) == 1:
            return lambda columns: (columns[order[0]],)
        return itemgetter(*order)

    def _find_columns(self, names: list[Any]) -> Arrange:
        """Return what arranges the columns of a table with these names."""
        # Read and kept in one assignment each, for threads share this object.
        known, arrange = self._last
        if names != known:
            arrange = self._arrange(self._compare_names(names))
            self._last = names, arrange
        return arrange

    def _compare_names(self, names: list[Any]) -> Sequence[int]:
        """Return where each column of the model stands."""
        if not self.named:
            if len(names) != len(self.columns):
                raise self._refuse_width(len(names))
            return range(len(names))
        known, given = set(self.columns), set(names)
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        faults = {
            "Feature names unseen at fit time": [n for n in names if n not in known],
            "Feature names seen at fit time, yet now missing": [
                name for name in self.columns if name not in given
            ],
            "Feature names that occur more than once": twice,
        }
        if any(faults.values()):
            raise ValueError(
                "The feature names should match those that were passed during fit."
                + "".join(
                    f"\n{fault}:\n" + "".join(f"- {name}\n" for name in found)
                    for fault, found in faults.items()
                    if found
                )
            )
        return [names.index(name) for name in self.columns]

    # Values --------------------------------------------------------------------------

    def _feed_row(self, row: Any, arrange: Arrange) -> dict[str, AnyArray]:
        """Return the feed of a single row, given as its values."""
        row = arrange(row)
        n_numbers = len(self._number_columns)
        feed = {}
        if n_numbers:
            numbers = row[:n_numbers]
            try:
                values = np.array([numbers], dtype=np.float64)
            except (TypeError, ValueError, OverflowError):
                values = np.empty(0)
            if values.ndim != 2:
                pairs = zip(numbers, self._number_columns, strict=True)
                values = np.array([self._read_numbers([v], k) for v, k in pairs]).T
            feed = self._split(values)
        if self._text_parts:
            texts = np.empty((1, len(row) - n_numbers), dtype=object)
            for place, value in enumerate(row[n_numbers:]):
                if type(value) is not str or not value:
                    value = self._read_text(value, self._text_columns[place])
                texts[0, place] = value
            for name, held, _ in self._text_parts:
                feed[name] = texts[:, held]
        return feed

    def _feed_columns(
        self, columns: Sequence[Any], n_rows: int, arrange: Arrange
    ) -> dict[str, AnyArray]:
        """Return the feed of many rows, given as their columns."""
        columns = arrange(columns)
        n_numbers = len(self._number_columns)
        feed = {}
        if n_numbers:
            # Each column in one piece, for most inputs are one column.
            values = np.empty((n_rows, n_numbers), order="F")
            for place, k in enumerate(self._number_columns):
                values[:, place] = self._read_numbers(columns[place], k)
            feed = self._split(values)
        if self._text_parts:
            n_texts = len(columns) - n_numbers
            texts = np.empty((n_rows, n_texts), dtype=object, order="F")
            for place, k in enumerate(self._text_columns):
                given = np.asarray(columns[n_numbers + place], dtype=object).tolist()
                texts[:, place] = [
                    v if type(v) is str and v else self._read_text(v, k) for v in given
                ]
            for name, held, _ in self._text_parts:
                feed[name] = texts[:, held]
        return feed

    def _split(self, values: AnyArray) -> dict[str, AnyArray]:
        """Return the inputs of numbers from the matrix of all numbers."""
        cast = self._cast(values)
        if self._table is not None:
            return {self._table: cast}
        feed = {}
        for name, held, dtype in self._number_parts:
            part = cast[:, held]
            feed[name] = part if dtype is self._dtype else part.astype(dtype)
        return feed

    def _cast(self, values: AnyArray) -> AnyArray:
        """Return numbers as the session takes them, checked.

        A number beyond the precision of its column is refused as an infinite one.
        """
        cast = values.astype(self._dtype, copy=False)
        # Finite where all numbers of the row are: one pass, and the cheapest.
        sums = cast.dot(self._tiny)
        if sums.item() - sums.item() if len(sums) == 1 else not np.isfinite(sums).all():
            self._refuse_numbers(cast)
        return cast

    def _refuse_numbers(self, values: AnyArray) -> None:
        missing = np.isnan(values).any(axis=0)
        for place in np.flatnonzero(missing):
            k = self._number_columns[place]
            if k not in self.missing:
                raise ValueError(
                    f"Input X contains NaN.\n{self.owner} does not accept missing "
                    f"values in column {self.columns[k]!r}, as the model that the file "
                    "was made of does not. Impute them before, or export a pipeline "
                    "that does."
                )
        large = (np.abs(values) > _LARGEST) & self._single | np.isinf(values)
        for place in np.flatnonzero(large.any(axis=0)):
            k = self._number_columns[place]
            if k not in self.infinite:
                raise self._refuse_large(k, self._single[place])

    def check_large(self, feed: dict[str, AnyArray], rows: AnyArray) -> None:
        """Raise where rows of a feed hold numbers that overflow in float32."""
        for name, held, _ in self._number_parts:
            large = (np.abs(feed[name][rows]) > _LARGE).any(axis=0)
            for place in np.flatnonzero(large):
                raise self._refuse_large(self._number_columns[held][place], True)

    def _refuse_large(self, k: int, single: bool) -> ValueError:
        precision = "float32" if single else "float64"
        return ValueError(
            f"Input X contains infinity or a value too large for dtype({precision!r}), "
            f"in column {self.columns[k]!r}."
        )

    def _read_numbers(self, values: Any, k: int) -> AnyArray:
        """Return a column as double, with NaN where it is missing."""
        try:
            array = np.asarray(values)
        except ValueError:
            array = np.empty((len(values), 0))
        if array.ndim != 1:
            raise ValueError(
                f"Column {self.columns[k]!r} of X must hold numbers, one a row; "
                f"received {values[0]!r}."
            )
        if array.dtype.kind in "fiub":
            return array
        if array.dtype.kind == "c":
            raise ValueError(f"Complex data not supported\n{array}\n")
        try:
            return np.array(
                [np.nan if is_missing(v) else float(v) for v in array.tolist()]
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"Column {self.columns[k]!r} of X must hold numbers; {error}. Convert "
                "it as before the fit."
            ) from error

    def _read_text(self, value: Any, k: int) -> str:
        missing, empty = self._stand_ins[k]
        if isinstance(value, str):
            return str(value) or empty
        if is_missing(value):
            return missing
        raise ValueError(
            f"Column {self.columns[k]!r} of X must hold strings, as where the model "
            f"was fitted; received {value!r}. Convert it with astype(str)."
        )
