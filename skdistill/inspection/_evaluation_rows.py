"""The rows of a report: labels or values, weights, groups, and predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length

from .._checks import check_weight
from .._frames import is_missing
from .._labels._quantiles import rate_quantiles
from .._labels._values import check_values
from .._sklearn import _safe_indexing
from .._soft_data import as_columns
from .._typing import AnyArray, FloatArray, IndexArray

#: The models, in the order in which they stand side by side.
TEACHER, BASELINE, STUDENT = "teacher", "baseline", "student"

#: With fewer rows nothing is said to be beyond chance: the percentile bootstrap draws
#: from the rows themselves, so that the interval of one row has no width, and that of
#: ten misses the mean of skewed losses about three times as often as it says.
FEWEST_ROWS = 30

#: A column of more values is a measurement rather than a grouping.
_MAX_GROUPS = 100
_NOT_GIVEN = "(missing)"

#: The sign of better, the figure of each row, and what its mean becomes.
Kind = tuple[float, Callable[[str], FloatArray], Callable[[Any], Any]]


def count_equal(weight: FloatArray) -> float:
    """Return the number of rows of one weight that tell as much."""
    return round(float(weight.sum() ** 2 / (weight**2).sum()), 6)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a report, and what the models predict for them."""

    weight: FloatArray
    #: By model: probabilities, values or quantiles.
    served: dict[str, FloatArray]
    #: Position of each row's group, and the names of the groups.
    groups: tuple[IndexArray, list[str]] | None

    #: Share of the baseline's score below which an advantage is none, whatever the
    #: intervals say: of errors, a ratio to what rounding may explain has no meaning.
    least_advantage: ClassVar[float] = 0.0

    @property
    def are_few(self) -> bool:
        """Whether rows are too few for a statement about chance."""
        return count_equal(self.weight) < FEWEST_ROWS

    def kinds(self) -> dict[str, Kind]:
        """Return the scores that models are compared by."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ClassRows(Rows):
    """Rows with labels: `codes` are their positions in `classes`."""

    codes: IndexArray
    classes: AnyArray

    def hits(self, name: str) -> FloatArray:
        """1 where the label of the largest probability is the true one, else 0."""
        return (self.served[name].argmax(axis=1) == self.codes).astype(np.float64)

    def losses(self, name: str) -> FloatArray:
        """Log loss of each row, clipped as scikit-learn clips it."""
        own = self.served[name][np.arange(len(self.codes)), self.codes]
        return -np.log(np.clip(own, np.finfo(np.float64).eps, None))

    def kinds(self) -> dict[str, Kind]:
        return {
            "accuracy": (1.0, self.hits, np.asarray),
            "log_loss": (-1.0, self.losses, np.asarray),
        }


@dataclass(frozen=True, kw_only=True)
class ValueRows(Rows):
    """Rows with true values."""

    least_advantage: ClassVar[float] = 0.01

    y: FloatArray

    def distances(self, name: str, other: FloatArray) -> FloatArray:
        """Return how far a model's answers are from others, one column an output."""
        return as_columns(np.abs(self.served[name] - other))

    def kinds(self) -> dict[str, Kind]:
        def errors(name: str) -> FloatArray:
            return self.distances(name, self.y)

        return {
            "rmse": (-1.0, lambda name: (errors(name) ** 2).mean(axis=1), np.sqrt),
            "mae": (-1.0, lambda name: errors(name).mean(axis=1), np.asarray),
        }

    def measure(self, name: str, members: Any = slice(None)) -> dict[str, float]:
        """Return the figures of one model, on some of the rows."""
        y, served = self.y[members], self.served[name][members]
        weight = self.weight[members]
        errors = self.distances(name, self.y)[members].mean(axis=1)
        return {
            "r2": r2_score(y, served, sample_weight=weight) if len(y) > 1 else np.nan,
            "rmse": self.measure_rmse(name, self.y, members),
            "mae": float(np.average(errors, weights=weight)),
            "rmse_to_teacher": self.measure_rmse(name, self.served[TEACHER], members),
        }

    def measure_rmse(self, name: str, other: FloatArray, members: Any) -> float:
        squares = (self.distances(name, other)[members] ** 2).mean(axis=1)
        return float(np.average(squares, weights=self.weight[members]) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class OutputRows(ValueRows):
    """Rows with several true values, a column each, and models that predict them.

    Together they are judged in standard deviations of each output on these rows.
    """

    @cached_property
    def spread(self) -> FloatArray:
        middle = np.average(self.y, axis=0, weights=self.weight)
        squares = np.average((self.y - middle) ** 2, axis=0, weights=self.weight)
        return np.where(squares > 0, np.sqrt(squares), 1.0)

    def distances(self, name: str, other: FloatArray) -> FloatArray:
        return super().distances(name, other) / self.spread

    def take_output(self, k: int) -> ValueRows:
        """Return the rows with one output, in its own units."""
        served = {name: values[:, k] for name, values in self.served.items()}
        return ValueRows(
            weight=self.weight, served=served, groups=self.groups, y=self.y[:, k]
        )


@dataclass(frozen=True, kw_only=True)
class QuantileRows(ValueRows):
    """Rows with true values, and models that predict their quantiles, a column each."""

    quantiles: FloatArray

    def losses(self, name: str) -> FloatArray:
        losses = rate_quantiles(self.served[name], self.y, self.quantiles)
        return losses.mean(axis=1)

    def kinds(self) -> dict[str, Kind]:
        return {"pinball": (-1.0, self.losses, np.asarray)}

    def measure(self, name: str, members: Any = slice(None)) -> dict[str, float]:
        y, served = self.y[members, None], self.served[name][members]
        weight = self.weight[members]

        def average(values: FloatArray) -> float:
            return float(np.average(values, weights=weight))

        losses = rate_quantiles(served, y, self.quantiles)
        below = (y <= served).astype(float)
        figures = {"pinball": average(losses.mean(axis=1))}
        for k, level in enumerate(self.quantiles):
            figures[f"pinball_{level:g}"] = average(losses[:, k])
            figures[f"below_{level:g}"] = average(below[:, k])
        if len(self.quantiles) > 1:
            figures["inside"] = average(below[:, -1] - below[:, 0])
            figures["width"] = average(served[:, -1] - served[:, 0])
        distance = self.measure_rmse(name, self.served[TEACHER], members)
        return figures | {"rmse_to_teacher": distance}


def check_rows(
    X: Any,
    y: Any,
    sample_weight: Any,
    teacher_proba: Any,
    groups: Any,
    n_outputs: int = 1,
) -> tuple[Any, AnyArray, FloatArray, Any, Any]:
    """Check what a report is given, and leave out rows of weight 0.

    The groups become the position of each row's group and the names of the groups.
    """
    y = column_or_1d(y) if n_outputs == 1 else check_values(y, len(y), n_outputs, "y")
    check_consistent_length(X, y, teacher_proba)
    if not len(y):
        raise ValueError(
            "A report needs at least one row; got 0. Pass rows that none of the models "
            "was fitted on, and their labels."
        )
    weight = check_weight(sample_weight, len(y))
    if groups is not None:
        groups = _read_groups(groups, X, len(y))
    if weight.min() > 0:
        return X, y, weight, teacher_proba, groups
    kept = np.flatnonzero(weight > 0)
    if teacher_proba is not None:
        teacher_proba = _safe_indexing(teacher_proba, kept)
    if groups is not None:
        groups = groups[0][kept], groups[1]
    return _safe_indexing(X, kept), y[kept], weight[kept], teacher_proba, groups


def _read_groups(groups: Any, X: Any, n_samples: int) -> tuple[IndexArray, list[str]]:
    """Position of each row's group, and the names of the groups in order."""
    if isinstance(groups, str):
        names = [str(name) for name in getattr(X, "columns", ())]
        if groups not in names:
            raise ValueError(
                "groups must be a column of X, or one value for each row; got "
                f"{groups!r}, and X has "
                f"{f'the columns {names}' if names else 'no column names'}. Pass the "
                "values themselves, which need not be a column of X."
            )
        groups = X[groups]
    values = np.asarray(groups, dtype=object).ravel().tolist()
    values = [_NOT_GIVEN if is_missing(value) else value for value in values]
    if len(values) != n_samples:
        raise ValueError(
            f"groups must hold one value for each of the {n_samples} rows; got "
            f"{len(values)}. Pass the values of these rows, in their order."
        )
    found = list(dict.fromkeys(values))
    if len(found) > _MAX_GROUPS:
        raise ValueError(
            f"There may be at most {_MAX_GROUPS} groups; got {len(found)} different "
            "values. Cut numbers into ranges first, with "
            "KBinsDiscretizer(encode='ordinal') for one."
        )
    try:
        found.sort(key=lambda value: (value == _NOT_GIVEN, value))
    except TypeError:
        found.sort(key=lambda value: (value == _NOT_GIVEN, str(value)))
    position = {value: k for k, value in enumerate(found)}
    return np.array([position[value] for value in values]), [str(v) for v in found]
